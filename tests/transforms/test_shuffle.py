"""`shuffle` keeps the laws; what it means in plain Python: a list of slots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset
from penstock.random import Key, Permutation, integers
from penstock.testing import Case, Stream, laws_for
from tests.laws.sources import SOURCES


def reference(elements: Stream, buffer_size: int, seed: int, reshuffle_each_iteration: bool) -> Iterator[Any]:
    place = (elements.number, elements.epoch) if reshuffle_each_iteration else (0, 0)
    key = Key(seed, "shuffle", *place)
    coming = iter(elements)
    if buffer_size == 1:
        yield from coming
    slots = list(coming) if buffer_size == UNKNOWN_CARDINALITY else list(islice(coming, buffer_size))
    for step in count():
        try:
            element = next(coming)
        except StopIteration:
            # The last elements come in an order of their own; if the buffer never overflowed, that is all.
            order = Permutation(key if step == 0 else replace(key, name="shuffle/tail"), len(slots))
            yield from (slots[slot] for slot in order(np.arange(len(slots))))
            return
        slot = int(integers(key, step, 1, buffer_size)[0])
        yield slots[slot]
        slots[slot] = element


CASE = Case(
    "shuffle",
    Dataset.shuffle,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "buffer_size": st.integers(1, 15),
            "seed": st.integers(-1, 2).map(lambda seed: seed % 2**64),
            "reshuffle_each_iteration": st.booleans(),
        }
    ),
)

WHOLE = Case(
    "shuffle",
    Dataset.shuffle,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "buffer_size": st.just(UNKNOWN_CARDINALITY),
            "seed": st.integers(0, 2),
            "reshuffle_each_iteration": st.booleans(),
        }
    ),
    needs_end=True,
)

test_laws = laws_for(CASE, SOURCES)
test_whole_laws = laws_for(WHOLE, SOURCES)


@given(rows=st.integers(0, 40), buffer_size=st.integers(1, 50), seed=st.integers())
def test_every_element_comes_once(rows: int, buffer_size: int, seed: int) -> None:
    assert sorted(int(n) for n in Dataset.range(rows).shuffle(buffer_size, seed)) == list(range(rows))


def test_equal_seeds_give_equal_orders_pass_by_pass() -> None:
    left, right = Dataset.range(50).shuffle(10, seed=4), Dataset.range(50).shuffle(10, seed=4)
    passes = [list(left) for _ in range(3)]
    assert passes == [list(right) for _ in range(3)]
    assert passes[0] != passes[1] != passes[2]
