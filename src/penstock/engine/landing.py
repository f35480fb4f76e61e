"""Large rows of parallel calls, written by the workers into the batch that they become part of."""

from __future__ import annotations

import math
import threading
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.block import Block
from penstock.building import Allocate
from penstock.columns import Column, Dense, Objects, Part, SeparateRows

_LARGE_ROW_BYTES = 1 << 14
"""Smaller rows are joined by the reader in less time than it takes to look for their batch."""


class Landing:
    """Memory for the batches that the rows of one step become, filled by whoever computes them, in any order.

    A batch that all rows were written into is handed on without a copy, and what the user function returned goes at
    once, so that its memory is used again while it is in the processor's cache. Rows that are errors, or of another
    shape than the others of their batch, stay as they are: the reader joins that batch.

    Args:
        batch_rows: Rows i * batch_rows to (i + 1) * batch_rows become a batch.
        allocate: Makes memory for one.
    """

    def __init__(self, batch_rows: int, allocate: Allocate) -> None:
        self._batch_rows = batch_rows
        self._allocate = allocate
        self._lock = threading.Lock()
        self._is_used = False
        # Only the rows of a batch keep its memory: one that was handed on, or is never filled, goes by itself.
        self._batches: weakref.WeakValueDictionary[tuple[int, int], NDArray[Any]] = weakref.WeakValueDictionary()

    def rows(self, first: int, rows: int) -> int:
        """How many rows a run from `first` on gets, if it may have `rows`: whole batches, or a part of one.

        Small rows need not keep to batches, but that the first one does not wait for rows of the second.
        """
        if not self._is_used and first >= self._batch_rows:
            return rows
        missing = -first % self._batch_rows
        if missing or rows < self._batch_rows:
            return min(rows, missing or self._batch_rows)
        return rows - rows % self._batch_rows

    def land(self, block: Block, first: int) -> Block:
        """The rows of a block, which follow one another from `first` on, where their batch is; in any thread."""
        columns = block.columns
        if block.errors or not any(map(_has_large_rows, columns)) or any(isinstance(c, Objects) for c in columns):
            return block
        self._is_used = True
        number, start = divmod(first, self._batch_rows)
        landed: list[Column] = []
        for at, column in enumerate(columns):
            found: Column | None = column
            if isinstance(column, Dense) and _has_large_rows(column):
                found = self._landed(column, (number, at), start, block.fresh)
            elif not block.fresh and not (isinstance(column, Dense) and column.has_scalars):
                found = column.copy()
            if found is None:
                return block
            landed.append(found)
        return Block(block.treedef, landed, block.rows, fresh=True)

    def _landed(self, column: Dense, key: tuple[int, int], start: int, is_fresh: bool) -> Part | None:
        """A column in the memory of its batch; None where that has no place for it."""
        rows, form = len(column), (column.row_shape, np.dtype(column.dtype))
        if rows % self._batch_rows == 0 and start == 0:
            # Nobody else has rows of these batches.
            if is_fresh and column.array.flags.c_contiguous:
                return Part(column.array, 0, rows)
            whole = self._allocate((rows, *form[0]), form[1])
        elif start + rows > self._batch_rows:
            return None
        else:
            whole = self._batch(key, *form)
            if (whole.shape[1:], whole.dtype) != form:
                return None
        place = whole[start : start + rows]
        if isinstance(column, SeparateRows):
            np.stack(column.rows, out=place)
        else:
            place[...] = column.array
        return Part(whole, start, start + rows)

    def _batch(self, key: tuple[int, int], row_shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """The memory of a column of a batch: of that form, unless another worker found another."""
        with self._lock:
            found = self._batches.get(key)
            if found is None:
                found = self._batches[key] = self._allocate((self._batch_rows, *row_shape), dtype)
            return found


def _has_large_rows(column: Column) -> bool:
    if not isinstance(column, Dense) or column.has_scalars or not isinstance(column.dtype, np.dtype):
        return False
    return not column.dtype.hasobject and column.dtype.itemsize * math.prod(column.row_shape) >= _LARGE_ROW_BYTES
