"""The first elements: `take`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls
from penstock.block import Block
from penstock.node import UNKNOWN, Context, Epochs, IndexOnly, Indices, Node, Operator, State, advance
from penstock.record import record
from penstock.tally import Tally

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def take(self: Dataset[T], count: int) -> Dataset[T]:
    """Keep the first `count` elements.

    >>> [int(n) for n in Dataset.range(10).take(3)]
    [0, 1, 2]

    Args:
        count: How many; all for -1 or any negative number.

    Spec: kept.
    Cardinality: min(count, n); unknown stays unknown.
    Order: kept.  Random access: if the input has it.
    Memory: none.  State: the input's.

    Raises:
        TypeError: `count` is no whole number.

    See also: skip, take_while.
    """
    number = calls.count("take", "count", count)
    return self._then(Take(self._node, number)) if number >= 0 else self


@record
class Take(IndexOnly):
    """The first `count` elements of the input; an element that is an error counts."""

    input: Node
    count: int

    def cardinality(self) -> int:
        size = self.input.cardinality()
        if size == UNKNOWN:
            return UNKNOWN
        return self.count if size < 0 else min(self.count, size)

    def locate(self, epochs: Epochs, indices: Indices, context: Context) -> tuple[Epochs, Indices]:
        return epochs, indices

    def open(self, context: Context) -> Operator:
        return _TakeOperator(context.open(self.input), self.count)

    def simplify(self) -> Node:
        if isinstance(self.input, Take):
            return Take(self.input.input, min(self.count, self.input.count))
        return self

    def signature(self) -> str:
        return f"take({self.count})"


class _TakeOperator:
    """Counts what is still to come."""

    def __init__(self, source: Operator, count: int) -> None:
        self._source = source
        self._left = count
        self.tally = Tally()

    def next_block(self, rows: int) -> Block | None:
        if self._left <= 0:
            return None
        block = self._source.next_block(min(rows, self._left))
        self._left = self._left - block.rows if block is not None else 0
        if self._left <= 0:
            self._source.close()
        if block is not None:
            self.tally.blocks += 1
            if block.rows != 1 or block.errors:
                self.tally.add(block)
        return block

    def get_state(self) -> State:
        return {"left": self._left, "input": self._source.get_state()}

    def set_state(self, state: Any) -> None:
        self._left = int(state["left"])
        self._source.set_state(state["input"])

    def advance(self, state: State, rows: int) -> State | None:
        below = advance(self._source, state["input"], rows)
        return None if below is None else {"left": state["left"] - rows, "input": below}

    def close(self) -> None:
        self._source.close()
