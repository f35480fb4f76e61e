"""`random_map` in odd corners: what the draws depend on, structures, errors."""

from __future__ import annotations

from typing import Any

import pytest

from penstock import Dataset
from tests.corners import outcomes, values


def drawn(n: Any, rng: Any) -> Any:
    return n * 1000 + rng.integers(1000)


def test_draws_depend_on_seed_pass_and_index_and_on_nothing_else() -> None:
    whole = values(Dataset.range(20).random_map(drawn, seed=3))
    assert values(Dataset.range(20).random_map(drawn, seed=3).skip(7)) == whole[7:]
    assert values(Dataset.range(20).random_map(drawn, seed=3).shard(3, 1)) == whole[1::3]
    assert Dataset.range(20).random_map(drawn, seed=3, purity="stateless")[11] == whole[11]
    assert [row for batch in values(Dataset.range(20).random_map(drawn, seed=3).batch(6)) for row in batch] == whole
    assert values(Dataset.range(20).random_map(drawn, seed=4)) != whole


def test_passes_differ_and_can_be_chosen() -> None:
    ds = Dataset.range(20).random_map(drawn, seed=3)
    first, second = values(ds), values(ds)
    assert first != second
    assert [values(ds.iterator(epoch=0)), values(ds.iterator(epoch=1))] == [first, second]
    found = values(Dataset.range(20).random_map(drawn, seed=3).repeat(2))
    assert found[:20] != found[20:]


def test_without_rerandomizing_all_passes_and_epochs_are_the_same() -> None:
    ds = Dataset.range(20).random_map(drawn, seed=3, rerandomize_each_iteration=False)
    assert values(ds) == values(ds)
    found = values(ds.repeat(2))
    assert found[:20] == found[20:]


def test_without_a_seed_two_datasets_differ() -> None:
    ds = Dataset.range(20)
    assert values(ds.random_map(drawn)) != values(ds.random_map(drawn))


@pytest.mark.parametrize("seed", [0, -1, 2**64 - 1, 2**70])
def test_a_seed_may_be_any_whole_number(seed: int) -> None:
    assert values(Dataset.range(3).random_map(drawn, seed=seed)) == values(
        Dataset.range(3).random_map(drawn, seed=seed)
    )


def test_a_tuple_is_unpacked_and_the_generator_comes_last() -> None:
    ds = Dataset.from_tensor_slices(([1], [2])).random_map(lambda x, y, rng: (x, y, rng.random() < 2))
    assert values(ds) == [(1, 2, True)]
    mapping = Dataset.from_tensors({"a": 1}).random_map(lambda element, rng: element["a"])
    assert values(mapping) == [1]


def test_an_error_costs_its_element_and_can_be_called_again_with_the_same_draws() -> None:
    def fails(n: Any, rng: Any) -> Any:
        draw = int(rng.integers(10**9))
        if n == 2:
            raise ValueError(draw)
        return n

    ds = Dataset.range(4).random_map(fails, seed=1)
    assert outcomes(ds) == [0, 1, ValueError, 3]
    with pytest.raises(ValueError) as raised:
        list(ds)
    with pytest.raises(ValueError) as again:
        ds.replay(raised.value)
    assert again.value.args == raised.value.args


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"map_func": 3}, TypeError, "map_func must be a function, but is 3"),
        ({"map_func": abs, "seed": 1.5}, TypeError, "seed must be an integer or None, but is 1.5"),
        ({"map_func": abs, "num_parallel_calls": 0}, ValueError, "num_parallel_calls must be at least 1, but is 0"),
        ({"map_func": abs, "purity": "none"}, ValueError, "purity must be"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^random_map\(\): ") as raised:
        Dataset.range(3).random_map(**arguments)
    assert text in str(raised.value)
