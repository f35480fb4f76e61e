"""`take` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from penstock.testing import Case, Stream, laws_for
from tests.laws.sources import SOURCES


def reference(elements: Stream, count: int) -> Iterable[Any]:
    return islice(elements, count) if count >= 0 else elements


def cardinality(size: int, count: int) -> int:
    if size == UNKNOWN_CARDINALITY or count < 0:
        return size
    return count if size == INFINITE_CARDINALITY else min(size, count)


CASE = Case(
    "take",
    Dataset.take,
    reference,
    lambda sample: st.fixed_dictionaries({"count": st.integers(-1, 20)}),
    cardinality,
)

test_laws = laws_for(CASE, SOURCES)


def test_no_more_than_what_is_taken_is_computed() -> None:
    computed: list[int] = []
    assert list(Dataset.range(100).map(lambda n: computed.append(int(n)) or n).take(1)) == [0]
    assert computed == [0]
