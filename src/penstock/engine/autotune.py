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
_MOST_WINDOWS_AT_TRIAL = 8
_SUPPOSED_DOUBT = 0.05  # of one window, as long as few were seen
_SUPPOSED_WINDOWS = 2  # that this counts as
_WORTH_DOUBLING = 0.6
"""The share of twice the speed that twice the workers must have brought for twice as many to be tried next."""
_AS_IT_SHOULD = 0.75
"""The same share, below which there may be too many."""
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
    more. What brings nothing is taken back; where it brings less than it should, a quarter fewer are tried next, for
    too many get into each other's way. Then it rests, and tries a quarter fewer and a quarter more by turns, to keep
    the fewest that are as quick; it rests longer each time that nothing came of that, and not at all once the speed is
    another than it was. Windows differ by chance: a trial goes on until the difference is beyond doubt, and where it
    stays in doubt the more are kept, for too few would cost speed. Where workers are idle for half of the time, those
    that are too many go at once, whoever waits: there is nothing for them to do; where they are for a quarter of it,
    no more are tried, but fewer.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._speeds: list[float] = []
        self._are_old = False
        self._before: tuple[int, list[float]] | None = None
        self._doubles = True
        self._tries_fewer = True
        self._may_be_too_many = self._was_suspected = False
        self._windows_to_rest = 0
        self._next_rest = _WINDOWS_AT_REST
        self._num_odd = 0

    def wanted(self, workers: int, window: Window) -> int:
        """How many are to work in the next window, after `workers` did in this one."""
        if self._before is None and self._is_odd(window.speed):
            return workers
        if self._are_old:
            # They have shown that the cost is what it was; but queues may have been filled then, which counts as speed.
            self._speeds, self._are_old = [], False
        self._speeds = [*self._speeds[1 - _MOST_WINDOWS :], window.speed]
        if self._before is not None:
            before, speeds_before = self._before
            is_better = self._is_better(workers > before, speeds_before, window.busy)
            if is_better is None:
                return workers
            self._before = None
            if not is_better:
                return self._taken_back(workers, before, speeds_before)
            if workers > before:
                ratio = _mean(self._speeds) / _mean(speeds_before)
                self._doubles = self._doubles and ratio >= _WORTH_DOUBLING * workers / before
                self._suspect_too_many(ratio < _AS_IT_SHOULD * workers / before)
            else:
                self._suspect_too_many(True)
            self._next_rest = _WINDOWS_AT_REST
        if window.busy < _IDLE_SHARE and workers > 1:
            return self._go_on_with(min(workers - 1, max(1, math.ceil(workers * window.busy / _COMFORTABLE_SHARE))))
        if window.waited <= _STARVED_SHARE or window.is_full:
            return workers
        if self._windows_to_rest:
            self._windows_to_rest -= 1
            return workers
        return self._next_trial(workers, window)

    def _next_trial(self, workers: int, window: Window) -> int:
        has_idlers = window.busy < _COMFORTABLE_SHARE
        more = 2 * workers if self._doubles else workers + max(1, workers // 4)
        wanted = workers if has_idlers else min(self._most(window), more)
        may_try_fewer = has_idlers or self._may_be_too_many or self._next_rest > _WINDOWS_AT_REST
        if may_try_fewer and workers >= _FEWEST_TO_TRY_LESS and (self._tries_fewer or wanted <= workers):
            wanted = workers - workers // 4
        self._was_suspected = self._may_be_too_many and wanted < workers
        self._tries_fewer, self._may_be_too_many = wanted > workers, False
        if wanted == workers:
            return workers
        self._before = workers, self._speeds
        return self._go_on_with(wanted)

    def _suspect_too_many(self, is_suspected: bool) -> None:
        """Whether a quarter fewer are to be tried next."""
        self._may_be_too_many = is_suspected
        self._tries_fewer = self._tries_fewer or is_suspected

    def _go_on_with(self, workers: int) -> int:
        self._speeds, self._are_old = [], False
        return workers

    def _is_better(self, is_more: bool, speeds_before: list[float], busy: float) -> bool | None:
        """What a trial says; None if that is to be seen in another window."""
        if busy < _IDLE_SHARE:
            return not is_more  # there was nothing for more to do, whatever the speed
        ratio, doubt = _mean(self._speeds) / _mean(speeds_before), _doubt(self._speeds, speeds_before)
        if ratio >= _CLEAR_GAIN or ratio + doubt < 1 / _CLEAR_GAIN:
            return ratio > 1
        if len(self._speeds) < _WINDOWS_AT_TRIAL:
            return None
        wanted = _GAIN if is_more else _NO_LOSS
        if abs(ratio - wanted) < doubt and len(self._speeds) < _MOST_WINDOWS_AT_TRIAL:
            return None
        return ratio >= wanted if is_more else ratio - doubt >= wanted

    def _taken_back(self, workers: int, before: int, speeds: list[float]) -> int:
        self._speeds, self._are_old = speeds, True
        if workers > before and self._doubles and before > 1:
            # Twice as many were no quicker; a few more may be.
            self._doubles = False
            return before
        if self._was_suspected:
            return before  # those that were more had brought less than they should, but something
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
        self._suspect_too_many(speed > _mean(self._speeds))
        self._speeds, self._are_old, self._num_odd = [], False, 0
        self._windows_to_rest, self._next_rest, self._doubles = 0, _WINDOWS_AT_REST, True
        return False

    def _most(self, window: Window) -> int:
        """As many as fill the cores, given how much of their time the calls compute."""
        share = max(window.computed, 1 / _MOST_WORKERS_PER_CORE)
        return max(1, round(self._cores / share))


def _mean(speeds: list[float]) -> float:
    return sum(speeds) / len(speeds)


def _doubt(one: list[float], other: list[float]) -> float:
    """The standard error of the ratio of their means."""
    squares = _SUPPOSED_WINDOWS * _SUPPOSED_DOUBT**2
    for speeds in (one, other):
        mean = _mean(speeds)
        squares += sum((speed / mean - 1) ** 2 for speed in speeds)
    variance = squares / (_SUPPOSED_WINDOWS + len(one) + len(other) - 2)
    return math.sqrt(variance * (1 / len(one) + 1 / len(other)))


class Tuner:
    """The number of workers of one parallel step: with AUTOTUNE by a `Climb`, from what is seen of the work.

    What was reached is where the next pass begins.

    Args:
        settings: What the user asked for.
        cpu_budget: Cores that may compute at the same time; those that this process may use, if not given.
        clock: Tells the time, in seconds.

    Attributes:
        workers: How many are to work.
        is_open: Whether that follows what is seen.
    """

    def __init__(
        self, settings: Parallel, cpu_budget: int | None = None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._pace = settings.pace
        self.is_open = settings.calls == AUTOTUNE
        self._clock = clock
        self._climb = Climb(cpu_budget or usable_cores())
        self.workers = max(1, self._pace.workers) if self.is_open else settings.calls
        self._newcomers_until = 0.0
        self._seen: set[int] = set()
        self._started: set[int] | None = None
        self._begin()

    @property
    def at_present(self) -> int:
        """How many are to work now: as long as processes start, one more than have started, or all cores but one.

        Those computing without a process hold each other up, and take the cores that the processes start on.
        """
        if self._started is None or len(self._started) >= self.workers:
            return self.workers
        return min(self.workers, max(len(self._started) + 1, usable_cores() - 1))

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
        if self._started is not None:
            self._started.add(turn.thread)

    def await_processes(self) -> None:
        """A worker has done something by makeshift, for its process has not started."""
        if self._started is None:
            self._started = set()
        self.begin_anew()

    def begin_anew(self) -> None:
        """What was seen says nothing of how quick the workers will be: begin when all have done something."""
        self._newcomers_until = self._clock() + _STARTING_SECONDS

    def adjust(self, crew: Resizable | None, is_full: bool) -> None:
        """At the end of a window, let more or fewer work in the next one."""
        if not self.is_open:
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
