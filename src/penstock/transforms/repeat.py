"""Several passes over the input: `repeat`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls
from penstock.block import Block
from penstock.node import INFINITE, UNKNOWN, Access, Context, Epochs, IndexOnly, Indices, Node, Operator, State
from penstock.record import record

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_EPOCHS_OF_ENDLESS = 2**32
_MOST_EMPTY_PASSES = 100
_LARGEST_INDEX = 2**63 - 1


def repeat(self: Dataset[T], count: int | None = None) -> Dataset[T]:
    """Go through the elements `count` times.

    >>> [int(n) for n in Dataset.range(2).repeat(3)]
    [0, 1, 0, 1, 0, 1]

    Each pass reshuffles, and calls generators again. An endless repeat of nothing ends.

    Args:
        count: How many times; for ever if None or negative.

    Spec: kept.
    Cardinality: count * n; infinite for an endless repeat, unless n is 0.
    Order: pass after pass.  Random access: if the input has it and its cardinality is known.
    Memory: none.  State: the input's and the number of the pass.

    Raises:
        TypeError: `count` is no whole number.

    See also: shuffle, cache.
    """
    number = -1 if count is None else calls.count("repeat", "count", count)
    return self._then(Repeat(self._node, max(number, -1)))


@record
class Repeat(IndexOnly):
    """The input `count` times, -1 for ever; epoch e turns into epochs e * count + 0, 1, ... of the input."""

    input: Node
    count: int

    def cardinality(self) -> int:
        size = self.input.cardinality()
        if size == 0 or self.count == 0:
            return 0
        if self.count < 0 or size == INFINITE:
            return INFINITE
        return UNKNOWN if size == UNKNOWN else size * self.count

    @property
    def access(self) -> Access:
        return self.input.access if self.input.cardinality() != UNKNOWN else Access.STREAM

    def epoch(self, epochs: Epochs, passes: Any) -> Any:
        """The input's epoch in pass number `passes` of epoch `epochs` here."""
        return epochs * (self.count if self.count > 0 else _EPOCHS_OF_ENDLESS) + passes

    def locate(self, epochs: Epochs, indices: Indices, context: Context) -> tuple[Epochs, Indices]:
        size = min(self.input.cardinality(), _LARGEST_INDEX)
        if size <= 0:
            return self.epoch(epochs, 0), indices
        if isinstance(epochs, int) and len(indices) and indices[0] // size == indices[-1] // size and _grow(indices):
            # One pass only, which is the common case: the epoch stays a single number.
            number = int(indices[0]) // size
            return self.epoch(epochs, number), indices - number * size
        passes = indices // size
        return self.epoch(np.asarray(epochs, np.uint64), passes.astype(np.uint64)), indices - passes * size

    def open(self, context: Context) -> Operator:
        return _RepeatOperator(self, context)

    def simplify(self) -> Node:
        return self.input if self.count == 1 and not isinstance(self.input, Repeat) else self

    def signature(self) -> str:
        return f"repeat({'' if self.count < 0 else self.count})"


def _grow(indices: Indices) -> bool:
    return bool((indices[1:] >= indices[:-1]).all())


class _RepeatOperator:
    """Opens the input anew for each pass.

    An endless repeat ends where nothing is to be expected any more: after a first pass that gave nothing, or after
    `_MOST_EMPTY_PASSES` of them in a row later on, since a generator or a filter of drawn numbers may have some.
    """

    def __init__(self, node: Repeat, context: Context) -> None:
        self._node = node
        self._context = context
        self._pass = 0
        self._source: Operator | None = None
        self._pass_gave_rows = False
        self._empty_passes = 0  # in a row, up to the last one that has ended

    def next_block(self, rows: int) -> Block | None:
        endless = self._node.count < 0
        while endless or self._pass < self._node.count:
            block = self._open().next_block(rows)
            if block is not None:
                self._pass_gave_rows, self._empty_passes = True, 0
                return block
            if not self._pass_gave_rows:
                self._empty_passes += 1
            if endless and self._empty_passes > (_MOST_EMPTY_PASSES if self._pass else 0):
                return None
            self._next_pass()
        return None

    def _next_pass(self) -> None:
        assert self._source is not None
        self._source.close()
        self._source = None
        self._pass_gave_rows = False
        self._pass += 1

    def _open(self) -> Operator:
        if self._source is None:
            self._source = self._context.open(self._node.input, self._node.epoch(self._context.epoch, self._pass))
        return self._source

    def get_state(self) -> State:
        source = self._source.get_state() if self._source is not None else None
        return {"pass": self._pass, "gave": self._pass_gave_rows, "empty": self._empty_passes, "input": source}

    def set_state(self, state: Any) -> None:
        self._pass = int(state["pass"])
        self._pass_gave_rows, self._empty_passes = bool(state["gave"]), int(state["empty"])
        self._source = None
        if state["input"] is not None:
            self._open().set_state(state["input"])

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
