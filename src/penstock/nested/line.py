"""One dataset that is read ahead, and what of it waits for the reader."""

from __future__ import annotations

from collections import deque
from typing import Any

from penstock.block import Block
from penstock.nested.poured import Poured, Rows
from penstock.nested.sub_dataset import SubDataset
from penstock.node import Pouring, State


class Broken:
    """Stands where reading broke, so that there is no telling how to go on."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Line:
    """One dataset and what was read of it ahead.

    Its thread adds to `ready`, `places` and what counts reading, without a lock: rows are seen as soon as they are
    there. The reader takes away and counts that. All else is changed under the lock of its `ReadAhead`.

    Attributes:
        sub: The dataset.
        ready: What waits: blocks, or single rows as `pouring` gave them; None for the end, `Broken`.
        pouring: What gives rows one by one and joins them, if anything does.
        places: Where each run of rows began: how many rows came before it, and the place there.
        rows_read, bytes_read: All that was put into `ready`.
        rows_received: All that was taken out of it.
        run_rows: For how many rows at once it is asked, where they come in blocks; 0 before it was asked for any.
        is_busy: Whether a thread is reading it.
        is_done: Whether there is no more to read.
        is_awaited: Whether the reader waits for something in `ready`.
        is_ended: Whether the dataset was closed, or is being closed by somebody.
    """

    __slots__ = (
        *("sub", "ready", "pouring", "places", "rows_read", "bytes_read", "rows_received"),
        *("run_rows", "is_busy", "is_done", "is_awaited", "is_ended"),
    )

    def __init__(self, sub: SubDataset) -> None:
        self.sub = sub
        self.ready: deque[Any] = deque()
        self.pouring: Pouring | None = None
        self.places: deque[tuple[int, State]] = deque()
        self.rows_read = self.bytes_read = 0
        self.rows_received = 0
        self.run_rows = 0
        self.is_busy = self.is_done = self.is_awaited = self.is_ended = False

    @property
    def rows_waiting(self) -> int:
        """How many rows were read and not received."""
        return self.rows_read - self.rows_received

    @property
    def has_rows(self) -> bool:
        """Whether rows are ready, rather than nothing, the end, or what broke."""
        return bool(self.ready) and self.ready[0] is not None and not isinstance(self.ready[0], Broken)

    @property
    def is_broken(self) -> bool:
        """Whether what broke is all that is ready."""
        return bool(self.ready) and isinstance(self.ready[0], Broken)

    def take_ready(self) -> Rows | None:
        """The rows that are ready, or the next block of them; None for the end.

        Raises:
            BaseException: Reading broke there.
        """
        ready, pouring = self.ready, self.pouring
        first = ready.popleft()
        if isinstance(first, Broken):
            ready.append(None)
            raise first.error
        if first is None or isinstance(first, Block):
            return first
        assert pouring is not None
        rows = [first, *[ready.popleft() for _ in range(len(ready))]]
        if rows[-1] is None or isinstance(rows[-1], Broken):
            # Nothing comes after it, so that nobody else adds to what is ready.
            ready.appendleft(rows.pop())
        return Poured(pouring, rows)

    def place(self) -> tuple[State, int]:
        """A place before the next row that will be received, and how many rows come between."""
        places = self.places
        while len(places) > 1 and places[1][0] <= self.rows_received:
            places.popleft()
        return places[0][1], self.rows_received - places[0][0]
