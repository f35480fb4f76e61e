"""The rules of shuffling: TensorFlow's numbers are its own, but both sides keep the same rules and the same odds."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.oracle.engines import ENGINES, OURS, TF, Engine
from tests.oracle.outcome import cardinality, difference, elements, spec
from tests.oracle.pipeline import even, records

N = 60
"""So many that two orders are never equal by chance."""


@pytest.fixture(params=ENGINES, ids=str)
def e(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    return found


def order(dataset: Any, limit: int = 10 * N) -> list[int]:
    """The elements as Python's ints."""
    return [int(n) for n in elements(dataset, limit)]


def shuffled(e: Engine, buffer_size: int = N, **arguments: Any) -> Any:
    """The numbers below N in a random order."""
    return e.Dataset.range(N).shuffle(buffer_size, **arguments)


def epochs(found: list[int]) -> list[list[int]]:
    """N numbers each."""
    return [found[start : start + N] for start in range(0, len(found), N)]


def assert_is_permutation(found: list[int]) -> None:
    assert sorted(found) == list(range(N))


# Which elements, and where


@pytest.mark.parametrize("buffer_size", [1, 2, 7, N - 1, N, N + 1, 10_000, -2])
@pytest.mark.parametrize("seed", [None, 0, 5])
def test_every_iteration_is_a_permutation_out_of_the_buffer(e: Engine, buffer_size: int, seed: int | None) -> None:
    dataset = shuffled(e, buffer_size, seed=seed)
    for found in (order(dataset), order(dataset)):
        assert_is_permutation(found)
        reach = N if buffer_size == -2 else buffer_size
        assert all(number < place + reach for place, number in enumerate(found))


@pytest.mark.parametrize("buffer_size", [2, 7, N, -2])
def test_every_epoch_is_a_permutation_of_its_own(e: Engine, buffer_size: int) -> None:
    found = epochs(order(shuffled(e, buffer_size, seed=3).repeat(3)))
    for one in found:
        assert_is_permutation(one)
        assert all(number < place + (N if buffer_size == -2 else buffer_size) for place, number in enumerate(one))
    assert found[0] != found[1]
    assert found[1] != found[2]


def test_repeat_before_shuffle_mixes_epochs(e: Engine) -> None:
    found = order(e.Dataset.range(N).repeat(2).shuffle(2 * N, seed=3))
    assert Counter(found) == Counter(list(range(N)) * 2)
    assert sorted(found[:N]) != list(range(N))


def test_a_buffer_of_one_keeps_the_order(e: Engine) -> None:
    assert order(shuffled(e, 1)) == list(range(N))


def test_a_buffer_of_one_does_not_disturb_a_shuffle_before_it(e: Engine) -> None:
    below = shuffled(e, 10, seed=4, reshuffle_each_iteration=False)
    assert order(below.shuffle(1)) == order(below)


def test_unknown_and_structured_elements_are_permuted(e: Engine) -> None:
    assert sorted(order(even(e, N).shuffle(8, seed=1))) == list(range(0, N, 2))
    labels = [int(record["label"]) for record in elements(records(e).shuffle(3, seed=1))]
    assert sorted(labels) == [0, 0, 0, 1, 1, 2, 2]


def test_an_endless_input_is_shuffled_as_it_comes(e: Engine) -> None:
    found = order(e.Dataset.counter().shuffle(5, seed=2).take(200))
    assert len(set(found)) == 200
    assert all(number < place + 5 for place, number in enumerate(found))


def test_endless_repeat_of_nothing_ends(e: Engine) -> None:
    assert order(e.Dataset.range(0).shuffle(5).repeat()) == []


@pytest.mark.parametrize("buffer_size", [1, 4, 99])
def test_spec_and_cardinality_are_those_of_the_input(buffer_size: int) -> None:
    for make in (records, even, lambda e: e.Dataset.counter(), lambda e: e.Dataset.range(0)):
        ours, theirs = (make(engine).shuffle(buffer_size) for engine in (OURS, TF))
        assert cardinality(ours) == cardinality(theirs)
        assert difference(spec(ours), spec(theirs)) == ""


# When orders are the same, and when not


def test_each_iteration_has_an_order_of_its_own_also_with_a_seed(e: Engine) -> None:
    for seed in (None, 1):
        dataset = shuffled(e, seed=seed)
        assert order(dataset) != order(dataset)


