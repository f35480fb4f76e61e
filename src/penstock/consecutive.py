"""Steps that join consecutive elements, a fixed number at a time: what `batch` and `padded_batch` share."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from penstock.block import Block
from penstock.node import Access, Context, Epochs, Indices, Node, Operator, Places, State, advance, follow_one_another
from penstock.record import record
from penstock.spec import Spec, batched
from penstock.stream import exactly


@record
class Consecutive(Node):
    """Element j joins elements j * batch_size, ... of the input; subclasses say how rows become one."""

    input: Node
    batch_size: int
    drop_remainder: bool

    @abstractmethod
    def join(self, block: Block, offsets: Indices, first: int | Indices, context: Context) -> Block:
        """Rows `offsets[j]` to `offsets[j + 1]` as row j; all have `batch_size` where that divides the rows.

        `first` is the index of the first row, or of the first row of each batch where they do not follow one another.
        """

    @property
    def stacks(self) -> bool:
        """Whether a batch is its rows one behind the other, so that they may be written where it is to lie."""
        return False

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
        source = context.open(self.input, joined_rows=self.batch_size if self.stacks else 0)
        return _ConsecutiveOperator(self, source, context)


class _Batches(Places):
    """Batches whose elements are already resolved."""

    __slots__ = ("_below", "_context", "_node", "_offsets", "_starts")

    def __init__(self, node: Consecutive, below: Places, offsets: Any, starts: Indices, context: Context) -> None:
        self.rows = len(starts)
        self._node = node
        self._below = below
        self._offsets = offsets
        self._starts = starts
        self._context = context

    def gather(self, start: int, stop: int) -> Block:
        offsets = self._offsets[start : stop + 1]
        block = self._below.gather(int(offsets[0]), int(offsets[-1]))
        return self._node.join(block, offsets - offsets[0], self._starts[start:stop], self._context)


class _ConsecutiveOperator:
    """Asks for whole batches; holds nothing but how many elements have passed, for the positions in errors."""

    def __init__(self, node: Consecutive, source: Operator, context: Context) -> None:
        self._node = node
        self._source = source
        self._context = context
        self._seen = 0
        self._rows_in_all: int | None = None
        self._ended = False

    def next_block(self, rows: int) -> Block | None:
        if self._ended:
            return None
        size = self._node.batch_size
        block = exactly(self._source, rows * size, self._context.allocate, size)
        if block is None:
            return None
        first = self._seen
        self._seen += block.rows
        rest = block.rows % size
        if rest:
            self._rows_in_all = self._seen
        if rest and self._node.drop_remainder:
            self._ended = True
            if block.rows < size:
                return None
            block = block.slice(0, block.rows - rest)
            rest = 0
        offsets = np.arange(0, block.rows + 1, size)
        return self._node.join(block, np.append(offsets, block.rows) if rest else offsets, first, self._context)

    def get_state(self) -> State:
        return {"seen": self._seen, "ended": self._ended, "input": self._source.get_state()}

    def set_state(self, state: Any) -> None:
        self._seen, self._ended = int(state["seen"]), bool(state["ended"])
        self._source.set_state(state["input"])

    def advance(self, state: State, rows: int) -> State | None:
        elements = rows * self._node.batch_size
        if self._rows_in_all is not None:
            # The last batch is short, and a source may take a place beyond its end for a sign of lost data.
            elements = min(elements, self._rows_in_all - state["seen"])
        below = advance(self._source, state["input"], elements)
        return None if below is None else {**state, "seen": state["seen"] + elements, "input": below}

    def close(self) -> None:
        self._source.close()
