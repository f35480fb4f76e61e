"""`flat_map` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset
from penstock.random import Key, Permutation
from penstock.testing import THREADS, Case, Failure, Stream, call, laws_for, laws_with
from tests.laws.functions import kind
from tests.laws.sources import SOURCES

EPOCHS_APART = 1_000_003
ELEMENTS_APART = 2**32


@dataclass(frozen=True)
class Inner:
    """A function that makes datasets, and one that makes lists of what is in them.

    The latter gets the number of the pass over the inner dataset first, if what is in it is drawn.
    """

    dataset: Callable[..., Any]
    elements: Callable[..., Any]
    draws: bool = False

    def __repr__(self) -> str:
        return f"<{self.dataset.__code__.co_firstlineno}>"


def reference(elements: Stream, inner: Inner) -> Iterator[Any]:
    for number, element in enumerate(elements):
        # Each inner dataset is read in a pass of its own.
        inner_pass = ((elements.number * EPOCHS_APART + elements.epoch) * ELEMENTS_APART + number) % 2**62
        make = partial(inner.elements, inner_pass) if inner.draws else inner.elements
        inside = call(lambda *arguments, make=make: Box(make(*arguments)), element, "flat_map")
        if isinstance(inside, Failure):
            yield inside
        else:
            yield from inside.elements


@dataclass(frozen=True)
class Box:
    """Keeps a list from being taken for a tuple of components."""

    elements: list[Any]
    __penstock_component__ = True


def shuffled(inner_pass: int, n: Any) -> list[Any]:
    order = Permutation(Key(5, "shuffle", inner_pass, 0), int(n % 4))(np.arange(n % 4))
    return [np.int64(at) for at in order]


INNER = {
    "integer": [
        Inner(lambda n: Dataset.range(int(n % 4)), lambda n: list(np.arange(int(n % 4)))),
        Inner(lambda n: Dataset.range(int(n % 4)).shuffle(9, seed=5), shuffled, draws=True),
        Inner(
            lambda n: Dataset.from_tensors(n).repeat(2).map(lambda m: m + 1).enumerate(),
            lambda n: [(np.int64(at), n + 1) for at in range(2)],
        ),
        Inner(
            lambda n: Dataset.range(3).map(lambda m: fails_at(m, n % 3)).take(int(n % 5)),
            lambda n: [m if m != n % 3 else Failure(ValueError, "here", "map") for m in np.arange(3)][: int(n % 5)],
        ),
        Inner(lambda n: Dataset.from_tensors(fails_at(n, 2)), lambda n: [fails_at(n, 2)]),
        Inner(
            lambda n: Dataset.range(int(n % 3)).flat_map(lambda m: Dataset.range(m + 1)),
            lambda n: [k for m in range(int(n % 3)) for k in np.arange(m + 1)],
        ),
    ],
    "any": [
        Inner(lambda *parts: Dataset.range(3), lambda *parts: list(np.arange(3))),
        Inner(lambda *parts: Dataset.from_tensors(parts), lambda *parts: [parts]),
    ],
}


def fails_at(n: Any, place: Any) -> Any:
    if n == place:
        raise ValueError("here")
    return n


CASE = Case(
    "flat_map",
    lambda dataset, inner: dataset.flat_map(inner.dataset),
    reference,
    lambda sample: st.fixed_dictionaries(
        {"inner": st.sampled_from(INNER["integer"] if kind(sample) == "integer" else INNER["any"])}
    ),
    cardinality=lambda size, inner: UNKNOWN_CARDINALITY,
    may_drop=True,
)

test_laws = laws_for(CASE, SOURCES)
test_laws_with_threads = laws_for(CASE, SOURCES, laws_with(THREADS))


def test_datasets_come_one_after_another() -> None:
    assert [int(n) for n in Dataset.range(4).flat_map(lambda n: Dataset.range(n))] == [0, 0, 1, 0, 1, 2]
