"""From a plan to operators: nodes with access by index run as arithmetic on places, all others open themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from penstock.block import Block
from penstock.depth import SHORT_PLAN_STEPS, too_deep
from penstock.engine.background import BackgroundOperator
from penstock.engine.by_index import IndexOperator
from penstock.engine.memory import Allocator
from penstock.engine.pass_facts import pass_facts
from penstock.node import Access, IndexOnly, Node, Operator, Source, State, advance
from penstock.passes import ReadingPace

M = TypeVar("M")

Prepare = Callable[[Node, Any | None], tuple[Node, Any]]
"""Binds a plan, newly or by the facts of an earlier run, and optimises it; gives the facts."""


class RunContext:
    """What one run of a plan shares between its operators; implements `penstock.node.Context`."""

    def __init__(self, prepare: Prepare, allocator: Allocator | None = None) -> None:
        self._prepare = prepare
        self._allocator = allocator or Allocator()
        self._memos: dict[int, tuple[object, Any]] = {}
        self._epoch = 0
        self.num_opened = 0

    @property
    def epoch(self) -> int:
        return self._epoch

    def open(self, node: Node, epoch: int | None = None) -> Operator:
        self.num_opened += 1
        context = self if epoch is None or epoch == self._epoch else self._at(epoch)
        if isinstance(node, (Source, IndexOnly)) and node.access is not Access.STREAM:
            return IndexOperator(node, context)
        # Not through a function of its own: each further frame per step shortens the longest plan that runs.
        return node.open(context)

    def open_nested(self, node: Node, pass_number: int, facts: Any | None = None) -> tuple[Operator, Any]:
        plan, facts = self._prepare(node, facts or pass_facts(node, pass_number, first=pass_number))
        return open_node(plan, RunContext(self._prepare, self._allocator)), facts

    def background(
        self,
        open_operator: Callable[[], Operator],
        buffer_rows: int,
        pace: ReadingPace,
        is_shareable: Callable[[], bool],
    ) -> Operator:
        return BackgroundOperator(open_operator, buffer_rows, pace, is_shareable)

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        return self._allocator.allocate(shape, dtype)

    def memo(self, owner: object, make: Callable[[], M]) -> M:
        found = self._memos.get(id(owner))
        if found is None:
            # The owner is kept too, so that its id is not used again.
            found = self._memos[id(owner)] = (owner, make())
        return cast(M, found[1])

    def _at(self, epoch: int) -> RunContext:
        # Scratch is not shared: two epochs may run at the same time, in two threads.
        other = RunContext(self._prepare, self._allocator)
        other._epoch = epoch
        return other


def open_node(node: Node, context: RunContext) -> Operator:
    """Start the operator that runs a whole plan, `node` and what is below it."""
    try:
        operator = context.open(node)
    except RecursionError:
        raise too_deep(node) from None
    return operator if context.num_opened <= SHORT_PLAN_STEPS else _LongPlanOperator(node, operator)


class _LongPlanOperator:
    """Runs a plan of many steps; where Python's recursion limit ends that, the error says what to do about it."""

    def __init__(self, node: Node, operator: Operator) -> None:
        self._node = node
        self._operator = operator

    def _run(self, step: Callable[..., M], *args: Any) -> M:
        try:
            return step(*args)
        except RecursionError:
            raise too_deep(self._node) from None

    def next_block(self, rows: int) -> Block | None:
        return self._run(self._operator.next_block, rows)

    def get_state(self) -> State:
        return self._run(self._operator.get_state)

    def set_state(self, state: State) -> None:
        self._run(self._operator.set_state, state)

    def advance(self, state: State, rows: int) -> State | None:
        return self._run(advance, self._operator, state, rows)

    def close(self) -> None:
        self._run(self._operator.close)
