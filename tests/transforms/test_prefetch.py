"""`prefetch` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from penstock import Dataset
from penstock.testing import Case, Stream, laws_for
from tests.laws.sources import SOURCES

MOST_AHEAD = 1000


def reference(elements: Stream, buffer_size: int) -> Iterator[Any]:
    coming = iter(elements)
    ahead = list(islice(coming, MOST_AHEAD if buffer_size < 0 else buffer_size))
    for element in coming:
        ahead.append(element)
        yield ahead.pop(0)
    yield from ahead


CASE = Case(
    "prefetch",
    Dataset.prefetch,
    reference,
    lambda sample: st.fixed_dictionaries({"buffer_size": st.integers(-1, 5)}),
)

test_laws = laws_for(CASE, SOURCES)


def test_elements_come_in_order() -> None:
    assert [int(n) for n in Dataset.range(100).prefetch(3)] == list(range(100))
