"""`ds[i]`, many times over: the plan is prepared once, and what it gives stays the first pass."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from penstock.ends import index as module
from tests.corners import plain, values

SIZE = 300

PLANS: dict[str, Callable[[], Dataset[Any]]] = {
    "buffered shuffle": lambda: Dataset.range(SIZE).shuffle(40, seed=3).map(lambda n: n * 2),
    "full shuffle": lambda: Dataset.range(SIZE).shuffle(SIZE, seed=3).batch(7),
    "shuffles of each epoch": lambda: Dataset.range(SIZE // 6).shuffle(9, seed=1).repeat(6),
    "draws": lambda: Dataset.range(SIZE).random_map(lambda n, rng: n + rng.integers(100), seed=5),
    "two shuffles": lambda: Dataset.zip(
        Dataset.range(SIZE).shuffle(9, seed=1), Dataset.range(SIZE).shuffle(30, seed=2)
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_any_order_of_indices_gives_the_first_pass_also_after_other_passes(name: str) -> None:
    ds = PLANS[name]()
    first = values(ds, SIZE)
    order = np.random.default_rng(0).permutation(len(ds)).tolist()
    assert [plain(ds[at]) for at in order] == [first[at] for at in order]
    assert values(ds, SIZE) != first
    assert [plain(ds[at]) for at in order[::-1]] == [first[at] for at in order[::-1]]
    assert plain(ds[-1]) == first[-1]


def test_looking_up_counts_as_no_pass() -> None:
    looked, fresh = (PLANS["buffered shuffle"]() for _ in range(2))
    for at in range(20):
        looked[at]
    assert values(looked) == values(fresh)


def test_threads_may_look_up_at_the_same_time() -> None:
    ds = PLANS["buffered shuffle"]()
    first = values(ds, SIZE)
    order = np.random.default_rng(0).permutation(SIZE).tolist() * 4
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda at: int(ds[at]), order)) == [first[at] for at in order]


def test_a_function_may_look_up_in_another_dataset_and_in_the_same_one() -> None:
    ds: Dataset[Any] = Dataset.range(5).map(lambda n: int(ds[n - 1]) + 1 if n else 0, purity="stateless")
    assert [int(ds[at]) for at in (4, 2, 0)] == [4, 2, 0]


def test_a_cache_is_looked_up_in_from_when_it_is_full_on() -> None:
    ds = Dataset.range(10).shuffle(4, seed=1).filter(lambda n: n >= 0).cache()
    known = Dataset.range(10).shuffle(4, seed=1).map(lambda n: n, purity="stateful").cache()
    with pytest.raises(TypeError, match="no access by index"):
        known[0]
    rows = values(known)
    assert [int(known[at]) for at in (9, 0, 5)] == [rows[9], rows[0], rows[5]]
    with pytest.raises(TypeError, match="no access by index"):
        _ = [list(ds), ds[0]][1]


def test_an_error_leaves_the_other_elements_as_they_are() -> None:
    ds = Dataset.range(4).shuffle(4, seed=0).map(lambda n: 1 // int(n))
    found = [outcome(ds, at) for at in (0, 1, 2, 3, 0, 1, 2, 3)]
    assert sorted(found[:4], key=str) == [0, 0, 1, ZeroDivisionError]
    assert found[:4] == found[4:]


def outcome(ds: Dataset[Any], at: int) -> Any:
    try:
        return int(ds[at])
    except ZeroDivisionError:
        return ZeroDivisionError


def test_the_plan_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[Any] = []
    prepare = module.prepare
    monkeypatch.setattr(module, "prepare", lambda *given: prepared.append(given) or prepare(*given))
    ds = Dataset.range(50).shuffle(7)
    for at in range(50):
        ds[at]
    assert len(prepared) == 1


def test_a_pickled_dataset_forgets_what_it_prepared() -> None:
    ds = Dataset.range(50).shuffle(7, seed=1)
    first = [int(ds[at]) for at in range(50)]
    copied = pickle.loads(pickle.dumps(ds))
    assert copied._lookup.plan is None
    assert [int(copied[at]) for at in range(50)] == first


def test_batches_belong_to_whoever_looked_them_up() -> None:
    ds = Dataset.range(6).batch(3)
    ds[0][:] = -1
    assert ds[0].tolist() == [0, 1, 2]
