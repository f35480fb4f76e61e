"""Sources that are arithmetic: `range` and `counter`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls, tree
from penstock.block import Block, Dense
from penstock.node import INFINITE, Indices, Source
from penstock.record import record
from penstock.spec import Spec, TensorSpec

if TYPE_CHECKING:
    from penstock.dataset import Dataset


def range_(cls: type[Dataset[Any]], *args: int, output_type: Any = np.int64) -> Dataset[Any]:
    """Count as Python's `range` does.

    >>> [int(n) for n in Dataset.range(2, 10, 3)]
    [2, 5, 8]

    Args:
        args: stop; or start and stop; or start, stop and step.
        output_type: dtype of the elements.

    Spec: shape (), dtype `output_type`.
    Cardinality: as of Python's range.
    Order: that of the numbers.  Random access: yes.
    Memory: none.  State: an index.

    Raises:
        TypeError: An argument is no whole number, or there are none or more than three.
        ValueError: The step is 0.

    See also: counter.
    """
    if not 1 <= len(args) <= 3:
        raise TypeError(
            f"range(): takes 1 to 3 numbers (stop; start, stop; start, stop, step), but was given {len(args)}"
        )
    names = {1: ["stop"], 2: ["start", "stop"], 3: ["start", "stop", "step"]}[len(args)]
    numbers = [calls.count("range", name, value) for name, value in zip(names, args, strict=True)]
    if len(numbers) == 3 and numbers[2] == 0:
        raise ValueError("range(): step must not be 0")
    values = range(*numbers)
    return cls(Range(values.start, values.step, len(values), np.dtype(output_type)))


def counter(cls: type[Dataset[Any]], start: int = 0, step: int = 1, dtype: Any = np.int64) -> Dataset[Any]:
    """Count for ever.

    >>> [int(n) for n in Dataset.counter(10, -2).take(3)]
    [10, 8, 6]

    Args:
        start: The first number.
        step: What is added each time; may be negative.
        dtype: dtype of the elements; numbers wrap around at its end.

    Spec: shape (), dtype `dtype`.
    Cardinality: infinite.
    Order: that of the numbers.  Random access: yes.
    Memory: none.  State: an index.

    Raises:
        TypeError: `start` or `step` is no whole number.

    See also: range, enumerate.
    """
    first = calls.count("counter", "start", start)
    return cls(Range(first, calls.count("counter", "step", step), INFINITE, np.dtype(dtype)))


@record
class Range(Source):
    """start + step * index."""

    start: int
    step: int
    size: int
    dtype: np.dtype[Any]

    def known_spec(self) -> Spec | None:
        return Spec(tree.LEAF, (TensorSpec((), self.dtype),))

    def cardinality(self) -> int:
        return self.size

    def gather(self, indices: Indices) -> Block:
        values = indices if self.step == 1 else indices * self.step
        values = values + self.start
        return Block(tree.LEAF, [Dense(values.astype(self.dtype, copy=False))], len(indices), fresh=True)

    def slice(self, start: int, stop: int) -> Block | None:
        first = self.start + self.step * start
        last = self.start + self.step * stop
        if not self.step or not -(2**62) < last < 2**62:
            return None
        values = np.arange(first, last, self.step, dtype=np.int64).astype(self.dtype, copy=False)
        return Block(tree.LEAF, [Dense(values)], stop - start, fresh=True)

    def signature(self) -> str:
        size = "endless" if self.size == INFINITE else f"{self.size} numbers"
        return f"range(start={self.start}, step={self.step}, {size}, {self.dtype})"
