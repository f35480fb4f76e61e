"""A whole plan as it travels to a process of its own: pickled once, the memory of its arrays beside the pickle."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.engine.pickles import dumps_for_worker, loads_step
from penstock.engine.portable import Elsewhere, culprit_of, detached
from penstock.node import Node
from penstock.plan import walk
from penstock.vectorize.function import ElementFunction

_OUT_OF_BAND_BYTES = 1 << 12


class PortablePlan:
    """A bound plan, pickled, with what else its run needs.

    Args:
        name: Who sends it, for errors.
        plan: What is sent.
        needs: What else is pickled with it, so that both share what they hold.

    Attributes:
        arrays: What travels: the pickle, and the memory of large arrays in it, which is not copied before it is sent.
        functions: The user functions in the plan, by the numbers that the other process calls them by.

    Raises:
        TypeError: The plan cannot be pickled; names the step, what in it cannot, and what to write instead.
    """

    __slots__ = ("arrays", "functions")

    def __init__(self, name: str, plan: Node, needs: Any) -> None:
        self.functions: list[ElementFunction] = []
        self.arrays: list[NDArray[Any]] = []
        try:
            pickled = dumps_for_worker((_apart(plan), needs), self._is_inline, self.functions)
        except Exception as error:
            raise _cannot_travel(name, plan, error) from error
        self.arrays.insert(0, np.frombuffer(pickled, np.uint8))

    def _is_inline(self, buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _OUT_OF_BAND_BYTES:
            return True
        self.arrays.append(np.frombuffer(raw, np.uint8))
        return False


def load_plan(arrays: Sequence[NDArray[Any]]) -> tuple[Node, Any, dict[int, ElementFunction]]:
    """The plan, what came with it, and its functions by their numbers; its arrays are those that were sent."""
    (steps, needs), functions = loads_step(arrays[0].data, arrays[1:])
    return _together(steps), needs, functions


_Steps = list[tuple[Node, list[int]]]
"""Each step without its inputs, and the numbers of those; inputs come before what reads them."""


def _apart(plan: Node) -> _Steps:
    """The steps of a plan, one beside the other: nested in one another, long plans would be too deep for pickle."""
    numbers: dict[int, int] = {}
    steps: _Steps = []
    for step in reversed(walk(plan)):
        if id(step) not in numbers:
            numbers[id(step)] = len(steps)
            alone = step.with_inputs([Elsewhere()] * len(step.inputs)) if step.inputs else step
            steps.append((alone, [numbers[id(part)] for part in step.inputs]))
    return steps


def _together(steps: _Steps) -> Node:
    done: list[Node] = []
    for step, numbers in steps:
        done.append(step.with_inputs([done[number] for number in numbers]) if numbers else step)
    return done[-1]


def _cannot_travel(name: str, plan: Node, error: Exception) -> TypeError:
    step, culprit = _culprit(plan)
    where = "the pipeline" if step is None else step.signature()
    return TypeError(
        f"{name}: {where} cannot be sent to a process of its own, since {culprit or 'it'} cannot be pickled ({error}); "
        "write executor='thread', or make what cannot be pickled inside the function, when it is first called"
    )


def _culprit(plan: Node) -> tuple[Node | None, str]:
    """The first step that cannot be pickled, and what in it cannot."""
    for step in reversed(walk(plan)):
        functions: list[ElementFunction] = []
        if _travels(partial(dumps_for_worker, detached(step), None, functions)):
            continue
        for field in dataclasses.fields(step):
            found = getattr(step, field.name)
            for value in found if isinstance(found, tuple) else (found,):
                if isinstance(value, Node) or _travels(partial(dumps_for_worker, value)):
                    continue
                function = value.function if isinstance(value, ElementFunction) else value
                return step, culprit_of(function) or f"its {field.name} (a {type(function).__qualname__})"
        return step, ""
    return None, ""


def _travels(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except Exception:
        return False
    return True
