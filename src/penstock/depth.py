"""Long plans: questions that Python's recursion limit would cut short, and what is said where it does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from penstock.node import Node
from penstock.plan import rebuild, walk

T = TypeVar("T")

SHORT_PLAN_STEPS = 50
"""Plans of so many steps need no look at how deep they are."""

_LEAST_FRAMES_PER_STEP = 2  # of opening: the context's method and the node's


def simplify(plan: Node) -> Node:
    """The plan with each step as simple as it says of itself."""
    return rebuild(plan, lambda step: step.simplify())


def ask(node: Node, question: Callable[[Node], T], shorten: Callable[[Node], Node] = simplify) -> T:
    """What `question` finds at `node`, or where the plan is too long for that, at the equal plan that `shorten` gives.

    Raises:
        RecursionError: That one is too long too; says how long, and what to write instead.
    """
    try:
        return question(node)
    except RecursionError:
        pass
    try:
        return question(shorten(node))
    except RecursionError:
        raise too_deep(node) from None


def too_deep(node: Node) -> RecursionError:
    """The error to raise where a plan is longer than Python's recursion limit lets it run."""
    return RecursionError(
        f"the pipeline is {depth(node):,} steps deep, too many for Python's recursion limit of "
        f"{sys.getrecursionlimit():,}: each step that runs calls the one before it. Build it of fewer steps: several "
        "functions in one map() or filter(), zip(a, b, c) instead of zip(zip(a, b), c), concatenate() without other "
        f"steps in between, repeat(n) instead of a loop; or raise the limit. The last step is {node.signature()}"
    )


def refuse_too_deep(node: Node) -> None:
    """See to it that the optimised plan `node` could run, called from here, under Python's recursion limit.

    Raises:
        RecursionError: It could not.
    """
    in_use = 0
    frame = sys._getframe().f_back
    while frame is not None:
        in_use, frame = in_use + 1, frame.f_back
    if depth(node) * _LEAST_FRAMES_PER_STEP > sys.getrecursionlimit() - in_use:
        raise too_deep(node)


def depth(node: Node) -> int:
    """How many steps follow one another on the longest way from a source to `node`, both counted."""
    found: dict[int, int] = {}
    for step in reversed(walk(node)):
        found[id(step)] = 1 + max((found[id(part)] for part in step.inputs), default=0)
    return found[id(node)]
