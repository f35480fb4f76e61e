"""`enumerate` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock import Dataset
from penstock.testing import Case, Failure, Stream, laws_for
from tests.laws.sources import SOURCES


def reference(elements: Stream, start: int) -> Iterator[Any]:
    for number, element in enumerate(elements, start):
        yield element if isinstance(element, Failure) else (np.int64(number), element)


CASE = Case(
    "enumerate",
    Dataset.enumerate,
    reference,
    lambda sample: st.fixed_dictionaries({"start": st.integers(-3, 3)}),
)

test_laws = laws_for(CASE, SOURCES)


def test_a_tuple_stays_nested() -> None:
    ds = Dataset.from_tensor_slices(([1, 2], [3, 4])).enumerate(start=5)
    assert list(ds) == [(5, (1, 3)), (6, (2, 4))]
