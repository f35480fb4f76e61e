"""All but the first elements: `skip`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls
from penstock.block import Block
from penstock.node import Context, Epochs, IndexOnly, Indices, Node, Operator, State
from penstock.record import record
from penstock.tally import Tally

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_RUN_ROWS = 1024
_LARGEST_INDEX = 2**63 - 1


def skip(self: Dataset[T], count: int) -> Dataset[T]:
    """Drop the first `count` elements.

    >>> [int(n) for n in Dataset.range(5).skip(3)]
    [3, 4]

    Args:
        count: How many; -1 drops everything, as in tf.data.

    Spec: kept.
    Cardinality: max(0, n - count); infinite and unknown stay so.
    Order: kept.  Random access: if the input has it.
    Memory: none.  State: the input's.

    Raises:
        TypeError: `count` is no whole number.
        ValueError: `count` is below -1.

    See also: take.
    """
    number = calls.count("skip", "count", count, -1, "; -1 drops everything")
    return self._then(Skip(self._node, number))


@record
class Skip(IndexOnly):
    """The input from index `count` on; nothing of it where `count` is negative."""

    input: Node
    count: int

    def cardinality(self) -> int:
        size = self.input.cardinality()
        if self.count < 0:
            return 0
        return size if size < 0 else max(0, size - self.count)

    def locate(self, epochs: Epochs, indices: Indices, context: Context) -> tuple[Epochs, Indices]:
        return epochs, indices + self.count

    def open(self, context: Context) -> Operator:
        return _SkipOperator(context.open(self.input), self.count)

    def simplify(self) -> Node:
        below = self.input
        if isinstance(below, Skip) and self.count >= 0 and 0 <= below.count <= _LARGEST_INDEX - self.count:
            return Skip(below.input, self.count + below.count)
        return self

    def signature(self) -> str:
        return f"skip({self.count})"


class _SkipOperator:
    """Drops rows on the first demand; `_left` of them, or all where negative."""

    def __init__(self, source: Operator, count: int) -> None:
        self._source = source
        self._left = count
        self.tally = Tally()

    def next_block(self, rows: int) -> Block | None:
        if self._left < 0:
            return None
        while self._left:
            dropped = self._source.next_block(min(self._left, _RUN_ROWS))
            if dropped is None:
                return None
            self._left -= dropped.rows
        block = self._source.next_block(rows)
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

    def close(self) -> None:
        self._source.close()
