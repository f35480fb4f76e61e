"""Saved states: of another plan, of another version, damaged, of changed functions; passes; rewinding."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from penstock.errors import StateError
from tests.corners import Yielding, values


def double(n: Any) -> Any:
    return n * 2


def pipeline(rows: int = 10, size: int = 3) -> Dataset[Any]:
    return Dataset.range(rows).shuffle(4, seed=1).map(double).batch(size)


def state_after(ds: Dataset[Any], count: int) -> Any:
    iterator = iter(ds)
    for _ in range(count):
        next(iterator)
    return json.loads(json.dumps(iterator.state_dict()))


def rest(ds: Dataset[Any], state: Any, **keywords: Any) -> list[Any]:
    iterator = iter(ds)
    iterator.load_state_dict(state, **keywords)
    return values(iterator)


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_a_fresh_dataset_built_alike_goes_on_where_the_state_was_taken(count: int) -> None:
    assert rest(pipeline(), state_after(pipeline(), count)) == values(pipeline())[count:]


def test_an_exhausted_iterator_stays_exhausted() -> None:
    iterator = iter(pipeline())
    list(iterator)
    assert rest(pipeline(), iterator.state_dict()) == []


def test_a_closed_iterator_still_says_where_it_was() -> None:
    for count in (0, 2):
        iterator = iter(pipeline())
        for _ in range(count):
            next(iterator)
        iterator.close()
        assert rest(pipeline(), iterator.state_dict()) == values(pipeline())[count:]


def test_saving_changes_nothing_and_twice_is_the_same() -> None:
    iterator = iter(pipeline())
    found = []
    for _ in range(4):
        assert iterator.state_dict() == iterator.state_dict()
        found += values(iterator, 1)
    assert found == values(pipeline())


def test_loading_before_every_step_changes_nothing() -> None:
    iterator = iter(pipeline())
    found = []
    for _ in range(4):
        iterator.load_state_dict(iterator.state_dict())
        found += values(iterator, 1)
    assert found == values(pipeline())


def test_loading_rewinds_the_same_iterator_also_after_its_end() -> None:
    iterator = iter(pipeline())
    start = iterator.state_dict()
    whole = values(iterator)
    iterator.load_state_dict(start)
    assert values(iterator) == whole


def test_the_seed_travels_in_the_state() -> None:
    ds = Dataset.range(30).shuffle(30)
    iterator = iter(ds)
    first = values(iterator, 10)
    assert sorted(first + rest(Dataset.range(30).shuffle(30), iterator.state_dict())) == list(range(30))


def test_passes_after_a_loaded_one_are_those_that_would_have_followed() -> None:
    original, restored = pipeline(), pipeline()
    values(original)
    state = state_after(original, 1)
    following = values(original)
    assert rest(restored, state) == values(pipeline().iterator(epoch=1))[1:]
    assert values(restored) == following


@pytest.mark.parametrize(
    "other",
    [
        pipeline(rows=11),
        pipeline(size=4),
        Dataset.range(10).map(double).batch(3),
        pipeline().take(1),
        Dataset.range(10).shuffle(5, seed=1).map(double).batch(3),
        Dataset.range(10).shuffle(4, seed=1).map(lambda n: n * 2).batch(3),
    ],
    ids=["rows", "batch size", "a step less", "a step more", "buffer", "function"],
)
def test_the_state_of_another_pipeline_is_refused_with_both_plans(other: Dataset[Any]) -> None:
    with pytest.raises(StateError, match="of another pipeline") as raised:
        rest(other, state_after(pipeline(), 1))
    text = str(raised.value)
    assert "The state's:\n  range(start=0, step=1, 10 numbers, int64)\n  shuffle(4" in text
    assert "This one:\n  range(" in text
    assert "Build the pipeline as it was, or pass strict=False" in text


def test_a_seed_is_no_part_of_the_pipeline() -> None:
    other = Dataset.range(10).shuffle(4, seed=99).map(double).batch(3)
    assert rest(other, state_after(pipeline(), 1)) == values(pipeline())[1:]


def test_not_strict_loads_it_all_the_same_and_facts_go_to_the_steps_they_are_of() -> None:
    ds, longer = Dataset.range(40).shuffle(40, seed=1).take(30), Dataset.range(40).shuffle(40, seed=77)
    state = state_after(ds, 10)
    with pytest.raises(StateError):
        rest(longer, state)
    assert rest(longer, state, strict=False) == values(Dataset.range(40).shuffle(40, seed=1))[10:]


def test_not_strict_cannot_load_positions_of_other_steps() -> None:
    with pytest.raises(StateError, match="does not fit this pipeline"):
        rest(Dataset.range(40).filter(lambda n: n > 3), state_after(Dataset.range(40), 10), strict=False)


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_another_version_is_refused_and_named(version: Any) -> None:
    with pytest.raises(StateError, match=rf"has version {version}, this penstock reads version 1; load it with"):
        rest(pipeline(), {**state_after(pipeline(), 1), "version": version})


@pytest.mark.parametrize("part", ["version", "facts", "at", "taken", "ended", "plan"])
def test_a_state_that_lacks_a_part_is_refused(part: str) -> None:
    state = state_after(pipeline(), 1)
    del state[part]
    with pytest.raises(StateError, match=r"^load_state_dict\(\): "):
        rest(pipeline(), state)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("taken", "x"),
        ("taken", -4),
        ("facts", None),
        ("facts", []),
        ("facts", [None]),
        ("facts", [None, {}, None, {"seed": 1}]),
        ("at", {}),
        ("at", []),
        ("at", {"index": "x"}),
        ("at", 7),
    ],
    ids=str,
)
def test_a_damaged_state_is_refused_whatever_is_broken(part: str, value: Any) -> None:
    ds = Dataset.range(10).filter(lambda n: n >= 0).shuffle(4, seed=1).batch(3)
    with pytest.raises(StateError, match=r"^load_state_dict\(\): "):
        rest(ds, {**state_after(ds, 1), part: value})


@pytest.mark.parametrize("state", [None, "text", 3, [], {}], ids=repr)
def test_what_is_no_state_is_refused(state: Any) -> None:
    with pytest.raises(StateError, match=r"expected what state_dict\(\) gave, but found"):
        rest(pipeline(), state)


def test_a_refused_state_leaves_the_iterator_where_it_was() -> None:
    whole = values(pipeline())
    good = state_after(pipeline(), 1)
    for bad in (None, {**good, "version": 9}, {**good, "at": {}}, {**good, "facts": []}, {**good, "plan": ["other"]}):
        iterator = iter(pipeline())
        first = values(iterator, 2)
        with pytest.raises(StateError):
            iterator.load_state_dict(bad)
        assert first + values(iterator) == whole


def scale_by(factor: int) -> Any:
    return lambda n: n * factor


class TestChangedFunctions:
    def load(self, before: Any, after: Any) -> list[str]:
        state = state_after(Dataset.range(5).map(before), 1)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            rest(Dataset.range(5).map(after), state)
        return [str(warning.message) for warning in found]

    def test_a_changed_constant_warns_and_names_the_function(self) -> None:
        functions = []
        for body in ("n * 2", "n * 3"):
            scope: dict[str, Any] = {}
            exec(f"def scaled(n): return {body}", scope)
            functions.append(scope["scaled"])
        (text,) = self.load(*functions)
        assert text.startswith("load_state_dict(): ")
        assert "map(scaled) has changed since the state was saved" in text

    def test_a_changed_captured_value_warns(self) -> None:
        (text,) = self.load(scale_by(2), scale_by(3))
        assert "scale_by.<locals>.<lambda>) has changed" in text

    def test_the_same_function_does_not_warn(self) -> None:
        assert self.load(double, double) == []
        assert self.load(scale_by(2), scale_by(2)) == []

    def test_another_python_cannot_tell_whether_a_function_has_changed(self) -> None:
        # Each release of Python has bytecode of its own, so the hash of the same function is another one.
        state = state_after(Dataset.from_tensor_slices(np.arange(5)).map(double), 1)
        (name,) = (name for name in state["functions"] if "map(double)" in name)
        state["functions"][name] = "0123456789abcdef of Python 3.10"
        told = r"map\(double\) may have changed since the state was saved, with Python 3\.10: Python 3\.\d+ cannot tell"
        with pytest.warns(UserWarning, match=told):
            rest(Dataset.from_tensor_slices(np.arange(5)).map(double), state)
        # That other numbers are others any Python can tell.
        with pytest.warns(UserWarning, match=told), pytest.warns(UserWarning, match=r"0: from_tensor_.* has changed"):
            rest(Dataset.from_tensor_slices(np.arange(1, 6)).map(double), state)

    def test_of_two_functions_of_one_name_the_first_is_seen_too(self) -> None:
        state = state_after(Dataset.range(5).map(scale_by(2)).map(scale_by(5)), 1)
        with pytest.warns(UserWarning, match=r"1: map\(.*has changed"):
            rest(Dataset.range(5).map(scale_by(3)).map(scale_by(5)), state)


def test_states_are_small_and_hold_positions_not_elements() -> None:
    rows = np.zeros((500, 1000))
    for ds in (
        Dataset.from_tensor_slices(rows).shuffle(200, seed=1).batch(2),
        Dataset.from_generator(lambda: iter(rows)).shuffle(200, seed=1).batch(2),
        Dataset.from_tensor_slices(rows).flat_map(lambda row: Dataset.from_tensor_slices(row)),
        Dataset.from_tensor_slices(rows).cache().prefetch(3),
    ):
        assert len(json.dumps(state_after(ds, 60))) < 2000


def test_a_generator_is_called_again_on_resume_and_its_elements_dropped() -> None:
    source = Yielding(*range(6))
    state = state_after(Dataset.from_generator(source), 4)
    again = Yielding(*range(6))
    state["functions"] = {}
    assert rest(Dataset.from_generator(again), state) == [4, 5]
    assert again.calls == 1
