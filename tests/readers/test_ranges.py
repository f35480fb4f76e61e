"""`range` and `counter` keep the laws; what they mean in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, Dataset
from penstock.testing import Case, laws_for


def range_reference(elements: Any, args: tuple[int, ...], output_type: Any) -> list[Any]:
    return [np.dtype(output_type).type(n) for n in range(*args)]


def counter_reference(elements: Any, start: int, step: int) -> Iterator[Any]:
    return map(np.int64, count(start, step))


RANGE = Case(
    "range",
    lambda cls, args, output_type: cls.range(*args, output_type=output_type),
    range_reference,
    lambda sample: st.fixed_dictionaries(
        {
            "args": st.integers(0, 12).map(lambda stop: (stop,))
            | st.tuples(st.integers(-5, 9), st.integers(-5, 20), st.sampled_from([-3, -1, 1, 2, 5])),
            "output_type": st.sampled_from([np.int64, np.int64, np.int32, np.float32]),
        }
    ),
    cardinality=lambda size, args, output_type: len(range(*args)),
    inputs=0,
)

COUNTER = Case(
    "counter",
    lambda cls, **arguments: cls.counter(**arguments),
    counter_reference,
    lambda sample: st.fixed_dictionaries({"start": st.integers(-9, 9), "step": st.integers(-2, 3)}),
    cardinality=lambda size, start, step: INFINITE_CARDINALITY,
    inputs=0,
)

test_range_laws = laws_for(RANGE)
test_counter_laws = laws_for(COUNTER)


def test_counter_wraps_around_at_the_end_of_its_dtype() -> None:
    assert [int(n) for n in Dataset.counter(254, 1, np.uint8).take(4)] == [254, 255, 0, 1]
