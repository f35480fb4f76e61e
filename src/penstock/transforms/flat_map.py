"""A dataset for each element, one after another: `flat_map`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls
from penstock.block import Block, Dense, all_errors
from penstock.node import UNKNOWN, Context, Node, Operator, Purity, State
from penstock.passes import PassCounter, bind_pass
from penstock.spec import Spec
from penstock.vectorize.function import ElementFunction, purity_of

if TYPE_CHECKING:
    from penstock.dataset import Dataset

R = TypeVar("R")

_EPOCHS_APART = 1_000_003
_ELEMENTS_APART = 2**32


def flat_map(self: Dataset[Any], map_func: Callable[..., Dataset[R]], *, purity: str | None = None) -> Dataset[R]:
    """Replace each element by the elements of the dataset that `map_func` makes of it.

    >>> [int(n) for n in Dataset.range(4).flat_map(lambda n: Dataset.range(n))]
    [0, 0, 1, 0, 1, 2]

    Args:
        map_func: Called like the function of `map`; returns a Dataset, which may be empty.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code.

    Spec: unknown until the first element.
    Cardinality: unknown.
    Order: kept, one dataset after another.  Random access: no.
    Memory: that of one inner dataset.  State: the input's and the inner dataset's; the function is called again.

    Elements are memory of their own that may be written into, as it has to be where they are batches.

    Raises:
        TypeError: `map_func` is no function, or returned something else than a Dataset (in the place of that element).

    See also: interleave, map, unbatch.
    """
    calls.function("flat_map", "map_func", map_func)
    function = ElementFunction(map_func, "flat_map", calls.origin(), False, purity_of("flat_map", purity))
    return self._then(FlatMap(self._node, function, type(self), PassCounter()))


@dataclass(frozen=True, slots=True, eq=False)
class FlatMap(Node):
    """The elements of every dataset that `function` returns."""

    input: Node
    function: ElementFunction
    dataset_type: type[Any]
    counter: PassCounter = field(repr=False)
    pass_number: int = 0

    @property
    def purity(self) -> Purity:
        return self.function.purity

    def known_spec(self) -> Spec | None:
        return None

    def bind(self, fact: Any | None) -> tuple[Node, Any | None]:
        fact = bind_pass(self.counter, 0, fact)
        return replace(self, pass_number=fact["pass"]), fact

    def inner_pass(self, epoch: int, number: int) -> int:
        """The pass over the dataset of element `number`: one of its own, and the same whenever it is read again."""
        return ((self.pass_number * _EPOCHS_APART + epoch) * _ELEMENTS_APART + number) % 2**62

    def cardinality(self) -> int:
        return UNKNOWN

    @property
    def yields_batches(self) -> bool:
        # Only the datasets know, which are not there yet: elements are handed out so that it is right for batches.
        return True

    def open(self, context: Context) -> Operator:
        return _FlatMapOperator(self, context.open(self.input), context)

    def signature(self) -> str:
        return f"flat_map({self.function.name})"


class _FlatMapOperator:
    """Reads the dataset of one element at a time."""

    def __init__(self, node: FlatMap, source: Operator, context: Context) -> None:
        self._node = node
        self._source = source
        self._context = context
        self._number = 0
        self._inner: Operator | None = None
        self._facts: Any = None
        self._before: State = None

    def next_block(self, rows: int) -> Block | None:
        while True:
            if self._inner is not None:
                block = self._inner.next_block(rows)
                if block is not None:
                    return block
                self._inner.close()
                self._inner = None
            self._before = self._source.get_state()
            element = self._source.next_block(1)
            if element is None:
                return None
            failed = self._open_inner(element)
            if failed is not None:
                return failed

    def _open_inner(self, element: Block, facts: Any = None, state: State = None) -> Block | None:
        """Open the dataset of one element; the error that stands in its place if there is none."""
        result = self._node.function.apply(element, self._context, self._number)
        self._number += 1
        if result.errors:
            return result
        dataset = result.element(0)
        if not isinstance(dataset, self._node.dataset_type):
            error = TypeError(
                f"flat_map(): {self._node.function.name} returned {_kind(result)} for element {self._number - 1}; "
                "return a Dataset, such as Dataset.from_tensor_slices(x)"
            )
            return all_errors(error)
        inner_pass = self._node.inner_pass(self._context.epoch, self._number - 1)
        self._inner, self._facts = self._context.open_nested(dataset._node, inner_pass, facts)
        if state is not None:
            self._inner.set_state(state)
        return None

    def get_state(self) -> State:
        if self._inner is None:
            return {"number": self._number, "input": self._source.get_state(), "inner": None}
        inner = {"facts": self._facts, "state": self._inner.get_state()}
        return {"number": self._number - 1, "input": self._before, "inner": inner}

    def set_state(self, state: Any) -> None:
        self._number = int(state["number"])
        self._source.set_state(state["input"])
        self._inner = None
        if state["inner"] is None:
            return
        self._before = state["input"]
        element = self._source.next_block(1)
        if element is not None:
            self._open_inner(element, state["inner"]["facts"], state["inner"]["state"])

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()
        self._source.close()


def _kind(result: Block) -> str:
    column = result.columns[0] if result.columns else None
    return f"{result.element(0)!r}" if isinstance(column, Dense) and column.array.size < 10 else "no Dataset"
