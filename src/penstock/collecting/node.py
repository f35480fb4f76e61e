"""The node of a step that batches elements of like length."""

from __future__ import annotations

from abc import abstractmethod

from penstock.collecting.cutting import Cutter
from penstock.collecting.operator import CollectOperator
from penstock.node import INFINITE, UNKNOWN, Context, Node, Operator, Purity
from penstock.padding import Padding
from penstock.record import record
from penstock.spec import Spec, batched
from penstock.vectorize.by_length import describe
from penstock.vectorize.function import ElementFunction


@record
class Collecting(Node):
    """Batches of elements whose lengths, which `function` gives, lie in one bucket; subclasses say when one is full.

    Attributes:
        boundaries: Where each bucket but the first begins.
        padding: How batches are padded; None for elements that are stacked as they are.
        method: The public method, for errors.
    """

    input: Node
    function: ElementFunction
    boundaries: tuple[int, ...]
    padding: Padding | None
    method: str

    @abstractmethod
    def cutter(self) -> Cutter:
        """What says where batches end."""

    @property
    def longest(self) -> int | None:
        """The greatest length that an element may have; None for any."""
        return None

    @property
    def advice(self) -> str:
        """What to do about elements that are longer."""
        return ""

    @property
    def drops_rest(self) -> bool:
        """Whether the batches that are incomplete at the end are dropped."""
        return False

    def padding_of(self, bucket: int) -> Padding | None:
        """How the batches of a bucket are padded."""
        return self.padding

    @property
    def purity(self) -> Purity:
        return self.function.purity

    @property
    def yields_batches(self) -> bool:
        return True

    def known_spec(self) -> Spec | None:
        spec = self.input.known_spec()
        if spec is None or self.padding is not None:
            return None if spec is None or self.padding is None else self.padding.spec(spec, None)
        return spec.map_leaves(lambda leaf: batched(leaf, None))

    def cardinality(self) -> int:
        return INFINITE if self.input.cardinality() == INFINITE else UNKNOWN

    def open(self, context: Context) -> Operator:
        return CollectOperator(self, context.open(self.input), context)

    def label(self) -> str:
        return f"{self.signature()}  # lengths: {describe(self.function, self.input.known_spec())}"
