"""The node of a step that hands on the elements of datasets made by a user function."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any

from penstock.block import Block, Dense, all_errors
from penstock.node import UNKNOWN, Context, Node, Purity
from penstock.parallel import Parallel
from penstock.passes import PassCounter, bind_pass
from penstock.record import record
from penstock.spec import Spec
from penstock.vectorize.function import ElementFunction

_EPOCHS_APART = 1_000_003
_ELEMENTS_APART = 2**32


@record
class Flattening(Node):
    """The elements of the datasets that `function` returns; subclasses say in which order, by what they open."""

    input: Node
    function: ElementFunction
    dataset_type: type[Any]
    counter: PassCounter = field(repr=False)
    pass_number: int = 0
    settings: Parallel | None = None

    @property
    def purity(self) -> Purity:
        # What is read ahead is read whether or not it is asked for: more may be asked for at once.
        return self.function.purity if self.settings is None else Purity.PURE

    def known_spec(self) -> Spec | None:
        return None

    def bind(self, fact: Any | None) -> tuple[Node, Any | None]:
        fact = bind_pass(self.counter, 0, fact)
        return replace(self, pass_number=fact["pass"]), fact

    def cardinality(self) -> int:
        return UNKNOWN

    @property
    def yields_batches(self) -> bool:
        # Only the datasets know, which are not there yet: elements are handed out so that it is right for batches.
        return True

    def sequential(self) -> Node:
        return replace(self, settings=None)

    def label(self) -> str:
        return self.signature() + ("" if self.settings is None else f"; {self.settings}")

    def make(self, element: Block, number: int, context: Context) -> Any:
        """The dataset of element `number`; or a block, with the error that stands in its place."""
        result = self.function.apply(element, context, number)
        if result.errors:
            return result.with_provenance(element.provenance)
        dataset = result.element(0)
        if isinstance(dataset, self.dataset_type):
            return dataset
        error = TypeError(
            f"{self.function.transformation}(): {self.function.name} returned {_kind(result)} for element {number}; "
            "return a Dataset, such as Dataset.from_tensor_slices(x)"
        )
        return all_errors(error).with_provenance(element.provenance)

    def inner_pass(self, epoch: int, number: int) -> int:
        """The pass over the dataset of element `number`: one of its own, and the same whenever it is read again."""
        return ((self.pass_number * _EPOCHS_APART + epoch) * _ELEMENTS_APART + number) % 2**62


def _kind(result: Block) -> str:
    column = result.columns[0] if result.columns else None
    return f"{result.element(0)!r}" if isinstance(column, Dense) and column.array.size < 10 else "no Dataset"
