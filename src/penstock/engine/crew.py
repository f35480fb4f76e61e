"""The workers of one parallel step: threads that take runs from a queue, and end within a second."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from penstock.block import Block, concatenate
from penstock.engine import threads
from penstock.node import State
from penstock.provenance import Provenance

_SECONDS_TO_STOP = 1.0


class Run:
    """Some consecutive rows of a step's input, and what became of them.

    Attributes:
        first: Index of the first row.
        rows: How many of the input.
        before: The source's state before them.
        block: The rows; None once they have been worked on.
        skip: Rows of the result that were handed out before the state that this run was pulled from.
        result: The step's rows, once `is_done`, and after them, or instead, `error`, which did not stand in a row;
            `num_bytes` of it.
        began, seconds, cpu_seconds: When a worker took it, for how long, and how long that thread computed.
        starved_seconds: How long that thread would have computed, but had no core, where somebody looked.
        thread: The identifier of that thread.
        is_makeshift: Whether that thread computed it since its process had not started.
        provenance: Where the rows of `block` were read from, where row i of the result is of row i of it.
    """

    __slots__ = (
        *("before", "began", "block", "cpu_seconds", "error", "first", "is_done", "is_makeshift", "num_bytes"),
        *("provenance", "result", "rows", "seconds", "skip", "starved_seconds", "thread"),
    )

    def __init__(self, first: int, block: Block | None, rows: int, before: State, skip: int = 0) -> None:
        self.first = first
        self.rows = rows
        self.before = before
        self.block = block
        self.skip = skip
        self.result: Block | None = None
        self.error: BaseException | None = None
        self.is_done = False
        self.num_bytes = 0
        self.began = 0.0
        self.thread = 0
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.starved_seconds = 0.0
        self.is_makeshift = False
        self.provenance: Provenance | None = None

    def work(self, apply: Callable[[Block, int], Block], unit: int = 0) -> None:
        """Let `apply` make the result, in this thread.

        Args:
            apply: Makes the rows of a block, and gets the index of its first one.
            unit: Where it raises what is no error, such as SystemExit, so many rows are computed anew at a time, to
                have those before; 0 for none.
        """
        self.thread = threading.get_ident()
        self.began = time.perf_counter()
        computed = time.thread_time()
        block, self.block = self.block, None
        try:
            assert block is not None
            self.result = apply(block, self.first)
        except BaseException as error:
            self.error = error
            if unit and block is not None and not isinstance(error, Exception):
                self.result = self._rows_before_it(apply, block, unit)
        self.seconds = time.perf_counter() - self.began
        self.cpu_seconds += time.thread_time() - computed

    def _rows_before_it(self, apply: Callable[[Block, int], Block], block: Block, unit: int) -> Block | None:
        done: list[Block] = []
        with contextlib.suppress(BaseException):  # it is known, and comes after them
            for start in range(0, block.rows, unit):
                stop = min(start + unit, block.rows)
                done.append(apply(block.slice(start, stop), self.first + start))
        return concatenate(done) if done else None


class Crew:
    """Pool threads that work for one operator, from its first run to its end.

    Args:
        name: The step, for the names of threads and the warning about one that does not return.
        work: The operator's method that is called with each run, in one of the threads; must not raise.
    """

    def __init__(self, name: str, work: Callable[[Run], None]) -> None:
        self._name = name
        self._work = work
        self._tasks: SimpleQueue[Run | None] = SimpleQueue()
        self._done: SimpleQueue[Run] = SimpleQueue()
        self._left: SimpleQueue[None] = SimpleQueue()
        self._started = 0
        self._at_work: set[int] = set()
        self.size = 0
        self.is_closed = self._is_told = False

    @property
    def num_at_work(self) -> int:
        """How many threads work on a run at this moment."""
        return len(self._at_work)

    def submit(self, run: Run) -> None:
        """Queue a run for whoever of the crew is free."""
        self._tasks.put(run)

    def resize(self, size: int) -> None:
        """Let so many threads work; those that are too many end after what they are at."""
        while self.size < size:
            self.size += 1
            self._started += 1
            serve = partial(_serve, self._tasks, weakref.ref(self))
            threads.start(serve, f"penstock-{self._name}", partial(self._left.put, None))
        while self.size > size:
            self.size -= 1
            self._tasks.put(None)

    def replace_one(self) -> None:
        """Let another thread work in the place of one that does not return."""
        self.size -= 1
        self.resize(self.size + 1)

    def dismiss_one(self) -> None:
        """Let one thread more than `size` end."""
        self._tasks.put(None)

    def receive(self, timeout: float | None = None) -> Run | None:
        """A run that is done; waits for one, at most for `timeout` seconds."""
        try:
            return self._done.get(timeout != 0, timeout or None)
        except Empty:
            return None

    def close(self, interrupt: Callable[[], Any] | None = None) -> None:
        """End the threads; those inside a user function that does not return are left behind, and named.

        Args:
            interrupt: Called when some thread has not returned after a fifth of the time, to end what it waits for.
        """
        if self._is_told:
            return
        self.is_closed = True
        try:
            while True:
                self._tasks.get_nowait()
        except Empty:
            pass
        # One for each that was ever started: those told to end before may have lost theirs to the loop above.
        for _ in range(self._started):
            self._tasks.put(None)
        self._is_told = True  # only now: where Ctrl-C comes before, it is told by whoever closes it again
        waiting = self._await_all(_SECONDS_TO_STOP / 5)
        if waiting and interrupt is not None:
            interrupt()
        if waiting and self._await_all(_SECONDS_TO_STOP * 4 / 5) and self._at_work:
            warnings.warn(
                f"{self._name}: a thread is still inside a user function and is left behind; what it computes is "
                "thrown away",
                RuntimeWarning,
                stacklevel=3,
            )

    def _await_all(self, seconds: float) -> int:
        """How many threads have not left after `seconds`."""
        deadline = time.monotonic() + seconds
        while self._started:
            try:
                self._left.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
            self._started -= 1
        return self._started

    def _perform(self, run: Run) -> bool:
        """Work on a run, in one of the threads; False if there is nothing more to do."""
        if not self.is_closed:
            thread = threading.get_ident()
            self._at_work.add(thread)
            self._work(run)
            self._at_work.discard(thread)
            self._done.put(run)
        return not self.is_closed


def _serve(tasks: SimpleQueue[Run | None], crew: weakref.ref[Crew]) -> None:
    # While it waits, a thread keeps no operator that nobody reads from any more, nor what it has computed.
    while True:
        run = tasks.get()
        employer = crew()
        if run is None or employer is None or not employer._perform(run):
            return
        del run, employer
