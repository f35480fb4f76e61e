"""Threads that read datasets before their rows are asked for, each a bounded number of rows and bytes ahead."""

from __future__ import annotations

import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from penstock.block import Block
from penstock.nested.slot import Slot
from penstock.nested.sub_dataset import SubDataset
from penstock.node import State

_SECONDS_TO_STOP = 1.0
_IDLE = "penstock-idle"  # what the pool calls a thread without work
_LONG_STEP_SECONDS = 0.001
_MAX_RUN_BYTES = 1 << 18
_MAX_AHEAD_BYTES = 1 << 26
_ROWS_AHEAD_AT_FIRST = 16
_MAX_ROWS_AHEAD = 1 << 14


class Line:
    """One dataset and what was read of it ahead; changed under the lock of its `ReadAhead`.

    Attributes:
        sub: The dataset.
        ready: Each block that waits, the place before and after it; None for the end, an exception where reading broke.
        rows, num_bytes: What waits.
        is_busy: Whether a thread is reading it.
        is_done: Whether there is no more to read.
        place: Where it is after what was read; None before that.
    """

    __slots__ = ("is_busy", "is_done", "num_bytes", "place", "ready", "rows", "sub")

    def __init__(self, sub: SubDataset) -> None:
        self.sub = sub
        self.ready: deque[tuple[State, Block | BaseException | None, State]] = deque()
        self.rows = 0
        self.num_bytes = 0
        self.is_busy = False
        self.is_done = False
        self.place: State = None


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
    64 MiB; one row of each may always wait. Threads start with the first wait.

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
        self._line_bytes = _MAX_AHEAD_BYTES // most_lines
        self._lines: list[Line] = []
        self._team = _Team()
        self._lock = self._team.lock
        self._rows = threading.Condition(self._lock)
        self._awaited: Sequence[Line] = ()
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
        """Wait until one of `lines` has something ready."""
        self.engage()
        with self._lock:
            if self._rows_ahead < _MAX_ROWS_AHEAD and not any(line.ready for line in lines):
                self._rows_ahead *= 2
                self._team.work.notify_all()
            self._awaited = lines
            try:
                while not any(line.ready for line in lines):
                    self._rows.wait()
            finally:
                self._awaited = ()

    def receive(self, line: Line) -> tuple[State, Block | None, State]:
        """The oldest block that is ready, and the places before and after it; None in its place at the end."""
        with self._lock:
            before, found, after = line.ready.popleft()
            if isinstance(found, Block):
                line.rows -= found.rows
                line.num_bytes -= found.num_bytes
            if self._team.num_waiting and not line.is_done:
                self._team.work.notify()
            if line.is_done and not line.ready:
                self._lines.remove(line)
        if isinstance(found, BaseException):
            raise found
        return before, found, after

    def close(self) -> None:
        """End the threads; those inside a user function that does not return are left behind as daemons, and named."""
        team = self._team
        is_member = threading.get_ident() in team.idents
        with self._lock:
            if team.is_closed:
                return
            team.is_closed = True
            team.work.notify_all()
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
        return line, max(1, min(self._run_rows, self._rows_ahead - line.rows))

    def _neediest(self) -> Line | None:
        """The oldest line with nothing ready, or else the oldest with room."""
        found = None
        for line in self._lines:
            if line.is_busy or line.is_done:
                continue
            if not line.ready:
                return line
            if found is None and line.rows < self._rows_ahead and line.num_bytes < self._line_bytes:
                found = line
        return found

    def read(self, line: Line, rows: int) -> None:
        """Read a line, in one of the threads."""
        sub, before = line.sub, line.place
        began = time.perf_counter()
        result: Block | BaseException | None
        try:
            if before is None:
                sub.open()
                before = sub.place()
            result = sub.read(rows)
            line.place = sub.place()
        except BaseException as error:
            result = error
        seconds = time.perf_counter() - began
        with self._lock:
            line.is_busy = False
            line.ready.append((before, result, line.place))
            if isinstance(result, Block):
                num_bytes = result.num_bytes
                line.rows += result.rows
                line.num_bytes += num_bytes
                if seconds < _LONG_STEP_SECONDS and result.rows == self._run_rows and num_bytes < _MAX_RUN_BYTES:
                    self._run_rows = min(2 * self._run_rows, _MAX_ROWS_AHEAD)
            else:
                line.is_done = True
            if line in self._awaited:
                self._rows.notify()
            is_over = line.is_done or self._team.is_closed
        if is_over:
            sub.close()


def _serve(team: _Team, whose: weakref.ref[ReadAhead]) -> None:
    team.idents.add(threading.get_ident())
    try:
        while _read_one(team, whose):
            pass
    finally:
        # Whoever waits until it has left is not to find it under its name here: it is the pool's again.
        threading.current_thread().name = _IDLE
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
        self.line = ahead.add(sub)
        self._after: State = None

    @property
    def is_ready(self) -> bool:
        return self._block is not None or bool(self.line.ready)

    def look(self, wanted: int, useful: int) -> Block | None:
        if self._block is None:
            self._place, self._block, self._after = self._ahead.receive(self.line)
            self.taken = 0
        return self._block

    def take(self, rows: int) -> None:
        super().take(rows)
        if self._block is None:
            self._place = self._after

    def close(self) -> None:
        """The threads let go of the dataset."""
