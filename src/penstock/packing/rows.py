"""Rows of packed tokens: their structure, and what tells the sequences in a row apart."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.block import Block
from penstock.columns import Dense
from penstock.node import Context, Indices
from penstock.spec import Spec, TensorSpec

LABEL_DTYPE = np.dtype(np.int32)


@functools.lru_cache(maxsize=64)
def _structure(treedef: tree.Treedef) -> tuple[tree.Treedef, list[int]]:
    """The structure of a row of such elements, and for each of its components which of tokens, ids, positions it is."""
    count = treedef.num_leaves
    tokens = tree.unflatten(treedef, range(count))
    leaves, found = tree.flatten({"tokens": tokens, "segment_ids": count, "positions": count + 1})
    return found, leaves


def packed_spec(spec: Spec, length: int) -> Spec:
    """The spec of a row of elements of this spec."""
    label = TensorSpec((length,), LABEL_DTYPE)
    own = [TensorSpec(None if leaf.shape is None else (length, *leaf.shape[1:]), leaf.dtype) for leaf in spec.leaves]
    treedef, order = _structure(spec.treedef)
    return Spec(treedef, tuple([*own, label, label][at] for at in order))


def block_of(treedef: tree.Treedef, tokens: list[NDArray[Any]], labels: tuple[NDArray[Any], NDArray[Any]]) -> Block:
    """Rows as a block, whose memory is nobody else's.

    Args:
        treedef: The structure of the elements.
        tokens: For each component, shape (rows, length, *item).
        labels: Segment ids and positions, shape (rows, length) each.
    """
    found, order = _structure(treedef)
    columns = [*tokens, *labels]
    return Block(found, [Dense(columns[at]) for at in order], len(labels[0]), fresh=True)


def label(
    lengths: Indices, ids: Indices, rows: int, length: int, context: Context
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The segment ids and positions of rows, each of shape (rows, length).

    Args:
        lengths: How many tokens each segment has, those of padding included; `rows` * `length` in all.
        ids: Which segment of its row each is, from 1; 0 for padding.
        rows: How many rows there are.
        length: How many tokens each has.
        context: Where memory comes from.
    """
    size = rows * length
    starts = np.cumsum(lengths) - lengths
    positions: NDArray[np.int32] = context.allocate((rows, length), LABEL_DTYPE)
    # Counted from the segment's start: a position is its place among all tokens, less that of the first of its segment.
    np.subtract(_counting(size), np.repeat(starts.astype(np.int32), lengths), out=positions.reshape(size))
    segments = np.repeat(ids.astype(np.int32), lengths).reshape(rows, length)
    if lengths[ids == 0].any():
        positions[segments == 0] = 0
    return segments, positions


def _counting(size: int) -> NDArray[np.int32]:
    return np.arange(size, dtype=np.int32)


def number_within(rows: Indices) -> Indices:
    """For each segment, which one of its row it is, from 1.

    >>> number_within(np.array([0, 0, 1, 2, 2])).tolist()
    [1, 2, 1, 1, 2]

    Args:
        rows: The row of each segment, not falling.
    """
    places = np.arange(len(rows))
    is_first = np.append(True, rows[1:] != rows[:-1])
    return places - np.maximum.accumulate(np.where(is_first, places, 0)) + 1
