"""`repeat` in odd corners: for ever, of nothing, of generators and shuffles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from tests.corners import Counting, Yielding, failing_at, outcomes, values


@pytest.mark.parametrize("count", [None, -1, -7])
def test_for_ever(count: int | None) -> None:
    ds = Dataset.range(2).repeat(count)
    assert ds.cardinality() == INFINITE_CARDINALITY
    assert values(ds.take(5)) == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    "empty",
    [
        Dataset.range(0),
        Dataset.from_generator(list),
        Dataset.range(5).filter(lambda n: n < 0),
        Dataset.range(0).shuffle(3),
        Dataset.range(3).skip(-1),
        Dataset.range(3).take(0).repeat(),
    ],
    ids=["range", "generator", "filter", "shuffle", "skip", "repeat"],
)
def test_nothing_for_ever_ends(empty: Dataset[Any]) -> None:
    assert values(empty.repeat()) == []
    assert values(empty.repeat(3)) == []


def test_none_of_something_is_nothing() -> None:
    assert values(Dataset.range(3).repeat(0)) == []
    assert Dataset.range(3).repeat().repeat(0).cardinality() == 0


def test_cardinality() -> None:
    assert Dataset.range(3).repeat(2).cardinality() == 6
    assert Dataset.range(0).repeat().cardinality() == 0
    unknown = Dataset.range(3).filter(lambda n: n > 0)
    assert unknown.repeat(2).cardinality() == UNKNOWN_CARDINALITY
    assert unknown.repeat().cardinality() == INFINITE_CARDINALITY
    assert unknown.repeat(0).cardinality() == 0


def test_numbers_beyond_64_bits_of_elements() -> None:
    assert values(Dataset.range(3).repeat(2**62).repeat(2**62).take(4)) == [0, 1, 2, 0]


def test_a_generator_is_called_again_for_each_epoch_and_ended_after_it() -> None:
    source = Yielding(1, 2)
    assert values(Dataset.from_generator(source).repeat(3)) == [1, 2] * 3
    assert (source.calls, source.ended) == (3, 3)


def test_an_iterator_that_a_generator_function_hands_back_twice_is_empty_the_second_time() -> None:
    handed = iter([1, 2])
    assert values(Dataset.from_generator(lambda: handed).repeat(3)) == [1, 2]


def test_epochs_of_a_shuffle_are_complete_and_differ() -> None:
    found = values(Dataset.range(50).shuffle(50, seed=3).repeat(3))
    epochs = [found[start : start + 50] for start in (0, 50, 100)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_empty_epochs_in_the_middle_are_passed_over() -> None:
    passes = Counting()

    def sometimes() -> Any:
        passes(0)
        return [] if len(passes.seen) in (2, 3) else [len(passes.seen)]

    assert values(Dataset.from_generator(sometimes).repeat().take(3)) == [1, 4, 5]


def test_nothing_for_ever_is_looked_for_once_and_after_something_a_hundred_times_more() -> None:
    nothing = Yielding()
    assert values(Dataset.from_generator(nothing).repeat()) == []
    assert nothing.calls == 1
    passes = Counting()

    def once() -> Any:
        passes(0)
        return [1] if len(passes.seen) == 1 else []

    assert values(Dataset.from_generator(once).repeat()) == [1]
    assert len(passes.seen) == 1 + 101


def test_errors_come_again_in_each_epoch() -> None:
    assert outcomes(Dataset.range(3).map(failing_at(1)).repeat(2)) == [0, KeyError, 20] * 2


def test_counts_may_be_integers_of_numpy() -> None:
    assert values(Dataset.range(2).repeat(np.int64(2))) == [0, 1, 0, 1]


@pytest.mark.parametrize("count", [1.5, "2", True])
def test_what_is_no_whole_number_is_refused_at_the_call(count: Any) -> None:
    with pytest.raises(TypeError, match=r"^repeat\(\): count must be an integer, but is"):
        Dataset.range(3).repeat(count)


def test_indices_out_of_order_that_look_like_a_run_from_their_ends() -> None:
    def dataset() -> Dataset[Any]:
        return Dataset.range(5).repeat(3).shuffle(5, seed=0, reshuffle_each_iteration=False)

    elements = iter(dataset())
    whole = values(elements)
    for taken in range(15):
        before = iter(dataset())
        for _ in range(taken):
            next(before)
        after = iter(dataset())
        after.load_state_dict(before.state_dict())
        assert values(after) == whole[taken:]
