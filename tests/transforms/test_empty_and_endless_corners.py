"""Nothing at all, and no end at all, through every transformation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penstock import INFINITE_CARDINALITY, Dataset
from tests.corners import Counting, values

STEPS: dict[str, Callable[[Dataset[Any]], Dataset[Any]]] = {
    "map": lambda ds: ds.map(lambda n: n + 1),
    "map with effects": lambda ds: ds.map(Counting()),
    "map_batches": lambda ds: ds.map_batches(lambda n: n, 3),
    "random_map": lambda ds: ds.random_map(lambda n, rng: n),
    "enumerate": lambda ds: ds.enumerate(),
    "filter": lambda ds: ds.filter(lambda n: n >= 0),
    "shuffle": lambda ds: ds.shuffle(3),
    "repeat": lambda ds: ds.repeat(2),
    "repeat for ever": lambda ds: ds.repeat(),
    "take": lambda ds: ds.take(-1),
    "skip": lambda ds: ds.skip(2),
    "shard": lambda ds: ds.shard(2, 1),
    "concatenate": lambda ds: ds.concatenate(ds),
    "flat_map": lambda ds: ds.flat_map(lambda n: Dataset.range(2)),
    "batch": lambda ds: ds.batch(2),
    "batch of whole ones": lambda ds: ds.batch(2, drop_remainder=True),
    "batch and unbatch": lambda ds: ds.batch(2).unbatch(),
    "cache": lambda ds: ds.cache(),
    "prefetch": lambda ds: ds.prefetch(2),
    "zip": lambda ds: Dataset.zip(ds, ds),
    "apply": lambda ds: ds.apply(lambda inner: inner.map(lambda n: n)),
}

NOTHING = {
    "range": Dataset.range(0),
    "slices": Dataset.from_tensor_slices(np.zeros((0, 2))),
    "generator": Dataset.from_generator(list),
    "filter": Dataset.range(9).filter(lambda n: n < 0),
    "take": Dataset.range(9).map(Counting()).take(0),
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("source", NOTHING)
def test_nothing_stays_nothing(source: str, name: str) -> None:
    ds = STEPS[name](NOTHING[source])
    assert values(ds) == []
    assert ds.cardinality() in (0, -1, -2)
    assert ds
    assert ds.head(2) == []
    iterator = iter(ds)
    state = iterator.state_dict()
    assert values(iterator) == values(iterator) == []
    iterator.load_state_dict(state)
    assert values(iterator) == []
    if ds.cardinality() != INFINITE_CARDINALITY:
        assert ds.reduce("start", lambda state, element: "more") == "start"


@pytest.mark.parametrize("name", [name for name in STEPS if name != "cache"])
def test_what_has_no_end_is_read_as_far_as_it_is_asked_for(name: str) -> None:
    ds = STEPS[name](Dataset.range(3).repeat())
    assert len(values(ds.take(7))) == 7
    assert ds.cardinality() == (-2 if name in ("filter", "flat_map", "batch and unbatch") else INFINITE_CARDINALITY)
    assert len(ds.head(5)) == 5
    if ds.cardinality() == INFINITE_CARDINALITY:
        with pytest.raises(TypeError, match="infinite"):
            len(ds)
        with pytest.raises(ValueError, match="endless"):
            ds.reduce(0, lambda state, element: state)
        with pytest.raises(ValueError, match="endless"):
            ds.cache()


@pytest.mark.parametrize("name", STEPS)
def test_one_element(name: str) -> None:
    ds = STEPS[name](Dataset.range(5, 6))
    some = values(ds.take(3))
    assert len(some) == {
        "repeat": 2,
        "repeat for ever": 3,
        "concatenate": 2,
        "skip": 0,
        "shard": 0,
        "flat_map": 2,
        "batch of whole ones": 0,
    }.get(name, 1)
