"""Elements with their number: `enumerate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from penstock import calls, tree
from penstock.block import Block, Dense
from penstock.blockwise import Blockwise
from penstock.node import (
    Context,
    Epochs,
    Indices,
    Node,
)
from penstock.record import record
from penstock.spec import Spec, TensorSpec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def enumerate_(self: Dataset[T], start: int = 0) -> Dataset[tuple[np.int64, T]]:
    """Put each element's number before it.

    >>> [(int(i), letter) for i, letter in Dataset.from_list(["a", "b"]).enumerate(start=5)]
    [(5, 'a'), (6, 'b')]

    Args:
        start: The first number.

    Spec: a pair of an int64 scalar and the input's element, which stays nested.
    Cardinality: the input's.
    Order: kept.  Random access: if the input has it.
    Memory: none.  State: the input's.

    Raises:
        TypeError: `start` is no whole number.

    See also: zip, counter.
    """
    return self._then(Enumerate(self._node, calls.count("enumerate", "start", start)))


@record
class Enumerate(Blockwise):
    """(start + index, element)."""

    input: Node
    start: int

    def known_spec(self) -> Spec | None:
        spec = self.input.known_spec()
        if spec is None:
            return None
        return Spec(tree.tuple_of([tree.LEAF, spec.treedef]), (TensorSpec((), np.int64), *spec.leaves))

    @property
    def yields_batches(self) -> bool:
        return self.input.yields_batches

    @property
    def is_positional(self) -> bool:
        return True

    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        if block.treedef is None:
            return block
        numbers = np.arange(indices, indices + block.rows) if isinstance(indices, int) else np.array(indices)
        numbers = numbers.astype(np.int64) + self.start
        treedef = tree.tuple_of([tree.LEAF, block.treedef])
        return Block(treedef, [Dense(numbers), *block.columns], block.rows, block.errors, block.fresh)

    def signature(self) -> str:
        return f"enumerate({self.start})"
