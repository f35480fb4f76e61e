"""How many workers a parallel step gets: what the user said, or by trying, on what its reader waits for."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import NamedTuple

from penstock.parallel import AUTOTUNE, Parallel, Resizable, Turn

_WINDOW_SECONDS = 0.1
_LEAST_TURNS = 4  # a window is longer where it would hold fewer of them for each worker
_LONG_WINDOW_SECONDS = 1.0  # from then on one for each worker will do
_STARTING_SECONDS = 1.0
"""How long at most new workers are waited for before they are judged: a process takes half a second to start."""
_STARVED_SHARE = 0.02
_IDLE_SHARE = 0.5
_COMFORTABLE_SHARE = 0.75
_CLEAR_GAIN = 1.25  # one window will do; for less it takes some
_GAIN = 1.05
_NO_LOSS = 0.98
_WINDOWS_AT_TRIAL = 3
_WORTH_DOUBLING = 0.6
"""The share of twice the speed that twice the workers must have brought for twice as many to be tried next."""
_MOST_WINDOWS = 10  # that a speed is the mean of
_WINDOWS_AT_REST = 10
_MOST_WINDOWS_AT_REST = 160
_CHANGED = 1.6
_ODD_WINDOWS = 2  # in a row, and the cost of the calls has changed
_FEWEST_TO_TRY_LESS = 4  # a quarter of fewer is none; with one of two away, half of the speed would be
_LEAST_SPEED = 1e-9
_LEAST_SECONDS = 1e-9
_MOST_WORKERS_PER_CORE = 32


class Window(NamedTuple):
    """What was seen of a step for some time.

    Attributes:
        speed: Rows a second.
        waited: The share of the time that the reader waited for a result.
        busy: The share of their time that the workers worked.
        computed: The share of that time that they computed, without that in which there was no core for them.
        is_full: Whether no more runs may be handed out, for one that takes long holds back those after it.
    """

    speed: float
    waited: float
    busy: float
    computed: float
    is_full: bool = False


class Climb:
    """Finds the number of workers that a step needs, window by window; knows no time.

    While the reader waits and the workers are busy, more are tried: twice as many as long as that pays, then a quarter
    more. What brings nothing is taken back. Then it rests, and tries a quarter fewer and a quarter more by turns, to
    keep the fewest that are as quick; it rests longer each time that nothing came of that, and not at all once the
    speed is another than it was. Where workers are idle for half of the time, those that are too many go at once,
    whoever waits: there is nothing for them to do.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._speeds: list[float] = []
        self._before: tuple[int, float] | None = None
        self._doubles = True
        self._tries_fewer = True
        self._windows_to_rest = 0
        self._next_rest = _WINDOWS_AT_REST
        self._num_odd = 0

    def wanted(self, workers: int, window: Window) -> int:
        """How many are to work in the next window, after `workers` did in this one."""
        if self._before is None and self._is_odd(window.speed):
            return workers
        self._speeds = [*self._speeds[1 - _MOST_WINDOWS :], window.speed]
        if self._before is not None:
            before, speed_before = self._before
            is_better = self._is_better(workers > before, _mean(self._speeds) / speed_before)
            if is_better is None:
                return workers
            self._before = None
            if not is_better:
                return self._taken_back(workers, before, speed_before)
            if workers > before:
                self._doubles = (
                    self._doubles and _mean(self._speeds) >= _WORTH_DOUBLING * speed_before * workers / before
                )
            self._next_rest = _WINDOWS_AT_REST
        if window.busy < _IDLE_SHARE and workers > 1:
            return self._go_on_with(min(workers - 1, max(1, math.ceil(workers * window.busy / _COMFORTABLE_SHARE))))
        if window.waited <= _STARVED_SHARE or window.is_full or window.busy < _COMFORTABLE_SHARE:
            return workers
        if self._windows_to_rest:
            self._windows_to_rest -= 1
            return workers
        return self._next_trial(workers, window)

    def _next_trial(self, workers: int, window: Window) -> int:
        wanted = min(self._most(window), 2 * workers if self._doubles else workers + max(1, workers // 4))
        has_rested = self._next_rest > _WINDOWS_AT_REST
        if has_rested and workers >= _FEWEST_TO_TRY_LESS and (self._tries_fewer or wanted <= workers):
            wanted = workers - workers // 4
        self._tries_fewer = wanted > workers
        if wanted == workers:
            return workers
        self._before = workers, _mean(self._speeds)
        return self._go_on_with(wanted)

    def _go_on_with(self, workers: int) -> int:
        self._speeds = []
        return workers

    def _is_better(self, is_more: bool, ratio: float) -> bool | None:
        """What a trial says; None if that is to be seen in another window."""
        count = len(self._speeds)
        if is_more:
            return True if ratio >= _CLEAR_GAIN else None if count < _WINDOWS_AT_TRIAL else ratio >= _GAIN
        return False if ratio < 1 / _CLEAR_GAIN else None if count < _WINDOWS_AT_TRIAL else ratio >= _NO_LOSS

    def _taken_back(self, workers: int, before: int, speed: float) -> int:
        self._speeds = [speed]
        if workers > before and self._doubles and before > 1:
            # Twice as many were no quicker; a few more may be.
            self._doubles = False
            return before
        self._windows_to_rest = self._next_rest
        self._next_rest = min(2 * self._next_rest, _MOST_WINDOWS_AT_REST)
        return before

    def _is_odd(self, speed: float) -> bool:
        """Whether a window is left out, as its speed is none of this step's; unless those before it were so too."""
        if not self._speeds or 1 / _CHANGED < speed / max(_mean(self._speeds), _LEAST_SPEED) < _CHANGED:
            self._num_odd = 0
            return False
        self._num_odd += 1
        if self._num_odd < _ODD_WINDOWS:
            return True
        self._speeds, self._num_odd = [], 0
        self._windows_to_rest, self._next_rest, self._doubles = 0, _WINDOWS_AT_REST, True
        return False

    def _most(self, window: Window) -> int:
        """As many as fill the cores, given how much of their time the calls compute."""
        share = max(window.computed, 1 / _MOST_WORKERS_PER_CORE)
        return max(1, round(self._cores / share))


def _mean(speeds: list[float]) -> float:
    return sum(speeds) / len(speeds)


class Tuner:
    """The number of workers of one parallel step: with AUTOTUNE by a `Climb`, from what is seen of the work.

    What was reached is where the next pass begins.

    Args:
        settings: What the user asked for.
        cpu_budget: Cores that may compute at the same time; those that this process may use, if not given.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self, settings: Parallel, cpu_budget: int | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._pace = settings.pace
        self._is_open = settings.calls == AUTOTUNE
        self._clock = clock
        self._climb = Climb(cpu_budget or usable_cores())
        self.workers = max(1, self._pace.workers) if self._is_open else settings.calls
        self._newcomers_until = 0.0
        self._seen: set[int] = set()
        self._begin()

    def _begin(self) -> None:
        """Begin a window."""
        self._began = self._clock()
        self._waited_seconds = self._busy_seconds = self._cpu_seconds = self._starved_seconds = 0.0
        self._rows = self._num_turns = self._looks = self._at_work = 0

    def waited(self, seconds: float) -> None:
        """The reader has waited for a result."""
        self._waited_seconds += seconds

    def observe(self, turn: Turn) -> None:
        """Some rows are done."""
        self._busy_seconds += turn.seconds
        self._cpu_seconds += turn.cpu_seconds
        self._starved_seconds += turn.starved_seconds
        self._rows += turn.rows
        self._num_turns += 1
        if self._newcomers_until:
            self._seen.add(turn.thread)

    def adjust(self, crew: Resizable | None, is_full: bool) -> None:
        """At the end of a window, let more or fewer work in the next one."""
        if not self._is_open:
            return
        now = self._clock()
        if self._newcomers_until:
            if len(self._seen) >= self.workers or now >= self._newcomers_until:
                self._newcomers_until = 0.0
                self._seen.clear()
                self._begin()
            return
        self._looks += 1
        self._at_work += self.workers if crew is None else crew.num_at_work
        seconds = now - self._began
        if seconds < _WINDOW_SECONDS or not (self._has_seen_enough(seconds) or self._sees_idlers(seconds)):
            return
        wanted = self._climb.wanted(self.workers, self._window(seconds, is_full))
        if wanted != self.workers:
            if wanted > self.workers:
                self._newcomers_until = now + _STARTING_SECONDS
            self.workers = self._pace.workers = wanted
            if crew is not None:
                crew.resize(wanted)
        self._begin()

    def _has_seen_enough(self, seconds: float) -> bool:
        return self._num_turns >= self.workers * (_LEAST_TURNS if seconds < _LONG_WINDOW_SECONDS else 1)

    def _sees_idlers(self, seconds: float) -> bool:
        """Whether few turns are done because there are few to do, rather than because they take long."""
        return seconds >= _LONG_WINDOW_SECONDS and self._at_work < _IDLE_SHARE * self._looks * self.workers

    def _window(self, seconds: float, is_full: bool) -> Window:
        return Window(
            self._rows / seconds,
            self._waited_seconds / seconds,
            min(1.0, self._busy_seconds / (seconds * self.workers)),
            min(1.0, self._cpu_seconds / max(self._busy_seconds - self._starved_seconds, _LEAST_SECONDS)),
            is_full,
        )


def usable_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
