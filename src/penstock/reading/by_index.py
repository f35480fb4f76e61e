"""Rows of files by index, where the number of rows of each fragment is known."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from penstock.block import Block, all_errors, another, concatenate
from penstock.node import Indices, Places, follow_one_another
from penstock.reader import Reader, Used
from penstock.reading.pieces import blocks_of, held_bytes

_MAX_KEPT_BYTES = 1 << 27


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
    """The fragments of a reader as blocks; those used last are kept, up to 128 MiB or one. For any number of threads.

    Args:
        reader: The format and its files.
        used: Components that are looked at.
        origin: The user's line that made the source.
    """

    def __init__(self, reader: Reader, used: Used, origin: str) -> None:
        self._reader = reader
        self._used = used
        self._origin = origin
        self._fragments = reader.fragments()
        self._kept: OrderedDict[int, _Whole] = OrderedDict()
        self._num_bytes = 0
        self._lock = threading.Lock()
        self._in_work: dict[int, threading.Lock] = {}
        rows = [fragment.rows or 0 for fragment in self._fragments]
        self.starts = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)])

    def gather(self, indices: Indices) -> Block:
        """The rows at `indices`, in that order."""
        numbers = np.searchsorted(self.starts, indices, side="right") - 1
        order = np.argsort(numbers, kind="stable")
        blocks = []
        for number in np.unique(numbers):
            here = order[np.searchsorted(numbers, number, sorter=order) :][: np.count_nonzero(numbers == number)]
            blocks.append(self._read(int(number)).take(indices[here] - self.starts[number]))
        if len(blocks) == 1 and (len(order) < 2 or bool((order[1:] > order[:-1]).all())):
            return blocks[0]
        back = np.empty(len(order), np.intp)
        back[order] = np.arange(len(order))
        return concatenate(blocks).take(back)

    def slice(self, start: int, stop: int) -> Block:
        """The rows `start` to `stop`, which follow one another: views where they are of one fragment."""
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
        part = whole.block.slice(start, stop)
        # Not fresh: the fragment is kept, and its rows may be asked for again.
        return Block(part.treedef, part.columns, part.rows, part.errors)

    def _read(self, number: int) -> _Whole:
        with self._lock:
            lock = self._in_work.setdefault(number, threading.Lock())
        # One thread reads a fragment, and those that want it too wait for it; others are read meanwhile.
        with lock:
            with self._lock:
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
            while self._num_bytes > _MAX_KEPT_BYTES and len(self._kept) > 1:
                _, oldest = self._kept.popitem(last=False)
                self._num_bytes -= oldest.num_bytes


class FilePlaces(Places):
    """Places among the rows of files."""

    __slots__ = ("_fragments", "_indices", "_neighbours")

    def __init__(self, fragments: Fragments, indices: Indices) -> None:
        self.rows = len(indices)
        self._fragments = fragments
        self._indices = indices
        self._neighbours = follow_one_another(indices)

    def gather(self, start: int, stop: int) -> Block:
        if self._neighbours:
            first = int(self._indices[start])
            return self._fragments.slice(first, first + stop - start)
        return self._fragments.gather(self._indices[start:stop])
