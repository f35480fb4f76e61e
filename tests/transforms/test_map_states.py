"""Maps that follow one another, with workers of their own each: their states are those of one map."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from penstock import Dataset
from penstock.errors import StateError
from tests.corners import values

ELEMENTS = 30
SETTINGS: dict[str, dict[str, Any]] = {
    "alone": {},
    "two": {"num_parallel_calls": 2, "executor": "thread"},
    "four": {"num_parallel_calls": 4, "executor": "thread"},
    "free": {"num_parallel_calls": 3, "executor": "thread", "deterministic": False},
}
IN_ORDER = [*itertools.product(["alone", "two", "four"], repeat=2)]


def maps(*settings: str) -> Dataset[Any]:
    ds: Dataset[Any] = Dataset.range(ELEMENTS)
    for name in settings:
        ds = ds.map(lambda n: n + 1, **SETTINGS[name])
    return ds


def resumed(state: Any, *settings: str) -> Any:
    iterator = iter(maps(*settings))
    iterator.load_state_dict(json.loads(json.dumps(state)))
    return iterator


@pytest.mark.parametrize("before", IN_ORDER, ids="-".join)
def test_states_load_whatever_workers_each_has(before: tuple[str, str]) -> None:
    with iter(maps(*before)) as iterator:
        assert values(iterator, 11) == list(range(2, 13))
        state = iterator.state_dict()
    for after in IN_ORDER:
        with resumed(state, *after) as iterator:
            assert values(iterator, 5) == list(range(13, 18)), after
            again = iterator.state_dict()
        assert values(resumed(again, *reversed(after))) == list(range(18, 32)), after


def test_a_state_says_nothing_of_who_has_workers() -> None:
    states = []
    for settings in IN_ORDER:
        with iter(maps(*settings)) as iterator:
            values(iterator, 1)
            states.append(iterator.state_dict()["at"])
    assert all(state == states[0] for state in states), states


@pytest.mark.parametrize(
    "before", [("free", "alone"), ("alone", "free"), ("two", "free"), ("free", "free")], ids="-".join
)
@pytest.mark.parametrize(
    "after", [("free", "alone"), ("alone", "free"), ("two", "free"), ("free", "free")], ids="-".join
)
def test_a_free_order_goes_on_where_one_of_them_has_it(before: tuple[str, str], after: tuple[str, str]) -> None:
    for taken in range(0, ELEMENTS, 7):
        with iter(maps(*before)) as iterator:
            found = values(iterator, taken)
            state = iterator.state_dict()
        assert sorted(found + values(resumed(state, *after))) == list(range(2, ELEMENTS + 2)), taken


def test_a_free_order_is_refused_where_none_has_it() -> None:
    with iter(maps("free", "alone")) as iterator:
        values(iterator, 3)
        state = iterator.state_dict()
    with pytest.raises(StateError, match="deterministic=False"):
        resumed(state, "alone", "alone")


def test_what_is_moved_past_maps_is_moved_past_all_of_them_or_none() -> None:
    calls: list[int] = []

    def counted(n: Any) -> Any:
        calls.append(int(n))
        return n

    states = []
    for below, above in IN_ORDER:
        counting: Dataset[Any] = Dataset.range(12).map(counted, **SETTINGS[below])
        ds = counting.map(lambda n: n * 2, **SETTINGS[above]).shard(3, 1)
        with iter(ds) as iterator:
            assert values(iterator) == [2, 8, 14, 20]
        with iter(ds) as iterator:
            values(iterator, 1)
            states.append(iterator.state_dict()["at"])
    assert all(state == states[0] for state in states), states
