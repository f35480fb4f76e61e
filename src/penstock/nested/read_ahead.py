"""Threads that read datasets before their rows are asked for, each a bounded number of rows and bytes ahead."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from penstock.block import Block
from penstock.nested.slot import Slot, state_of
from penstock.nested.sub_dataset import SubDataset
from penstock.node import Pouring, State
from penstock.parallel import IDLE

_SECONDS_TO_STOP = 1.0
_LONG_STEP_SECONDS = 0.001
_MAX_RUN_BYTES = 1 << 18
_MAX_AHEAD_BYTES = 1 << 26
_ROWS_AHEAD_AT_FIRST = 16
_MAX_ROWS_AHEAD = 1 << 14


class _Broken:
    """Stands where reading broke."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Line:
    """One dataset and what was read of it ahead.

    Its thread adds to `ready`, `places` and what counts reading, without a lock: rows are seen as soon as they are
    there. The reader takes away and counts that. All else is changed under the lock of its `ReadAhead`.

    Attributes:
        sub: The dataset.
        ready: What waits: blocks, or single rows for `pouring` to join; None for the end, `_Broken`.
        pouring: What gives rows one by one and joins them, if anything does.
        places: Where each run of rows began: how many rows came before it, and the place there.
        rows_read, bytes_read: All that was put into `ready`.
        rows_received: All that was taken out of it.
        run_rows: For how many rows at once it is asked, where they come in blocks; None for as many as any other.
        is_busy: Whether a thread is reading it.
        is_done: Whether there is no more to read.
        is_awaited: Whether the reader waits for something in `ready`.
    """

    __slots__ = (
        *("sub", "ready", "pouring", "places", "rows_read", "bytes_read", "rows_received"),
        *("run_rows", "is_busy", "is_done", "is_awaited"),
    )

    def __init__(self, sub: SubDataset) -> None:
        self.sub = sub
        self.ready: deque[Any] = deque()
        self.pouring: Pouring | None = None
        self.places: deque[tuple[int, State]] = deque()
        self.rows_read = self.bytes_read = 0
        self.rows_received = 0
        self.run_rows: int | None = None
        self.is_busy = self.is_done = self.is_awaited = False

    def take_ready(self) -> Block | _Broken | None:
        """The rows that are ready, or the next block of them; what is not of rows stands alone."""
        ready, pouring = self.ready, self.pouring
        first = ready.popleft()
        if pouring is None or first is None or isinstance(first, (Block, _Broken)):
            return first  # type: ignore[no-any-return]
        rows = [first, *[ready.popleft() for _ in range(len(ready))]]
        if rows[-1] is None or isinstance(rows[-1], _Broken):
            # Nothing comes after it, so that nobody else adds to what is ready.
            ready.appendleft(rows.pop())
        return pouring.join(rows)

    def place(self) -> tuple[State, int]:
        """A place before the next row that will be received, and how many rows come between."""
        places = self.places
        while len(places) > 1 and places[1][0] <= self.rows_received:
            places.popleft()
        return places[0][1], self.rows_received - places[0][0]


