"""Who is given up when calls take too long, and who is not."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from penstock import Dataset
from penstock.block import Block, block_from_elements
from penstock.engine import patience, processes
from penstock.engine.crew import Run
from penstock.engine.patience import AtWork, Patience
from penstock.engine.remote import Remote

HOUR = 3600.0


class Watched:
    """A run of this thread, with a second for each element, and the time that the test makes pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = HOUR
        monkeypatch.setattr(patience, "time", SimpleNamespace(perf_counter=lambda: self.now))
        self.step: Any = Dataset.range(1).map(lambda n: n)._node
        self.patience = Patience(self.step, 1.0)
        self.block = block_from_elements([0])
        self.run = Run(0, self.block, 1, {})
        self.run.began, self.run.thread = self.now, threading.get_ident()
        self.kills = 0

    def kill(self) -> None:
        self.kills += 1

    def hour_later(self) -> list[Run]:
        """Those that are given up when an hour has passed."""
        self.now += HOUR
        return self.patience.overdue([self.run])


def test_waiting_for_the_first_result_of_another_process_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    given_up: list[Run] = []

    class Worker:
        kill = watched.kill

        def load(self, step: Any) -> None:
            pass

        def call(self, step: Any, block: Block, epochs: int, indices: int, before_agreeing: Any) -> Block:
            if before_agreeing is not None:
                before_agreeing()
            return block

    monkeypatch.setattr(processes, "borrow", Worker)
    monkeypatch.setattr(processes, "give_back", lambda worker: None)
    workers = Remote(watched.step, patience=watched.patience)
    workers._before_agreeing = lambda: given_up.extend(watched.hour_later())
    for _ in range(2):
        workers.apply(watched.block, 0, 0)
    workers.close()
    assert watched.now == 2 * HOUR
    assert (given_up, watched.kills) == ([], 0)


def test_a_process_is_not_ended_for_the_call_before(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    calls = [AtWork(1, watched.kill)]

    class GoesOn(dict[int, AtWork]):
        """The thread comes back, and calls again, after it was looked at."""

        def get(self, *_: Any) -> AtWork:
            calls.append(AtWork(1, watched.kill))
            return calls[-2]

    watched.patience._at_work = GoesOn()
    assert watched.hour_later() == []
    assert len(calls) > 2, "its next call was looked at"
    assert watched.kills == 0
    assert not any(call.is_late for call in calls)


def test_a_process_is_not_ended_for_a_call_that_has_just_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    call = watched.patience.calling(1, watched.kill)
    call.__enter__()
    looks = 0
    at = watched.patience._at

    def looked_at(run: Run) -> AtWork | None:
        nonlocal looks
        looks += 1
        found = at(run)
        if looks == 2:
            call.__exit__(None, None, None)
        return found

    monkeypatch.setattr(watched.patience, "_at", looked_at)
    assert watched.hour_later() == []
    assert (looks, watched.kills) == (2, 0)


def test_a_process_is_ended_once_for_a_call_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(monkeypatch)
    with watched.patience.calling(1, watched.kill) as call:
        for _ in range(2):
            assert watched.hour_later() == []
    assert (watched.kills, call.is_late) == (1, True)


def test_a_row_that_is_done_in_the_instant_in_which_it_is_given_up_lets_its_thread_do_no_further_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    has_begun, may_end, went_on = threading.Event(), threading.Event(), threading.Event()
    computed: list[int] = []

    class Lock:
        """A lock that tells when somebody has to wait for it."""

        def __init__(self) -> None:
            self.lock = threading.Lock()

        def __enter__(self) -> None:
            if not self.lock.acquire(blocking=False):
                went_on.set()
                self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    def compute(block: Block, first: int) -> Block:
        computed.append(first)
        if first == 0:
            has_begun.set()
            may_end.wait()
        else:
            went_on.set()
        return block

    def deadline_after_which_the_row_is_done(run: Run) -> float:
        found = deadline(run)
        may_end.set()
        went_on.wait()
        return found

    monkeypatch.setattr(patience, "threading", SimpleNamespace(Lock=Lock, get_ident=threading.get_ident))
    block = block_from_elements([0, 1, 2])
    worker = threading.Thread(target=watched.patience.apply, args=(compute, block, 0))
    worker.start()
    has_begun.wait()
    run = Run(0, block, 3, {})
    run.began, run.thread = watched.now, worker.ident or 0
    watched.now += HOUR
    deadline = watched.patience._deadline
    monkeypatch.setattr(watched.patience, "_deadline", deadline_after_which_the_row_is_done)
    rest = watched.patience.given_up(run)
    worker.join()
    assert rest is not None
    assert rest.block is not None
    assert (computed, rest.block.rows) == ([0], 2)
