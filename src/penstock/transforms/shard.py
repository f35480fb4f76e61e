"""Every n-th element: `shard`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls
from penstock.block import Block
from penstock.node import Context, Epochs, IndexOnly, Indices, Node, Operator
from penstock.record import record
from penstock.stream import SurplusOperator

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def shard(self: Dataset[T], num_shards: int, index: int) -> Dataset[T]:
    """Keep every `num_shards`-th element, from element `index` on.

    >>> [int(n) for n in Dataset.range(10).shard(3, 1)]
    [1, 4, 7]

    A state taken on one shard is the index among all elements, so it loads on any shard, also of another number.

    Args:
        num_shards: Into how many parts the elements are dealt; at least 1.
        index: Which part, from 0.

    Spec: kept.
    Cardinality: the number of such elements.
    Order: kept.  Random access: if the input has it.
    Memory: none.  State: the input's.

    Raises:
        TypeError: An argument is no whole number.
        ValueError: `num_shards` is below 1 or `index` is not in [0, num_shards).

    See also: take, skip.
    """
    number = calls.count("shard", "num_shards", num_shards, 1)
    place = calls.count("shard", "index", index, 0)
    if place >= number:
        raise ValueError(f"shard(): index must be below num_shards, but is {place} of {number}; shards count from 0")
    return self._then(Shard(self._node, number, place))


@record
class Shard(IndexOnly):
    """Input indices `index`, `index + num_shards`, ..."""

    input: Node
    num_shards: int
    index: int

    def cardinality(self) -> int:
        size = self.input.cardinality()
        return size if size < 0 else max(0, -(-(size - self.index) // self.num_shards))

    def locate(self, epochs: Epochs, indices: Indices, context: Context) -> tuple[Epochs, Indices]:
        return epochs, indices * self.num_shards + self.index

    def open(self, context: Context) -> Operator:
        return _ShardOperator(context.open(self.input), self.num_shards, self.index)

    def global_index(self, index: int) -> int:
        return index * self.num_shards

    def local_index(self, index: int) -> int:
        return max(0, -(-(index - self.index) // self.num_shards))

    def signature(self) -> str:
        return "shard()"

    def label(self) -> str:
        return f"shard({self.num_shards}, {self.index})"


class _ShardOperator(SurplusOperator):
    """Counts the input's rows to know which are kept."""

    def __init__(self, source: Operator, num_shards: int, index: int) -> None:
        super().__init__(source)
        self._num_shards = num_shards
        self._index = index
        self._seen = 0

    def produce(self, rows: int) -> Block | None:
        wait = (self._index - self._seen) % self._num_shards
        block = self.source.next_block(wait + 1 + (rows - 1) * self._num_shards)
        if block is None:
            return None
        self._seen += block.rows
        return block.take(np.arange(wait, block.rows, self._num_shards))

    def own_state(self) -> Any:
        return self._seen

    def set_own_state(self, state: Any) -> None:
        self._seen = int(state)

    def get_state(self) -> Any:
        state = super().get_state()
        handed_over = self._kept_below(state["own"]) + state["taken"]
        return {**state, "global": handed_over * self._num_shards}

    def set_state(self, state: Any) -> None:
        # The state may be of another shard, also of another number: what counts is the index among all elements.
        taken = self._kept_below(int(state["global"])) - self._kept_below(int(state["own"]))
        super().set_state({**state, "taken": max(0, taken)})

    def advance(self, state: Any, rows: int) -> Any:
        return {**state, "taken": state["taken"] + rows, "global": state["global"] + rows * self._num_shards}

    def _kept_below(self, stop: int) -> int:
        """How many of the first `stop` elements of the input belong to this shard."""
        return max(0, -(-(stop - self._index) // self._num_shards))
