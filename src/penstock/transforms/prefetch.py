"""Work ahead of the reader: `prefetch`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from penstock import calls
from penstock.node import Context, Node, Operator
from penstock.passes import ReadingPace
from penstock.plan import demand_is_exact
from penstock.spec import Spec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_MOST_ROWS = 2**31


def prefetch(self: Dataset[T], buffer_size: int | None) -> Dataset[T]:
    """Compute up to `buffer_size` elements ahead, in a thread in the background.

    >>> [int(n) for n in Dataset.range(3).prefetch(2)]
    [0, 1, 2]

    Nothing is computed before the first element is asked for. After it, exactly `buffer_size` elements beyond those
    handed over are. (A reader that does nothing but wait computes pure steps itself: a thread could not help it.)

    Args:
        buffer_size: How many elements (batches, after `batch`); AUTOTUNE or None for as few as keep the reader from
            waiting; 0 for none and no thread.

    Spec: kept.
    Cardinality: kept.
    Order: kept.  Random access: no.
    Memory: `buffer_size` elements.  State: the input's after the last element handed over.

    Raises:
        TypeError: `buffer_size` is no whole number.
        ValueError: `buffer_size` is below -1.

    See also: cache.
    """
    size = -1 if buffer_size is None else calls.count("prefetch", "buffer_size", buffer_size, -1)
    return self._then(Prefetch(self._node, min(size, _MOST_ROWS)))


@dataclass(frozen=True, slots=True, eq=False)
class Prefetch(Node):
    """The input, computed in a thread."""

    input: Node
    buffer_size: int
    pace: ReadingPace = field(default_factory=ReadingPace, repr=False)

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def cardinality(self) -> int:
        return self.input.cardinality()

    def open(self, context: Context) -> Operator:
        return context.background(
            lambda: context.open(self.input),
            self.buffer_size,
            self.pace,
            is_shareable=lambda: not demand_is_exact(self.input),
        )

    @property
    def keeps_pace(self) -> bool:
        return True

    def sequential(self) -> Node:
        return self.input

    def simplify(self) -> Node:
        return self.input if self.buffer_size == 0 else self

    def signature(self) -> str:
        return "prefetch()"

    def label(self) -> str:
        return f"prefetch({'AUTOTUNE' if self.buffer_size < 0 else self.buffer_size})"
