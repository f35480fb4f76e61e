"""One dataset after another: `concatenate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock.block import Block
from penstock.depth import ask
from penstock.mixing.alike import alike, unified
from penstock.mixing.places import resolve_mixed
from penstock.node import INFINITE, UNKNOWN, Access, Context, Epochs, Indices, Node, Operator, Places, State
from penstock.record import record
from penstock.spec import Spec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")
S = TypeVar("S")


def concatenate(self: Dataset[T], dataset: Dataset[S]) -> Dataset[T | S]:
    """Append the elements of `dataset`.

    >>> [int(n) for n in Dataset.range(2).concatenate(Dataset.range(5, 7))]
    [0, 1, 5, 6]

    Args:
        dataset: What follows; elements of the same structure and dtypes.

    Spec: dimensions that differ become None, a number of axes that differs makes the shape unknown.
    Cardinality: the sum; infinite if either is.
    Order: kept.  Random access: if both have it.
    Memory: none.  State: that of the input being read.

    Raises:
        TypeError: `dataset` is no Dataset, or structures or dtypes are known and differ.

    See also: zip, interleave.
    """
    if not isinstance(dataset, type(self)):
        raise TypeError(f"concatenate(): dataset must be a Dataset, but is {dataset!r}")
    left, right = self._node, dataset._node
    spec = unified("concatenate", [ask(node, lambda asked: asked.known_spec()) for node in (left, right)])
    return self._then(Concatenate((*_parts(left), *_parts(right)), spec))


def _parts(node: Node) -> tuple[Node, ...]:
    # One node with many inputs instead of a deep tree, however long the chain of calls.
    return node.parts if isinstance(node, Concatenate) else (node,)


@record
class Concatenate(Node):
    """The elements of each part in turn."""

    parts: tuple[Node, ...]
    spec: Spec | None
    """Of all parts; kept, since working it out for each of many parts at each of many calls is quadratic."""

    def known_spec(self) -> Spec | None:
        return self.spec

    def cardinality(self) -> int:
        sizes = [part.cardinality() for part in self.parts]
        if INFINITE in sizes:
            return INFINITE
        return UNKNOWN if UNKNOWN in sizes else sum(sizes)

    @property
    def access(self) -> Access:
        if any(part.cardinality() < 0 for part in self.parts[:-1]) or self.parts[-1].cardinality() == UNKNOWN:
            return Access.STREAM
        return min(part.access for part in self.parts)

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        starts = np.cumsum([0] + [part.cardinality() for part in self.parts[:-1]])
        which = np.searchsorted(starts, indices, side="right") - 1
        # Empty parts share their start with the next one; the last of them is the one that holds the index.
        return resolve_mixed("concatenate", self.parts, which, indices - starts[which], epochs, context)

    def open(self, context: Context) -> Operator:
        return _ConcatenateOperator(self.parts, context)

    def signature(self) -> str:
        return f"concatenate({len(self.parts)} datasets)"


class _ConcatenateOperator:
    """Opens each part when the one before has ended."""

    def __init__(self, parts: tuple[Node, ...], context: Context) -> None:
        self._parts = parts
        self._context = context
        self._number = 0
        self._source: Operator | None = None
        self._first: Block | None = None

    def next_block(self, rows: int) -> Block | None:
        while self._number < len(self._parts):
            block = self._open().next_block(rows)
            if block is not None:
                return self._checked(block)
            self.close()
            self._source = None
            self._number += 1
        return None

    def _checked(self, block: Block) -> Block:
        """`block`, or errors for its rows where they have another structure than those before."""
        if self._first is None and block.treedef is not None:
            self._first = block.slice(0, 0)
        return block if self._first is None else alike("concatenate", self._first.treedef, block)

    def _open(self) -> Operator:
        if self._source is None:
            self._source = self._context.open(self._parts[self._number])
        return self._source

    def get_state(self) -> State:
        return {"part": self._number, "input": None if self._source is None else self._source.get_state()}

    def set_state(self, state: Any) -> None:
        self._number = int(state["part"])
        self._source = None
        if state["input"] is not None:
            self._open().set_state(state["input"])

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
