"""How many workers a parallel step gets: what the user said, or by trying, on what its reader waits for."""

from __future__ import annotations

import os
import time

from penstock.engine.crew import Crew, Run
from penstock.parallel import AUTOTUNE, Parallel

_WINDOW_SECONDS = 0.1
_LEAST_RUNS = 4  # a window is longer where it would hold fewer of them for each worker
_STARVED_SHARE = 0.02
_IDLE_SHARE = 0.5
_GAIN = 1.04
_WINDOWS_BEFORE_TRYING_AGAIN = 20
_MOST_WORKERS_PER_CORE = 32
_BUSY_CPU_SHARE = 0.5


class Tuner:
    """The number of workers of one parallel step.

    With AUTOTUNE it climbs: as long as the reader waits for results, one more worker (half as many more, where calls
    wait rather than compute) is tried for a window, and kept if more elements came through; where the workers are
    mostly idle, one goes. What was reached is where the next pass begins. A change of the calls' cost shows as another
    throughput or another waiting time, and the climb begins again.

    Args:
        settings: What the user asked for.
        cpu_budget: Cores that may compute at the same time; those that this process may use, if not given.
    """

    def __init__(self, settings: Parallel, cpu_budget: int | None = None) -> None:
        self._pace = settings.pace
        self._is_open = settings.calls == AUTOTUNE
        self._cores = cpu_budget or usable_cores()
        self.workers = max(1, self._pace.workers) if self._is_open else settings.calls
        self._began = time.perf_counter()
        self._waited_seconds = 0.0
        self._busy_seconds = 0.0
        self._cpu_seconds = 0.0
        self._rows = 0
        self._num_runs = 0
        self._before_trial: tuple[int, float] | None = None
        self._content_for = 0

    def waited(self, seconds: float) -> None:
        """The reader has waited for a result."""
        self._waited_seconds += seconds

    def observe(self, run: Run) -> None:
        """A run is done."""
        self._busy_seconds += run.seconds
        self._cpu_seconds += run.cpu_seconds
        self._rows += run.rows
        self._num_runs += 1

    def adjust(self, crew: Crew | None, is_full: bool) -> None:
        """At the end of a window, let more or fewer work in the next one."""
        now = time.perf_counter()
        seconds = now - self._began
        if seconds < _WINDOW_SECONDS or self._num_runs < _LEAST_RUNS * self.workers:
            return
        wanted = self._judge(seconds, is_full)
        if wanted != self.workers:
            self.workers = self._pace.workers = wanted
            if crew is not None:
                crew.resize(wanted)
        self._began = now
        self._waited_seconds = self._busy_seconds = self._cpu_seconds = 0.0
        self._rows = self._num_runs = 0

    def _judge(self, seconds: float, is_full: bool) -> int:
        speed = self._rows / seconds
        workers = self.workers
        if self._before_trial is not None:
            before, speed_before = self._before_trial
            self._before_trial = None
            if speed < _GAIN * speed_before:
                self._content_for = _WINDOWS_BEFORE_TRYING_AGAIN
                return before
        busy = self._busy_seconds / (seconds * workers)
        if busy < _IDLE_SHARE and workers > 1:
            return workers - 1
        starved = self._waited_seconds / seconds > _STARVED_SHARE
        if self._content_for:
            self._content_for -= 1
            return workers
        if not starved or is_full or busy < 1 - _IDLE_SHARE / 2:
            return workers
        most = self._most_workers()
        if workers >= most:
            return workers
        self._before_trial = workers, speed
        waits = self._cpu_seconds < _BUSY_CPU_SHARE * self._busy_seconds
        return min(most, workers + (max(1, workers // 2) if waits else 1))

    def _most_workers(self) -> int:
        """As many as fill the cores, given how much of their time the calls compute."""
        share = self._cpu_seconds / self._busy_seconds if self._busy_seconds else 1.0
        return int(min(_MOST_WORKERS_PER_CORE * self._cores, max(1, round(self._cores / max(share, 0.01)))))


def usable_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
