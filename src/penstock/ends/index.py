"""Elements by index: `ds[i]` and `ds[a:b]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls
from penstock.block import Block
from penstock.depth import ask, too_deep
from penstock.ends.run import prepare
from penstock.engine.pass_facts import pass_facts
from penstock.engine.run import RunContext
from penstock.node import Node
from penstock.optimizer.optimize import optimize
from penstock.plan import walk

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def getitem(self: Dataset[T], index: Any) -> Any:
    """The element at an index, or a dataset of the elements in a slice.

    >>> int(Dataset.range(10).map(lambda n: n * n)[3])
    9

    Raises:
        TypeError: The plan has no access by index; names the first step that has none.
        IndexError: The index is out of range.
    """
    if isinstance(index, slice):
        return _slice(self, index)
    at = calls.count("Dataset.__getitem__", "index", index)
    lookup = self._lookup
    plan, size, are_batches = lookup.plan or lookup.prepare(self._node)
    if not plan.access:
        step = next(node for node in reversed(walk(plan)) if not node.access)
        raise TypeError(f"Dataset[{at}]: {step.signature()} has no access by index; use skip({at}).take(1)")
    at = at + size if at < 0 <= size else at
    if at < 0 or at >= size >= 0:
        raise IndexError(f"Dataset[{index}]: the dataset has {size if size >= 0 else 'endless'} elements")
    block = lookup.row(plan, at)
    if block.errors:
        raise block.errors[0]
    if are_batches:
        block = block.private()
    return block.element(0, are_batches)


class Lookup:
    """What one dataset keeps between two calls of `ds[i]`: its plan in the first pass, and orders that were drawn.

    Any number of threads may use it, and processes forked off them: each call takes a context of its own from a list,
    atomically, and brings it back when it has not failed. Pickles as new.

    Attributes:
        plan: The plan, its cardinality, and whether it yields batches; None until a plan with access by index is found.
    """

    __slots__ = ("_idle", "plan")

    def __init__(self) -> None:
        self.plan: tuple[Node, int, bool] | None = None
        self._idle: list[RunContext] = []

    def __reduce__(self) -> Any:
        return Lookup, ()

    def prepare(self, written: Node) -> tuple[Node, int, bool]:
        """Bind and optimise the plan; one that has access by index has it for good, since caches stay full."""
        plan, _ = prepare(written, pass_facts(written, 0))
        found = plan, plan.cardinality(), plan.yields_batches
        if plan.access:
            self.plan = found
        return found

    def row(self, plan: Node, at: int) -> Block:
        """The element at `at`, as a block of one row."""
        try:
            context = self._idle.pop()
        except IndexError:
            context = RunContext(prepare)
        try:
            block = plan.resolve(0, np.array([at], np.int64), context).gather(0, 1)
        except RecursionError:
            raise too_deep(plan) from None
        self._idle.append(context)
        return block


def _slice(self: Dataset[T], part: slice) -> Dataset[T]:
    size = ask(self._node, lambda node: node.cardinality(), optimize)
    counts_back = (part.start or 0) < 0 or (part.stop is not None and part.stop < 0)
    if size < 0 and (counts_back or part.step not in (None, 1)):
        raise TypeError(f"Dataset[{part}]: needs a known number of elements; use skip() and take()")
    start, stop, step = part.indices(size) if size >= 0 else (part.start or 0, part.stop, part.step or 1)
    if step < 1:
        raise ValueError(f"Dataset[{part}]: the step must be at least 1, but is {step}")
    found = self.skip(start)
    if stop is not None:
        found = found.take(max(0, stop - start))
    return found if step == 1 else found.shard(step, 0)
