"""`filter` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset
from penstock.errors import SpecError
from penstock.testing import PROCESSES, THREADS, Case, Failure, Stream, call, laws_for, laws_with
from tests.laws.functions import PREDICATES, functions
from tests.laws.sources import SOURCES


def reference(elements: Stream, predicate: Callable[..., Any], vectorize: bool) -> Iterator[Any]:
    for element in elements:
        verdict = call(predicate, element, "filter")
        if isinstance(verdict, Failure):
            yield verdict
        elif not isinstance(verdict, (bool, np.bool_)):
            yield Failure(SpecError)
        elif verdict:
            yield element


CASE = Case(
    "filter",
    Dataset.filter,
    reference,
    lambda sample: st.fixed_dictionaries(
        {"predicate": functions(PREDICATES, sample), "vectorize": st.sampled_from([True, True, False])}
    ),
    cardinality=lambda size, predicate, vectorize: UNKNOWN_CARDINALITY,
    may_drop=True,
)

test_laws = laws_for(CASE, SOURCES)
test_laws_with_threads = laws_for(CASE, SOURCES, laws_with(THREADS))
test_laws_with_processes = laws_for(CASE, SOURCES, laws_with(PROCESSES))


def test_elements_for_which_the_predicate_is_true_are_kept() -> None:
    assert [int(n) for n in Dataset.range(10).filter(lambda n: n % 4 == 1)] == [1, 5, 9]
