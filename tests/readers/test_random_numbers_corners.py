"""`random` in odd corners: passes, epochs, access by index."""

from __future__ import annotations

import numpy as np
import pytest

from penstock import INFINITE_CARDINALITY, Dataset, TensorSpec
from tests.corners import values


def test_the_same_numbers_in_every_pass_and_epoch() -> None:
    ds = Dataset.random(seed=4)
    assert values(ds.take(5)) == values(ds.take(5)) == values(Dataset.random(seed=4).take(5))
    found = values(ds.take(5).repeat(2))
    assert found[:5] == found[5:]


def test_other_numbers_each_time_if_asked_for_also_with_a_seed() -> None:
    ds, other = (Dataset.random(seed=4, rerandomize_each_iteration=True) for _ in range(2))
    passes = [values(ds.take(5)), values(ds.take(5))]
    assert passes[0] != passes[1]
    assert passes == [values(other.take(5)), values(other.take(5))]
    found = values(ds.take(5).repeat(2))
    assert found[:5] != found[5:]


def test_without_a_seed_two_datasets_differ_and_one_does_not() -> None:
    ds = Dataset.random()
    assert values(ds.take(5)) == values(ds.take(5)) != values(Dataset.random().take(5))


def test_number_i_is_the_same_however_it_is_reached() -> None:
    whole = values(Dataset.random(seed=4).take(60))
    assert values(Dataset.random(seed=4).skip(50).take(10)) == whole[50:]
    assert values(Dataset.random(seed=4).shard(7, 3).take(8)) == whole[3:60:7][:8]
    assert int(Dataset.random(seed=4)[17]) == whole[17]
    assert all(0 <= n < 2**32 for n in whole)


def test_spec_and_cardinality() -> None:
    assert Dataset.random().element_spec == TensorSpec((), np.int64)
    assert Dataset.random().cardinality() == INFINITE_CARDINALITY


@pytest.mark.parametrize("seed", ["x", 1.5])
def test_a_seed_that_is_no_whole_number_is_refused_at_the_call(seed: object) -> None:
    with pytest.raises(TypeError, match=r"^random\(\): seed must be an integer or None, but is"):
        Dataset.random(seed=seed)
