"""`take_while` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset
from penstock.errors import SpecError
from penstock.testing import Case, Failure, Stream, call, laws_for
from tests.corners import Counting, Yielding, failing_at, outcomes, values
from tests.laws.functions import PREDICATES, functions
from tests.laws.sources import SOURCES


def reference(elements: Stream, predicate: Callable[..., Any], vectorize: bool) -> Iterator[Any]:
    for element in elements:
        verdict = call(predicate, element, "take_while")
        if isinstance(verdict, Failure):
            yield verdict
        elif not isinstance(verdict, (bool, np.bool_)):
            yield Failure(SpecError)
        elif verdict:
            yield element
        else:
            return


CASE = Case(
    "take_while",
    Dataset.take_while,
    reference,
    lambda sample: st.fixed_dictionaries(
        {"predicate": functions(PREDICATES, sample), "vectorize": st.sampled_from([True, True, False])}
    ),
    cardinality=lambda size, predicate, vectorize: UNKNOWN_CARDINALITY,
    may_drop=True,
)

test_laws = laws_for(CASE, SOURCES)


def test_it_ends_before_the_first_element_that_is_refused() -> None:
    ds = Dataset.from_list([1, 2, 9, 1]).take_while(lambda n: n < 5)
    assert values(ds) == [1, 2]
    assert values(ds.repeat(2)) == [1, 2, 1, 2]


def test_it_reads_no_further_even_for_a_batch() -> None:
    source = Yielding(1, 2, 9, 1, 1)
    seen = Counting()
    ds = Dataset.from_generator(source).map(seen).take_while(lambda n: n < 5).batch(8)
    assert values(ds) == [[1, 2]]
    assert seen.seen == [1, 2, 9]
    assert source.ended == 1


def test_an_error_comes_at_its_place_and_ends_nothing() -> None:
    assert outcomes(Dataset.range(6).map(failing_at(1)).take_while(lambda n: n < 40)) == [0, KeyError, 20, 30]
    assert outcomes(Dataset.range(6).take_while(lambda n: failing_at(1)(n) < 40)) == [0, KeyError, 2, 3]


def test_errors_behind_the_end_show_nowhere() -> None:
    assert outcomes(Dataset.range(100).map(lambda n: 10 // (5 - int(n))).take_while(lambda n: n < 4)) == [2, 2, 3]


def test_a_verdict_that_is_no_bool_is_an_error() -> None:
    with pytest.raises(SpecError, match=r"^take_while\(\): .*<lambda> returned .*return one bool"):
        next(iter(Dataset.range(3).take_while(lambda n: n + 1)))


def test_what_is_no_function_is_refused_at_the_call() -> None:
    with pytest.raises(TypeError, match=r"^take_while\(\): predicate must be a function"):
        Dataset.range(3).take_while(3)
