"""Threads that read datasets before their rows are asked for, each a bounded number of rows and bytes ahead."""

from __future__ import annotations

import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple

from penstock.block import Block
from penstock.core_time import seconds_without_core
from penstock.ending import end
from penstock.nested.line import Broken, Line
from penstock.nested.poured import Rows
from penstock.nested.sub_dataset import SubDataset
from penstock.nested.team import Team, serve
from penstock.node import Pouring
from penstock.parallel import Tuning
from penstock.queues import QueueStatistics

_SECONDS_TO_STOP = 1.0
_LONG_STEP_SECONDS = 0.001
_TURN_SECONDS = 0.05
"""After so long a thread looks whether another line needs it more, and tells what it has done."""
_MAX_RUN_BYTES = 1 << 18
_MAX_AHEAD_BYTES = 1 << 26
_FEWEST_LINES = 16  # that share the bytes
_ROWS_AHEAD_AT_FIRST = 16
_MAX_ROWS_AHEAD = 1 << 14
_MOST_AT_ONCE = 16
_MOST_BYTES_AT_ONCE = 1 << 17
"""Rows that are poured are counted so many at once, all as large as the last: by so much may there be too many."""


class _Turn(NamedTuple):
    """What a thread has done with a line at one go; a `penstock.parallel.Turn`."""

    rows: int
    seconds: float
    cpu_seconds: float
    starved_seconds: float
    thread: int


