"""Elements in another order: `shuffle`, its node, and its order as arithmetic on indices."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls, random
from penstock.depth import ask
from penstock.node import (
    INFINITE,
    UNKNOWN,
    Access,
    Context,
    Epochs,
    IndexOnly,
    Indices,
    Node,
    Operator,
    follow_one_another,
)
from penstock.passes import PassCounter, bind_pass
from penstock.record import record
from penstock.transforms.shuffle.stream import BufferedShuffleOperator, FullShuffleOperator

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_EPOCHS_KEPT = 4
_JUMPS_WITHOUT_TABLE = 8
_LARGEST_TABLE = 2**20


def shuffle(
    self: Dataset[T], buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool = True
) -> Dataset[T]:
    """Put the elements in a random order.

    >>> ds = Dataset.range(5).shuffle(5, seed=1)
    >>> sorted(int(n) for n in ds)
    [0, 1, 2, 3, 4]

    As in tf.data, a buffer is filled and each element comes from a random slot of it, which the next element of the
    input refills. Over inputs with access by index no element is held for that: the order is computed. If the buffer
    holds the whole input, the order is a uniform permutation, computed place by place in constant memory.

    Args:
        buffer_size: Slots, at least 1; UNKNOWN_CARDINALITY (-2) for as many as there are elements.
        seed: Any whole number; drawn from the operating system if not given. Equal seeds give equal orders.
        reshuffle_each_iteration: Give each iteration and each epoch of a `repeat` an order of its own.

    Spec: kept.
    Cardinality: kept.
    Order: random.  Random access: where the buffer holds the whole input and the input has it.
    Memory: 8 bytes a slot over inputs with random access; `buffer_size` elements over streams, and one more is read.
    State: an index over inputs with random access; else the input's at the oldest element still in the buffer.

    An element that is an error comes out at its place in the shuffled order.

    Raises:
        TypeError: `buffer_size` or `seed` is no whole number.
        ValueError: `buffer_size` is neither positive nor -2, or is -2 and the input endless.

    References:
        Feistel permutations with cycle walking: Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002.

    See also: repeat, random_map.
    """
    size = calls.count("shuffle", "buffer_size", buffer_size)
    if size != UNKNOWN:
        calls.count("shuffle", "buffer_size", size, 1, "; UNKNOWN_CARDINALITY (-2) shuffles everything")
    elif ask(self._node, lambda node: node.cardinality()) == INFINITE:
        raise ValueError(
            "shuffle(): an endless dataset cannot be shuffled as a whole; give a buffer_size or take(n) first"
        )
    number = calls.seed("shuffle", seed)
    key = random.fresh_seed() if number is None else number
    return self._then(Shuffle(self._node, size, key, PassCounter(), bool(reshuffle_each_iteration)))


@record
class Shuffle(IndexOnly):
    """The input in the order that seed, pass and epoch give."""

    input: Node
    buffer_size: int
    seed: int
    counter: PassCounter = field(repr=False)
    reshuffles: bool
    pass_number: int = 0

    def cardinality(self) -> int:
        return self.input.cardinality()

    @property
    def is_full(self) -> bool:
        """Whether the buffer is known to hold the whole input."""
        size = self.input.cardinality()
        return self.buffer_size == UNKNOWN or 0 <= size <= self.buffer_size

    @property
    def access(self) -> Access:
        if self.input.access is not Access.RANDOM or self.input.cardinality() == UNKNOWN:
            return Access.STREAM
        return Access.RANDOM if self.is_full else Access.FORWARD

    def bind(self, fact: Any | None) -> tuple[Node, Any | None]:
        fact = bind_pass(self.counter, self.seed, fact)
        return replace(self, seed=fact["seed"], pass_number=fact["pass"] if self.reshuffles else 0), fact

    def key(self, epoch: int) -> random.Key:
        """What the draws of an epoch depend on."""
        return random.Key(self.seed, "shuffle", self.pass_number, epoch if self.reshuffles else 0)

    def locate(self, epochs: Epochs, indices: Indices, context: Context) -> tuple[Epochs, Indices]:
        orders = context.memo(self, lambda: _Orders(self))
        if isinstance(epochs, int):
            return epochs, orders.of(epochs)(indices)
        located = np.empty_like(indices)
        changes = np.flatnonzero(epochs[1:] != epochs[:-1]) + 1
        for start, stop in zip([0, *changes.tolist()], [*changes.tolist(), len(epochs)], strict=True):
            if stop > start:
                located[start:stop] = orders.of(int(epochs[start]))(indices[start:stop])
        return epochs, located

    def open(self, context: Context) -> Operator:
        source = context.open(self.input)
        key = self.key(context.epoch)
        if self.is_full:
            return FullShuffleOperator(source, key)
        return BufferedShuffleOperator(source, key, self.buffer_size)

    def simplify(self) -> Node:
        return self.input if self.buffer_size == 1 else self

    def signature(self) -> str:
        return f"shuffle({self.buffer_size}, reshuffle_each_iteration={self.reshuffles})"

    def label(self) -> str:
        kind = "whole input, a permutation" if self.is_full else "buffered"
        return f"shuffle({self.buffer_size})  # {kind}, pass {self.pass_number}"


class _Orders:
    """The orders of the epochs in use."""

    def __init__(self, node: Shuffle) -> None:
        self._node = node
        self._kept: dict[int, random.Permutation | _BufferedCursor] = {}

    def of(self, epoch: int) -> random.Permutation | _BufferedCursor:
        found = self._kept.get(epoch)
        if found is None:
            while len(self._kept) >= _EPOCHS_KEPT:
                del self._kept[next(iter(self._kept))]
            found = self._kept[epoch] = self._make(epoch)
        return found

    def _make(self, epoch: int) -> random.Permutation | _BufferedCursor:
        node = self._node
        key = node.key(epoch)
        if node.is_full:
            return random.Permutation(key, node.input.cardinality())
        return _BufferedCursor(key, node.buffer_size, node.input.cardinality())


class _BufferedCursor:
    """Input indices of outputs of a buffered shuffle; cheap while what is asked for moves forward.

    Each jump walks back through the draws; after some of them, orders of up to a million places become a table.
    """

    def __init__(self, key: random.Key, buffer_rows: int, size: int) -> None:
        self._order = random.BufferedOrder(key, buffer_rows)
        self._steps = None if size < 0 else size - buffer_rows
        self._size = size
        self._start = 0
        self._known = np.empty(0, np.int64)
        self._tail: Indices | None = None
        self._jumps = 0
        self._table: Indices | None = None

    def __call__(self, indices: Indices) -> Indices:
        if not len(indices):
            return indices
        if self._table is not None:
            return self._table[indices]
        in_a_row = follow_one_another(indices)
        first, last = int(indices[0]), int(indices[-1]) + 1
        if not in_a_row:
            first, last = int(indices.min()), int(indices.max()) + 1
        known_stop = self._start + len(self._known)
        if not self._start <= first <= known_stop:
            self._jumps += 1
            if self._jumps > _JUMPS_WITHOUT_TABLE and 0 <= self._size <= _LARGEST_TABLE:
                self._table = self._outputs(0, self._size)
                return self._table[indices]
            self._start, self._known, known_stop = first, np.empty(0, np.int64), first
        if last > known_stop:
            kept = self._known[first - self._start :]
            new = self._outputs(known_stop, last)
            self._known = np.concatenate([kept, new]) if len(kept) else new
            self._start = first
        if in_a_row:
            return self._known[first - self._start : last - self._start]
        return self._known[indices - self._start]

    def _outputs(self, start: int, stop: int) -> Indices:
        if self._steps is None or stop <= self._steps:
            return self._order.outputs(start, stop - start)
        # The steps first: right after them the slots that are left are at hand; else they are found by walking back.
        steps = self._order.outputs(start, self._steps - start) if start < self._steps else None
        if self._tail is None:
            self._tail = self._order.tail(self._size)
        tail = self._tail[max(0, start - self._steps) : stop - self._steps]
        return tail if steps is None else np.concatenate([steps, tail])
