"""Records behave as the dataclasses do that they stand for."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from penstock.record import record


class Plain:
    """Some fields."""

    first: int
    second: Any
    third: str = "c"
    hidden: list[int] = dataclasses.field(default_factory=list, repr=False, compare=False)

    def total(self) -> str:
        return f"{self.first}{self.third}"


def written_as(decorate: Callable[[type], Any], parent: Any = object) -> Any:
    """`Plain`, decorated."""
    body = {name: value for name, value in vars(Plain).items() if name not in ("__dict__", "__weakref__")}
    return decorate(type("Plain", (parent,), body))


DATACLASS = written_as(dataclasses.dataclass(frozen=True, slots=True, eq=False))
RECORD = written_as(record)
WITH_VALUES = written_as(dataclasses.dataclass(frozen=True, slots=True))
RECORD_WITH_VALUES = written_as(record(eq=True))
PAIRS = [(DATACLASS, RECORD), (WITH_VALUES, RECORD_WITH_VALUES)]

CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1, 2), {}),
    ((1,), {"second": None}),
    ((1, 2, "x", [3]), {}),
    ((), {"hidden": [1], "third": "t", "second": 2, "first": 1}),
]
WRONG: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((1, 2, "x", [3], 5), {}),
    ((1, 2), {"first": 3}),
    ((1, 2), {"unknown": 3}),
    ((1,), {"second": 2, "first": 1}),
]


def fields_of(one: Any) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}


@pytest.mark.parametrize(("known", "ours"), PAIRS)
@pytest.mark.parametrize(("values", "named"), CALLS)
def test_takes_and_shows_what_a_dataclass_does(known: Any, ours: Any, values: Any, named: Any) -> None:
    one, other = known(*values, **named), ours(*values, **named)
    assert fields_of(one) == fields_of(other)
    assert repr(one) == repr(other)
    assert one.total() == other.total()
    assert fields_of(dataclasses.replace(one, first=7)) == fields_of(dataclasses.replace(other, first=7))
    assert not hasattr(other, "__dict__")


@pytest.mark.parametrize(("known", "ours"), PAIRS)
@pytest.mark.parametrize(("values", "named"), WRONG)
def test_refuses_what_a_dataclass_refuses(known: Any, ours: Any, values: Any, named: Any) -> None:
    for cls in (known, ours):
        with pytest.raises(TypeError):
            cls(*values, **named)


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(TypeError, match=r"Plain\(\) needs second=; it takes first, second, third, hidden"):
        RECORD(1)


def test_defaults_of_factories_are_not_shared() -> None:
    assert RECORD(1, 2).hidden is not RECORD(1, 2).hidden


@pytest.mark.parametrize("ours", [RECORD, RECORD_WITH_VALUES])
def test_cannot_be_changed(ours: Any) -> None:
    one = ours(1, 2)
    with pytest.raises(dataclasses.FrozenInstanceError, match=r"Plain\.first cannot be changed"):
        one.first = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.first
    assert one.first == 1


def test_equality_is_of_identities_or_of_compared_fields() -> None:
    assert len({RECORD(1, []), RECORD(1, [])}) == 2
    assert RECORD_WITH_VALUES(1, 2, hidden=[1]) == RECORD_WITH_VALUES(1, 2, hidden=[2])
    assert RECORD_WITH_VALUES(1, 2) != RECORD_WITH_VALUES(1, 3)
    assert RECORD_WITH_VALUES(1, 2) != WITH_VALUES(1, 2)
    assert len({RECORD_WITH_VALUES(1, 2), RECORD_WITH_VALUES(1, 2)}) == 1


@record(eq=True)
class Pickled:
    """In a module, so that it can be found again."""

    first: Any
    second: int = 5


def test_can_be_pickled_and_copied() -> None:
    one = Pickled([1, 2])
    assert pickle.loads(pickle.dumps(one)) == copy.copy(one) == copy.deepcopy(one) == one
    assert copy.deepcopy(one).first is not one.first


@pytest.mark.parametrize(("known", "ours"), PAIRS)
def test_help_shows_the_same_signature(known: Any, ours: Any) -> None:
    expected = [(one.name, one.kind) for one in inspect.signature(known).parameters.values()]
    found = inspect.signature(ours)
    assert [(one.name, one.kind) for one in found.parameters.values()] == expected
    assert found.parameters["third"].default == "c"
    assert found.parameters["first"].default is inspect.Parameter.empty


def test_fields_come_after_those_of_the_parent_and_methods_of_its_own_stay() -> None:
    @record
    class Child(RECORD):
        fourth: int = 4

        def __repr__(self) -> str:
            return "mine"

    child = Child(1, 2, fourth=6)
    assert list(fields_of(child)) == ["first", "second", "third", "hidden", "fourth"]
    assert (child.total(), child.fourth, repr(child)) == ("1c", 6, "mine")
