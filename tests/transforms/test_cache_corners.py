"""`cache` in odd corners: passes left early, errors, endless inputs, two iterators at once."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from tests.corners import Counting, Yielding, failing_at, outcomes, values


def test_the_input_is_read_once() -> None:
    seen = Counting()
    ds = Dataset.range(4).map(seen).cache()
    assert values(ds) == values(ds) == values(ds.repeat(2).take(4)) == [0, 1, 2, 3]
    assert seen.seen == [0, 1, 2, 3]


def test_it_is_full_once_all_elements_of_a_known_number_were_read() -> None:
    seen = Counting()
    ds = Dataset.range(3).map(seen).cache()
    assert values(ds.take(3)) == values(ds) == [0, 1, 2]
    assert seen.seen == [0, 1, 2]


def test_epochs_of_a_repeat_read_the_cache() -> None:
    source = Yielding(1, 2, 3)
    assert values(Dataset.from_generator(source).cache().repeat(3)) == [1, 2, 3] * 3
    assert source.calls == 1


def test_a_pass_left_early_leaves_no_wrong_element_behind() -> None:
    ds = Dataset.range(10).map(lambda n: n * 2, vectorize=False).cache()
    assert values(ds.take(3)) == [0, 2, 4]
    assert values(ds.skip(2).take(2)) == [4, 6]
    assert values(ds) == values(ds) == list(range(0, 20, 2))


def test_two_iterators_fill_it_at_the_same_time() -> None:
    ds = Dataset.range(50).map(lambda n: n + 1, vectorize=False).cache()
    left, right = iter(ds), iter(ds)
    found: tuple[list[int], list[int]] = ([], [])
    for turn in range(50):
        found[0].append(int(next(left)))
        if turn % 3 == 0:
            found[1].append(int(next(right)))
    found[1].extend(int(n) for n in right)
    assert found == (list(range(1, 51)), list(range(1, 51)))
    assert values(ds) == list(range(1, 51))


def test_rows_before_the_first_error_are_kept_and_the_rest_is_computed_again() -> None:
    seen = Counting(failing_at(2))
    ds = Dataset.range(4).map(seen).cache()
    assert outcomes(ds) == outcomes(ds) == [0, 10, KeyError, 30]
    assert seen.seen[:4] == [0, 1, 2, 3]
    assert seen.seen.count(2) == seen.seen.count(3) == 2


def test_an_error_that_does_not_come_again_is_forgotten() -> None:
    broken = [True]

    def once(n: Any) -> Any:
        if n == 1 and broken:
            broken.clear()
            raise OSError("for a moment")
        return n

    ds = Dataset.range(3).map(once).cache()
    assert outcomes(ds) == [0, OSError, 2]
    assert outcomes(ds) == [0, 1, 2]


def test_a_shuffle_above_it_is_frozen_and_one_below_goes_on() -> None:
    frozen = Dataset.range(30).shuffle(30, seed=1).cache()
    assert values(frozen) == values(frozen)
    below = Dataset.range(30).cache().shuffle(30, seed=1)
    assert values(below) != values(below)


def test_writing_into_batches_that_were_cached_changes_nothing() -> None:
    ds = Dataset.from_tensor_slices(np.ones((4, 2))).batch(2).cache()
    for _ in range(3):
        for batch in ds:
            assert (batch == 1).all()
            batch[:] = 7


def test_an_empty_dataset() -> None:
    ds = Dataset.range(0).cache()
    assert values(ds) == values(ds) == []


def test_an_endless_dataset_is_refused_at_the_call() -> None:
    with pytest.raises(ValueError, match=r"^cache\(\): an endless dataset cannot be kept in memory; take\(n\)"):
        Dataset.range(3).repeat().cache()


def test_it_pickles_empty() -> None:
    ds = Dataset.range(3).cache()
    list(ds)
    kept = len(pickle.dumps(ds._node))
    assert kept < len(pickle.dumps(Dataset.from_list([0, 1, 2])._node)) + 1000
    assert values(Dataset(pickle.loads(pickle.dumps(ds._node)))) == [0, 1, 2]


def test_the_cache_belongs_to_the_dataset_object() -> None:
    seen = Counting()
    ds = Dataset.range(2).map(seen)
    assert values(ds.cache()) == values(ds.cache())
    assert seen.seen == [0, 1, 0, 1]


def test_a_look_at_the_first_elements_finds_the_pass_that_is_kept_below_a_thread() -> None:
    ds = Dataset.range(4).shuffle(4, seed=0).prefetch(1).prefetch(1).cache()
    first = next(iter(ds))
    assert ds.head(1) == [first]
    whole = list(ds)
    assert whole[0] == first
    assert ds.head(4) == whole
