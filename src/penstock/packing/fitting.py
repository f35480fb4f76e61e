"""Into which row a sequence goes that is to stay whole: first fit and best fit, over rows that are few at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_AGE_SHARE = 4
"""One part in so many of a row goes to the sequences that have waited longest, so that none waits for ever."""


class Fitter(Protocol):
    """Groups numbered sequences of 1 to `length` tokens into rows."""

    def put(self, first: int, lengths: Sequence[int]) -> list[list[int]]:
        """Take in the next sequences, which are numbered from `first` on; gives the rows that become complete."""

    def rest(self) -> list[list[int]]:
        """The rows of those that wait, which do not wait any more."""

    @property
    def wanted_tokens(self) -> int:
        """How many tokens it takes at least until a row is complete, if no sequence alone is one."""

    @property
    def oldest(self) -> int | None:
        """The first sequence that waits."""

    def waiting(self) -> list[list[int]]:
        """Those that wait, in groups that `load` takes."""

    def load(self, groups: list[list[int]], lengths: dict[int, int]) -> None:
        """Let sequences wait as they did where `groups` comes from."""


class FirstFit:
    """A sequence goes into the oldest open row that has room; where none has, the oldest is closed.

    Args:
        length: Tokens in a row.
        open_rows: How many rows are open at most.
    """

    def __init__(self, length: int, open_rows: int) -> None:
        self._length = length
        self._open_rows = open_rows
        self._free: NDArray[np.int64] = np.zeros(open_rows, np.int64)
        self._rows: list[list[int]] = []

    def put(self, first: int, lengths: Sequence[int]) -> list[list[int]]:
        rows: list[list[int]] = []
        for number, length in enumerate(lengths, first):
            if length == self._length:
                rows.append([number])
            else:
                rows += self._put_one(number, length)
        return rows

    def _put_one(self, number: int, length: int) -> list[list[int]]:
        count = len(self._rows)
        has_room = self._free[:count] >= length
        at = int(has_room.argmax()) if count else 0
        closed = []
        if not count or not has_room[at]:
            closed = [self._close(0)] if count == self._open_rows else []
            at = len(self._rows)
            self._rows.append([])
            self._free[at] = self._length
        self._rows[at].append(number)
        self._free[at] -= length
        return closed if self._free[at] else [*closed, self._close(at)]

    def _close(self, at: int) -> list[int]:
        count = len(self._rows)
        self._free[at : count - 1] = self._free[at + 1 : count]
        return self._rows.pop(at)

    def rest(self) -> list[list[int]]:
        rows, self._rows = self._rows, []
        return rows

    @property
    def wanted_tokens(self) -> int:
        if len(self._rows) == self._open_rows:
            return 1
        return int(self._free[: len(self._rows)].min(initial=self._length))

    @property
    def oldest(self) -> int | None:
        return self._rows[0][0] if self._rows else None

    def waiting(self) -> list[list[int]]:
        return [row.copy() for row in self._rows]

    def load(self, groups: list[list[int]], lengths: dict[int, int]) -> None:
        self._rows = groups
        for at, row in enumerate(groups):
            self._free[at] = self._length - sum(lengths[number] for number in row)


class BestFit:
    """Sequences wait until there are enough of them to choose from; then one row is filled.

    Which lengths there are stands in a whole number, bit n for length n. So the longest one up to a bound, and two of a
    given sum, are found by a few operations on whole numbers of `length` bits, whatever number of sequences waits.

    Args:
        length: Tokens in a row.
        open_rows: As many tokens wait as would fill so many rows.
    """

    def __init__(self, length: int, open_rows: int) -> None:
        self._length = length
        self._enough = open_rows * length
        self._tokens = 0
        self._present = 0
        self._mirrored = 0  # bit `length` - n for length n
        self._by_length: dict[int, deque[int]] = {}
        self._lengths: dict[int, int] = {}
        self._by_age: deque[int] = deque()  # with those that wait no more, but for the first

    def put(self, first: int, lengths: Sequence[int]) -> list[list[int]]:
        rows: list[list[int]] = []
        for number, length in enumerate(lengths, first):
            if length == self._length:
                rows.append([number])
                continue
            self._wait(number, length)
            while self._tokens >= self._enough:
                rows.append(self._fill())
        return rows

    def _wait(self, number: int, length: int) -> None:
        self._lengths[number] = length
        self._by_age.append(number)
        self._tokens += length
        queue = self._by_length.get(length)
        if queue is None:
            self._by_length[length] = deque((number,))
            self._present |= 1 << length
            self._mirrored |= 1 << (self._length - length)
        else:
            queue.append(number)

    def _fill(self) -> list[int]:
        """A row of those that wait."""
        row: list[int] = []
        free = self._length
        by_age_above = self._length * (_AGE_SHARE - 1) // _AGE_SHARE
        while free and self._lengths:
            length = self._lengths[self._by_age[0]] if free > by_age_above else 0
            if not 0 < length <= free:
                # Bit 0 is never set: there is none without tokens.
                length = (self._present & ((2 << free) - 1)).bit_length() - 1
                if length < 0:
                    break
                if length < free:
                    pairs = self._present & (self._mirrored >> (self._length - free))
                    longer = pairs.bit_length() - 1
                    if pairs and (2 * longer != free or len(self._by_length[longer]) > 1):
                        row.append(self._take(free - longer))
                        free = length = longer
            row.append(self._take(length))
            free -= length
        row.sort()
        return row

    def _take(self, length: int) -> int:
        """The one of this length that has waited longest."""
        queue = self._by_length[length]
        number = queue.popleft()
        if not queue:
            self._present ^= 1 << length
            self._mirrored ^= 1 << (self._length - length)
            del self._by_length[length]
        self._tokens -= length
        del self._lengths[number]
        while self._by_age and self._by_age[0] not in self._lengths:
            self._by_age.popleft()
        return number

    def rest(self) -> list[list[int]]:
        rows = []
        while self._lengths:
            rows.append(self._fill())
        return rows

    @property
    def wanted_tokens(self) -> int:
        return self._enough - self._tokens

    @property
    def oldest(self) -> int | None:
        return next(iter(self._lengths), None)

    def waiting(self) -> list[list[int]]:
        return [list(self._lengths)]

    def load(self, groups: list[list[int]], lengths: dict[int, int]) -> None:
        for number in groups[0]:
            self._wait(number, lengths[number])
