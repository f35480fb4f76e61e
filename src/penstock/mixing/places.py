"""Rows that come from several inputs, in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import block as blocks
from penstock.block import Block, Dense
from penstock.building import Allocate
from penstock.columns import Column
from penstock.mixing.alike import alike
from penstock.node import Context, Epochs, Indices, Node, Places
from penstock.provenance import Part, placed

Rows = NDArray[np.intp]


def resolve_mixed(
    method: str,
    parts: Sequence[Node],
    which: NDArray[Any],
    indices: Indices,
    epochs: Epochs,
    context: Context,
    failures: Sequence[Exception] = (),
) -> Places:
    """Places of which row i is element `indices[i]` of `parts[which[i]]`.

    Args:
        method: The public function, for messages.
        parts: The inputs.
        which: The number of an input for each row; one beyond the last for an error.
        indices: The element of that input, or the number of the error.
        epochs: The epoch that the inputs are read in.
        context: That of the run.
        failures: The errors, in the order of their rows.
    """
    first = int(which[0]) if len(which) else 0
    if first < len(parts) and (which == first).all():
        return parts[first].resolve(epochs, indices, context)
    which = which.astype(np.min_scalar_type(len(parts)))
    within = np.empty(len(which), np.int64)
    found: dict[int, Places] = {}
    for number, rows in _grouped(which):
        below = epochs if isinstance(epochs, int) else epochs[rows]
        if number == len(parts):
            found[number] = _Failures(failures)
        else:
            found[number] = parts[number].resolve(below, indices[rows], context)
        within[rows] = np.arange(len(rows))
    return _MixedPlaces(method, found, which, within, context.allocate)


def _grouped(which: NDArray[Any]) -> Iterator[tuple[int, Rows]]:
    """Each number in `which`, with its rows."""
    # One sort, not one look through all rows for each of many parts; a radix sort where the numbers are narrow.
    order = np.argsort(which, kind="stable")
    in_order = which[order]
    starts = [0, *(np.flatnonzero(in_order[1:] != in_order[:-1]) + 1).tolist(), len(order)]
    for start, stop in zip(starts[:-1], starts[1:], strict=True):
        if stop > start:
            yield int(in_order[start]), order[start:stop]


class _MixedPlaces(Places):
    """Places that lie in several inputs: row i is place `within[i]` of those in part `which[i]`."""

    __slots__ = ("_allocate", "_method", "_parts", "_which", "_within")

    def __init__(
        self, method: str, parts: dict[int, Places], which: NDArray[Any], within: Indices, allocate: Allocate
    ) -> None:
        self._method = method
        self._parts = parts
        self._which = which
        self._within = within
        self._allocate = allocate
        self.rows = len(which)

    def gather(self, start: int, stop: int) -> Block:
        which = self._which[start:stop]
        gathered: list[Block] = []
        rows: list[Rows] = []
        for number, mine in _grouped(which):
            first, last = self._within[start + mine[[0, -1]]].tolist()
            gathered.append(self._parts[number].gather(first, last + 1))
            rows.append(mine)
        return merged(self._method, gathered, rows, self._allocate)


class _Failures(Places):
    __slots__ = ("_errors",)

    def __init__(self, errors: Sequence[Exception]) -> None:
        self.rows = len(errors)
        self._errors = errors

    def gather(self, start: int, stop: int) -> Block:
        return failures(self._errors[start:stop])


def failures(errors: Sequence[Exception]) -> Block:
    """A block in which each row is an error."""
    return Block(None, (), len(errors), dict(enumerate(errors)))


def merged(method: str, parts: Sequence[Block], rows: Sequence[Rows], allocate: Allocate) -> Block:
    """One block in which row j of `parts[i]` stands at `rows[i][j]`; each row of it is given once.

    Rows of another structure than the first become errors.
    """
    if len(parts) == 1:
        return parts[0]
    treedef = next((part.treedef for part in parts if part.treedef is not None), None)
    parts = [alike(method, treedef, part) for part in parts]
    columns = _scattered(parts, rows, allocate)
    if columns is None:
        return blocks.concatenate(parts).take(np.argsort(np.concatenate(rows), kind="stable"))
    errors = {
        int(places[row]): error for part, places in zip(parts, rows, strict=True) for row, error in part.errors.items()
    }
    count, provenance = sum(part.rows for part in parts), None
    if any(part.provenance is not None for part in parts):
        each = zip(parts, rows, strict=True)
        provenance = placed([Part(part.provenance, part.rows, slice(None), places) for part, places in each], count)
    return Block(treedef, columns, count, errors, True, provenance)


def _scattered(parts: Sequence[Block], rows: Sequence[Rows], allocate: Allocate) -> list[Column] | None:
    """Columns with all rows in their places, each copied once; None where columns are not all arrays of one form."""
    if any(part.treedef is None for part in parts):
        return None
    found: list[Column] = []
    for columns in zip(*(part.columns for part in parts), strict=True):
        first = columns[0]
        for column in columns:
            if not (isinstance(column, Dense) and isinstance(first, Dense)) or (
                (column.dtype, column.row_shape) != (first.dtype, first.row_shape)
            ):
                return None
        arrays = [column.array for column in columns if isinstance(column, Dense)]
        whole = allocate((sum(map(len, arrays)), *arrays[0].shape[1:]), arrays[0].dtype)
        for array, places in zip(arrays, rows, strict=True):
            whole[places] = array
        found.append(Dense(whole, first.dtype))
    return found
