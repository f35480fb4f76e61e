"""Consecutive elements joined into one: `batch`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls
from penstock.block import Block
from penstock.group import group, group_ragged
from penstock.node import Access, Context, Epochs, Indices, Node, Operator, Places, State, advance, follow_one_another
from penstock.spec import Spec, batched
from penstock.stream import exactly

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def batch(
    self: Dataset[T],
    batch_size: int,
    drop_remainder: bool = False,
    num_parallel_calls: int | None = None,
    deterministic: bool | None = None,
) -> Dataset[T]:
    """Join each `batch_size` consecutive elements into one element.

    >>> ds = Dataset.range(5).batch(2)
    >>> [element.tolist() for element in ds]
    [[0, 1], [2, 3], [4]]

    Batches are the user's own: they may be written into and kept.

    Args:
        batch_size: Elements per batch; at least 1.
        drop_remainder: Drop a last batch shorter than `batch_size`.
        num_parallel_calls: Accepted for tf.data's sake; batches are made one after another as yet.
        deterministic: Accepted for tf.data's sake; the order is always kept.

    Spec: shape s becomes (None, *s), or (batch_size, *s) with `drop_remainder`; dtype is kept.
    Cardinality: ceil(n / batch_size); floor with `drop_remainder`.
    Order: kept.  Random access: if the input has it and n is known.
    Memory: one batch.  State: the input's.

    An element that is an error makes its batch that error; the batches after it are what they would have been.

    Raises:
        TypeError: `batch_size` is no whole number.
        ValueError: `batch_size` is below 1.
        SpecError: Shapes or dtypes differ within a batch; names the component, both forms and both positions.

    See also: unbatch, padded_batch.
    """
    size = calls.count("batch", "batch_size", batch_size, 1)
    calls.parallel("batch", num_parallel_calls)
    return self._then(Batch(self._node, size, bool(drop_remainder)))


@dataclass(frozen=True, slots=True, eq=False)
class Batch(Node):
    """Element j stacks elements j * batch_size, ... of the input."""

    input: Node
    batch_size: int
    drop_remainder: bool

    def known_spec(self) -> Spec | None:
        spec = self.input.known_spec()
        rows = self.batch_size if self.drop_remainder else None
        return None if spec is None else spec.map_leaves(lambda leaf: batched(leaf, rows))

    def cardinality(self) -> int:
        size = self.input.cardinality()
        if size < 0:
            return size
        return size // self.batch_size if self.drop_remainder else -(-size // self.batch_size)

    @property
    def access(self) -> Access:
        return self.input.access if self.input.cardinality() >= -1 else Access.STREAM

    @property
    def keeps_pace(self) -> bool:
        return True

    @property
    def yields_batches(self) -> bool:
        return True

    @property
    def rows_per_element(self) -> int:
        return self.batch_size * self.input.rows_per_element

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        size = self.input.cardinality()
        starts = indices * self.batch_size
        if follow_one_another(indices) and (size < 0 or int(starts[-1]) + self.batch_size <= size):
            # Whole batches in order, which is what iteration asks for.
            offsets = np.arange(len(indices) + 1) * self.batch_size
            below = np.arange(int(starts[0]), int(starts[0]) + len(indices) * self.batch_size)
            if not isinstance(epochs, int):
                epochs = np.repeat(epochs, self.batch_size)
            return _Batches(self, self.input.resolve(epochs, below, context), offsets, starts, context)
        lengths = np.full(len(indices), self.batch_size)
        if size >= 0:
            lengths = np.minimum(lengths, size - starts)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        below = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        if not isinstance(epochs, int):
            epochs = np.repeat(epochs, lengths)
        return _Batches(self, self.input.resolve(epochs, below, context), offsets, starts, context)

    def open(self, context: Context) -> Operator:
        return _BatchOperator(self, context.open(self.input), context)

    def signature(self) -> str:
        return f"batch({self.batch_size}{', drop_remainder=True' if self.drop_remainder else ''})"


class _Batches(Places):
    """Batches whose elements are already resolved."""

    __slots__ = ("_below", "_context", "_node", "_offsets", "_starts")

    def __init__(self, node: Batch, below: Places, offsets: Any, starts: Indices, context: Context) -> None:
        self.rows = len(starts)
        self._node = node
        self._below = below
        self._offsets = offsets
        self._starts = starts
        self._context = context

    def gather(self, start: int, stop: int) -> Block:
        offsets = self._offsets[start : stop + 1]
        block = self._below.gather(int(offsets[0]), int(offsets[-1]))
        if block.rows == (stop - start) * self._node.batch_size:
            return group(block, self._node.batch_size, "batch", self._starts[start:stop], self._context)
        return group_ragged(block, offsets - offsets[0], "batch", self._starts[start:stop], self._context)


class _BatchOperator:
    """Asks for whole batches; holds nothing but how many elements have passed, for the positions in errors."""

    def __init__(self, node: Batch, source: Operator, context: Context) -> None:
        self._size = node.batch_size
        self._drops = node.drop_remainder
        self._source = source
        self._context = context
        self._seen = 0
        self._ended = False

    def next_block(self, rows: int) -> Block | None:
        if self._ended:
            return None
        size = self._size
        block = exactly(self._source, rows * size, self._context.allocate)
        if block is None:
            return None
        first = self._seen
        self._seen += block.rows
        rest = block.rows % size
        if rest and self._drops:
            self._ended = True
            if block.rows < size:
                return None
            block = block.slice(0, block.rows - rest)
            rest = 0
        if not rest:
            return group(block, size, "batch", first, self._context)
        offsets = np.append(np.arange(0, block.rows, size), block.rows)
        return group_ragged(block, offsets, "batch", first, self._context)

    def get_state(self) -> State:
        return {"seen": self._seen, "ended": self._ended, "input": self._source.get_state()}

    def set_state(self, state: Any) -> None:
        self._seen, self._ended = int(state["seen"]), bool(state["ended"])
        self._source.set_state(state["input"])

    def advance(self, state: State, rows: int) -> State | None:
        elements = rows * self._size
        below = advance(self._source, state["input"], elements)
        return None if below is None else {**state, "seen": state["seen"] + elements, "input": below}

    def close(self) -> None:
        self._source.close()
