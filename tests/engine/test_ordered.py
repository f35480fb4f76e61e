"""Parallel calls: order, exact states with any number of workers, what runs ahead, and how they end."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np
import pytest

from penstock import AUTOTUNE, Dataset, Options
from penstock.errors import ElementTimeoutError, StateError
from tests.corners import values
from tests.engine.stopped_clock import StoppedClock

SECONDS = 30.0
"""Longer than anything takes, so that a test that would hang fails instead."""


def numbers(count: int = 40, **how: Any) -> Dataset[Any]:
    return Dataset.range(count).map(lambda n: np.int64(int(n) * 3), vectorize=False, **how)


WAYS: dict[str, dict[str, Any]] = {
    "four threads": {"num_parallel_calls": 4, "executor": "thread"},
    "as many as help": {"num_parallel_calls": AUTOTUNE},
    "as they are done": {"num_parallel_calls": 3, "executor": "thread", "deterministic": False},
}


@pytest.mark.parametrize("way", WAYS)
def test_all_results_come_once(way: str) -> None:
    found = [int(n) for n in numbers(**WAYS[way])]
    assert sorted(found) == [3 * n for n in range(40)]
    if way != "as they are done":
        assert found == sorted(found)


def test_calls_run_at_the_same_time() -> None:
    meeting = threading.Barrier(3)

    def meets(n: Any) -> Any:
        if n < 3:
            meeting.wait(SECONDS)
        return n

    ds = Dataset.range(9).map(meets, num_parallel_calls=3, executor="thread")
    assert [int(n) for n in ds] == list(range(9))


def test_the_order_is_kept_where_the_first_result_comes_last() -> None:
    later = threading.Event()

    def first_waits(n: Any) -> Any:
        if n == 0:
            assert later.wait(SECONDS)
        if n == 2:
            later.set()
        return n

    ds = Dataset.range(5).map(first_waits, num_parallel_calls=2, executor="thread")
    assert [int(n) for n in ds] == [0, 1, 2, 3, 4]


def test_in_any_order_what_is_done_does_not_wait() -> None:
    later = threading.Event()

    def first_waits(n: Any) -> Any:
        if n == 0:
            assert later.wait(SECONDS)
        return n

    elements = iter(Dataset.range(5).map(first_waits, num_parallel_calls=2, executor="thread", deterministic=False))
    found = [int(next(elements))]
    later.set()
    found += [int(n) for n in elements]
    assert found[0] != 0
    assert sorted(found) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("taken", range(7))
def test_a_state_in_any_order_holds_what_was_handed_over(taken: int) -> None:
    gate = threading.Event()

    def first_waits(n: Any) -> Any:
        if n == 0:
            assert gate.wait(SECONDS)
        return n

    def dataset(**how: Any) -> Dataset[Any]:
        return Dataset.range(8).map(first_waits, num_parallel_calls=2, executor="thread", deterministic=False)

    elements = iter(dataset())
    found = []
    for _ in range(taken):
        found.append(int(next(elements)))
        if len(found) == 3:
            gate.set()
    state = elements.state_dict()
    gate.set()
    resumed = iter(dataset())
    resumed.load_state_dict(state)
    assert sorted([*found, *(int(n) for n in resumed)]) == list(range(8))
    assert sorted([*found, *(int(n) for n in elements)]) == list(range(8))


@pytest.mark.parametrize("after", [None, *WAYS])
@pytest.mark.parametrize("before", [None, "four threads", "as many as help"])
@pytest.mark.parametrize("taken", [0, 1, 7, 39, 40])
def test_a_state_goes_on_with_any_number_of_workers(taken: int, before: str | None, after: str | None) -> None:
    def dataset(way: str | None) -> Dataset[Any]:
        how = {} if way is None else WAYS[way]
        return numbers(50, **how).filter(lambda n: n % 2 == 0 or n > 30, **how)

    whole = [int(n) for n in dataset(None)]
    elements = iter(dataset(before))
    for _ in range(taken):
        next(elements)
    resumed = iter(dataset(after))
    resumed.load_state_dict(elements.state_dict())
    rest = [int(n) for n in resumed]
    assert (sorted(rest) if after == "as they are done" else rest) == whole[taken:]


def test_a_state_of_a_step_without_order_needs_workers() -> None:
    elements = iter(numbers(**WAYS["as they are done"]))
    next(elements)
    state = elements.state_dict()
    with pytest.raises(StateError, match="num_parallel_calls"):
        iter(numbers()).load_state_dict(state)


def test_results_that_are_not_asked_for_are_bounded() -> None:
    lock, calls = threading.Lock(), [0]

    def counts(n: Any) -> Any:
        with lock:
            calls[0] += 1
        return np.zeros(300_000) + n

    elements = iter(Dataset.range(10_000).map(counts, num_parallel_calls=2, executor="thread"))
    for _ in range(5):
        next(elements)
    elements.close()
    assert calls[0] <= 5 + 2 * (2 + 6) + 2


def test_errors_stand_in_their_places_whatever_thread_they_came_from() -> None:
    def fails(n: Any) -> Any:
        if n % 5 == 3:
            raise KeyError(int(n))
        return n

    elements = iter(Dataset.range(20).map(fails, num_parallel_calls=4, executor="thread"))
    found: list[Any] = []
    while True:
        try:
            found.append(int(next(elements)))
        except StopIteration:
            break
        except KeyError as error:
            found.append(-error.args[0])
            notes = error.__notes__
    assert found == [-n if n % 5 == 3 else n for n in range(20)]
    assert "added at" in notes[0]


def test_a_thread_inside_a_function_that_does_not_return_is_left_and_named() -> None:
    gate, began = threading.Event(), threading.Event()

    def hangs(n: Any) -> Any:
        if n == 0:
            began.wait(SECONDS)  # or it might be handed out before another run is pulled
        if n == 1:
            began.set()
            gate.wait(SECONDS)
        return n

    elements = iter(Dataset.range(4).map(hangs, num_parallel_calls=2, executor="thread"))
    next(elements)
    assert began.wait(SECONDS)
    with pytest.warns(RuntimeWarning, match="hangs.*left behind"):
        elements.close()
    gate.set()


def test_shuffled_after_the_map_calls_run_at_the_same_time_and_states_are_the_same() -> None:
    meeting = threading.Barrier(3)

    def meets(n: Any) -> Any:
        if n < 3:
            meeting.wait(SECONDS)
        return n

    ds = Dataset.range(9).map(meets, num_parallel_calls=3, executor="thread", purity="stateless").shuffle(4, seed=1)
    assert sorted(int(n) for n in ds) == list(range(9))

    def dataset(**how: Any) -> Dataset[Any]:
        return numbers(**how).shuffle(40, seed=1)

    whole = values(dataset())
    for taken in (0, 5, 39, 40):
        one, four = iter(dataset()), iter(dataset(**WAYS["four threads"]))
        for _ in range(taken):
            next(one), next(four)
        assert one.state_dict()["at"] == four.state_dict()["at"]
        resumed = iter(dataset(**WAYS["four threads"]))
        resumed.load_state_dict(one.state_dict())
        assert values(resumed) == whole[taken:]


def test_head_starts_no_thread() -> None:
    before = threading.active_count()
    where = []

    def notes(n: Any) -> Any:
        where.append(threading.current_thread())
        return n

    assert [int(n) for n in Dataset.range(9).map(notes, num_parallel_calls=4).head(2)] == [0, 1]
    assert threading.active_count() == before
    assert set(where) == {threading.current_thread()}


def test_cheap_work_on_blocks_stays_in_the_thread_that_asks() -> None:
    ds = Dataset.range(100_000).map(lambda n: n * 2, num_parallel_calls=AUTOTUNE)
    assert sum(int(b.sum()) for b in ds.batch(1000)) == 100_000 * 99_999
    assert "in the thread that asks" in ds.explain()


@pytest.mark.parametrize(
    ("how", "error", "told"),
    [
        ({"num_parallel_calls": 0}, ValueError, "at least 1"),
        ({"num_parallel_calls": 1.5}, TypeError, "integer"),
        ({"num_parallel_calls": 2, "executor": "fibre"}, ValueError, "'thread'"),
        ({"num_parallel_calls": 2, "deterministic": 1}, TypeError, "deterministic"),
    ],
)
def test_what_cannot_be_is_refused_at_the_call(how: dict[str, Any], error: type[Exception], told: str) -> None:
    for build in (Dataset.map, Dataset.filter, Dataset.random_map, Dataset.map_batches):
        with pytest.raises(error, match=told):
            build(Dataset.range(3), lambda *n: n, **how)


def test_an_element_that_takes_too_long_is_an_error_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    began, gate = threading.Event(), threading.Event()

    def hangs(n: Any) -> Any:
        if n == 3:
            began.set()
            gate.wait(SECONDS)
        return n

    StoppedClock(monkeypatch, began.is_set, are_left=True)
    ds = Dataset.range(6).map(hangs, num_parallel_calls=2, executor="thread")
    elements = iter(ds.with_options(Options(element_timeout_seconds=0.05)))
    found: list[Any] = [int(next(elements)) for _ in range(3)]
    with pytest.raises(ElementTimeoutError, match=r"hangs.*element 3 took longer"):
        next(elements)
    gate.set()
    found += [int(n) for n in elements]
    assert found == [0, 1, 2, 4, 5]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"cpu_budget": 0}, ValueError),
        ({"cpu_budget": 1.5}, TypeError),
        ({"memory_budget_bytes": -1}, ValueError),
        ({"element_timeout_seconds": 0}, ValueError),
        ({"element_timeout_seconds": "1"}, TypeError),
    ],
)
def test_wrong_options_are_refused(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"Options.*{next(iter(wrong))}"):
        Options(**wrong)


def test_options_go_on_to_what_is_made_of_a_dataset_and_are_completed_by_others() -> None:
    ds = Dataset.range(3).with_options(Options(cpu_budget=2)).batch(2).with_options(Options(memory_budget_bytes=9))
    assert ds.options() == Options(cpu_budget=2, memory_budget_bytes=9)
    with pytest.raises(TypeError, match="with_options"):
        ds.with_options({"cpu_budget": 1})


@pytest.mark.parametrize("then", ["alone", "batch", "prefetch", "filter"])
def test_in_any_order_with_runs_of_any_length_nothing_is_lost_or_doubled(then: str) -> None:
    steps: dict[str, Any] = {
        "alone": lambda ds: ds,
        "batch": lambda ds: ds.batch(7),
        "prefetch": lambda ds: ds.prefetch(4),
        "filter": lambda ds: ds.filter(lambda n: n % 2 == 0),
    }

    def dataset() -> Dataset[Any]:
        return steps[then](numbers(300, **WAYS["as they are done"]))

    def flat(elements: Any) -> list[int]:
        return [int(n) for element in elements for n in np.atleast_1d(element)]

    whole = sorted(flat(dataset()))
    for taken in range(0, len(list(dataset())), 11):
        elements = iter(dataset())
        found = flat(next(elements) for _ in range(taken))
        resumed = iter(dataset())
        resumed.load_state_dict(elements.state_dict())
        assert sorted(found + flat(resumed)) == whole


def test_a_state_soon_after_a_resume_tells_all_that_was_handed_over() -> None:
    may_return = threading.Event()

    def first_waits(n: Any) -> Any:
        if n == 0:
            may_return.wait(SECONDS)
        return n

    ds = Dataset.range(40).map(first_waits, num_parallel_calls=2, executor="thread", deterministic=False)
    elements = iter(ds)
    found = values(elements, 12)
    assert 0 not in found
    may_return.set()
    while len(found) < 80:
        state = json.loads(json.dumps(elements.state_dict()))
        elements.close()
        elements = iter(ds)
        elements.load_state_dict(state)
        more = values(elements, 1)
        if not more:
            break
        found += more
    assert sorted(found) == list(range(40))


def test_a_state_that_waits_for_rows_which_do_not_come_ends() -> None:
    elements = iter(numbers(**WAYS["as they are done"]))
    next(elements)
    state = elements.state_dict()
    state["at"]["order"] = [*state["at"].get("order", []), [1000, 1]]
    resumed = iter(numbers(**WAYS["as they are done"]))
    resumed.load_state_dict(state)
    assert len(list(resumed)) == 39


def test_what_asks_for_workers_costs_nothing_where_blocks_are_cheap() -> None:
    ds = Dataset.range(50_000).map(lambda n: n * 2 + 1, num_parallel_calls=4).shuffle(100, seed=1).batch(100)
    assert sum(int(batch.sum()) for batch in ds) == sum(2 * n + 1 for n in range(50_000))
    assert "in the thread that asks" in Dataset.explain(ds)
