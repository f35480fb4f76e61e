"""`repeat` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count as count_from
from typing import Any

from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from penstock.testing import Case, Stream, laws_for
from tests.laws.sources import SOURCES

MOST_EMPTY_PASSES = 100
EPOCHS_OF_ENDLESS = 2**32


def reference(elements: Stream, count: int | None) -> Iterator[Any]:
    endless = count is None or count < 0
    empty = 0
    for number in count_from() if endless else range(count or 0):
        some = False
        for element in elements.at(elements.epoch * (EPOCHS_OF_ENDLESS if endless else count or 0) + number):
            some = True
            yield element
        empty = 0 if some else empty + 1
        if endless and empty > (MOST_EMPTY_PASSES if number >= empty else 0):
            return


def cardinality(size: int, count: int | None) -> int:
    if size == 0 or count == 0:
        return 0
    if count is None or count < 0 or size == INFINITE_CARDINALITY:
        return INFINITE_CARDINALITY
    return size if size == UNKNOWN_CARDINALITY else size * count


CASE = Case(
    "repeat",
    Dataset.repeat,
    reference,
    lambda sample: st.fixed_dictionaries({"count": st.integers(0, 4) | st.sampled_from([None, -1, 2])}),
    cardinality,
)

test_laws = laws_for(CASE, SOURCES)


def test_an_endless_repeat_of_nothing_ends() -> None:
    assert list(Dataset.range(0).repeat()) == []
    assert list(Dataset.range(9).filter(lambda n: n > 9).repeat()) == []
