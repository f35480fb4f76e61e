"""How long a reader waits for calls that do not return: it says who waits for whom, or gives the element up."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable

from penstock.block import all_errors
from penstock.engine.crew import Run
from penstock.errors import ElementTimeoutError
from penstock.node import Step

_SECONDS_BEFORE_A_WARNING = 60.0


class Patience:
    """Watches over the runs that a reader waits for.

    Args:
        step: Whose runs they are.
        timeout_seconds: What one element may take; None for ever.
    """

    def __init__(self, step: Step, timeout_seconds: float | None) -> None:
        self._step = step
        self._timeout = timeout_seconds
        self._warned: Run | None = None

    def seconds_left(self, runs: Iterable[Run]) -> float:
        """How long to wait at most before asking `overdue` again."""
        now = time.perf_counter()
        left = [run.began + self._seconds_for(run) - now for run in runs if run.began and not run.is_done]
        return max(0.001, min(left, default=1.0))

    def overdue(self, runs: Iterable[Run]) -> list[Run]:
        """The runs that have taken too long; where there is no limit, none, but a warning of one after a minute."""
        now = time.perf_counter()
        late = [run for run in runs if run.began and not run.is_done and now - run.began > self._seconds_for(run)]
        if self._timeout is not None:
            return late
        if late and late[0] is not self._warned:
            self._warned = late[0]
            warnings.warn(
                f"{self._step.signature()} has been at {_which(late[0])} for {now - late[0].began:.0f} s, and its "
                "reader waits for it; Options(element_timeout_seconds=...) would make that an error",
                RuntimeWarning,
                stacklevel=2,
            )
        return []

    def given_up(self, run: Run) -> Run:
        """What stands in the place of a run that has taken too long: errors in its rows."""
        found = Run(run.first, None, run.rows, run.before, run.skip)
        error = ElementTimeoutError(
            f"{self._step.signature()}: {_which(run)} took longer than element_timeout_seconds={self._timeout:g}; give "
            "it more time, or leave out what makes the function wait"
        )
        found.result = all_errors(error, run.rows)
        return found

    def _seconds_for(self, run: Run) -> float:
        if self._timeout is not None:
            return self._timeout * run.rows
        return _SECONDS_BEFORE_A_WARNING if run is not self._warned else float("inf")


def _which(run: Run) -> str:
    return f"element {run.first}" if run.rows == 1 else f"elements {run.first} to {run.first + run.rows - 1}"
