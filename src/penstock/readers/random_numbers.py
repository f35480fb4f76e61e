"""A source of random numbers: `random`."""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls, random, tree
from penstock.block import Block, Dense
from penstock.node import INFINITE, Access, Context, Epochs, Indices, Node, Operator, Places, Source
from penstock.passes import PassCounter, bind_pass
from penstock.record import record
from penstock.spec import Spec, TensorSpec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

_MASK = np.uint64(0xFFFFFFFF)


def random_(
    cls: type[Dataset[Any]], seed: int | None = None, rerandomize_each_iteration: bool | None = None
) -> Dataset[Any]:
    """Draw whole numbers in [0, 2**32) for ever.

    >>> ds = Dataset.random(seed=1).take(3)
    >>> list(ds) == list(ds)
    True

    Args:
        seed: Any whole number; drawn from the operating system if not given.
        rerandomize_each_iteration: Draw other numbers in each iteration and epoch; the same ones by default.

    Spec: shape (), dtype int64.
    Cardinality: infinite.
    Order: number i is a function of the seed and i.  Random access: yes.
    Memory: none.  State: an index.

    Raises:
        TypeError: `seed` is no whole number.

    See also: random_map.
    """
    number = calls.seed("random", seed)
    again = bool(rerandomize_each_iteration)
    return cls(RandomNumbers(random.fresh_seed() if number is None else number, PassCounter(), again))


@record
class RandomNumbers(Source):
    """Draw i of the key."""

    seed: int
    counter: PassCounter = field(repr=False)
    reshuffles: bool
    pass_number: int = 0

    def known_spec(self) -> Spec | None:
        return Spec(tree.LEAF, (TensorSpec((), np.int64),))

    def cardinality(self) -> int:
        return INFINITE

    def bind(self, fact: Any | None) -> tuple[Node, Any | None]:
        fact = bind_pass(self.counter, self.seed, fact)
        return replace(self, seed=fact["seed"], pass_number=fact["pass"] if self.reshuffles else 0), fact

    def gather(self, indices: Indices) -> Block:
        return self.draw(0, indices)

    def draw(self, epoch: int, indices: Indices) -> Block:
        """The numbers at these indices of an epoch."""
        key = random.Key(self.seed, "random", self.pass_number, epoch if self.reshuffles else 0)
        numbers = np.empty(len(indices), np.int64)
        if len(indices):
            first, last = int(indices.min()), int(indices.max())
            if last - first < 4 * len(indices):
                drawn = random.raw(key, first, last - first + 1) & _MASK
                numbers[:] = drawn[indices - first]
            else:
                for at, index in enumerate(indices.tolist()):
                    numbers[at] = int(random.raw(key, index, 1)[0] & _MASK)
        return Block(tree.LEAF, [Dense(numbers)], len(indices), fresh=True)

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        return _Drawn(self, epochs, indices)

    @property
    def access(self) -> Access:
        return Access.RANDOM

    def open(self, context: Context) -> Operator:
        raise NotImplementedError("random() is run by index")

    def signature(self) -> str:
        return f"random(rerandomize_each_iteration={self.reshuffles})"


class _Drawn(Places):
    __slots__ = ("_epochs", "_indices", "_node")

    def __init__(self, node: RandomNumbers, epochs: Epochs, indices: Indices) -> None:
        self.rows = len(indices)
        self._node = node
        self._epochs = epochs
        self._indices = indices

    def gather(self, start: int, stop: int) -> Block:
        if isinstance(self._epochs, int):
            return self._node.draw(self._epochs, self._indices[start:stop])
        numbers = np.empty(stop - start, np.int64)
        epochs, indices = self._epochs[start:stop], self._indices[start:stop]
        for epoch in np.unique(epochs):
            here = epochs == epoch
            drawn = self._node.draw(int(epoch), indices[here]).columns[0]
            assert isinstance(drawn, Dense)
            numbers[here] = drawn.array
        return Block(tree.LEAF, [Dense(numbers)], stop - start, fresh=True)
