"""Runs of parallel calls: what is done does not wait, one structure for all workers, and one element that hangs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from penstock import Dataset, Options
from penstock.engine.crew import Crew, Run
from penstock.engine.flow import Flow
from penstock.errors import ElementTimeoutError, SpecError
from penstock.parallel import WorkPace
from tests.corners import values
from tests.engine.stopped_clock import StoppedClock

SECONDS = 30.0
"""Longer than anything takes, so that a test that would hang fails instead."""


def observed(ds: Dataset[Any], count: int) -> list[Any]:
    """Elements and the types of errors."""
    elements, found = iter(ds), []
    for _ in range(count):
        try:
            found.append(next(elements))
        except (SpecError, ElementTimeoutError) as error:
            found.append(type(error))
    with pytest.raises(StopIteration):
        next(elements)
    return found


def until_an_error_at(last: int, elements: Iterator[Any]) -> list[Any]:
    """Elements and types of errors up to element `last`."""
    found: list[Any] = []
    while len(found) <= last:
        try:
            found.append(int(next(elements)))
        except ElementTimeoutError as error:
            found.append(type(error))
    return found


def changes_structure(n: Any) -> Any:
    return int(n) if n < 20 else (int(n), int(n))


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_all_workers_hold_results_to_the_structure_of_the_first(executor: Any) -> None:
    ds = Dataset.range(40)
    expected = observed(ds.map(changes_structure), 40)
    assert expected == [*range(20), *[SpecError] * 20]
    assert observed(ds.map(changes_structure, num_parallel_calls=2, executor=executor), 40) == expected


@pytest.mark.parametrize(
    ("pull_seconds", "run_seconds", "is_slow", "is_idle"),
    [(1.0, 0.01, True, True), (1.0, 0.1, True, False), (0.001, 1.0, False, False)],
)
def test_what_is_done_and_what_is_quick_comes_before_a_slow_source_is_asked(
    pull_seconds: float, run_seconds: float, is_slow: bool, is_idle: bool
) -> None:
    flow = Flow(WorkPace(), 1)
    run = Run(0, None, 1, {})
    run.seconds = run_seconds
    for _ in range(10):
        flow.pulled(run, pull_seconds)
        flow.observe(run)
    assert (flow.is_slow(2), flow.is_idle()) == (is_slow, is_idle)


@pytest.mark.parametrize(("pull_seconds", "grows"), [(0.0, True), (1.0, False)])
def test_rows_that_take_long_to_come_do_not_wait_for_a_longer_run(pull_seconds: float, grows: bool) -> None:
    pace = WorkPace()
    flow = Flow(pace, 1)
    for _ in range(10):
        run = Run(0, None, pace.run_rows, {})
        flow.pulled(run, pull_seconds)
        flow.observe(run)
    assert (pace.run_rows > 1) is grows


def test_an_element_of_a_source_that_waits_does_not_wait_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    received = threading.Semaphore(0)
    late: list[int] = []

    def source() -> Iterator[int]:
        for n in range(6):
            yield n
            # As from a network: the next one comes when this one has been used.
            if not received.acquire(timeout=SECONDS):
                late.append(n)

    monkeypatch.setattr(Flow, "rows", lambda self, wanted: 1)
    monkeypatch.setattr(Flow, "is_slow", lambda self, workers: True)
    monkeypatch.setattr(Flow, "is_idle", lambda self: True)
    ds = Dataset.from_generator(source).map(lambda n: n + 1, num_parallel_calls=2, executor="thread")
    for _ in ds:
        received.release()
    assert late == []


class HangsAt:
    """Does not return for some elements; notes each time in a file, in whatever process."""

    def __init__(self, path: Path, *elements: int) -> None:
        self.path = path
        self.elements = elements

    @property
    def num_hung(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def __call__(self, n: Any) -> Any:
        if n in self.elements:
            with self.path.open("ab") as file:
                file.write(b".")
            threading.Event().wait(SECONDS)
        return n


def test_a_thread_that_hangs_costs_one_element_of_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    calls: list[int] = []

    def hangs(n: Any) -> Any:
        calls.append(int(n))
        if n in (120, 150):
            gate.wait(SECONDS)
        return int(n)

    StoppedClock(monkeypatch, lambda: (120 in calls) + (150 in calls), are_left=True)
    ds = Dataset.range(200).map(hangs, num_parallel_calls=2, executor="thread")
    elements = iter(ds.with_options(Options(element_timeout_seconds=0.05)))
    found = until_an_error_at(150, elements)
    gate.set()
    found += [int(n) for n in elements]
    assert found == [ElementTimeoutError if n in (120, 150) else n for n in range(200)]
    assert sorted(calls) == list(range(200)), "each element is computed once"


def test_a_process_that_hangs_costs_one_element_of_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = HangsAt(tmp_path / "hung", 9)
    StoppedClock(monkeypatch, lambda: hangs.num_hung, are_left=False)
    ds = Dataset.range(12).map(hangs, num_parallel_calls=2, executor="process")
    found = observed(ds.with_options(Options(element_timeout_seconds=0.05)), 12)
    assert found == [ElementTimeoutError if n == 9 else n for n in range(12)]


def test_threads_end_that_were_being_told_to_when_ctrl_c_came() -> None:
    performed: list[Run] = []
    workers = Crew("map(f)", performed.append)
    workers.resize(2)
    put = workers._tasks.put
    told: list[Any] = []

    def interrupted(task: Any) -> None:
        if not told:
            told.append(task)
            raise KeyboardInterrupt
        put(task)

    workers._tasks = SimpleNamespace(put=interrupted, get_nowait=workers._tasks.get_nowait)
    with pytest.raises(KeyboardInterrupt):
        workers.close()
    workers.close()
    workers.close()
    for _ in range(workers._started):
        workers._left.get(timeout=SECONDS)  # on a busy machine they are not waited for so long


def test_until_processes_have_started_threads_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock.engine import processes, remote

    class Starting:
        def is_ready(self) -> bool:
            return False

        def kill(self) -> None:
            pass

    lent = [Starting(), None]
    monkeypatch.setattr(processes, "borrow_unless_many_start", lent.pop)
    monkeypatch.setattr(processes, "give_back", lambda worker: None)
    step = Dataset.range(3).map(lambda n: n + 1)._node
    block = Dataset.range(3).batch(3)
    workers = remote.Remote(step)
    meanwhile = values(block)
    for _ in range(3):
        assert workers.apply(None, 0, 0, lambda: meanwhile) is meanwhile
    assert not lent
    workers.close()
    early = remote.Remote(step, is_early=True)
    assert not early.has_started()


def test_runs_stay_short_until_processes_have_started(monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock.engine import remote

    lengths = set()
    submit = Crew.submit

    def noting(crew: Crew, run: Run) -> None:
        lengths.add(run.rows)
        submit(crew, run)

    monkeypatch.setattr(remote.Remote, "has_started", lambda _: False)
    monkeypatch.setattr(Crew, "submit", noting)
    ds = Dataset.range(200).map(lambda n: n + 1, num_parallel_calls=2)
    ds._node.settings.pace.way = "process"
    assert values(ds) == list(range(1, 201))
    assert lengths == {1}


def test_no_more_processes_start_at_once_than_leave_a_core_for_who_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock.engine import processes

    class Started:
        def __init__(self, forget: object) -> None:
            self.starts = True

        def is_starting(self) -> bool:
            return self.starts

    monkeypatch.setattr(processes, "ProcessWorker", Started)
    monkeypatch.setattr(processes, "_MOST_STARTING", 2)
    pool = processes._Pool()
    first, second = pool.borrow_unless_many_start(), pool.borrow_unless_many_start()
    assert isinstance(first, Started)
    assert isinstance(second, Started)
    assert pool.borrow_unless_many_start() is None
    assert isinstance(pool.borrow(), Started), "who cannot do without gets one"
    first.starts = second.starts = False
    assert isinstance(pool.borrow_unless_many_start(), Started)


def test_a_worker_may_be_given_back_while_another_is_borrowed_by_the_same_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from penstock.engine import processes

    class Resting:
        def __init__(self, forget: object = None) -> None:
            pass

        def is_starting(self) -> bool:
            # As the garbage collector does, which may run in whatever asks for memory, when it ends an iterator.
            pool.give_back(other)
            return False

        def rest(self) -> bool:
            return True

    monkeypatch.setattr(processes, "ProcessWorker", Resting)
    pool: Any = processes._Pool()
    lent, other = Resting(), Resting()
    pool._all = {lent, other}
    borrower = threading.Thread(target=pool.borrow_unless_many_start, daemon=True)
    borrower.start()
    borrower.join(SECONDS)
    assert not borrower.is_alive(), "it waits for itself"
    assert other in pool._idle


def test_two_threads_measure_and_then_as_many_work_as_were_asked_for() -> None:
    ds = Dataset.range(200).map(waiting, num_parallel_calls=1, purity="stateless")
    with iter(ds) as iterator:
        values(iterator, 150)
        (step,) = [step for step in iterator.stats() if step.label.startswith("map")]
    assert step.workers == 1


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_later_epochs_start_no_thread_and_no_process(executor: Any) -> None:
    ds = Dataset.range(40).map(lambda n: os.getpid(), num_parallel_calls=2, executor=executor, purity="stateless")
    processes_before = set(values(ds))

    def starts_none() -> bool:
        threads_before = set(threading.enumerate())
        return processes_before.issuperset(values(ds)) and threads_before.issuperset(threading.enumerate())

    # Not each of them: a machine may be so busy that a thread is not idle again within the second that an end takes.
    assert sum(starts_none() for _ in range(6)) >= 3


def waiting(n: Any) -> Any:
    """Lets go of the GIL, and so is computed in threads."""
    time.sleep(0.002)
    return n
