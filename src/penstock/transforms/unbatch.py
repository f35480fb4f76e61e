"""Each element split into its rows: `unbatch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.block import Block
from penstock.depth import ask
from penstock.errors import SpecError
from penstock.group import ungroup
from penstock.node import UNKNOWN, Context, Node, Operator
from penstock.plan import demand_is_exact
from penstock.record import record
from penstock.spec import Spec, unbatched
from penstock.stream import SurplusOperator

if TYPE_CHECKING:
    from penstock.dataset import Dataset


def unbatch(self: Dataset[Any]) -> Dataset[Any]:
    """Split each element along the first axis of its components.

    >>> [int(n) for n in Dataset.from_list([[1, 2], [3]]).unbatch()]
    [1, 2, 3]

    Spec: shape (n, *s) becomes s; dtype is kept.
    Cardinality: n times the batch dimension where that is static; else unknown.
    Order: kept.  Random access: no.
    Memory: one element of the input.  State: the input's, and a count within its element.

    Raises:
        ValueError: A component is known to have no axis.
        SpecError: Components of an element have different first axes; raised in that element's place.

    See also: batch, rebatch, flat_map.
    """
    spec = ask(self._node, lambda node: node.known_spec())
    if spec is not None:
        spec.map_leaves(unbatched)
        sizes = {leaf.shape[0] for leaf in spec.leaves if leaf.shape is not None and leaf.shape[0] is not None}
        if len(sizes) > 1:
            raise SpecError(f"unbatch(): components have first axes of {sorted(sizes)}; all need the same")
    return self._then(Unbatch(self._node))


@record
class Unbatch(Node):
    """The rows of the input's elements."""

    input: Node

    def known_spec(self) -> Spec | None:
        spec = self.input.known_spec()
        return None if spec is None else spec.map_leaves(unbatched)

    def cardinality(self) -> int:
        spec = self.input.known_spec()
        size = self.input.cardinality()
        rows = None if spec is None else next((leaf.shape[0] for leaf in spec.leaves if leaf.shape), None)
        if rows is None or size == UNKNOWN:
            return UNKNOWN
        return size if size < 0 and rows else size * rows if size > 0 else 0

    @property
    def yields_batches(self) -> bool:
        return False

    def open(self, context: Context) -> Operator:
        return _UnbatchOperator(context.open(self.input), demand_is_exact(self))

    def signature(self) -> str:
        return "unbatch()"


class _UnbatchOperator(SurplusOperator):
    """Asks for as many elements as should give the rows wanted, by the size of those before."""

    def __init__(self, source: Operator, exact: bool) -> None:
        super().__init__(source)
        self._exact = exact
        self._rows_each = 0

    def produce(self, rows: int) -> Block | None:
        wanted = 1 if self._exact or not self._rows_each else max(1, rows // self._rows_each)
        block = self.source.next_block(wanted)
        if block is None:
            return None
        parts = ungroup(block, "unbatch")
        self._rows_each = max(1, parts.rows // block.rows)
        return parts

    def own_state(self) -> Any:
        return None
