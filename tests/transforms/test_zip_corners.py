"""`zip` in odd corners: structures, lengths, errors, wrong arguments."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import pytest

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from tests.corners import failing_at, outcomes, values

Point = namedtuple("Point", "x y")
LEFT, RIGHT = Dataset.range(3), Dataset.range(10, 12)


def test_one_dataset_gives_its_own_elements_and_no_tuples_of_one() -> None:
    assert values(Dataset.zip(LEFT)) == [0, 1, 2]
    assert values(Dataset.zip((LEFT,))) == [(0,), (1,), (2,)]


def test_any_structure_as_one_argument_or_by_name() -> None:
    assert values(Dataset.zip(LEFT, RIGHT)) == [(0, 10), (1, 11)]
    assert values(Dataset.zip((LEFT, RIGHT))) == [(0, 10), (1, 11)]
    assert values(Dataset.zip(datasets=(LEFT, RIGHT))) == [(0, 10), (1, 11)]
    assert values(Dataset.zip({"b": LEFT, "a": (RIGHT, LEFT)})) == [{"b": 0, "a": (10, 0)}, {"b": 1, "a": (11, 1)}]
    assert type(next(iter(Dataset.zip(Point(LEFT, RIGHT))))) is Point


def test_elements_that_are_structures_stay_nested() -> None:
    pairs = Dataset.from_tensor_slices(([1, 2], {"k": [3, 4]}))
    ds = Dataset.zip(pairs, RIGHT)
    assert values(ds) == [((1, {"k": 3}), 10), ((2, {"k": 4}), 11)]
    assert ds.element_spec[0][1]["k"].shape == ()


def test_it_stops_with_the_shortest_wherever_that_stands() -> None:
    empty = Dataset.range(0)
    for ds in (Dataset.zip(empty, LEFT), Dataset.zip(LEFT, empty), Dataset.zip(LEFT.repeat(), empty)):
        assert values(ds) == []
        assert ds.cardinality() == 0
    assert len(values(Dataset.zip(LEFT.repeat(), RIGHT))) == 2


def test_cardinality_is_the_least_and_unknown_if_any_is() -> None:
    unknown = LEFT.filter(lambda n: n > 0)
    assert Dataset.zip(LEFT, RIGHT).cardinality() == 2
    assert Dataset.zip(LEFT.repeat(), RIGHT.repeat()).cardinality() == INFINITE_CARDINALITY
    assert Dataset.zip(unknown, Dataset.range(0)).cardinality() == UNKNOWN_CARDINALITY


def test_where_one_input_fails_the_others_advance_all_the_same() -> None:
    ds = Dataset.zip(Dataset.range(5).map(failing_at(1)), Dataset.range(5).map(failing_at(3)), Dataset.range(5))
    assert outcomes(ds) == [(0, 0, 0), KeyError, (20, 20, 2), KeyError, (40, 40, 4)]


def test_one_dataset_twice() -> None:
    assert values(Dataset.zip(LEFT, LEFT)) == [(0, 0), (1, 1), (2, 2)]


def test_a_reshuffling_dataset_twice_gives_two_orders_as_two_loops_over_it_would() -> None:
    ds = Dataset.range(40).shuffle(40, seed=1)
    pairs = values(Dataset.zip(ds, ds))
    assert [left for left, _ in pairs] != [right for _, right in pairs]
    same = Dataset.range(40).shuffle(40, seed=1, reshuffle_each_iteration=False)
    assert all(left == right for left, right in values(Dataset.zip(same, same)))


@pytest.mark.parametrize(
    ("arguments", "keywords", "text"),
    [
        ((), {}, "give datasets as arguments, or one structure of them"),
        ((LEFT,), {"datasets": (RIGHT,)}, "or one structure of them"),
        (([LEFT, RIGHT],), {}, "use a tuple instead of a list"),
        ((LEFT, 3), {}, "expected datasets, but found 3"),
        (({"a": None},), {}, "no dataset in the structure; pass at least one"),
        (((),), {}, "no dataset in the structure; pass at least one"),
    ],
    ids=["none", "both", "list", "number", "None", "empty"],
)
def test_wrong_arguments_are_refused_at_the_call(arguments: Any, keywords: Any, text: str) -> None:
    with pytest.raises(TypeError, match=r"^zip\(\): ") as raised:
        Dataset.zip(*arguments, **keywords)
    assert text in str(raised.value)