class _Team:
    """The threads of one `ReadAhead`, and how they and the reader wait for each other."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.work = threading.Condition(self.lock)
        self.left = threading.Condition(self.lock)
        self.idents: set[int] = set()
        self.size = 0
        self.num_waiting = 0
        self.is_closed = False


class ReadAhead:
    """The lines of one operator and the threads that read them, the oldest line with nothing ready first.

    How many rows are read ahead of each line grows when somebody has to wait, as long as all lines together stay within
    64 MiB, half of which the reader may have taken at once; one row of each may always wait. Threads start with the
    first wait.

    Args:
        name: The transformation, for the names of threads and the warning about one that does not return.
        start_thread: Runs a function in a thread of that name.
        calls: How many threads.
        most_lines: How many lines there will be at the same time.
    """

    def __init__(
        self, name: str, start_thread: Callable[[Callable[[], None], str], None], calls: int, most_lines: int
    ) -> None:
        self._name = name
        self._start_thread = start_thread
        self._calls = calls
        self._line_bytes = _MAX_AHEAD_BYTES // (2 * most_lines)
        self._lines: list[Line] = []
        self._team = _Team()
        self._lock = self._team.lock
        self._rows = threading.Condition(self._lock)
        self._run_rows = 1
        self._rows_ahead = _ROWS_AHEAD_AT_FIRST

    @property
    def num_lines(self) -> int:
        """How many datasets have not been read and handed over to their end."""
        return len(self._lines)

    def add(self, sub: SubDataset) -> Line:
        """Have a dataset read from now on."""
        line = Line(sub)
        with self._lock:
            self._lines.append(line)
            if self._team.num_waiting:
                self._team.work.notify()
        return line

    def engage(self) -> None:
        """Have as many threads as there is work for."""
        team = self._team
        while team.size < min(self._calls, len(self._lines)) and not team.is_closed:
            with self._lock:
                team.size += 1
            self._start_thread(partial(_serve, team, weakref.ref(self)), f"penstock-{self._name}")

    def wait(self, lines: Sequence[Line]) -> None:
        """Wait until one of `lines` has something ready.

        Raises:
            RuntimeError: Somebody else closed the operator meanwhile.
        """
        self.engage()
        # Before the lock is taken and `ready` looked at: whoever adds to it looks at the mark after that.
        for line in lines:
            line.is_awaited = True
        try:
            with self._lock:
                if self._rows_ahead < _MAX_ROWS_AHEAD and not any(line.ready for line in lines):
                    self._rows_ahead *= 2
                    self._team.work.notify_all()
                while not any(line.ready for line in lines):
                    if self._team.is_closed:
                        raise RuntimeError(
                            f"{self._name}(): the iterator was closed while its next element was awaited"
                        )
                    self._rows.wait()
        finally:
            for line in lines:
                line.is_awaited = False

    def receive(self, line: Line) -> tuple[State, int, Block | None]:
        """What is ready, and a place that comes so many rows before it; None for the block at the end."""
        place, skip = line.place()
        found = line.take_ready()
        with self._lock:
            if isinstance(found, Block):
                line.rows_received += found.rows
            if line.is_done and not line.ready:
                self._lines.remove(line)
            elif self._team.num_waiting and not line.is_busy:
                self._team.work.notify()
        if isinstance(found, _Broken):
            raise found.error
        return place, skip, found

    def close(self) -> None:
        """End the threads; those inside a user function that does not return are left behind as daemons, and named."""
        team = self._team
        is_member = threading.get_ident() in team.idents
        with self._lock:
            if team.is_closed:
                return
            team.is_closed = True
            team.work.notify_all()
            self._rows.notify_all()
            if not is_member:
                team.left.wait_for(lambda: not team.size, _SECONDS_TO_STOP)
            left_behind = team.size
            idle = [line for line in self._lines if not line.is_busy]
            self._lines = []
        for line in idle:
            line.sub.close()
        if left_behind and not is_member:
            warnings.warn(
                f"{self._name}(): a thread is still inside a user function and is left behind; what it computes is "
                "thrown away",
                RuntimeWarning,
                stacklevel=3,
            )

    def next_task(self) -> tuple[Line, int] | None:
        """A line to be read now and for how many rows; None if there is none. Called under the lock."""
        line = self._neediest()
        if line is None:
            return None
        line.is_busy = True
        room = self._rows_ahead - (line.rows_read - line.rows_received)
        return line, max(1, min(room, line.run_rows or self._run_rows))

    def _neediest(self) -> Line | None:
        """The oldest line with nothing ready, or else the oldest with room."""
        found = None
        for line in self._lines:
            if line.is_busy or line.is_done:
                continue
            if not line.ready:
                return line
            if found is None and self._has_room(line):
                found = line
        return found

    def _has_room(self, line: Line) -> bool:
        waiting = line.rows_read - line.rows_received
        # Of their bytes only the mean is known without counting them twice.
        return not waiting or (
            waiting < self._rows_ahead and waiting * line.bytes_read < self._line_bytes * line.rows_read
        )

    def read(self, line: Line, rows: int) -> None:
        """Read a line, in one of the threads."""
        sub = line.sub
        result: Any
        is_more = False
        try:
            sub.open()
            line.places.append((line.rows_read, sub.place()))
            line.pouring = pouring = sub.pouring()
            if pouring is not None:
                is_more = self._pour(line, pouring)
                result = None
            else:
                result = self._read_block(line, rows)
                is_more = result is not None
        except BaseException as error:
            result = _Broken(error)
        with self._lock:
            line.is_busy = False
            line.is_done = not is_more
            if result is not None or not is_more:
                line.ready.append(result)
                if line.is_awaited:
                    self._rows.notify()
            is_over = line.is_done or self._team.is_closed
        if is_over:
            _close(sub)

    def _pour(self, line: Line, pouring: Pouring) -> bool:
        """Read rows until there is no room for more; False at the end."""
        ready, team = line.ready, self._team

        def put(row: Any) -> bool:
            line.bytes_read += _num_bytes(row)
            line.rows_read += 1
            ready.append(row)
            if line.is_awaited:
                with self._lock:
                    line.is_awaited = False
                    self._rows.notify()
            return team.is_closed or not self._has_room(line)

        return pouring.pour(self._rows_ahead, put)

    def _read_block(self, line: Line, rows: int) -> Block | None:
        began = time.perf_counter()
        block = line.sub.read(rows)
        seconds = time.perf_counter() - began
        if block is None:
            return None
        num_bytes = block.num_bytes
        line.rows_read += block.rows
        line.bytes_read += num_bytes
        if seconds >= _LONG_STEP_SECONDS:
            # Rows that come slowly do not wait for each other.
            line.run_rows = 1
        elif block.rows == self._run_rows and num_bytes < _MAX_RUN_BYTES:
            self._run_rows = min(2 * self._run_rows, _MAX_ROWS_AHEAD)
        return block


def _num_bytes(row: Any) -> int:
    """About the bytes of a row that is not in a block yet."""
    return 8 if isinstance(row, Exception) else sum([getattr(leaf, "nbytes", 8) for leaf in row])


def _close(sub: SubDataset) -> None:
    """Close a dataset whose rows nobody asks for any more: what its functions raise then has no place among them."""
    # Not even where warnings are errors: a thread of the pool that raised would never work again.
    with contextlib.suppress(Exception):
        try:
            sub.close()
        except Exception as error:
            warnings.warn(f"closing a dataset that had been read raised {error!r}", RuntimeWarning, stacklevel=2)


def _serve(team: _Team, whose: weakref.ref[ReadAhead]) -> None:
    team.idents.add(threading.get_ident())
    try:
        while _read_one(team, whose):
            pass
    finally:
        # Whoever waits until it has left is not to find it under its name here: it is the pool's again.
        threading.current_thread().name = IDLE
        with team.lock:
            team.idents.discard(threading.get_ident())
            team.size -= 1
            team.left.notify_all()


def _read_one(team: _Team, whose: weakref.ref[ReadAhead]) -> bool:
    """Read a line or wait until there may be one to read; False when all is over."""
    with team.lock:
        ahead = whose()
        if ahead is None or team.is_closed:
            return False
        task = ahead.next_task()
        if task is None:
            # While it waits, a thread keeps nothing alive that nobody reads from any more.
            del ahead
            team.num_waiting += 1
            team.work.wait()
            team.num_waiting -= 1
            return True
    ahead.read(*task)
    return True


class AheadSlot(Slot):
    """Hands over what threads have read of a dataset."""

    def __init__(self, sub: SubDataset, ahead: ReadAhead) -> None:
        super().__init__(sub)
        self._ahead = ahead
        # Before a thread has it: what that makes known of the dataset shows in the places that come with its rows.
        self._place = sub.place()
        self._skip = 0
        self.line = ahead.add(sub)

    @property
    def is_ready(self) -> bool:
        return self._block is not None or bool(self.line.ready)

    def look(self, wanted: int, useful: int) -> Block | None:
        if self._block is None:
            self._place, self._skip, self._block = self._ahead.receive(self.line)
            self.taken = 0
        return self._block

    def at_hand(self) -> Block | None:
        ready = self.line.ready
        # The end and what broke are met in their turn.
        if self._block is None and ready and ready[0] is not None and not isinstance(ready[0], _Broken):
            return self.look(1, 1)
        return self._block

    def take(self, rows: int) -> None:
        assert self._block is not None
        self.taken += rows
        self._state = None
        if self.taken == self._block.rows:
            self._skip += self.taken
            self._block, self.taken = None, 0

    def get_state(self) -> State:
        if self._state is None:
            self._state = state_of(self.sub, self._place, self._skip + self.taken)
        return self._state

    def close(self) -> None:
        """The threads let go of the dataset."""
