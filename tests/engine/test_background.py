"""The thread in the background: its state, and what happens when user code in it does not return."""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock import Dataset
from penstock.engine import background
from penstock.engine.run import RunContext
from tests.corners import Counting, outcomes, values

SECONDS = 30.0
"""Longer than anything takes, so that a test that would hang fails instead."""


class WaitsFor:
    """Returns elements from `first` on only when there is a file; in whatever process."""

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self.first = first

    def __call__(self, n: Any) -> Any:
        end = time.monotonic() + SECONDS
        while n >= self.first and not self.path.exists() and time.monotonic() < end:
            time.sleep(0.001)
        return n


@pytest.mark.parametrize("taken", [0, 1, 4, 9, 10])
def test_a_state_is_that_of_the_last_element_handed_over_not_of_what_was_read_ahead(taken: int) -> None:
    seen = Counting()
    ds = Dataset.range(10).map(seen).prefetch(4)
    with iter(ds) as iterator:
        first = values(iterator, taken)
        state = json.loads(json.dumps(iterator.state_dict()))
    again = iter(ds)
    again.load_state_dict(state)
    assert first + values(again) == list(range(10))


def test_a_state_can_be_taken_while_the_thread_waits_for_the_user() -> None:
    release = threading.Event()

    def waits(n: Any) -> Any:
        if n == 2:
            release.wait(20)
        return n

    iterator = iter(Dataset.range(5).map(waits).prefetch(2))
    assert next(iterator) == 0
    state = iterator.state_dict()
    release.set()
    assert values(iterator) == [1, 2, 3, 4]
    iterator.load_state_dict(state)
    assert values(iterator) == [1, 2, 3, 4]


def test_user_code_that_does_not_return_is_left_behind_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_SECONDS_TO_STOP", 0.01)
    entered, release = threading.Event(), threading.Event()

    def hangs(n: Any) -> Any:
        if n == 1:
            entered.set()
            release.wait(20)
        return n

    seen = Counting()
    iterator = iter(Dataset.range(100).map(hangs).map(seen).prefetch(50))
    assert next(iterator) == 0
    assert entered.wait(20)
    with pytest.warns(RuntimeWarning, match=r"prefetch\(\): thread penstock-prefetch is still inside a user function"):
        iterator.close()
    (left,) = [thread for thread in threading.enumerate() if thread.name == "penstock-prefetch"]
    assert left.daemon
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        iterator.close()
    release.set()
    left.join(20)
    assert not left.is_alive()
    assert len(seen.seen) < 10, "a thread that was left behind went on to further steps"


def test_a_thread_that_takes_long_to_end_costs_the_steps_behind_it_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()
    interrupt = RunContext.interrupt

    def ends_late() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            may_end.wait(SECONDS)

    def interrupted(context: RunContext) -> None:
        interrupt(context)
        (tmp_path / "interrupted").touch()
        may_end.set()

    monkeypatch.setattr(RunContext, "interrupt", interrupted)
    pairs = Dataset.zip(Dataset.range(4), Dataset.from_generator(ends_late)).prefetch(1)
    waits = WaitsFor(tmp_path / "interrupted", 3)
    ds = pairs.map(lambda n, _: waits(n), num_parallel_calls=2, executor="process")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on a busy machine it may take longer than the warning
        assert outcomes(ds) == [0, 1, 2, 3]
    assert may_end.is_set()


@pytest.mark.parametrize("way", ["prefetch", "flat_map", "interleave"])
def test_a_thread_that_waits_for_a_process_of_an_operator_inside_ends(way: str, tmp_path: Path) -> None:
    waits = WaitsFor(tmp_path / "never", 1)
    inner = Dataset.range(4).map(waits, num_parallel_calls=1, executor="process")
    outer = {
        "prefetch": inner.prefetch(1),
        "flat_map": Dataset.range(2).flat_map(lambda _: inner),
        "interleave": Dataset.range(2).interleave(lambda _: inner, 1, num_parallel_calls=1),
    }
    iterator = iter(outer[way].prefetch(1))
    assert next(iterator) == 0
    threads = [thread for thread in threading.enumerate() if thread.name == "penstock-prefetch"]
    assert threads
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on a busy machine it may take longer than the warning
        iterator.close()
    for thread in threads:
        thread.join(SECONDS / 2)
        assert not thread.is_alive(), "nobody has ended the process that it waits for"


def test_threads_that_read_datasets_and_wait_for_a_process_inside_end(tmp_path: Path) -> None:
    waits = WaitsFor(tmp_path / "never", 1)
    inner = Dataset.range(4).map(waits, num_parallel_calls=1, executor="process")
    iterator = iter(Dataset.range(2).interleave(lambda _: inner, 1, num_parallel_calls=1))
    assert next(iterator) == 0
    at_work = [thread for thread in threading.enumerate() if thread.name == "penstock-interleave"]
    assert at_work
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on a busy machine it may take longer than the warning
        iterator.close()
    end = time.monotonic() + SECONDS / 2
    while any(thread.name == "penstock-interleave" for thread in at_work) and time.monotonic() < end:
        time.sleep(0.001)  # a thread of the pool lives on under another name
    assert not [thread for thread in at_work if thread.name == "penstock-interleave"], "nobody has ended the process"


def test_nested_threads_all_end() -> None:
    ds = Dataset.range(50).map(Counting())
    for _ in range(4):
        ds = ds.prefetch(2).map(Counting())
    iterator = iter(ds)
    assert values(iterator, 3) == [0, 1, 2]
    iterator.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "penstock-prefetch"]


@pytest.mark.parametrize("seed", range(6))
def test_a_shuffle_that_holds_the_first_state_knows_in_which_order_rows_came(seed: int) -> None:
    later = threading.Event()

    def first_waits(n: Any) -> Any:
        if n == 0:
            assert later.wait(30)
        if n == 3:
            later.set()
        return int(n)

    numbers = Dataset.from_generator(lambda: iter(range(40)))
    out_of_order = numbers.map(first_waits, num_parallel_calls=2, executor="thread", deterministic=False)
    ds = out_of_order.prefetch(4).shuffle(30, seed=seed)
    elements = iter(ds)
    found = [int(next(elements)) for _ in range(4)]
    resumed = iter(ds)
    resumed.load_state_dict(elements.state_dict())  # the first element does not wait any more, and comes first
    assert sorted(found + [int(n) for n in resumed]) == list(range(40))
