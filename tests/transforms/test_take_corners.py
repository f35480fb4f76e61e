"""`take` in odd corners: none, all, more than there are, errors, laziness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import UNKNOWN_CARDINALITY, Dataset
from tests.corners import Counting, Yielding, failing_at, outcomes, values


@pytest.mark.parametrize("count", [-1, -5, 3, 4, 2**62, np.int64(3), np.array(9)], ids=str)
def test_all_of_them(count: Any) -> None:
    ds = Dataset.range(3).take(count)
    assert values(ds) == [0, 1, 2]
    assert ds.cardinality() == 3


def test_an_endless_dataset_keeps_being_endless_for_a_negative_count() -> None:
    assert Dataset.range(3).repeat().take(-1).cardinality() == -1
    assert Dataset.range(3).repeat().take(5).cardinality() == 5


def test_of_an_unknown_number_unknown_even_for_none() -> None:
    assert Dataset.range(3).filter(lambda n: n > 0).take(0).cardinality() == UNKNOWN_CARDINALITY


def test_taking_none_computes_none() -> None:
    seen = Counting()
    assert values(Dataset.range(3).map(seen).take(0)) == []
    assert seen.seen == []


def test_taking_n_computes_n() -> None:
    seen = Counting()
    assert values(Dataset.range(100).map(seen).take(2)) == [0, 1]
    assert seen.seen == [0, 1]


def test_an_error_counts_as_an_element() -> None:
    assert outcomes(Dataset.range(8).map(failing_at(2)).take(4)) == [0, 10, KeyError, 30]
    pure = Dataset.range(8).map(failing_at(2), purity="stateless")
    assert outcomes(pure.take(4)) == [0, 10, KeyError, 30]


@pytest.mark.parametrize("count", [0, 1, 4, 9, 12])
def test_of_a_stream_the_first_are_taken(count: int) -> None:
    assert values(Dataset.range(9).filter(lambda n: n >= 0).take(count)) == list(range(min(count, 9)))


def test_a_generator_is_ended_with_the_last_element_taken() -> None:
    source = Yielding(1, 2, 3, 4)
    iterator = iter(Dataset.from_generator(source).take(2))
    assert [next(iterator), next(iterator)] == [1, 2]
    assert (source.given, source.ended) == (2, 1)


def test_takes_of_takes_are_the_least() -> None:
    assert values(Dataset.range(9).take(5).take(7).take(3).take(4)) == [0, 1, 2]


@pytest.mark.parametrize("count", [None, 1.0, "2", True, np.array([1, 2])], ids=repr)
def test_what_is_no_whole_number_is_refused_at_the_call(count: Any) -> None:
    with pytest.raises(TypeError, match=r"^take\(\): count must be an integer, but is"):
        Dataset.range(3).take(count)
