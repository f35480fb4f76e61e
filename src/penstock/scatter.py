"""Rows of different lengths, which lie one after another, spread over the rows of a rectangle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.node import Indices

_CHUNK_BYTES = 1 << 17
NUMBERS = frozenset("biufc")
"""The kinds of dtypes that are numbers."""


def scatter_together(
    values: NDArray[Any], starts: Indices, lengths: Indices, sizes: Indices, widths: Sequence[int], value: Any
) -> list[NDArray[Any] | None]:
    """What `scatter` makes for several batches, at less cost for each, in memory of NumPy's.

    >>> batches = scatter_together(np.arange(9), np.array([0, 4, 5]), np.array([1, 3, 1]), np.array([2, 1]), [3, 2], -1)
    >>> [batch.tolist() for batch in batches]
    [[[0, -1, -1], [4, 5, 6]], [[5, -1]]]

    Args:
        values: Numbers one after another, shape (n,).
        starts: The first item of each row, for one batch after another; rising within each.
        lengths: How many each row has; none more than its batch has columns.
        sizes: How many rows each batch has; at least 1.
        widths: How many columns each batch has.
        value: What stands where no item does.

    Returns:
        The batches; None for one that reaches too near to the end of `values`.
    """
    stops = np.cumsum(sizes)
    shortest = np.minimum.reduceat(lengths, stops - sizes)
    free_columns = max(width - least for width, least in zip(widths, shortest.tolist(), strict=True))
    is_free = np.arange(free_columns) >= (lengths - np.repeat(shortest, sizes))[:, None]
    made: list[NDArray[Any] | None] = []
    start = 0
    for stop, width, least in zip(stops.tolist(), widths, shortest.tolist(), strict=True):
        batch = None
        if width and int(starts[stop - 1]) + width <= len(values):
            batch = _windows(values, width, ())[starts[start:stop]]
            np.copyto(batch[:, least:], value, where=is_free[start:stop, : width - least])
        made.append(batch)
        start = stop
    return made


def scatter(values: NDArray[Any], starts: Indices, lengths: Indices, batch: NDArray[Any], value: Any) -> None:
    """Put the `lengths[i]` items from `starts[i]` on into row i of `batch`, and `value` behind them.

    >>> batch = np.empty((2, 3), np.int64)
    >>> scatter(np.arange(9), np.array([0, 4]), np.array([1, 3]), batch, -1)
    >>> batch.tolist()
    [[0, -1, -1], [4, 5, 6]]

    Args:
        values: Items one after another, shape (n, *item).
        starts: The first item of each row.
        lengths: How many each row has; none more than `batch` has columns.
        batch: What is written, shape (rows, columns, *item); an axis of the item may be larger.
        value: What stands where no item does.
    """
    width = batch.shape[1]
    if batch.shape[2:] != values.shape[1:] or not values.flags.c_contiguous or values.dtype.kind not in NUMBERS:
        batch[...] = value
        inside = batch[(slice(None), slice(None), *map(slice, values.shape[1:]))]
        for row, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
            inside[row, :length] = values[start : start + length]
        return
    if not batch.size:
        return
    last = len(values) - width
    if last >= 0 and int(starts.max()) <= last:
        _copy_windows(values, starts, batch)
    else:
        _copy_windows_near_the_end(values, starts, batch)
    _fill_behind(batch, lengths, value)


def _fill_behind(batch: NDArray[Any], lengths: Indices, value: Any) -> None:
    """Put `value` behind the first `lengths[i]` items of each row i; only columns that are not full are looked at."""
    shortest = int(lengths.min())
    width = batch.shape[1]
    if shortest == width:
        return
    is_free = np.arange(shortest, width) >= lengths[:, None]
    if batch.ndim > 2:
        is_free = is_free[(..., *[None] * (batch.ndim - 2))]
    np.copyto(batch[:, shortest:], value, where=is_free)


def _windows(values: NDArray[Any], width: int, item: tuple[int, ...]) -> NDArray[Any]:
    """`width` items from each place on, as rows that overlap."""
    shape = (len(values) - width + 1, width, *item)
    return np.ndarray(shape, values.dtype, values, 0, (values.strides[0], *values.strides))


def _copy_windows(values: NDArray[Any], starts: Indices, batch: NDArray[Any]) -> None:
    """Copy as many items as a row of `batch` has, from each start on: too many, but with no loop over rows."""
    count, width = batch.shape[:2]
    windows = _windows(values, width, batch.shape[2:])
    # Not all at once: what was copied is copied on while it is in the processor's cache.
    step = max(1, _CHUNK_BYTES * count // max(1, batch.nbytes))
    for at in range(0, count, step):
        batch[at : at + step] = windows[starts[at : at + step]]


def _copy_windows_near_the_end(values: NDArray[Any], starts: Indices, batch: NDArray[Any]) -> None:
    """The same where a row of `batch` reaches past the last item."""
    width = batch.shape[1]
    first = max(0, len(values) - width + 1)
    tail = np.zeros((len(values) - first + width, *values.shape[1:]), values.dtype)
    tail[: len(values) - first] = values[first:]
    is_near = starts >= first
    near: NDArray[Any] = np.empty((int(is_near.sum()), *batch.shape[1:]), batch.dtype)
    _copy_windows(tail, starts[is_near] - first, near)
    batch[is_near] = near
    if len(near) < len(batch):
        far: NDArray[Any] = np.empty((len(batch) - len(near), *batch.shape[1:]), batch.dtype)
        _copy_windows(values, starts[~is_near], far)
        batch[~is_near] = far
