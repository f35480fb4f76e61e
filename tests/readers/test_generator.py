"""`from_generator` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset, TensorSpec
from penstock.errors import SpecError
from penstock.testing import Case, Failure, Recording, laws_for
from penstock.testing.closing import watched

Yielded = Callable[[int], list[Any]]

YIELDED: list[Yielded] = [
    lambda n: list(range(n)),
    lambda n: [(np.int64(k), np.float32(k)) for k in range(n)],
    lambda n: [np.arange(k % 3) for k in range(n)],
    lambda n: [{"a": k, "b": [k, k + 1]} for k in range(n)],
]


def build(cls: Any, make: Yielded, rows: int, breaks: bool, declared: bool, seen: Callable[[Any], Any]) -> Any:
    def generate() -> Iterator[Any]:
        for element in watched(make(rows)):
            seen(element)
            yield element
        if breaks:
            raise OSError("cut off")

    return cls.from_generator(generate, output_signature=TensorSpec((), np.int32) if declared else None)


def reference(elements: Any, make: Yielded, rows: int, breaks: bool, declared: bool, seen: Any) -> Iterator[Any]:
    for element in make(rows):
        seen(element)
        if not declared:
            yield element
        elif isinstance(element, int):
            yield np.int32(element)
        else:
            yield Failure(SpecError, method="from_generator")
    if breaks:
        yield Failure(OSError, "cut off", "from_generator")


CASE = Case(
    "from_generator",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "make": st.sampled_from(YIELDED),
            "rows": st.integers(0, 12),
            "breaks": st.booleans(),
            "declared": st.just(False) | st.booleans(),
            "seen": st.just(Recording(lambda element: element)),
        }
    ),
    cardinality=lambda size, **arguments: UNKNOWN_CARDINALITY,
    inputs=0,
)

test_laws = laws_for(CASE)


def test_generator_is_called_anew_for_each_epoch_of_a_repeat() -> None:
    calls: list[int] = []

    def generate() -> Iterator[int]:
        calls.append(len(calls))
        yield from (1, 2)

    assert [int(n) for n in Dataset.from_generator(generate).repeat(2)] == [1, 2, 1, 2]
    assert calls == [0, 1]