def test_equal_datasets_with_a_seed_have_equal_orders_in_each_iteration(e: Engine) -> None:
    left, right = shuffled(e, 10, seed=1), shuffled(e, 10, seed=1)
    first, second = order(left), order(left)
    assert [order(right), order(right)] == [first, second]
    assert first != second


def test_other_seeds_and_no_seeds_give_other_orders(e: Engine) -> None:
    found = [order(shuffled(e, seed=seed)) for seed in (1, 2, None, None)]
    assert len({tuple(one) for one in found}) == 4


@pytest.mark.parametrize("seed", [None, 1])
def test_without_reshuffling_there_is_one_order_for_all_iterations_and_epochs(e: Engine, seed: int | None) -> None:
    dataset = shuffled(e, 10, seed=seed, reshuffle_each_iteration=False)
    first = order(dataset)
    assert order(dataset) == first
    assert epochs(order(dataset.repeat(3))) == [first] * 3
    assert first != list(range(N))


def test_a_fixed_order_can_be_split(e: Engine) -> None:
    dataset = shuffled(e, seed=1, reshuffle_each_iteration=False)
    assert_is_permutation(order(dataset.take(20)) + order(dataset.skip(20)))


def test_a_changing_order_cannot_be_split(e: Engine) -> None:
    dataset = shuffled(e, seed=1)
    assert sorted(order(dataset.take(20)) + order(dataset.skip(20))) != list(range(N))


def test_a_dataset_used_twice_in_a_zip_has_two_orders(e: Engine) -> None:
    dataset = shuffled(e, seed=1)
    left, right = zip(*elements(e.Dataset.zip(dataset, dataset), N), strict=True)
    assert_is_permutation([int(n) for n in left])
    assert_is_permutation([int(n) for n in right])
    assert left != right


def test_a_cache_after_it_keeps_the_first_order(e: Engine) -> None:
    dataset = shuffled(e, seed=1).cache()
    first = order(dataset)
    assert order(dataset) == first
    assert epochs(order(dataset.repeat(2))) == [first] * 2


def test_a_cache_before_it_does_not(e: Engine) -> None:
    dataset = e.Dataset.range(N).cache().shuffle(N, seed=1)
    assert order(dataset) != order(dataset)


def test_batches_and_single_elements_have_the_same_order(e: Engine) -> None:
    batches = elements(shuffled(e, 10, seed=1).batch(7))
    assert np.concatenate(batches).tolist() == order(shuffled(e, 10, seed=1))


# The odds

PASSES = 3000
FEW = 10


def places(e: Engine, buffer_size: int) -> NDArray[np.int64]:
    """How often each of a few numbers came out in each place, over many epochs."""
    dataset = e.Dataset.range(FEW).shuffle(buffer_size, seed=9).repeat(PASSES).batch(FEW)
    found = np.stack(elements(dataset, PASSES))
    counts = np.zeros((FEW, FEW), np.int64)
    np.add.at(counts, (found, np.arange(FEW)), 1)
    return counts


def surprise(left: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    """Standard deviations by which the chi-squared statistic of two samples of one law exceeds its mean."""
    both = left + right
    seen = both > 0
    statistic = float((np.square(left - right)[seen] / both[seen]).sum())
    freedom = int(seen.sum()) - 1
    return (statistic - freedom) / float(np.sqrt(2 * freedom))


@pytest.mark.parametrize("buffer_size", [2, 4, FEW - 1, FEW])
def test_each_number_comes_to_each_place_as_often(buffer_size: int) -> None:
    ours, theirs = places(OURS, buffer_size), places(TF, buffer_size)
    np.testing.assert_array_equal(ours > 0, theirs > 0)
    assert surprise(ours, theirs) < 5


def test_each_permutation_is_as_likely() -> None:
    counts = []
    for e in ENGINES:
        dataset = e.Dataset.range(4).shuffle(4, seed=9).repeat(PASSES).batch(4)
        found = Counter(tuple(one.tolist()) for one in elements(dataset, PASSES))
        counts.append(np.array([found[key] for key in sorted(found)]))
    assert [len(found) for found in counts] == [24, 24]
    assert surprise(*counts) < 5
