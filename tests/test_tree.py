"""Nested structures to components and back."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import numpy as np
import pytest

from penstock import tree

Point = namedtuple("Point", "x y")


@dataclasses.dataclass(frozen=True)
class Frozen:
    image: Any
    label: Any
    derived: Any = dataclasses.field(init=False, default=None)


@dataclasses.dataclass
class Opaque:
    __penstock_component__ = True
    value: int


ELEMENTS: list[Any] = [
    1,
    "text",
    (),
    (1,),
    (1, (2, 3)),
    {"z": 1, "a": 2},
    {2: 1, "a": 2, None: 3},
    OrderedDict(z=1, a=2),
    Point(1, (2, 3)),
    Frozen(1, {"k": 2}),
    None,
    (None, 1),
    (1, [2, 3]),
    {"a": (), "b": [1]},
]


@pytest.mark.parametrize("element", ELEMENTS, ids=repr)
def test_unflatten_is_the_inverse_of_flatten(element: Any) -> None:
    leaves, treedef = tree.flatten(element)
    again = tree.unflatten(treedef, leaves)
    assert again == element
    assert type(again) is type(element)
    assert len(tree.paths(treedef)) == treedef.num_leaves == len(leaves)


@pytest.mark.parametrize(
    ("element", "leaves"),
    [
        ((1, [2, 3]), [1, [2, 3]]),
        ([(1, 2)], [[(1, 2)]]),
        ({"z": 1, "a": (2, 3)}, [2, 3, 1]),
        (Point([1], 2), [[1], 2]),
        (Frozen(1, 2), [1, 2]),
        ((None, ()), []),
    ],
    ids=repr,
)
def test_lists_are_components_and_dicts_are_flattened_in_one_order(element: Any, leaves: list[Any]) -> None:
    assert tree.flatten(element)[0] == leaves


def test_a_class_that_says_so_stays_one_component() -> None:
    value = Opaque(3)
    assert tree.flatten((value, 1))[0] == [value, 1]


def test_default_dicts_and_dicts_of_other_orders() -> None:
    leaves, treedef = tree.flatten(defaultdict(list, b=1, a=2))
    assert type(tree.unflatten(treedef, leaves)) is defaultdict
    assert tree.flatten({"a": 1, "b": 2})[1] == tree.flatten({"b": 3, "a": 4})[1]
    assert tree.flatten({"a": 1, "b": 2})[1] != tree.flatten({"a": 1, "c": 2})[1]


@pytest.mark.parametrize(
    ("element", "paths"),
    [
        (5, [""]),
        ((1, {"image": 2}), ["[0]", "[1]['image']"]),
        (Frozen(1, Point(2, 3)), [".image", ".label.x", ".label.y"]),
    ],
    ids=repr,
)
def test_paths_are_what_a_user_would_write(element: Any, paths: list[str]) -> None:
    assert tree.paths(tree.flatten(element)[1]) == paths


def test_show_is_short() -> None:
    assert tree.show(tree.flatten((1, {"a": np.zeros(3)}))[1]) == "(*, {'a': *})"
    assert tree.show(tree.LEAF) == "*"


def test_only_an_exact_tuple_is_a_tuple() -> None:
    for element, expected in [((1, 2), True), (Point(1, 2), False), ({"a": 1}, False), (3, False), ((), True)]:
        is_tuple = tree.form(tree.flatten(element)[1]) in (tree.Form.FLAT_TUPLE, tree.Form.TUPLE)
        assert is_tuple is expected


def test_arrays_of_objects_and_strings_are_components() -> None:
    array = np.array([(1, 2), None], object)
    assert tree.flatten(array)[0][0] is array
    assert tree.flatten("abc")[0] == ["abc"]
