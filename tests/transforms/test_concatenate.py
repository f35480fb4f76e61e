"""`concatenate` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from typing import Any

from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from penstock.testing import Case, Stream, laws_for
from tests.laws.sources import SOURCES


def reference(left: Stream, right: Stream, skipped: int) -> Iterable[Any]:
    return chain(left, islice(right, skipped, None))


def cardinality(left: int, right: int, skipped: int) -> int:
    if INFINITE_CARDINALITY in (left, right):
        return INFINITE_CARDINALITY
    return UNKNOWN_CARDINALITY if UNKNOWN_CARDINALITY in (left, right) else left + max(0, right - skipped)


# What is appended is the same chain, so that structures and dtypes agree, without its first elements.
CASE = Case(
    "concatenate",
    lambda left, right, skipped: left.concatenate(right.skip(skipped)),
    reference,
    lambda sample: st.fixed_dictionaries({"skipped": st.integers(0, 6)}),
    cardinality,
    inputs=2,
    reads_itself=True,
)

test_laws = laws_for(CASE, SOURCES)


def test_one_dataset_comes_after_the_other() -> None:
    assert [int(n) for n in Dataset.range(2).concatenate(Dataset.range(5, 7))] == [0, 1, 5, 6]
