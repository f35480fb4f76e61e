"""How long a reader waits for calls that do not return: it says who waits for whom, or gives the element up."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from penstock.block import Block, all_errors, concatenate
from penstock.engine.crew import Run
from penstock.engine.failed_calls import failed_calls
from penstock.errors import ElementTimeoutError
from penstock.node import Context, Epochs, Step

_SECONDS_BEFORE_A_WARNING = 60.0

Apply = Callable[[Block, int], Block]


class AtWork:
    """What one thread is at, as far as time is measured.

    Attributes:
        since: When this was noted.
        began: When it began with what it is at; infinity once that has been given up, and while it waits for others.
        rows: How many rows that is.
        block, done: Of a run whose rows are computed one after another, all that this thread was given, and the results
            of those before.
        kill: Ends the process that computes; None where the thread itself does.
        is_late: Whether it took too long: its process was killed, or the rest is another's.
        lock: Held by the thread while it notes that it is done, and by whoever finds it late.
    """

    __slots__ = ("began", "block", "done", "is_late", "kill", "lock", "rows", "since")

    def __init__(self, rows: int, kill: Callable[[], None] | None = None) -> None:
        self.since = self.began = time.perf_counter()
        self.rows = rows
        self.block: Block | None = None
        self.done: list[Block] = []
        self.kill = kill
        self.is_late = False
        self.lock = threading.Lock()

    def wait(self, wait: Callable[[], object]) -> None:
        """Wait for what other threads are at, which takes none of the time of this one."""
        self.began = float("inf")
        wait()
        self.began = time.perf_counter()


class Patience:
    """Watches over the runs that a reader waits for.

    Args:
        step: Whose runs they are.
        timeout_seconds: What one element may take; None for ever.
        unit: Rows that one call of the step takes.
        context: That of the run; without it errors do not say which call took too long.
    """

    def __init__(
        self, step: Step, timeout_seconds: float | None, unit: int = 1, context: Context | None = None
    ) -> None:
        self._step = step
        self._timeout = timeout_seconds
        self._unit = unit
        self._context = context
        self._warned: Run | None = None
        self._at_work: dict[int, AtWork] = {}
        self._begun: dict[int, tuple[int, list[Block]]] = {}

    @property
    def is_limited(self) -> bool:
        """Whether an element may take only so long."""
        return self._timeout is not None

    def apply(self, apply: Apply, block: Block, first: int) -> Block:
        """What `apply` makes of a run in this thread: row after row, so that it is known which one does not return."""
        skipped, done = self._begun.pop(first, (0, []))
        if self._step.is_vectorised and not skipped:
            return apply(block, first)
        at = AtWork(min(self._unit, block.rows))
        at.block, at.done = block, done
        self._at_work[threading.get_ident()] = at
        for start in range(0, block.rows, self._unit):
            stop = min(start + self._unit, block.rows)
            result = apply(block.slice(start, stop), first + skipped + start)
            with at.lock:
                if at.is_late:
                    return result  # which nobody looks at; the rows after it are another's
                at.began = time.perf_counter()
                done.append(result)
        return concatenate(done)

    @contextmanager
    def calling(self, rows: int, kill: Callable[[], None]) -> Iterator[AtWork]:
        """While a process computes rows for this thread: `kill` ends it when they take too long.

        All rows together have the time of one: a run is made to take a few hundredths of a second, and one that takes
        longer than its slowest element may is more likely to hang. If it was not, its halves have that time each.
        """
        thread = threading.get_ident()
        now = self._at_work[thread] = AtWork(min(self._unit, rows), kill)
        try:
            yield now
        finally:
            with now.lock:
                self._at_work[thread] = AtWork(rows)

    def seconds_left(self, runs: Iterable[Run]) -> float:
        """How long to wait at most before asking `overdue` again."""
        now = time.perf_counter()
        left = [self._deadline(run) - now for run in runs if run.began and not run.is_done]
        # A thread whose process was killed begins anew at any time.
        most = _SECONDS_BEFORE_A_WARNING if self._timeout is None else self._timeout
        return max(0.001, min(most, min(left, default=1.0)))

    def overdue(self, runs: Iterable[Run]) -> list[Run]:
        """The runs whose threads have taken too long; processes that have are killed.

        Where there is no limit, none, but a warning of one after a minute.
        """
        now = time.perf_counter()
        late = [run for run in runs if run.began and not run.is_done and now > self._deadline(run)]
        if self._timeout is not None:
            return [run for run in late if not self._kill(run)]
        if late and late[0] is not self._warned:
            self._warned = late[0]
            warnings.warn(
                f"{self._step.signature()} has been at {_which(late[0].first, late[0].rows)} for "
                f"{now - late[0].began:.0f} s, and its reader waits for it; Options(element_timeout_seconds=...) would "
                "make that an error",
                RuntimeWarning,
                stacklevel=2,
            )
        return []

    def _kill(self, run: Run) -> bool:
        """End the process that a run is at, whose thread goes on by itself; False if there is none."""
        at = self._at(run)
        if at is None or at.kill is None:
            return False
        with at.lock:
            if time.perf_counter() <= self._deadline_of(at) or self._at_work.get(run.thread) is not at:
                return True  # by now it has come back, and its thread is at something else
            at.is_late, at.began = True, float("inf")
            at.kill()
        return True

    def given_up(self, run: Run) -> Run | None:
        """What goes on in the place of a run whose thread does not return; None if that just has.

        It has an error in the row that the thread is at, and those after it still to be computed. Where rows are not
        computed one after another, the error stands in all of them.
        """
        at = self._at(run) or AtWork(run.rows)
        with at.lock:
            if time.perf_counter() <= self._deadline(run):
                return None
            at.is_late, done = True, list(at.done)
        found = Run(run.first, None, run.rows, run.before, run.skip)
        found.provenance = run.provenance
        if at.block is None:
            found.result = all_errors(self.error(run.first, run.rows), run.rows)
            return found
        start = len(done) * self._unit
        stop = min(run.rows, start + self._unit)
        skipped = run.rows - at.block.rows
        given = at.block.slice(start - skipped, stop - skipped)
        done.append(self.failed(given, 0 if self._context is None else self._context.epoch, run.first + start))
        if stop == run.rows:
            found.result = concatenate(done)
        else:
            found.block = at.block.slice(stop - skipped, at.block.rows)
            self._begun[run.first] = stop, done
        return found

    def failed(self, given: Any, epoch: Epochs, first: int) -> Block:
        """What stands in the place of rows that took too long, which the step got as `given`."""
        error = self.error(first, given.rows)
        if not isinstance(given, Block):
            return all_errors(error, given.rows)
        return failed_calls(error, given, self._step, self._unit, self._context, epoch, first)

    def error(self, first: int, rows: int) -> ElementTimeoutError:
        """What stands in the place of rows that took too long."""
        return ElementTimeoutError(
            f"{self._step.signature()}: {_which(first, rows)} took longer than element_timeout_seconds="
            f"{self._timeout:g}; give it more time, or leave out what makes the function wait"
        )

    def _at(self, run: Run) -> AtWork | None:
        """What the thread of a run is at; None where that is the run as a whole."""
        at = self._at_work.get(run.thread)
        return None if at is None or at.since < run.began else at

    def _deadline(self, run: Run) -> float:
        if self._timeout is None:
            return run.began + (_SECONDS_BEFORE_A_WARNING if run is not self._warned else float("inf"))
        at = self._at(run)
        return run.began + self._timeout * run.rows if at is None else self._deadline_of(at)

    def _deadline_of(self, at: AtWork) -> float:
        assert self._timeout is not None
        return at.began + self._timeout * at.rows


def _which(first: int, rows: int) -> str:
    return f"element {first}" if rows == 1 else f"elements {first} to {first + rows - 1}"
