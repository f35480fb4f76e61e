"""From a plan to operators: nodes with access by index run as arithmetic on places, all others open themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from penstock.engine.background import BackgroundOperator
from penstock.engine.by_index import IndexOperator
from penstock.engine.memory import Allocator
from penstock.node import Access, Context, IndexOnly, Node, Operator, Source, walk
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

    @property
    def epoch(self) -> int:
        return self._epoch

    def open(self, node: Node, epoch: int | None = None) -> Operator:
        context = self if epoch is None or epoch == self._epoch else self._at(epoch)
        return open_node(node, context)

    def open_nested(self, node: Node, pass_number: int, facts: Any | None = None) -> tuple[Operator, Any]:
        plan, facts = self._prepare(node, facts or [{"pass": pass_number} for _ in walk(node)])
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


def open_node(node: Node, context: Context) -> Operator:
    """Start the operator that runs `node`."""
    if isinstance(node, (Source, IndexOnly)) and node.access is not Access.STREAM:
        return IndexOperator(node, context)
    return node.open(context)
