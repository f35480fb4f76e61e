"""The node of a step whose elements come from an input that is picked for each."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from penstock.mixing.ledger import Ledger
from penstock.mixing.operator import MixtureOperator
from penstock.mixing.picks import Picker
from penstock.mixing.places import resolve_mixed
from penstock.node import INFINITE, UNKNOWN, Access, Context, Epochs, Indices, Node, Operator, Places, Purity
from penstock.plan import demand_is_exact
from penstock.record import record
from penstock.spec import Spec

_EPOCHS_KEPT = 4
# Up to so many elements the picks of all are kept, so that any of them is found at once.
_LARGEST_TABLE = 2**20


@record
class Mixture(Node):
    """Elements of `parts`, those of each in their order; subclasses say how the part is picked.

    Attributes:
        parts: The inputs.
        chooser: A dataset that tells the picks, or what they are drawn by; None where there is none.
        stop_on_empty: Whether the first pick of an input that has ended ends everything; else it is passed over.
        spec: Of all parts, as far as known.
    """

    parts: tuple[Node, ...]
    chooser: Node | None
    stop_on_empty: bool
    spec: Spec | None

    @property
    @abstractmethod
    def method(self) -> str:
        """The public function."""

    @abstractmethod
    def picker(self, epoch: int) -> Picker:
        """Picks the parts in an epoch."""

    @property
    @abstractmethod
    def gives_all(self) -> bool:
        """Whether every element of every part comes, if all parts end."""

    @property
    def has_alike_epochs(self) -> bool:
        """Whether the picks are the same in every epoch."""
        return False

    def known_spec(self) -> Spec | None:
        return self.spec

    def cardinality(self) -> int:
        sizes = [part.cardinality() for part in self.parts]
        if all(size == INFINITE for size in sizes):
            return INFINITE if self.chooser is None else self.chooser.cardinality()
        if UNKNOWN in sizes or self.stop_on_empty or not self.gives_all:
            return UNKNOWN
        return INFINITE if INFINITE in sizes else sum(sizes)

    @property
    def access(self) -> Access:
        size = self.cardinality()
        if size == UNKNOWN or self.purity is Purity.STATEFUL:
            return Access.STREAM
        most = Access.RANDOM if 0 <= size <= _LARGEST_TABLE else Access.FORWARD
        return min(most, *(node.access for node in self.inputs))

    @property
    def yields_batches(self) -> bool:
        return all(part.yields_batches for part in self.parts)

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        ledgers = context.memo(self, lambda: _Ledgers(self, context))
        if isinstance(epochs, int):
            which, within, failures = ledgers.of(epochs).locate(indices)
            return resolve_mixed(self.method, self.parts, which, within, epochs, context, failures)
        which, within = np.empty_like(indices), np.empty_like(indices)
        failures = []
        changes = np.flatnonzero(epochs[1:] != epochs[:-1]) + 1
        for start, stop in zip([0, *changes.tolist()], [*changes.tolist(), len(epochs)], strict=True):
            if stop > start:
                here, places, errors = ledgers.of(int(epochs[start])).locate(indices[start:stop])
                places[here == len(self.parts)] += len(failures)
                which[start:stop], within[start:stop] = here, places
                failures += errors
        return resolve_mixed(self.method, self.parts, which, within, epochs, context, failures)

    def open(self, context: Context) -> Operator:
        picker = self.picker(context.epoch)
        may_end = any(part.cardinality() != INFINITE for part in self.parts)
        reads_on = self.stop_on_empty or self.chooser is not None
        is_exact = may_end and reads_on and any(demand_is_exact(node) for node in self.inputs)
        return MixtureOperator(
            self.method,
            picker,
            [context.open(part) for part in self.parts],
            None if self.chooser is None else context.open(self.chooser),
            self.stop_on_empty,
            is_exact or picker.purity is Purity.STATEFUL,
            context,
        )


class _Ledgers:
    """The ledgers of the epochs in use."""

    def __init__(self, node: Mixture, context: Context) -> None:
        self._node = node
        self._context = context
        self._kept: dict[int, Ledger] = {}

    def of(self, epoch: int) -> Ledger:
        node = self._node
        epoch = 0 if node.has_alike_epochs else epoch
        found = self._kept.get(epoch)
        if found is None:
            while len(self._kept) >= _EPOCHS_KEPT:
                del self._kept[next(iter(self._kept))]
            sizes = [part.cardinality() for part in node.parts]
            found = Ledger(node.picker(epoch), sizes, node.chooser, epoch, self._context)
            self._kept[epoch] = found
        return found
