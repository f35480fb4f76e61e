"""`interleave` in odd corners: uneven and empty datasets, errors, what runs ahead and where, what is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from penstock import AUTOTUNE, UNKNOWN_CARDINALITY, Dataset
from tests.corners import Counting, Yielding, failing_at, outcomes, values

SECONDS = 30  # until a thread that should have come is given up
WORKERS = pytest.mark.parametrize("workers", [None, 1, 3, AUTOTUNE])


def up_to(n: Any) -> Dataset[Any]:
    """As many elements as the last digit of `n` says, counted from ten times `n`."""
    return Dataset.range(10 * n, 10 * n + n % 10)


def through_text(state: Any) -> Any:
    return json.loads(json.dumps(state))


@WORKERS
def test_an_empty_dataset_costs_its_turn(workers: int | None) -> None:
    lengths = [0, 2, 0, 0, 3, 1]
    ds = Dataset.range(6).interleave(
        lambda n: Dataset.range(10 * n, 10 * n + lengths[int(n)]), 2, 2, num_parallel_calls=workers
    )
    assert values(ds) == [10, 11, 40, 41, 50, 42]


@WORKERS
def test_nothing_in_nothing_out(workers: int | None) -> None:
    assert values(Dataset.range(0).interleave(up_to, num_parallel_calls=workers)) == []
    assert values(Dataset.range(5).interleave(lambda n: Dataset.range(0), num_parallel_calls=workers)) == []


@WORKERS
def test_an_error_of_a_dataset_counts_as_one_of_its_elements(workers: int | None) -> None:
    ds = Dataset.range(3).interleave(
        lambda n: Dataset.range(3 * n, 3 * n + 3).map(failing_at(1)), 2, 2, num_parallel_calls=workers
    )
    assert outcomes(ds) == [0, KeyError, 30, 40, 20, 50, 60, 70, 80]


@WORKERS
def test_an_error_of_the_function_stands_for_a_dataset_of_that_error(workers: int | None) -> None:
    ds = Dataset.range(4).interleave(
        lambda n: Dataset.range(failing_at(1)(n), 10 * n + 2), 2, 2, num_parallel_calls=workers
    )
    assert outcomes(ds) == [0, 1, KeyError, 20, 21, 30, 31]


def test_the_error_names_the_function_and_a_way_out() -> None:
    with pytest.raises(TypeError, match=r"interleave\(\): .*lambda.* for element 0; return a Dataset, such as"):
        list(Dataset.range(3).interleave(lambda n: n))


def test_datasets_of_different_structure_follow_one_another() -> None:
    ds = Dataset.range(4).interleave(lambda n: Dataset.from_tensors((n, n) if n % 2 else n).repeat(2), 2)
    assert values(ds.prefetch(9)) == [0, (1, 1), 0, (1, 1), 2, (3, 3), 2, (3, 3)]


def test_a_cycle_far_longer_than_the_input_costs_nothing() -> None:
    assert values(Dataset.range(1, 4).interleave(up_to, 2**60)) == [10, 20, 30, 21, 31, 32]


def test_endless_datasets_take_turns_for_ever() -> None:
    assert values(Dataset.range(9).interleave(lambda n: Dataset.counter(10 * n), 3).take(7)) == [
        0,
        10,
        20,
        1,
        11,
        21,
        2,
    ]


def test_without_parallel_calls_the_function_is_called_when_its_turn_comes() -> None:
    seen = Counting(lambda n: Dataset.range(2))
    iterator = iter(Dataset.range(9).interleave(seen, 2))
    for wanted in (1, 2, 2, 2, 3, 4):
        next(iterator)
        assert len(seen.seen) == wanted


def test_the_cycle_is_sixteen_datasets_long_on_every_machine() -> None:
    for cycle_length in (None, AUTOTUNE):
        ds = Dataset.range(20).interleave(lambda n: Dataset.from_tensors(n).repeat(2), cycle_length)
        assert values(ds)[:17] == [*range(16), 0]


@pytest.mark.parametrize("step", ["interleave", "flat_map"])
def test_as_many_datasets_are_read_at_once_as_there_are_calls(step: str) -> None:
    gate = threading.Barrier(4)

    def meeting(n: Any) -> Iterator[Any]:
        gate.wait(SECONDS)
        yield n

    ds = getattr(Dataset.range(8), step)(lambda n: Dataset.from_generator(meeting, args=(n,)), num_parallel_calls=4)
    assert values(ds) == list(range(8))


def test_a_stateless_function_runs_in_the_threads_too() -> None:
    gate = threading.Barrier(3)

    def opened(n: Any) -> Dataset[Any]:
        gate.wait(SECONDS)
        return Dataset.from_tensors(n)

    ds = Dataset.range(6).interleave(opened, 3, num_parallel_calls=3, purity="stateless")
    assert values(ds) == list(range(6))


def test_a_function_that_may_be_stateful_is_called_in_order_by_the_thread_that_asks() -> None:
    callers = set()

    def opened(n: Any) -> Dataset[Any]:
        callers.add(threading.get_ident())
        return Dataset.from_tensors(n)

    seen = Counting(opened)
    assert values(Dataset.range(50).interleave(seen, 4, num_parallel_calls=4)) == list(range(50))
    assert seen.seen == list(range(50))
    assert callers == {threading.get_ident()}


def test_what_is_read_ahead_is_bounded() -> None:
    made = [Yielding(*range(100_000)) for _ in range(4)]
    ds = Dataset.range(4).interleave(lambda n: Dataset.from_generator(made[int(n)]), 2, num_parallel_calls=2)
    iterator = iter(ds)
    next(iterator)
    iterator.close()
    assert all(generator.given < 1000 for generator in made)
    assert sum(generator.calls for generator in made) == sum(generator.ended for generator in made)


def test_elements_given_before_a_wait_do_not_wait_with_the_next() -> None:
    may_go_on = threading.Event()
    went_on = []

    def halting() -> Iterator[int]:
        yield from range(11)
        went_on.append(may_go_on.wait(SECONDS))
        yield 11

    ds = Dataset.range(1).interleave(lambda n: Dataset.from_generator(halting), 1, num_parallel_calls=1)
    iterator = iter(ds)
    assert values(iterator, 11) == list(range(11))
    may_go_on.set()
    assert values(iterator) == [11]
    assert went_on == [True]


def test_several_rounds_at_once_are_in_turn_from_whichever_slot_they_begin() -> None:
    def build(workers: int | None) -> Dataset[Any]:
        return Dataset.range(5).interleave(
            lambda n: Dataset.range(100 * n, 100 * n + 40 + n), 3, 2, num_parallel_calls=workers
        )

    expected = values(build(None), 1000)
    assert expected[:8] == [0, 1, 100, 101, 200, 201, 2, 3]
    for first in range(9):
        batched = build(2).skip(first).batch(24)
        assert [value for batch in batched for value in batch.tolist()] == expected[first:]


def test_free_order_goes_on_where_one_dataset_blocks_and_loses_nothing_on_resume() -> None:
    may_go_on = threading.Event()

    def first_blocks(n: Any) -> Iterator[Any]:
        if n == 0:
            may_go_on.wait(SECONDS)
        yield from range(10 * n, 10 * n + 5)

    def build() -> Dataset[Any]:
        return Dataset.range(4).interleave(
            lambda n: Dataset.from_generator(first_blocks, args=(n,)), 2, num_parallel_calls=2, deterministic=False
        )

    iterator = iter(build())
    before = [int(next(iterator)) for _ in range(12)]
    assert min(before) == 10
    state = through_text(iterator.state_dict())
    may_go_on.set()
    iterator.close()
    resumed = iter(build())
    resumed.load_state_dict(state)
    assert sorted(before + values(resumed)) == [10 * n + at for n in range(4) for at in range(5)]


@pytest.mark.parametrize("saved_with", [None, 3])
@pytest.mark.parametrize("loaded_with", [None, 2])
def test_a_state_of_any_number_of_calls_loads_with_any_other(saved_with: int | None, loaded_with: int | None) -> None:
    def build(workers: int | None) -> Dataset[Any]:
        return Dataset.range(9).interleave(up_to, 3, 2, num_parallel_calls=workers)

    expected = values(build(None))
    for cut in range(len(expected) + 1):
        iterator = iter(build(saved_with))
        assert values(iterator, cut) == expected[:cut]
        state = through_text(iterator.state_dict())
        iterator.close()
        resumed = iter(build(loaded_with))
        resumed.load_state_dict(state)
        assert values(resumed) == expected[cut:]


def test_the_state_is_small_where_elements_are_large() -> None:
    ds = Dataset.range(64).interleave(lambda n: Dataset.from_tensors(bytes(100_000)).repeat(9), num_parallel_calls=4)
    iterator = iter(ds)
    for _ in range(40):
        next(iterator)
    assert len(json.dumps(iterator.state_dict())) < 5000
    iterator.close()


def test_a_failed_function_is_not_called_again_on_resume() -> None:
    iterator = iter(Dataset.range(2).interleave(lambda n: 1 // 0 if n == 0 else Dataset.range(2), 2))
    assert outcomes(iterator, 2) == [ZeroDivisionError, 0]
    resumed = iter(Dataset.range(2).interleave(lambda n: Dataset.range(7) if n == 0 else Dataset.range(2), 2))
    with pytest.warns(UserWarning, match="has changed"):
        resumed.load_state_dict(through_text(iterator.state_dict()))
    assert values(resumed) == [1]


def test_cardinality_is_unknown_over_any_input() -> None:
    for ds in (Dataset.range(0), Dataset.range(2).repeat()):
        assert ds.interleave(lambda n: Dataset.range(1)).cardinality() == UNKNOWN_CARDINALITY


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        ((5,), TypeError, "map_func must be a function, but is 5"),
        ((up_to, 0), ValueError, "cycle_length must be at least 1, but is 0"),
        ((up_to, 2, 0), ValueError, "block_length must be at least 1, but is 0"),
        ((up_to, 2, 1, 0), ValueError, "num_parallel_calls must be at least 1"),
        ((up_to, 2, 1, 2, 3), TypeError, "deterministic must be True, False or None"),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_call(arguments: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=rf"interleave\(\): {told}"):
        Dataset.range(3).interleave(*arguments)
