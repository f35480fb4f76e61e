"""`random_map` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

from penstock import Dataset
from penstock.random import Key, generator_at
from penstock.testing import PROCESSES, THREADS, Case, Recording, Stream, call, laws_for, laws_with
from tests.laws.functions import kind
from tests.laws.sources import SOURCES


def reference(
    elements: Stream, map_func: Callable[..., Any], seed: int, rerandomize_each_iteration: bool
) -> Iterator[Any]:
    place = (elements.number, elements.epoch) if rerandomize_each_iteration else (0, 0)
    key = Key(seed, "random_map", *place)
    for index, element in enumerate(elements):
        yield call(map_func, element, "random_map", generator_at(key, index))


def fails_by_chance(n: Any, rng: Any) -> Any:
    if rng.random() < 0.2:
        raise RuntimeError("bad luck")
    return n


FUNCTIONS: dict[str, list[Any]] = {
    "integer": [
        lambda n, rng: n + rng.integers(100),
        lambda n, rng: (n, rng.normal()),
        fails_by_chance,
        Recording(lambda n, rng: rng.integers(n % 5 + 1)),
    ],
    "any": [lambda *parts: parts[-1].random(2)],
}


CASE = Case(
    "random_map",
    Dataset.random_map,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "map_func": st.sampled_from(FUNCTIONS["integer"] if kind(sample) == "integer" else FUNCTIONS["any"]),
            "seed": st.integers(0, 3),
            "rerandomize_each_iteration": st.booleans(),
        }
    ),
)

test_laws = laws_for(CASE, SOURCES)
test_laws_with_threads = laws_for(CASE, SOURCES, laws_with(THREADS))
test_laws_with_processes = laws_for(CASE, SOURCES, laws_with(PROCESSES))


def test_draws_do_not_depend_on_what_was_drawn_for_other_elements() -> None:
    ds = Dataset.range(9).random_map(lambda n, rng: rng.normal(size=n).sum(), seed=1, purity="stateless")
    assert list(ds.iterator(epoch=0))[5:] == [ds[at] for at in range(5, 9)]
