"""`shuffle` in odd corners: buffers of every size, passes and seeds, errors, streams that end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from tests.corners import Counting, Yielding, failing_at, outcomes, values


def stream(rows: int) -> Dataset[Any]:
    return Dataset.range(rows).filter(lambda n: n >= 0)


def test_passes_differ_also_with_a_seed_and_equal_datasets_have_equal_passes() -> None:
    left, right = (Dataset.range(40).shuffle(40, seed=5) for _ in range(2))
    passes = [values(left) for _ in range(3)]
    assert passes[0] != passes[1] != passes[2]
    assert [values(right) for _ in range(3)] == passes


def test_a_dataset_derived_anew_goes_on_with_the_passes() -> None:
    ds, other = (Dataset.range(40).shuffle(40, seed=5) for _ in range(2))
    assert [values(ds.take(40)) for _ in range(3)] == [values(other) for _ in range(3)]


@pytest.mark.parametrize("seed", [None, 5])
def test_without_reshuffling_all_passes_and_epochs_are_one(seed: int | None) -> None:
    ds = Dataset.range(40).shuffle(40, seed=seed, reshuffle_each_iteration=False)
    assert values(ds) == values(ds)
    found = values(ds.repeat(2))
    assert found[:40] == found[40:]


def test_without_a_seed_two_datasets_differ() -> None:
    assert values(Dataset.range(40).shuffle(40)) != values(Dataset.range(40).shuffle(40))


@pytest.mark.parametrize("size", [1, np.int64(1)])
def test_a_buffer_of_one_changes_nothing_and_disturbs_no_other_shuffle(size: Any) -> None:
    assert values(Dataset.range(9).shuffle(size)) == list(range(9))
    left, right = (Dataset.range(30).shuffle(30, seed=2) for _ in range(2))
    assert values(left.shuffle(size)) == values(right)


@pytest.mark.parametrize("rows", [0, 1, 2, 9])
@pytest.mark.parametrize("size", [1, 2, 8, 9, 10, 2**40, 2**62, UNKNOWN_CARDINALITY])
def test_every_buffer_gives_every_element_once(rows: int, size: int) -> None:
    assert sorted(values(Dataset.range(rows).shuffle(size, seed=1))) == list(range(rows))
    assert sorted(values(stream(rows).shuffle(size, seed=1))) == list(range(rows))


@pytest.mark.parametrize("size", [3, 100])
def test_the_order_is_the_same_over_streams_and_by_index(size: int) -> None:
    assert values(Dataset.range(50).shuffle(size, seed=1)) == values(stream(50).shuffle(size, seed=1))


def test_no_element_comes_before_the_buffer_could_hold_it() -> None:
    for place, element in enumerate(values(Dataset.range(60).shuffle(7, seed=1))):
        assert element < place + 7


def test_a_pass_over_a_stream_reads_no_further_than_the_buffer() -> None:
    source = Yielding(*range(100))
    iterator = iter(Dataset.from_generator(source).shuffle(5, seed=1))
    next(iterator)
    assert source.given == 6
    next(iterator)
    assert source.given == 7


def test_the_buffer_does_not_reach_across_epochs() -> None:
    found = values(Dataset.range(10).shuffle(7, seed=1).repeat(3))
    assert [sorted(found[start : start + 10]) for start in (0, 10, 20)] == [list(range(10))] * 3


def test_an_error_comes_out_at_its_place_in_the_order() -> None:
    order = values(Dataset.range(20).shuffle(6, seed=4))
    ds = Dataset.range(20).map(failing_at(3, 11)).shuffle(6, seed=4)
    assert outcomes(ds) == [KeyError if n in (3, 11) else n * 10 for n in order]


def test_cardinality_is_kept() -> None:
    assert Dataset.range(5).shuffle(3).cardinality() == 5
    assert Dataset.range(5).repeat().shuffle(3).cardinality() == INFINITE_CARDINALITY
    assert stream(5).shuffle(3).cardinality() == UNKNOWN_CARDINALITY


def test_an_endless_dataset_through_a_buffer() -> None:
    assert all(0 <= n < 3 for n in values(Dataset.range(3).repeat().shuffle(10, seed=1).take(50)))
    whole = Dataset.range(3).repeat().shuffle(10, seed=1).take(50)
    assert values(whole) == values(whole.iterator(epoch=0))


def test_draining_a_buffer_that_was_never_full_is_not_quadratic() -> None:
    seen = Counting()
    ds = Dataset.range(3000).map(seen).shuffle(10**7, seed=1)
    assert len(values(ds, 5000)) == 3000


def test_the_buffer_may_be_the_cardinality_of_a_dataset() -> None:
    ds = Dataset.range(9)
    assert sorted(values(ds.shuffle(ds.cardinality()))) == list(range(9))


@pytest.mark.parametrize(
    ("size", "error", "text"),
    [
        (0, ValueError, "at least 1, but is 0; UNKNOWN_CARDINALITY (-2) shuffles everything"),
        (-1, ValueError, "at least 1, but is -1; UNKNOWN_CARDINALITY (-2) shuffles everything"),
        (-3, ValueError, "at least 1, but is -3"),
        (2.5, TypeError, "buffer_size must be an integer, but is 2.5"),
        (None, TypeError, "buffer_size must be an integer, but is None"),
    ],
    ids=str,
)
def test_wrong_buffers_are_refused_at_the_call(size: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^shuffle\(\): ") as raised:
        Dataset.range(3).shuffle(size)
    assert text in str(raised.value)


def test_everything_of_an_endless_dataset_is_refused_at_the_call() -> None:
    with pytest.raises(ValueError, match=r"^shuffle\(\): an endless dataset .*give a buffer_size or take\(n\) first"):
        Dataset.range(3).repeat().shuffle(UNKNOWN_CARDINALITY)


@pytest.mark.parametrize("seed", [1.5, "x"])
def test_a_seed_that_is_no_whole_number_is_refused_at_the_call(seed: Any) -> None:
    with pytest.raises(TypeError, match=r"^shuffle\(\): seed must be an integer or None, but is"):
        Dataset.range(3).shuffle(3, seed=seed)
