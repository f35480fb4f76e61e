"""`skip` in odd corners: everything, more than there are, errors, wrong counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from tests.corners import Counting, failing_at, outcomes, values


@pytest.mark.parametrize("streamed", [False, True], ids=["by index", "stream"])
@pytest.mark.parametrize("count", [-1, 3, 4, 2**62, np.int8(-1)], ids=str)
def test_nothing_is_left(count: Any, streamed: bool) -> None:
    ds = Dataset.range(3)
    if streamed:
        ds = ds.filter(lambda n: n >= 0)
    assert values(ds.skip(count)) == []


def test_minus_one_drops_everything_of_an_endless_dataset_too() -> None:
    ds = Dataset.range(3).repeat().skip(-1)
    assert values(ds) == []
    assert ds.cardinality() == 0


def test_skipping_none_changes_nothing() -> None:
    assert values(Dataset.range(3).skip(0)) == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 1, 4, 2000])
def test_of_a_stream_what_comes_after_is_left(count: int) -> None:
    seen = Counting()
    ds = Dataset.range(2005).filter(lambda n: n >= 0).map(seen).skip(count)
    assert values(ds, 3) == [count, count + 1, count + 2]
    assert seen.seen == list(range(count + 3))


def test_cardinality() -> None:
    assert [Dataset.range(5).skip(n).cardinality() for n in (0, 3, 9)] == [5, 2, 0]
    assert Dataset.range(5).repeat().skip(9).cardinality() == INFINITE_CARDINALITY
    assert Dataset.range(5).filter(lambda n: n > 2).skip(1).cardinality() == UNKNOWN_CARDINALITY


def test_far_into_an_endless_dataset_without_counting() -> None:
    assert values(Dataset.range(3).repeat().skip(10**15).take(3)) == [1, 2, 0]


def test_errors_are_skipped_like_elements() -> None:
    assert outcomes(Dataset.range(6).map(failing_at(1, 3)).skip(2)) == [20, KeyError, 40, 50]


@pytest.mark.parametrize("count", [-2, -100])
def test_below_minus_one_is_refused_and_says_what_minus_one_does(count: int) -> None:
    with pytest.raises(ValueError, match=rf"^skip\(\): count must be at least -1, but is {count}; -1 drops everything"):
        Dataset.range(3).skip(count)


@pytest.mark.parametrize("count", [None, 1.5, "2"], ids=repr)
def test_what_is_no_whole_number_is_refused_at_the_call(count: Any) -> None:
    with pytest.raises(TypeError, match=r"^skip\(\): count must be an integer"):
        Dataset.range(3).skip(count)
