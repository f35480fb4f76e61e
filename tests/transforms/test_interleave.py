"""`interleave` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset
from penstock.testing import THREADS, Case, Failure, Stream, call, laws_for, laws_with
from tests.laws.functions import kind
from tests.laws.sources import SOURCES
from tests.transforms.test_flat_map import ELEMENTS_APART, EPOCHS_APART, INNER, Box, Inner


def reference(elements: Stream, inner: Inner, cycle_length: int, block_length: int, purity: Any) -> Iterator[Any]:
    made = datasets(elements, inner)
    slots: list[Iterator[Any] | None] = [None] * cycle_length
    at = empty = 0
    while empty < cycle_length:
        slot = slots[at] or next(made, None)
        empty = empty + 1 if slot is None else 0
        for _ in range(block_length if slot else 0):
            try:
                element = next(slot)
            except StopIteration:
                slot = None
                break
            yield element
        slots[at] = slot
        at = (at + 1) % cycle_length


def datasets(elements: Stream, inner: Inner) -> Iterator[Iterator[Any]]:
    """What is in the dataset of each element; an error stands for a dataset of that error."""
    for number, element in enumerate(elements):
        inner_pass = ((elements.number * EPOCHS_APART + elements.epoch) * ELEMENTS_APART + number) % 2**62
        make = partial(inner.elements, inner_pass) if inner.draws else inner.elements
        inside = call(lambda *arguments, make=make: Box(make(*arguments)), element, "interleave")
        yield iter([inside] if isinstance(inside, Failure) else inside.elements)


def build(dataset: Any, inner: Inner, **settings: Any) -> Any:
    return dataset.interleave(inner.dataset, **settings)


CASE = Case(
    "interleave",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "inner": st.sampled_from(INNER["integer"] if kind(sample) == "integer" else INNER["any"]),
            "cycle_length": st.integers(1, 4),
            "block_length": st.integers(1, 3),
            "purity": st.sampled_from([None, "stateless"]),
        }
    ),
    cardinality=lambda size, **_: UNKNOWN_CARDINALITY,
    may_drop=True,
)

test_laws = laws_for(CASE, SOURCES)
test_laws_with_threads = laws_for(CASE, SOURCES, laws_with(THREADS))


@pytest.mark.parametrize(
    ("cycle_length", "block_length", "expected"),
    [
        (2, 1, [1, 2, 2, 3, 3, 4, 3, 4, 4, 5, 4, 5, 5, 5, 5]),
        (2, 2, [1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 4, 4, 5, 5, 5]),
        (3, 1, [1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 4, 5, 5, 5]),
        (10, 1, [1, 2, 3, 4, 5, 2, 3, 4, 5, 3, 4, 5, 4, 5, 5]),
    ],
)
def test_the_order_of_tf_data(cycle_length: int, block_length: int, expected: list[int]) -> None:
    ds = Dataset.range(1, 6).interleave(lambda n: Dataset.from_tensors(n).repeat(n), cycle_length, block_length)
    assert [int(n) for n in ds] == expected
