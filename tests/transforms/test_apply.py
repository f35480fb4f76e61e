"""`apply` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from penstock import Dataset
from penstock.testing import Case, Stream, laws_for
from tests.laws.sources import SOURCES


def reference(elements: Stream) -> Iterable[Any]:
    return islice(elements, 1, 6)


CASE = Case(
    "apply",
    lambda dataset: dataset.apply(lambda ds: ds.skip(1).take(5)),
    reference,
    cardinality=lambda size: min(5, max(0, size - 1)) if size >= 0 else 5 if size == -1 else size,
)

test_laws = laws_for(CASE, SOURCES)


def test_the_function_gets_the_dataset_and_its_result_goes_on() -> None:
    assert [int(n) for n in Dataset.range(3).apply(lambda ds: ds.repeat(2)).take(4)] == [0, 1, 2, 0]
