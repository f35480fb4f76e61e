"""Plans can be pickled, as other processes need them; what belongs to one process stays there."""

from __future__ import annotations

import pickle
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import penstock
from penstock import Dataset
from tests.corners import values

Point = namedtuple("Point", "x y")


def doubled(n: Any) -> Any:
    return n * 2


def inverse(n: Any) -> Any:
    return 6 // int(n)


def is_odd(n: Any) -> bool:
    return bool(n % 2)


def below(n: Any) -> Dataset[Any]:
    return Dataset.range(n)


def drawn(n: Any, rng: Any) -> Any:
    return n + rng.random()


def three() -> Any:
    return iter(range(3))


PLANS: dict[str, Callable[[], Dataset[Any]]] = {
    "slices": lambda: Dataset.from_tensor_slices(({"a": np.arange(4)}, ["a", "b", "c", "d"], None)),
    "containers": lambda: Dataset.from_tensor_slices(Point([1, 2], [3, 4])),
    "list": lambda: Dataset.from_list([[1], [2, 3]]),
    "generator": lambda: Dataset.from_generator(three),
    "counter": lambda: Dataset.counter(3).take(2),
    "random": lambda: Dataset.random(seed=1).take(3),
    "map": lambda: Dataset.range(9).map(doubled).map(doubled),
    "map_batches": lambda: Dataset.range(9).map_batches(doubled, 2),
    "random_map": lambda: Dataset.range(9).random_map(drawn, seed=1),
    "filter": lambda: Dataset.range(9).filter(is_odd),
    "skipping": lambda: Dataset.range(9).map(inverse, on_error="skip"),
    "substituting": lambda: Dataset.range(9).map(inverse, on_error=penstock.retry(1, 0, penstock.substitute(7))),
    "ignore_errors": lambda: Dataset.range(9).map(inverse).ignore_errors(max_errors=0.5),
    "flat_map": lambda: Dataset.range(4).flat_map(below),
    "order": lambda: Dataset.range(9).shuffle(4, seed=1).repeat(2).skip(1).take(9).shard(2, 1),
    "shape": lambda: Dataset.range(9).enumerate().batch(2).unbatch(),
    "several": lambda: Dataset.zip({"a": Dataset.range(3), "b": Dataset.range(3).concatenate(Dataset.range(2))}),
    "running": lambda: Dataset.range(9).cache().prefetch(2),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_pickled_plan_gives_the_same_elements(name: str) -> None:
    ds = PLANS[name]()
    before = pickle.loads(pickle.dumps(ds))
    expected = values(ds)
    assert values(before) == expected
    assert repr(before) == repr(ds)


@pytest.mark.parametrize("name", PLANS)
def test_one_that_has_been_iterated_over_too_and_begins_anew(name: str) -> None:
    ds, fresh = PLANS[name](), PLANS[name]()
    values(ds)
    assert values(pickle.loads(pickle.dumps(ds))) == values(fresh)
