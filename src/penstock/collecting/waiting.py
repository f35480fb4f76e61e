"""The rows that wait for their batch, in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.block import Block, concatenate
from penstock.node import Indices

_MOST_PARTS = 8
_ROWS_NOT_WORTH_A_COPY = 1024


class WaitingRows:
    """Rows in the order in which they came, in a few blocks; those that are not waited for any more go in bulk.

    A row's place is its number among all rows that are here.

    Attributes:
        numbers: For each place, the row's number in the input.
        buckets: For each place, the bucket; -1 for a row that belongs to none.
        lengths: For each place, the row's length.
    """

    def __init__(self) -> None:
        self._parts: list[Block] = []
        self._starts: list[int] = []
        self.numbers: Indices = np.empty(0, np.int64)
        self.buckets: Indices = np.empty(0, np.int64)
        self.lengths: Indices = np.empty(0, np.int64)

    def add(self, block: Block, first: int, buckets: Indices, lengths: Indices) -> None:
        """Put rows last, which are numbered from `first` on."""
        self._starts.append(len(self.numbers))
        self._parts.append(block)
        self.numbers = np.concatenate([self.numbers, np.arange(first, first + block.rows)])
        self.buckets = np.concatenate([self.buckets, buckets])
        self.lengths = np.concatenate([self.lengths, lengths])

    @property
    def bytes_per_row(self) -> int:
        """About how large a row is."""
        last = self._parts[-1]
        return max(1, last.num_bytes // last.rows)

    def by_bucket(self, places: Indices | None = None) -> list[tuple[int, Indices]]:
        """Each bucket with its places in order, the lowest bucket first; of all rows, or of those at `places`."""
        buckets = self.buckets if places is None else self.buckets[places]
        order = np.argsort(buckets, kind="stable")
        own = order if places is None else places[order]
        found, starts = np.unique(buckets[order], return_index=True)
        bounds = [*starts.tolist(), len(order)]
        spans = zip(found.tolist(), bounds, bounds[1:], strict=False)
        return [(bucket, own[start:stop]) for bucket, start, stop in spans if bucket >= 0]

    def keep(self, places: Indices) -> Indices:
        """Let go of all other rows, as far as that is worth a copy; gives the places where these rows are now."""
        rows = len(self.numbers)
        if len(places) == rows or (rows <= 2 * len(places) + _ROWS_NOT_WORTH_A_COPY and len(self._parts) < _MOST_PARTS):
            return places
        blocks = [block.take(rows) for block, rows in self.pieces(places)]
        self.numbers = self.numbers[places]
        self.buckets = self.buckets[places]
        self.lengths = self.lengths[places]
        self._parts = [concatenate(blocks)] if blocks else []
        self._starts = [0] if blocks else []
        return np.arange(len(places))

    def pieces(self, places: Indices) -> list[tuple[Block, NDArray[Any]]]:
        """The rows at `places`, which rise, as rows of the blocks that they are in."""
        if len(places) and places[0] >= self._starts[-1]:
            return [(self._parts[-1], places - self._starts[-1])]
        found = []
        bounds = np.searchsorted(places, [*self._starts, len(self.numbers)])
        for number, (block, start) in enumerate(zip(self._parts, self._starts, strict=True)):
            own = places[bounds[number] : bounds[number + 1]]
            if len(own):
                found.append((block, own - start))
        return found

    def joined(self, batches: list[Indices]) -> Block:
        """The rows of some batches, one after another, in one block."""
        places = np.concatenate(batches)
        order = np.argsort(places, kind="stable")
        block = concatenate([block.take(rows) for block, rows in self.pieces(places[order])])
        back = np.empty(len(order), np.int64)
        back[order] = np.arange(len(order))
        return block.take(back)
