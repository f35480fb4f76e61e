"""Plans as wholes: every node of one, a changed copy, and what holds if it holds for some node."""

from __future__ import annotations

from collections.abc import Callable

from penstock.node import Node, Purity


def walk(node: Node) -> list[Node]:
    """Every node of a plan, the last step first; without recursion, since chains can be long."""
    found: list[Node] = []
    stack = [node]
    while stack:
        current = stack.pop()
        found.append(current)
        stack.extend(reversed(current.inputs))
    return found


def rebuild(node: Node, change: Callable[[Node], Node]) -> Node:
    """Apply `change` to every node from the sources down, each seeing its changed inputs."""
    done: list[Node] = []
    stack: list[tuple[Node, bool]] = [(node, False)]
    while stack:
        current, expanded = stack.pop()
        inputs = current.inputs
        if inputs and not expanded:
            stack.append((current, True))
            stack.extend((child, False) for child in reversed(inputs))
            continue
        if inputs:
            changed = done[-len(inputs) :]
            del done[-len(inputs) :]
            if any(new is not old for new, old in zip(changed, inputs, strict=True)):
                current = current.with_inputs(changed)
        done.append(change(current))
    return done[0]


def demand_is_exact(node: Node) -> bool:
    """Whether nothing may be computed that was not asked for, because some function may have effects or be slow."""
    return any(step.purity > Purity.PURE for step in walk(node))
