"""`map_batches` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock import Dataset
from penstock.errors import SpecError
from penstock.testing import (
    PROCESSES,
    THREADS,
    Case,
    Failure,
    Recording,
    Stream,
    call,
    laws_for,
    laws_with,
    rows_of,
    stack,
)
from penstock.testing.reference import in_groups
from tests.laws.functions import kind
from tests.laws.sources import SOURCES


def reference(elements: Stream, map_func: Callable[..., Any], batch_size: int) -> Iterator[Any]:
    for group in in_groups(elements, batch_size):
        rows = rows_of(call(map_func, stack(group), "map_batches"))
        if len(rows) != len(group) and not isinstance(rows[0] if rows else None, Failure):
            rows = [Failure(SpecError)]
        # A run that fails is that error in the place of each of its elements.
        yield from rows * len(group) if rows and isinstance(rows[0], Failure) else rows


def fails_at_large_sums(numbers: Any) -> Any:
    if numbers.sum() > 9:
        raise ArithmeticError("too much")
    return numbers


WHOLE: dict[str, list[Any]] = {
    "integer": [
        lambda numbers: numbers * 2,
        lambda numbers: (numbers, numbers[::-1]),
        lambda numbers: np.sort(numbers),
        lambda numbers: numbers[numbers > 2],
        fails_at_large_sums,
        Recording(lambda numbers: numbers + len(numbers)),
    ],
    "any": [lambda *parts: parts[0] if type(parts[0]) is not dict else list(parts[0].values())[-1]],
}

CASE = Case(
    "map_batches",
    Dataset.map_batches,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "map_func": st.sampled_from(WHOLE["integer"] if kind(sample) == "integer" else WHOLE["any"]),
            "batch_size": st.integers(1, 5),
        }
    ),
)

test_laws = laws_for(CASE, SOURCES)
test_laws_with_threads = laws_for(CASE, SOURCES, laws_with(THREADS))
test_laws_with_processes = laws_for(CASE, SOURCES, laws_with(PROCESSES))


def test_runs_begin_at_multiples_of_the_batch_size() -> None:
    ds = Dataset.range(5).map_batches(lambda numbers: numbers * 0 + len(numbers), batch_size=2)
    assert [int(n) for n in ds] == [2, 2, 2, 2, 1]
