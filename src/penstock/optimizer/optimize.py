"""Rewrites a plan until no rule changes it any more, and checks after every rule that it means the same."""

from __future__ import annotations

from collections.abc import Callable

from penstock.node import Node
from penstock.optimizer.push_to_source import push_to_source
from penstock.optimizer.read_used import read_used
from penstock.plan import rebuild, walk

_MOST_ROUNDS = 1000
# Each check asks all steps below: of longer plans that would be millions of questions.
_CHECKED_STEPS = 300

Rule = Callable[[Node], Node]


def simplify(node: Node) -> Node:
    """What the node says of itself: drop no-ops, fuse equals."""
    return node.simplify()


RULES: tuple[Rule, ...] = (simplify, push_to_source, read_used)


def optimize(plan: Node) -> Node:
    """An equal plan that costs less.

    Raises:
        AssertionError: A rule changed the spec or the cardinality, which is a mistake in that rule; of plans of up to
            300 steps.
    """
    apply = _checked if len(walk(plan)) <= _CHECKED_STEPS else _applied
    for _ in range(_MOST_ROUNDS):
        before = plan
        plan = rebuild(plan, lambda node: _improved(node, apply))
        if plan is before:
            return plan
    raise AssertionError(f"the rules {[rule.__name__ for rule in RULES]} do not come to an end on this plan")


def _improved(node: Node, apply: Callable[[Rule, Node], Node]) -> Node:
    """The node after each rule in turn; where one changed it, its new inputs too.

    Else a long chain in which steps change places would take a round for each of them.
    """
    for rule in RULES:
        changed = apply(rule, node)
        if changed is node:
            continue
        inputs = changed.inputs
        improved = list(inputs)
        for again in RULES:
            improved = [apply(again, part) for part in improved]
        is_same = all(new is old for new, old in zip(improved, inputs, strict=True))
        node = changed if is_same else changed.with_inputs(improved)
    return node


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
