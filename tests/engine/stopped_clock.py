"""A clock for what is given up when it takes too long, on machines that are busy with something else."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

import pytest

from penstock.engine import crew, patience
from penstock.engine.crew import Crew, Run


class StoppedClock:
    """Stands still for the engine; for a reader who finds that everyone at work hangs, an hour has passed.

    So a call is late if it hangs, and only then, however busy the machine is.

    Args:
        num_hung: How many calls have come to hang so far.
        are_left: Whether they go on hanging when they are given up.
    """

    thread_time, monotonic = staticmethod(time.thread_time), staticmethod(time.monotonic)

    def __init__(self, monkeypatch: pytest.MonkeyPatch, num_hung: Callable[[], int], are_left: bool) -> None:
        self._num_hung, self._are_left = num_hung, are_left
        self._hours = 0
        self._ticks = itertools.count()
        self._reader = threading.get_ident()
        self._crew: Crew | None = None
        submit = Crew.submit

        def noting(of: Crew, run: Run) -> None:
            self._crew = of
            submit(of, run)

        monkeypatch.setattr(Crew, "submit", noting)
        for module in (crew, patience):
            monkeypatch.setattr(module, "time", self)

    def perf_counter(self) -> float:
        num_hung = self._num_hung()
        if threading.get_ident() == self._reader and self._crew is not None and num_hung > self._hours:
            # Nobody but this thread hands over work: who is not at work now begins after this.
            self._hours += self._crew.num_at_work == (num_hung if self._are_left else 1)
        return 3600.0 * self._hours + 1e-6 * next(self._ticks)
