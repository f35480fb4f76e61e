"""`zip` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from penstock.testing import Case, Failure, Stream, laws_for
from tests.laws.sources import SOURCES

FORMS: list[Callable[[Any, Any], Any]] = [
    lambda left, right: (left, right),
    lambda left, right: {"b": left, "a": right},
    lambda left, right: (right, (left,)),
]


def reference(left: Stream, right: Stream, form: Callable[[Any, Any], Any]) -> Iterator[Any]:
    # The inputs are read in the order of the components; the names of a dict are sorted.
    is_straight = form is FORMS[0]
    for first, second in zip(*((left, right) if is_straight else (right, left)), strict=False):
        pair = (first, second) if is_straight else (second, first)
        yield next((item for item in (first, second) if isinstance(item, Failure)), form(*pair))


def cardinality(left: int, right: int, form: Callable[[Any, Any], Any]) -> int:
    if UNKNOWN_CARDINALITY in (left, right):
        return UNKNOWN_CARDINALITY
    return min((size for size in (left, right) if size != INFINITE_CARDINALITY), default=INFINITE_CARDINALITY)


CASE = Case(
    "zip",
    lambda left, right, form: Dataset.zip(form(left, right)),
    reference,
    lambda sample: st.fixed_dictionaries({"form": st.sampled_from(FORMS)}),
    cardinality,
    inputs=2,
)

test_laws = laws_for(CASE, SOURCES)


def test_the_shortest_ends_it() -> None:
    assert list(Dataset.zip(Dataset.range(3), Dataset.counter(5))) == [(0, 5), (1, 6), (2, 7)]
    assert list(Dataset.zip(Dataset.range(2))) == [0, 1]
