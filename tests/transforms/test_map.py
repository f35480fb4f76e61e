"""`map` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from penstock import Dataset
from penstock.testing import PROCESSES, THREADS, Case, Stream, call, laws_for, laws_with
from tests.laws.functions import MAPS, functions
from tests.laws.sources import SOURCES


def reference(elements: Stream, map_func: Callable[..., Any], vectorize: bool) -> Iterator[Any]:
    for element in elements:
        yield call(map_func, element, "map")


CASE = Case(
    "map",
    Dataset.map,
    reference,
    lambda sample: st.fixed_dictionaries(
        {"map_func": functions(MAPS, sample), "vectorize": st.sampled_from([True, True, False])}
    ),
)

test_laws = laws_for(CASE, SOURCES)
test_laws_with_threads = laws_for(CASE, SOURCES, laws_with(THREADS))
test_laws_with_processes = laws_for(CASE, SOURCES, laws_with(PROCESSES))


def test_a_tuple_is_passed_as_several_arguments_and_a_returned_list_is_a_tuple() -> None:
    assert list(Dataset.from_tensor_slices(([1, 2], [3, 4])).map(lambda x, y: [y, x])) == [(3, 1), (4, 2)]
