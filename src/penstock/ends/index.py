"""Elements by index: `ds[i]` and `ds[a:b]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls
from penstock.block import Block
from penstock.ends.run import pass_facts, prepare
from penstock.engine.run import RunContext
from penstock.node import walk

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
    size = self._node.cardinality()
    plan, _ = prepare(self._node, pass_facts(self._node, 0))
    if not plan.access:
        step = next(node for node in reversed(walk(plan)) if not node.access)
        raise TypeError(f"Dataset[{at}]: {step.signature()} has no access by index; use skip({at}).take(1)")
    at = at + size if at < 0 <= size else at
    if at < 0 or at >= size >= 0:
        raise IndexError(f"Dataset[{index}]: the dataset has {size if size >= 0 else 'endless'} elements")
    block: Block = plan.resolve(0, np.array([at], np.int64), RunContext(prepare)).gather(0, 1)
    if block.errors:
        raise block.errors[0]
    if plan.yields_batches:
        block = block.private()
    return block.element(0, plan.yields_batches)


def _slice(self: Dataset[T], part: slice) -> Dataset[T]:
    size = self._node.cardinality()
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
