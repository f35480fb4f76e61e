"""AUTOTUNE's controllers on simulated work: no thread runs and no real time passes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest

from penstock.engine import autotune
from penstock.engine.autotune import Climb, Tuner, Window
from penstock.parallel import AUTOTUNE, Parallel

TUNING_SECONDS = 5.0
STEP_SECONDS = 0.05
PARTS = 1000
"""Rows are counted in so many parts, as a worker may have finished less than one in a step."""


class Done(NamedTuple):
    """A turn of a simulated worker."""

    rows: int
    seconds: float
    cpu_seconds: float
    starved_seconds: float
    thread: int


@dataclass
class Simulation:
    """Workers whose calls wait and compute, on some cores, for a reader that takes so many rows a second at most."""

    waits: float = 0.0
    computes: float = 0.001
    cores: int = 2
    reader_speed: float = float("inf")
    noise: float = 0.05
    loss_per_worker: float = 0.0
    starts_in: float = 0.0
    taken: float = 0.0
    """The share of the cores that others have."""
    now: float = 0.0
    size: int = 1
    started: dict[int, float] = field(default_factory=lambda: {0: 0.0})
    draws: random.Random = field(default_factory=lambda: random.Random(1))

    @property
    def num_at_work(self) -> int:
        return self.size

    def resize(self, size: int) -> None:
        for worker in range(self.size, size):
            self.started[worker] = self.now + self.starts_in
        self.size = size

    def speed(self, workers: int) -> float:
        """Rows a second that so many workers make for a reader that takes them all."""
        at_most = self.cores / self.computes if self.computes else float("inf")
        return min(workers / (self.waits + self.computes), at_most) * (1 - self.loss_per_worker * workers)

    def go_on(self, tuner: Tuner, seconds: float) -> float:
        """Let time pass; the rows a second that came through."""
        until, rows = self.now + seconds, 0.0
        while self.now < until:
            self.now += STEP_SECONDS
            at_work = [worker for worker in range(self.size) if self.started[worker] <= self.now] or [0]
            possible = self.speed(len(at_work)) * self.draws.uniform(1 - self.noise, 1 + self.noise)
            taken = min(possible, self.reader_speed)
            rows += taken * STEP_SECONDS
            self.tell(tuner, at_work, taken, taken / possible)
            tuner.adjust(self, False)
        return rows / seconds

    def tell(self, tuner: Tuner, at_work: list[int], taken: float, busy: float) -> None:
        tuner.waited(0.0 if busy < 1 else 0.9 * STEP_SECONDS)
        each = taken * STEP_SECONDS / len(at_work) / 2
        seconds = busy * STEP_SECONDS / 2
        for worker in 2 * at_work:
            computed = min(seconds, each * self.computes)
            tuner.observe(
                Done(round(each * PARTS), seconds, computed * (1 - self.taken), computed * self.taken, worker)
            )

    def tuner(self, calls: int = AUTOTUNE, cpu_budget: int | None = None) -> Tuner:
        return Tuner(Parallel(calls), cpu_budget or self.cores, clock=lambda: self.now)


WORK = pytest.mark.parametrize(
    "work",
    [
        Simulation(computes=0.005),
        Simulation(computes=0.002, cores=8),
        Simulation(computes=0.002, starts_in=0.6),
        Simulation(waits=0.010, computes=0.0002),
        Simulation(waits=0.010, computes=0.0002, noise=0.15),
        Simulation(waits=0.050, computes=0.0, loss_per_worker=0.01),
    ],
    ids=["computing", "eight cores", "processes", "waiting", "waiting, noisy", "every worker costs"],
)


def best(work: Simulation) -> float:
    return max(work.speed(workers) for workers in range(1, 65))


@WORK
def test_from_one_worker_it_reaches_the_best_number_within_five_seconds(work: Simulation) -> None:
    tuner = work.tuner()
    assert tuner.workers == 1
    work.go_on(tuner, TUNING_SECONDS)
    assert work.go_on(tuner, 3.0) > 0.95 * best(work)


def test_a_cost_that_grows_tenfold_is_followed_within_five_seconds() -> None:
    work = Simulation(waits=0.001, computes=0.0005)
    tuner = work.tuner()
    work.go_on(tuner, 20)
    before = tuner.workers
    work.waits = 0.010
    work.go_on(tuner, TUNING_SECONDS)
    assert work.go_on(tuner, 3.0) > 0.95 * best(work)
    assert tuner.workers > before


def test_workers_that_a_slow_reader_leaves_idle_go_and_come_back_when_it_is_quick_again() -> None:
    work = Simulation(waits=0.010, computes=0.0002)
    tuner = work.tuner()
    work.go_on(tuner, 10)
    reached = tuner.workers
    work.reader_speed = 200.0
    work.go_on(tuner, TUNING_SECONDS)
    assert tuner.workers <= 6 < reached
    work.reader_speed = float("inf")
    work.go_on(tuner, TUNING_SECONDS)
    assert work.go_on(tuner, 3.0) > 0.95 * best(work)


def test_no_more_compute_than_the_budget_allows() -> None:
    work = Simulation(computes=0.004, cores=8)
    tuner = work.tuner(cpu_budget=2)
    for _ in range(200):
        work.go_on(tuner, 0.1)
        assert tuner.workers <= 2


def test_calls_that_get_no_core_are_not_taken_for_calls_that_wait() -> None:
    work = Simulation(computes=0.004, taken=0.8)
    tuner = work.tuner()
    for _ in range(200):
        work.go_on(tuner, 0.1)
        assert tuner.workers <= 2


def test_workers_that_bring_nothing_are_taken_back() -> None:
    work = Simulation(waits=0.010, computes=0.0)
    work.speed = lambda workers: 100.0 * min(workers, 4)
    tuner = work.tuner()
    work.go_on(tuner, 10)
    used = []
    for _ in range(100):
        work.go_on(tuner, 0.1)
        used.append(tuner.workers)
    assert sorted(used)[len(used) // 2] <= 5


def test_a_number_set_by_hand_stays() -> None:
    work = Simulation(waits=0.010)
    tuner = work.tuner(calls=3)
    work.resize(3)
    work.go_on(tuner, TUNING_SECONDS)
    assert tuner.workers == 3


def test_the_next_pass_begins_where_this_one_came_to() -> None:
    work = Simulation(waits=0.010, computes=0.0002)
    settings = Parallel(AUTOTUNE)
    tuner = Tuner(settings, 2, clock=lambda: work.now)
    work.go_on(tuner, TUNING_SECONDS)
    assert Tuner(settings, 2).workers == tuner.workers > 10


def test_workers_without_work_go_even_where_hardly_a_turn_ends() -> None:
    work = Simulation()
    tuner = work.tuner()
    work.size = tuner.workers = 8
    idle = Idle()
    for _ in range(60):
        work.now += STEP_SECONDS
        tuner.adjust(idle, False)
    assert tuner.workers == 1


def test_turns_that_take_very_long_make_nobody_go() -> None:
    work = Simulation()
    tuner = work.tuner()
    work.size = tuner.workers = 8
    for _ in range(200):
        work.now += STEP_SECONDS
        tuner.waited(STEP_SECONDS)
        tuner.adjust(work, False)
    assert tuner.workers == 8


def test_more_workers_that_find_nothing_to_do_go_at_once() -> None:
    climb = Climb(2)
    assert climb.wanted(1, Window(100.0, waited=0.9, busy=1.0, computed=0.1)) == 2
    assert climb.wanted(2, Window(120.0, waited=0.9, busy=0.4, computed=0.1)) == 1


def test_fewer_are_not_blamed_for_a_reader_that_has_become_slow() -> None:
    assert too_many().wanted(6, seen(10.0, busy=0.2)) == 2


def seen(speed: float, busy: float = 1.0) -> Window:
    return Window(speed, waited=0.9, busy=busy, computed=0.01)


def too_many() -> Climb:
    """Twice as many as four were quicker, but by less than they should: six are tried."""
    climb = Climb(8)
    assert climb.wanted(4, seen(100.0)) == 8
    assert climb.wanted(8, seen(130.0)) == 6
    return climb


def test_fewer_are_tried_and_never_more_where_a_third_of_the_workers_is_idle() -> None:
    climb = Climb(8)
    wanted = [climb.wanted(8, seen(100.0, busy=0.65))]
    wanted += [climb.wanted(6, seen(100.0, busy=0.8)) for _ in range(4)]
    assert wanted == [6, 6, 6, 6, 6]
    assert climb.wanted(3, seen(100.0, busy=0.65)) == 3


def test_fewer_that_are_quicker_stay_and_still_fewer_are_tried() -> None:
    climb = too_many()
    assert [climb.wanted(6, seen(140.0)) for _ in range(3)] == [6, 6, 5]


def test_more_are_kept_where_fewer_may_be_slower_and_the_climb_goes_on() -> None:
    climb = too_many()
    wanted = [climb.wanted(6, seen(129.0)) for _ in range(8)]
    assert wanted == [6] * 7 + [8]
    assert climb.wanted(8, seen(130.0)) == 16


def test_what_is_done_while_processes_start_is_no_reason_for_more_workers() -> None:
    work = Simulation()
    tuner = work.tuner()
    for _ in range(100):
        work.now += STEP_SECONDS
        work.tell(tuner, [0], taken=100.0, busy=1.0)
        tuner.await_processes()
        tuner.adjust(work, False)
        assert tuner.workers == 1
    work.go_on(tuner, 1.0)
    assert tuner.workers == 2


@pytest.mark.parametrize(("cores", "first", "then"), [(2, 1, 2), (16, 15, 15)])
def test_processes_start_on_the_cores_that_are_left(
    monkeypatch: pytest.MonkeyPatch, cores: int, first: int, then: int
) -> None:
    monkeypatch.setattr(autotune, "usable_cores", lambda: cores)
    tuner = Tuner(Parallel(20))
    assert tuner.at_present == 20
    tuner.await_processes()
    assert (tuner.workers, tuner.at_present) == (20, first)
    tuner.observe(Done(1, 0.02, 0.02, 0.0, thread=1))
    assert tuner.at_present == then
    for thread in range(20):
        tuner.observe(Done(1, 0.02, 0.02, 0.0, thread))
    assert tuner.at_present == 20


class Idle:
    """Workers of whom none has anything to do."""

    num_at_work = 0

    def resize(self, size: int) -> None:
        pass
