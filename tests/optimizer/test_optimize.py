"""The optimiser: what it rewrites, what it leaves, that nothing shows of it, and that it checks its rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from penstock import Dataset
from penstock.node import Node
from penstock.optimizer import optimize as module
from penstock.optimizer.optimize import optimize
from penstock.optimizer.push_to_source import push_to_source
from penstock.plan import walk
from tests.corners import Counting, failing_at, outcomes, values


def steps(ds: Dataset[Any]) -> list[str]:
    """The classes of the optimised plan, the source first."""
    return [type(node).__name__ for node in reversed(walk(optimize(ds._node)))]


RANGE = Dataset.range(20)

REWRITES: dict[str, tuple[Dataset[Any], list[str]]] = {
    "maps are fused": (RANGE.map(lambda n: n + 1).map(lambda n: n * 2).map(lambda n: n - 1), ["Range", "Map"]),
    "skip before a map": (RANGE.map(lambda n: n + 1).skip(3), ["Range", "Skip", "Map"]),
    "take before maps": (
        RANGE.map(lambda n: n + 1).map(lambda n: n * 2).take(3),
        ["Range", "Take", "Map"],
    ),
    "shard before a map": (RANGE.map(lambda n: n + 1).shard(4, 1), ["Range", "Shard", "Map"]),
    "all of them": (
        RANGE.map(lambda n: n + 1).shard(2, 1).map(lambda n: n * 2).skip(2).take(3),
        ["Range", "Shard", "Skip", "Take", "Map"],
    ),
    "repeat(1) is dropped": (RANGE.repeat(1), ["Range"]),
    "shuffle(1) is dropped": (RANGE.shuffle(1), ["Range"]),
    "zip of one is dropped": (Dataset.zip(RANGE), ["Range"]),
}


@pytest.mark.parametrize("name", REWRITES)
def test_rewrites(name: str) -> None:
    ds, expected = REWRITES[name]
    assert steps(ds) == expected


KEPT: dict[str, tuple[Dataset[Any], list[str]]] = {
    "effects": (RANGE.map(Counting()).take(3), ["Range", "Map", "Take"]),
    "skip of effects": (RANGE.map(Counting()).skip(3), ["Range", "Map", "Skip"]),
    "numbers": (RANGE.enumerate().skip(3), ["Range", "Enumerate", "Skip"]),
    "draws": (RANGE.random_map(lambda n, rng: n).skip(3), ["Range", "RandomMap", "Skip"]),
    "filter": (RANGE.filter(lambda n: n > 3).take(3), ["Range", "Filter", "Take"]),
    "shuffle": (RANGE.shuffle(5).take(3), ["Range", "Shuffle", "Take"]),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_must_not_be_moved_stays(name: str) -> None:
    ds, expected = KEPT[name]
    assert steps(ds) == expected


def test_a_function_with_effects_sees_the_elements_that_are_skipped() -> None:
    seen = Counting()
    assert values(RANGE.map(seen).skip(2).take(2)) == [2, 3]
    assert seen.seen == [0, 1, 2, 3]


def test_a_function_without_effects_does_not() -> None:
    seen = Counting()
    assert values(RANGE.map(seen, purity="stateless").skip(2).take(2)) == [2, 3]
    assert seen.seen == [2, 3]


@pytest.mark.parametrize("cut", [lambda ds: ds.take(3), lambda ds: ds.skip(3), lambda ds: ds.shard(3, 2)])
def test_errors_are_where_they_were(cut: Callable[[Dataset[Any]], Dataset[Any]]) -> None:
    bad = failing_at(2, 5, 9)
    pure, stateful = (outcomes(cut(RANGE.map(bad, purity=purity))) for purity in ("pure", "stateful"))
    assert pure == stateful


def test_a_plan_that_nothing_improves_is_the_same_object() -> None:
    node = RANGE.filter(lambda n: n > 3).batch(2)._node
    assert optimize(node) is node


def test_the_written_plan_is_not_changed() -> None:
    node = RANGE.map(lambda n: n + 1).map(lambda n: n * 2).take(3)._node
    before = [step.signature() for step in walk(node)]
    optimize(node)
    assert [step.signature() for step in walk(node)] == before


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (lambda node: Dataset.range(3)._node if node.cardinality() == 20 else node, "changed the cardinality of range"),
        (
            lambda node: Dataset.range(20, output_type="int8")._node if "int64" in node.signature() else node,
            "changed the spec of range",
        ),
    ],
    ids=["cardinality", "spec"],
)
def test_a_rule_that_changes_what_a_plan_means_is_found(
    monkeypatch: pytest.MonkeyPatch, rule: Callable[[Node], Node], text: str
) -> None:
    def mistaken(node: Node) -> Node:
        return rule(node)

    monkeypatch.setattr(module, "RULES", (mistaken,))
    with pytest.raises(AssertionError, match="rule mistaken " + text):
        list(RANGE)


def test_rules_that_undo_each_other_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_ROUNDS", 20)
    monkeypatch.setattr(module, "RULES", (lambda node: Dataset.range(20)._node,))
    with pytest.raises(AssertionError, match="do not come to an end"):
        list(RANGE)


def test_pushing_is_for_take_skip_and_shard_over_maps_alone() -> None:
    for ds in (RANGE, RANGE.map(lambda n: n), RANGE.batch(2).take(1), RANGE.take(2).map(lambda n: n)):
        assert push_to_source(ds._node) is ds._node
