"""`batch` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from penstock import Dataset
from penstock.testing import Case, Stream, laws_for, stack
from penstock.testing.reference import in_groups
from tests.laws.sources import SOURCES


def reference(elements: Stream, batch_size: int, drop_remainder: bool) -> Iterator[Any]:
    for group in in_groups(elements, batch_size):
        if len(group) == batch_size or not drop_remainder:
            yield stack(group)


def cardinality(size: int, batch_size: int, drop_remainder: bool) -> int:
    if size < 0:
        return size
    return size // batch_size if drop_remainder else -(-size // batch_size)


CASE = Case(
    "batch",
    Dataset.batch,
    reference,
    lambda sample: st.fixed_dictionaries({"batch_size": st.integers(1, 5), "drop_remainder": st.booleans()}),
    cardinality,
)

test_laws = laws_for(CASE, SOURCES)


def test_the_last_batch_may_be_shorter_and_may_be_dropped() -> None:
    assert [batch.tolist() for batch in Dataset.range(5).batch(2)] == [[0, 1], [2, 3], [4]]
    assert [batch.tolist() for batch in Dataset.range(5).batch(2, drop_remainder=True)] == [[0, 1], [2, 3]]