class ReadAhead:
    """The lines of one operator and the threads that read them: the line that the reader waits for first, then the
    oldest line with nothing ready.

    How many rows are read ahead of each line grows when somebody has to wait, as long as all lines together stay within
    a number of bytes, half of which the reader may have taken at once; one row of each may always wait. Threads start
    with the first wait.

    Args:
        name: The transformation, for the names of threads and the warning about one that does not return.
        start_thread: Runs a function in a thread of that name.
        interrupt: Ends the processes that such threads may wait for.
        tuning: How many threads.
        most_bytes: How much may be read ahead; 64 MiB if not given.
    """

    def __init__(
        self,
        name: str,
        start_thread: Callable[[Callable[[], None], str], None],
        interrupt: Callable[[], None],
        tuning: Tuning,
        most_bytes: int | None = None,
    ) -> None:
        self._name = name
        self._start_thread = start_thread
        self._interrupt = interrupt
        self.tuning = tuning
        self._most_bytes = most_bytes or _MAX_AHEAD_BYTES
        self._lines: list[Line] = []
        self._team = Team()
        self._lock = self._team.lock
        # No conditions where the reader waits: Ctrl-C that comes while one takes its lock back leaves it without.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._run_rows = 1
        self._rows_ahead = _ROWS_AHEAD_AT_FIRST
        self._waited_seconds = self._busy_seconds = 0.0
        self._size_at_end = 0  # of the team, whose threads have shared the seconds

    @property
    def num_lines(self) -> int:
        """How many datasets have not been read and handed over to their end."""
        return len(self._lines)

    def queue_statistics(self) -> QueueStatistics:
        """How far ahead the threads are, and how many there are."""
        with self._lock:
            waiting = sum(max(0, line.rows_waiting) for line in self._lines)
            capacity = max(waiting, self._rows_ahead * len(self._lines))
            size = self._size_at_end if self._team.is_closed else self._team.size
        return QueueStatistics(capacity, waiting, self._waited_seconds, 0.0, self._busy_seconds, size)

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
        while team.size < min(self.tuning.workers, len(self._lines)) and not team.is_closed:
            with self._lock:
                team.size += 1
            self._start_thread(partial(serve, team, weakref.ref(self)), f"penstock-{self._name}")

    @property
    def num_at_work(self) -> int:
        """How many lines are being read at this moment."""
        return sum([line.is_busy for line in self._lines])

    def resize(self, size: int) -> None:
        """Let no more than so many threads read; further ones start when they are needed."""
        with self._lock:
            self._team.work.notify_all()

    def wait(self, lines: Sequence[Line]) -> None:
        """Wait until one of `lines` has something ready.

        Raises:
            RuntimeError: Somebody else closed the operator meanwhile.
        """
        self.tuning.adjust(self, False)
        self.engage()
        began = time.perf_counter()
        try:
            with self._lock:
                if not any(line.ready for line in lines):
                    self._hurry(lines)
            while not _await_any(lines):
                if self._team.is_closed:
                    raise RuntimeError(f"{self._name}(): the iterator was closed while its next element was awaited")
                self._bell.get()
        finally:
            for line in lines:
                line.is_awaited = False
            waited = time.perf_counter() - began
            self._waited_seconds += waited
            self.tuning.waited(waited)

    def _hurry(self, lines: Sequence[Line]) -> None:
        """Have lines that are waited for read next, and more of each from now on; under the lock."""
        if not any(line.is_busy for line in lines):
            self._team.is_wanted = True
        if self._rows_ahead < _MAX_ROWS_AHEAD:
            self._rows_ahead *= 2
            self._team.work.notify_all()

    def receive(self, line: Line) -> Rows | None:
        """What is ready; None at the end."""
        self.tuning.adjust(self, False)
        try:
            found = line.take_ready()
        finally:
            with self._lock:
                if line.is_done and not line.ready:
                    self._lines.remove(line)
        if found is not None:
            with self._lock:
                line.rows_received += found.rows
                if self._team.num_waiting and not line.is_busy:
                    self._team.work.notify()
        return found

    def close(self) -> None:
        """End the threads; those inside a user function that does not return are left behind as daemons, and named."""
        team = self._team
        with self._lock:
            if team.is_closed:
                return
            team.is_closed, self._size_at_end = True, team.size
            team.work.notify_all()
        self._bell.put(None)
        is_member = threading.get_ident() in team.idents
        try:
            if not (is_member or team.await_all(_SECONDS_TO_STOP / 5)):
                self._interrupt()
                team.await_all(_SECONDS_TO_STOP * 4 / 5)
        finally:
            left_behind = team.size
            self._end_idle()
        if left_behind and not is_member:
            warnings.warn(
                f"{self._name}(): a thread is still inside a user function and is left behind; what it computes is "
                "thrown away",
                RuntimeWarning,
                stacklevel=3,
            )

    def _end_idle(self) -> None:
        """Close the datasets that no thread is reading; whoever reads one closes it after that."""
        with self._lock:
            idle = [line for line in self._lines if not line.is_busy and not line.is_ended]
            for line in idle:
                line.is_ended = True
            self._lines = []
        for line in idle:
            end(line.sub, "a dataset that had been read")

    def next_task(self, last: Line | None) -> tuple[Line, int] | None:
        """A line to be read now and for how many rows; None if there is none. Called under the lock.

        A thread goes on with its `last` line as long as there is room and no other is waited for: who leaves one that
        comes quickly for one that does not come at all may be missed there.
        """
        may_go_on = last is not None and not (last.is_busy or last.is_done or self._team.is_wanted)
        line = last if may_go_on and last is not None and self._has_room(last) else self._neediest()
        if line is None:
            return None
        self._team.is_wanted = False
        line.is_busy = True
        line.run_rows = line.run_rows or self._run_rows
        return line, max(1, min(self._rows_ahead - line.rows_waiting, line.run_rows))

    def _neediest(self) -> Line | None:
        """The line that the reader waits for, or the oldest with nothing ready, or the oldest with room."""
        empty = roomy = None
        for line in self._lines:
            if line.is_busy or line.is_done:
                continue
            if line.is_awaited:
                return line
            if not line.ready:
                empty = empty or line
            elif roomy is None and self._has_room(line):
                roomy = line
        return empty or roomy

    def _has_room(self, line: Line) -> bool:
        waiting = line.rows_read - line.rows_received
        if not waiting:
            return True
        # Of their bytes only the mean is known without counting them twice.
        share = self._most_bytes // (2 * max(len(self._lines), _FEWEST_LINES))
        most = self._rows_ahead if line.pouring is not None else self._rows_ahead // 2 + 1
        return waiting < most and waiting * line.bytes_read < share * line.rows_read

    def read(self, line: Line, rows: int) -> None:
        """Read a line, in one of the threads."""
        began, computed, rows_before = time.perf_counter(), time.thread_time(), line.rows_read
        sub = line.sub
        result: Any
        is_more = False
        try:
            sub.open()
            line.places.append((line.rows_read, sub.place()))
            line.pouring = pouring = sub.pouring()
            if pouring is not None:
                is_more = self._pour(line, pouring, began + _TURN_SECONDS)
                result = None
            else:
                result = self._read_block(line, rows)
                is_more = result is not None
        except BaseException as error:
            result = Broken(error)
        seconds, cpu_seconds = time.perf_counter() - began, time.thread_time() - computed
        starved_seconds = seconds_without_core(seconds, self.tuning.workers) if self.tuning.is_open else 0.0
        turn = _Turn(line.rows_read - rows_before, seconds, cpu_seconds, starved_seconds, threading.get_ident())
        with self._lock:
            self.tuning.observe(turn)
            self._busy_seconds += seconds
            line.is_busy = False
            line.is_done = not is_more
            if result is not None or not is_more:
                line.ready.append(result)
            if line.is_awaited and line.ready:
                self._bell.put(None)
            is_over = (line.is_done or self._team.is_closed) and not line.is_ended
            line.is_ended = line.is_ended or is_over
        if is_over:
            end(sub, "a dataset that had been read")

    def _pour(self, line: Line, pouring: Pouring, until: float) -> bool:
        """Read rows until there is no room for more, or another line needs the thread; False at the end."""
        ready, team, clock = line.ready, self._team, time.perf_counter
        uncounted, at_once = 0, 1

        def put(row: Any) -> bool:
            # In the way of every row, most of which get no further than this (bench_slow_files.py).
            nonlocal uncounted, at_once
            ready.append(row)
            uncounted += 1
            if uncounted < at_once and not (line.is_awaited or team.is_wanted or team.is_closed):
                return False
            num_bytes = _num_bytes(row)
            line.rows_read += uncounted
            line.bytes_read += uncounted * num_bytes
            uncounted, at_once = 0, max(1, min(_MOST_AT_ONCE, _MOST_BYTES_AT_ONCE // (num_bytes + 1)))
            if line.is_awaited:
                line.is_awaited = False
                self._bell.put(None)
            return team.is_closed or team.is_wanted or clock() > until or not self._has_room(line)

        is_more = pouring.pour(self._rows_ahead, put)
        line.rows_read += uncounted
        return is_more

    def _read_block(self, line: Line, rows: int) -> Block | None:
        began = time.perf_counter()
        block = line.sub.read(rows)
        seconds = time.perf_counter() - began
        if block is None:
            return None
        num_bytes = block.num_bytes
        line.rows_read += block.rows
        if line.sub.has_failed:
            line.places.append((line.rows_read, line.sub.place()))
        line.bytes_read += num_bytes
        if seconds >= _LONG_STEP_SECONDS:
            # Rows that come slowly do not wait for each other. But one may have been slow for many, as the first of a
            # chunk of a file is: those after it show whether they all are.
            line.run_rows = max(1, min(block.rows // 2, int(block.rows * _TURN_SECONDS / seconds)))
        elif block.rows == line.run_rows and num_bytes < _MAX_RUN_BYTES:
            line.run_rows = min(2 * line.run_rows, _MAX_ROWS_AHEAD)
            # While one block is taken there is room for the next, or each would be as small as what was just taken.
            self._rows_ahead = max(self._rows_ahead, min(2 * line.run_rows, _MAX_ROWS_AHEAD))
        self._run_rows = line.run_rows
        return block


def _await_any(lines: Sequence[Line]) -> bool:
    """Whether one of `lines` has something ready; if not, whoever adds to them tells."""
    # Marked before `ready` is looked at: whoever adds to it looks at the mark after that. Who tells takes the mark away
    # before, perhaps long after it saw it: then it is that of a later wait, which is told too and sets it again.
    for line in lines:
        line.is_awaited = True
    return any(line.ready for line in lines)


def _num_bytes(row: Any) -> int:
    """About the bytes of a row that is not in a block yet."""
    return 8 if isinstance(row, Exception) else sum([getattr(leaf, "nbytes", 8) for leaf in row])
