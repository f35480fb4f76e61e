"""`random` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, Dataset
from penstock.random import Key, raw
from penstock.testing import Case, Stream, laws_for


def reference(elements: Stream, seed: int, rerandomize_each_iteration: bool) -> Iterator[Any]:
    place = (elements.number, elements.epoch) if rerandomize_each_iteration else (0, 0)
    key = Key(seed, "random", *place)
    return (np.int64(raw(key, at, 1)[0] % 2**32) for at in count())


CASE = Case(
    "random",
    lambda cls, **arguments: cls.random(**arguments),
    reference,
    lambda sample: st.fixed_dictionaries(
        {"seed": st.integers(0, 3), "rerandomize_each_iteration": st.booleans()},
    ),
    cardinality=lambda size, **arguments: INFINITE_CARDINALITY,
    inputs=0,
)

test_laws = laws_for(CASE)


def test_numbers_are_the_same_in_each_iteration_unless_rerandomized() -> None:
    same, other = Dataset.random(1).take(9), Dataset.random(1, rerandomize_each_iteration=True).take(9)
    assert list(same) == list(same)
    assert list(other) != list(other)
