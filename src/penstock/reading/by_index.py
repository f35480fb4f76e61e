"""Rows of files by index, where the number of rows of each fragment is known."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from penstock.block import Block, Dense, all_errors, another, concatenate
from penstock.node import Indices, Places, follow_one_another
from penstock.provenance import FileTable, Indexed
from penstock.reader import Reader, Used
from penstock.reading.pieces import blocks_of, held_bytes, is_one_value

_MAX_KEPT_BYTES = 1 << 28
_MOST_ROWS_AHEAD = 1 << 16
_SHARE_AHEAD = 4
"""Rows that are gathered before they are asked for take the budget divided by this, at most."""


class _Whole(NamedTuple):
    """A fragment: the rows that could be read, and the error that stands in all rows after them."""

    block: Block
    error: Exception | None
    num_bytes: int

    def take(self, rows: Indices) -> Block:
        """The rows at these places, copied."""
        size = self.block.rows
        if not size:
            assert self.error is not None
            return all_errors(self.error, len(rows))
        found = self.block.take(np.minimum(rows, size - 1))
        if self.error is None:
            return found
        errors = {row: another(self.error) for row in np.flatnonzero(rows >= size).tolist()}
        return Block(found.treedef, found.columns, found.rows, {**found.errors, **errors}, found.fresh)


class Fragments:
    """The fragments of a reader as blocks; those used last are kept. For any number of threads.

    Where all of them fit, they become one block when the last one was read: then rows of all fragments are one take.

    Args:
        reader: The format and its files.
        used: Components that are looked at.
        origin: The user's line that made the source.
        budget_bytes: How many bytes of them are kept, or one; None for 256 MiB.
    """

    def __init__(self, reader: Reader, used: Used, origin: str, budget_bytes: int | None = None) -> None:
        self._reader = reader
        self._used = used
        self._origin = origin
        self._budget_bytes = _MAX_KEPT_BYTES if budget_bytes is None else budget_bytes
        self._fragments = reader.fragments()
        self._kept: OrderedDict[int, _Whole] = OrderedDict()
        self._all: Block | None = None
        self._num_bytes = 0
        self._lock = threading.Lock()
        self._in_work: dict[int, threading.Lock] = {}
        rows = [fragment.rows or 0 for fragment in self._fragments]
        self.starts = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)])
        self.table = FileTable(
            *([part.path for part in self._fragments], self.starts, [part.first_row for part in self._fragments])
        )
        self._num_with_rows = sum(map(bool, rows))
        self._rows_ahead: int | None = None

    @property
    def rows_ahead(self) -> int | None:
        """How many rows to gather at once, since fragments have to be read again for others; None where they do not."""
        return self._rows_ahead

    def gather(self, indices: Indices) -> Block:
        """The rows at `indices`, in that order; each fragment is read once for them at most."""
        if self._all is not None:
            return self._all.take(indices)
        numbers = np.searchsorted(self.starts, indices, side="right") - 1
        order = np.argsort(numbers, kind="stable")
        found, firsts = np.unique(numbers[order], return_index=True)
        parts = dict(zip(found.tolist(), np.split(order, firsts[1:]), strict=True))
        with self._lock:
            # Those that are there come first, before what is read for others takes their place.
            here = sorted(parts, key=lambda number: number not in self._kept)
        blocks = [self._read(number).take(indices[parts[number]] - self.starts[number]) for number in here]
        if len(blocks) == 1:
            return blocks[0]
        back = np.empty(len(order), np.intp)
        back[np.concatenate([parts[number] for number in here])] = np.arange(len(order))
        return concatenate(blocks).take(back)

    def slice(self, start: int, stop: int) -> Block:
        """The rows `start` to `stop`, which follow one another: views where they are of one fragment."""
        if self._all is not None:
            return _kept(self._all.slice(start, stop))
        blocks = []
        number = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            first, last = int(self.starts[number]), int(self.starts[number + 1])
            if start < last:
                here = min(stop, last)
                blocks.append(self._slice(number, start - first, here - first))
                start = here
            number += 1
        return concatenate(blocks)

    def _slice(self, number: int, start: int, stop: int) -> Block:
        whole = self._read(number)
        if stop > whole.block.rows:
            return whole.take(np.arange(start, stop))
        return _kept(whole.block.slice(start, stop))

    def _read(self, number: int) -> _Whole:
        with self._lock:
            lock = self._in_work.setdefault(number, threading.Lock())
        # One thread reads a fragment, and those that want it too wait for it; others are read meanwhile.
        with lock:
            with self._lock:
                if self._all is not None:
                    rows = self._all.slice(int(self.starts[number]), int(self.starts[number + 1]))
                    return _Whole(rows, None, 0)
                found = self._kept.get(number)
                if found is not None:
                    self._kept.move_to_end(number)
                    return found
            whole = self._read_whole(number)
            self._keep(number, whole)
        return whole

    def _read_whole(self, number: int) -> _Whole:
        blocks: list[Block] = []
        error: Exception | None = None
        try:
            for _, block in blocks_of(self._reader, self._fragments[number], self._used, None, self._origin):
                blocks.append(block)
        except Exception as failed:
            error = failed
        block = concatenate(blocks) if blocks else Block(None, (), 0)
        return _Whole(block, error, held_bytes(block))

    def _keep(self, number: int, whole: _Whole) -> None:
        with self._lock:
            self._kept[number] = whole
            self._num_bytes += whole.num_bytes
            while self._num_bytes > self._budget_bytes and len(self._kept) > 1:
                _, oldest = self._kept.popitem(last=False)
                self._num_bytes -= oldest.num_bytes
                row_bytes = max(1, whole.num_bytes // max(1, whole.block.rows))
                self._rows_ahead = min(_MOST_ROWS_AHEAD, max(1, self._budget_bytes // _SHARE_AHEAD // row_bytes))
            if len(self._kept) == self._num_with_rows > 1 and all(kept.error is None for kept in self._kept.values()):
                self._all = _joined([self._kept[number].block for number in sorted(self._kept)])
                self._kept.clear()


def _joined(blocks: list[Block]) -> Block:
    """The rows of `blocks` one after another, in memory that nothing else is in."""
    joined = concatenate(blocks)
    columns = [
        # Components that are not used stay as small as they were.
        Dense(np.broadcast_to(first.array[:1], column.array.shape), column.dtype)
        if isinstance(column, Dense) and isinstance(first, Dense) and is_one_value(first)
        else column
        for first, column in zip(blocks[0].columns, joined.columns, strict=True)
    ]
    return Block(joined.treedef, columns, joined.rows, joined.errors)


def _kept(part: Block) -> Block:
    """Rows as they are handed out: not fresh, since they are kept and may be asked for again."""
    return Block(part.treedef, part.columns, part.rows, part.errors)


class FilePlaces(Places):
    """Places among the rows of files.

    Args:
        fragments: The files.
        indices: Which rows.
        keeps_provenance: Whether somebody wants to know where they are.
    """

    __slots__ = ("_ahead", "_fragments", "_indices", "_keeps_provenance", "_lock", "_neighbours")

    def __init__(self, fragments: Fragments, indices: Indices, keeps_provenance: bool = False) -> None:
        self.rows = len(indices)
        self._fragments = fragments
        self._indices = indices
        self._keeps_provenance = keeps_provenance
        self._neighbours = follow_one_another(indices)
        self._lock = threading.Lock()
        self._ahead = (0, Block(None, (), 0))

    def gather(self, start: int, stop: int) -> Block:
        block = self._gather(start, stop)
        if not self._keeps_provenance:
            return block
        return block.with_provenance(Indexed(self._fragments.table, self._indices[start:stop]))

    def _gather(self, start: int, stop: int) -> Block:
        if self._neighbours:
            first = int(self._indices[start])
            return self._fragments.slice(first, first + stop - start)
        rows_ahead = self._fragments.rows_ahead
        if rows_ahead is None or stop - start >= rows_ahead:
            return self._fragments.gather(self._indices[start:stop])
        with self._lock:
            first, block = self._ahead
            if not first <= start <= stop <= first + block.rows:
                first, block = start, self._fragments.gather(self._indices[start : start + rows_ahead])
                self._ahead = first, block
        return _kept(block.slice(start - first, stop - first))
