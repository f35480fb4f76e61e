"""Rewrites a plan until no rule changes it any more, and checks after every rule that it means the same."""

from __future__ import annotations

from collections.abc import Callable

from penstock.node import Node, rebuild, walk
from penstock.optimizer.push_to_source import push_to_source

_MOST_ROUNDS = 1000
# Each check asks all steps below: of longer plans that would be millions of questions.
_CHECKED_STEPS = 300

Rule = Callable[[Node], Node]


def simplify(node: Node) -> Node:
    """What the node says of itself: drop no-ops, fuse equals."""
    return node.simplify()


RULES: tuple[Rule, ...] = (simplify, push_to_source)


def optimize(plan: Node) -> Node:
    """An equal plan that costs less.

    Raises:
        AssertionError: A rule changed the spec or the cardinality, which is a mistake in that rule; of plans of up to
            300 steps.
    """
    apply = _checked if len(walk(plan)) <= _CHECKED_STEPS else _applied
    for _ in range(_MOST_ROUNDS):
        before = plan
        for rule in RULES:
            plan = rebuild(plan, lambda node, rule=rule: apply(rule, node))  # type: ignore[misc]
        if plan is before:
            return plan
    raise AssertionError(f"the rules {[rule.__name__ for rule in RULES]} do not come to an end on this plan")


def _applied(rule: Rule, node: Node) -> Node:
    return rule(node)


def _checked(rule: Rule, node: Node) -> Node:
    changed = rule(node)
    if changed is not node:
        old, new = node.known_spec(), changed.known_spec()
        if old is not None and new is not None and old != new:
            raise AssertionError(f"rule {rule.__name__} changed the spec of {node.signature()} from {old} to {new}")
        if node.cardinality() != changed.cardinality():
            raise AssertionError(f"rule {rule.__name__} changed the cardinality of {node.signature()}")
    return changed
