"""When a batch is complete: by the number of its rows, or by its tokens."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from penstock.node import Indices

_FIRST_LOOK = 64


class Begun:
    """The batches that were begun, one for each bucket.

    Attributes:
        rows: How many rows each has.
        longest: The greatest length in each.
        total: The sum of the lengths in each.
    """

    def __init__(self, num_buckets: int) -> None:
        self.rows: NDArray[np.int64] = np.zeros(num_buckets, np.int64)
        self.longest: NDArray[np.int64] = np.zeros(num_buckets, np.int64)
        self.total: NDArray[np.int64] = np.zeros(num_buckets, np.int64)

    def add(self, buckets: Indices, lengths: Indices) -> None:
        """Count rows in."""
        np.add.at(self.rows, buckets, 1)
        np.add.at(self.total, buckets, lengths)
        np.maximum.at(self.longest, buckets, lengths)


class Cutter(Protocol):
    """Cuts the rows of a bucket, in the order in which they come, into batches."""

    def cut(self, bucket: int, lengths: Indices) -> tuple[Indices, Indices]:
        """Where the complete batches of these rows end, and which row's coming completes each; both in order."""

    def completes(self, begun: Begun) -> bool:
        """Whether one of these batches is complete."""


class CutByCount:
    """A batch is complete when it has as many rows as its bucket's batches have.

    Args:
        sizes: How many, for each bucket.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self._sizes = np.array(sizes, np.int64)

    def cut(self, bucket: int, lengths: Indices) -> tuple[Indices, Indices]:
        size = int(self._sizes[bucket])
        stops = np.arange(size, len(lengths) + 1, size)
        return stops, stops - 1

    def completes(self, begun: Begun) -> bool:
        return bool((begun.rows >= self._sizes).any())


class CutByTokens:
    """A batch is complete when it has as many tokens as it may have, or when the next row would be too much.

    Args:
        max_tokens: How many; no row is longer.
        padded: Whether each row counts with the length of the batch's longest.
    """

    def __init__(self, max_tokens: int, padded: bool) -> None:
        self._max_tokens = max_tokens
        self._padded = padded

    def cut(self, bucket: int, lengths: Indices) -> tuple[Indices, Indices]:
        stops: list[int] = []
        closers: list[int] = []
        start = 0
        while start < len(lengths):
            rows, is_full = self._rows_that_fit(lengths[start:])
            stop = start + rows
            if stop == len(lengths) and not is_full:
                break
            stops.append(stop)
            closers.append(stop - 1 if is_full else stop)
            start = stop
        return np.array(stops, np.int64), np.array(closers, np.int64)

    def _rows_that_fit(self, lengths: Indices) -> tuple[int, bool]:
        """How many of the first rows are a batch, and whether they are complete without a look at the next."""
        look = _FIRST_LOOK
        while True:
            tokens = self._tokens(lengths[:look])
            # Rising, since a longer batch has no fewer tokens.
            rows = int(np.searchsorted(tokens, self._max_tokens, side="left"))
            if rows < len(tokens):
                is_full = int(tokens[rows]) == self._max_tokens
                return rows + is_full, is_full
            if look >= len(lengths):
                return rows, False
            look *= 4

    def _tokens(self, lengths: Indices) -> Indices:
        """The tokens of a batch of the first row, of the first two, ..."""
        if self._padded:
            return np.maximum.accumulate(lengths) * np.arange(1, len(lengths) + 1)
        return np.cumsum(lengths)

    def completes(self, begun: Begun) -> bool:
        tokens = begun.rows * begun.longest if self._padded else begun.total
        return bool((tokens >= self._max_tokens).any())
