"""Long chains of transformations, and many small pieces: no recursion limit, no quadratic time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from penstock.ends.run import bind
from penstock.plan import walk
from tests.corners import Yielding, values

CHAINS: dict[str, tuple[int, Callable[[Dataset[Any]], Dataset[Any]], list[int]]] = {
    "map": (300, lambda ds: ds.map(lambda n: n + 1), [300, 301, 302]),
    "map per element": (300, lambda ds: ds.map(lambda n: n + 1, vectorize=False), [300, 301, 302]),
    "map with effects": (300, lambda ds: ds.map(lambda n: [].append(n) or n + 1, purity="stateful"), [300, 301, 302]),
    "take": (300, lambda ds: ds.take(3), [0, 1, 2]),
    "skip": (300, lambda ds: ds.skip(0), [0, 1, 2]),
    "filter": (300, lambda ds: ds.filter(lambda n: n >= 0), [0, 1, 2]),
    "repeat": (300, lambda ds: ds.repeat(1), [0, 1, 2]),
    "shard": (300, lambda ds: ds.shard(1, 0), [0, 1, 2]),
    "shuffle": (100, lambda ds: ds.shuffle(1), [0, 1, 2]),
    "batch and unbatch": (100, lambda ds: ds.batch(2).unbatch(), [0, 1, 2]),
    "cache": (100, lambda ds: ds.cache(), [0, 1, 2]),
    "prefetch": (50, lambda ds: ds.prefetch(1), [0, 1, 2]),
    "flat_map": (30, lambda ds: ds.flat_map(lambda n: Dataset.range(n, n + 1)), [0, 1, 2]),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_long_chain_of_one_step(name: str) -> None:
    length, step, expected = CHAINS[name]
    ds: Dataset[Any] = Dataset.range(3)
    for _ in range(length):
        ds = step(ds)
    assert values(ds) == expected
    assert ds.cardinality() in (3, -2)
    iterator = iter(ds)
    assert next(iterator) == expected[0]
    iterator.load_state_dict(iterator.state_dict())
    assert values(iterator) == expected[1:]
    iterator.close()
    assert len(ds.explain().splitlines()) > 3


@pytest.mark.parametrize("count", [100, 1000])
def test_many_concatenated_datasets(count: int) -> None:
    ds: Dataset[Any] = Dataset.range(1)
    for number in range(1, count):
        ds = ds.concatenate(Dataset.range(number, number + 1))
    assert len(ds) == count
    assert values(ds, count) == list(range(count))
    assert sorted(values(ds.shuffle(count), count)) == list(range(count))


def test_a_hundred_datasets_concatenated_from_the_other_end_and_through_maps() -> None:
    left: Dataset[Any] = Dataset.range(1)
    between: Dataset[Any] = Dataset.range(1)
    for number in range(1, 100):
        left = Dataset.range(number, number + 1).concatenate(left)
        between = between.concatenate(Dataset.range(1)).map(lambda n: n + 1)
    assert values(left) == list(range(99, -1, -1))
    assert sorted(values(between)) == sorted([99, *range(1, 100)])


LOOPS: dict[str, tuple[Callable[[Dataset[Any]], Dataset[Any]], list[int]]] = {
    "map": (lambda ds: ds.map(lambda n: n + 1), [4000, 4001]),
    "stateful map": (lambda ds: ds.map(lambda n: n + 1, purity="stateful"), [4000, 4001]),
    "skip": (lambda ds: ds.skip(1), [4000, 4001]),
    "take": (lambda ds: ds.take(2), [2000, 2001]),
    "repeat once": (lambda ds: ds.repeat(1), [2000, 2001]),
    "skip and map": (lambda ds: ds.skip(1).map(lambda n: n - 1), [2000, 2001]),
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_of_two_thousand_steps_that_become_one(name: str) -> None:
    step, expected = LOOPS[name]
    ds: Dataset[Any] = Dataset.range(2000, 4002)
    for _ in range(2000):
        ds = step(ds)
    assert ds.cardinality() >= 2
    assert str(ds.element_spec.dtype) == "int64"
    assert "Dataset" in repr(ds)
    assert [int(n) for n in ds.head(2)] == expected
    assert len(ds.explain().splitlines()) > 2000
    iterator = iter(ds)
    assert next(iterator) == expected[0]
    iterator.load_state_dict(iterator.state_dict())
    assert next(iterator) == expected[1]
    iterator.close()
    if "stateful" not in name:
        assert ds[1] == expected[1]


ENDS: dict[str, Callable[[Dataset[Any]], Any]] = {
    "iteration": lambda ds: next(iter(ds)),
    "head": lambda ds: ds.head(1),
    "explain": lambda ds: ds.explain(),
    "spec": lambda ds: ds.element_spec,
    "index": lambda ds: ds[0],
    "state": lambda ds: iter(ds).state_dict(),
    "repr": repr,
    "concatenate": lambda ds: ds.concatenate(ds),
    "slice": lambda ds: ds[1:3],
    "reduce": lambda ds: ds.reduce(0, max),
    "cache": lambda ds: ds.cache(),
    "shuffle": lambda ds: ds.shuffle(-2),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_plan_too_long_for_the_recursion_limit_says_so_and_what_to_write(end: str) -> None:
    ds: Dataset[Any] = Dataset.range(3)
    for _ in range(2000):
        ds = ds.batch(1)
    with pytest.raises(RecursionError, match=r"2,001 steps deep.*Build it of fewer steps"):
        ENDS[end](ds)


@pytest.mark.parametrize("length", range(260, 500, 40))
@pytest.mark.parametrize("name", ["filter", "map_batches"])
def test_a_plan_near_the_recursion_limit_runs_or_says_so(name: str, length: int) -> None:
    # Running a map_batches takes more frames than opening it.
    step = CHAINS["filter"][1] if name == "filter" else lambda ds: ds.map_batches(lambda rows: rows, 1)
    ds: Dataset[Any] = Dataset.range(3)
    for _ in range(length):
        ds = step(ds)
    found: Any
    try:
        found = values(ds)
    except RecursionError as error:
        found = "clear" if "steps deep" in str(error) else str(error)
    assert found in ([0, 1, 2], "clear")


def test_a_bound_plan_has_its_facts_in_the_order_of_its_steps() -> None:
    left = Dataset.range(4).shuffle(4, seed=1).map(lambda n: n).cache()
    ds = Dataset.zip(left.skip(1), Dataset.range(3).shuffle(3, seed=2)).concatenate(Dataset.zip(left, left)).shuffle(2)
    _, facts = bind(ds._node)
    again = bind(ds._node, facts)[1]
    assert again == facts
    assert [step.signature().split("(")[0] for step in walk(ds._node)] == [
        *("shuffle", "concatenate", "zip", "skip", "cache", "map", "shuffle", "range", "shuffle", "range"),
        *("zip", "cache", "map", "shuffle", "range", "cache", "map", "shuffle", "range"),
    ]
    seeds = [fact["seed"] if fact and "seed" in fact else None for fact in facts]
    assert seeds[1:] == [*[None] * 5, 1, None, 2, *[None] * 4, 1, None, None, None, 1, None]


def test_a_zip_of_zips() -> None:
    ds: Dataset[Any] = Dataset.range(3)
    for _ in range(30):
        ds = Dataset.zip(ds, Dataset.range(3)).map(lambda left, right: left + right)
    assert values(ds) == [0, 31, 62]


PIECES: dict[str, Callable[[int], Dataset[Any]]] = {
    "generator": lambda n: Dataset.from_generator(Yielding(*range(n))).batch(100).unbatch(),
    "shuffled generator": lambda n: Dataset.from_generator(Yielding(*range(n))).shuffle(n * 100, seed=1),
    "cached generator": lambda n: Dataset.from_generator(Yielding(*range(n))).cache().shuffle(n),
    "flat_map of one": lambda n: Dataset.range(n).flat_map(lambda k: Dataset.range(1)),
    "short epochs": lambda n: Dataset.range(2).shuffle(2).repeat(n // 2),
    "short epochs of a stream": lambda n: Dataset.range(4).filter(lambda k: k < 2).repeat(n // 2),
    "structures": lambda n: Dataset.range(n).map(lambda k: {"a": k, "b": (k, None)}, vectorize=False),
    "rows that differ": lambda n: Dataset.range(n).map(lambda k: np.arange(int(k) % 3), vectorize=False).shuffle(50),
}


@pytest.mark.parametrize("name", PIECES)
def test_many_small_pieces(name: str) -> None:
    # A hundredfold of what a linear engine needs: minutes where something is quadratic.
    assert sum(1 for _ in PIECES[name](4000)) == 4000
