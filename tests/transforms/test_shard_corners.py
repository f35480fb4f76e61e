"""`shard` in odd corners: more shards than elements, streams, errors, wrong arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from tests.corners import Counting, failing_at, outcomes, values


@pytest.mark.parametrize("streamed", [False, True], ids=["by index", "stream"])
@pytest.mark.parametrize("rows", [0, 1, 5, 8, 9])
def test_shards_are_every_nth_element_and_together_the_whole(rows: int, streamed: bool) -> None:
    ds = Dataset.range(rows)
    if streamed:
        ds = ds.filter(lambda n: n >= 0)
    for index in range(4):
        assert values(ds.shard(4, index)) == list(range(index, rows, 4))
        assert streamed or len(ds.shard(4, index)) == len(range(index, rows, 4))


def test_more_shards_than_elements() -> None:
    assert values(Dataset.range(3).shard(2**62, 2)) == [2]
    assert Dataset.range(5).shard(8, 7).cardinality() == 0
    assert values(Dataset.range(5).shard(8, 7)) == []


def test_a_shard_of_an_endless_dataset_is_endless() -> None:
    ds = Dataset.range(3).repeat().shard(2, 1)
    assert ds.cardinality() == -1
    assert values(ds.take(4)) == [1, 0, 2, 1]


def test_a_function_without_effects_runs_for_the_shard_only() -> None:
    seen = Counting()
    assert values(Dataset.range(9).map(seen, purity="stateless").shard(3, 1)) == [1, 4, 7]
    assert seen.seen == [1, 4, 7]


def test_an_error_counts_as_an_element() -> None:
    ds = Dataset.range(8).map(failing_at(2, 5))
    assert outcomes(ds.shard(2, 0)) == [0, KeyError, 40, 60]
    assert outcomes(ds.shard(2, 1)) == [10, 30, KeyError, 70]


def test_counts_may_be_integers_of_numpy() -> None:
    assert values(Dataset.range(5).shard(np.int64(2), np.array(1))) == [1, 3]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((0, 0), ValueError, "num_shards must be at least 1, but is 0"),
        ((-2, 0), ValueError, "num_shards must be at least 1, but is -2"),
        ((3, 3), ValueError, "index must be below num_shards, but is 3 of 3; shards count from 0"),
        ((3, -1), ValueError, "index must be at least 0, but is -1"),
        ((3, 1.5), TypeError, "index must be an integer of at least 0, but is 1.5"),
        (("3", 0), TypeError, "num_shards must be an integer of at least 1, but is '3'"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_at_the_call(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^shard\(\): ") as raised:
        Dataset.range(3).shard(*arguments)
    assert text in str(raised.value)
