"""`skip` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from penstock import Dataset
from penstock.testing import Case, Stream, laws_for
from tests.laws.sources import SOURCES


def reference(elements: Stream, count: int) -> Iterable[Any]:
    return islice(elements, count, None) if count >= 0 else ()


def cardinality(size: int, count: int) -> int:
    if count < 0:
        return 0
    return size if size < 0 else max(0, size - count)


CASE = Case(
    "skip",
    Dataset.skip,
    reference,
    lambda sample: st.fixed_dictionaries({"count": st.integers(0, 12) | st.integers(-1, 3)}),
    cardinality,
)

test_laws = laws_for(CASE, SOURCES)


def test_the_first_elements_are_left_out() -> None:
    assert [int(n) for n in Dataset.range(5).skip(3)] == [3, 4]
    assert list(Dataset.range(5).skip(-1)) == []
