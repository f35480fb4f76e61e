"""`shard` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from penstock import Dataset
from penstock.testing import Case, Stream, laws_for
from tests.laws.sources import SOURCES


def reference(elements: Stream, num_shards: int, index: int) -> Iterable[Any]:
    return islice(elements, index, None, num_shards)


def cardinality(size: int, num_shards: int, index: int) -> int:
    return size if size < 0 else len(range(index, size, num_shards))


CASE = Case(
    "shard",
    Dataset.shard,
    reference,
    lambda sample: st.integers(1, 4).flatmap(
        lambda shards: st.fixed_dictionaries({"num_shards": st.just(shards), "index": st.integers(0, shards - 1)})
    ),
    cardinality,
)

test_laws = laws_for(CASE, SOURCES)


def test_elements_are_dealt_in_turn() -> None:
    assert [[int(n) for n in Dataset.range(7).shard(3, index)] for index in range(3)] == [[0, 3, 6], [1, 4], [2, 5]]
