"""Long chains of transformations, and many small pieces: no recursion limit, no quadratic time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penstock import Dataset
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
