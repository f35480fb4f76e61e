"""A function of many elements at once: `map_batches`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls
from penstock.block import Block, all_errors
from penstock.errors import SpecError
from penstock.group import group, ungroup
from penstock.node import Context, Node, Operator, Purity
from penstock.spec import Spec
from penstock.stream import SurplusOperator, exactly
from penstock.vectorize.function import ElementFunction, purity_of

if TYPE_CHECKING:
    from penstock.dataset import Dataset

R = TypeVar("R")


def map_batches(
    self: Dataset[Any],
    map_func: Callable[..., R],
    batch_size: int = 1024,
    *,
    num_parallel_calls: int | None = None,
    purity: str | None = None,
) -> Dataset[Any]:
    """Replace each run of `batch_size` elements by what `map_func` makes of them together.

    >>> ds = Dataset.range(5).map_batches(lambda numbers: numbers * 10, batch_size=2)
    >>> [int(n) for n in ds]
    [0, 10, 20, 30, 40]

    For functions that are written for whole arrays, such as one call of a tokenizer for many texts. Runs begin at
    element 0, batch_size, 2 * batch_size, ... whatever else the pipeline does.

    Args:
        map_func: Called like the function of `map`, with each component stacked: shape (rows, ...), text as an object
            array of `str`. Returns components with as many rows.
        batch_size: Elements per call; the last call may get fewer.
        num_parallel_calls: Accepted for later; calls run one after another as yet.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code.

    Spec: rows of the function's results.
    Cardinality: the input's.
    Order: kept.  Random access: no.
    Memory: one run.  State: the input's, and a count within the run, which is computed again.

    Raises:
        TypeError: `map_func` is no function.
        ValueError: `batch_size` is below 1.
        SpecError: A result has another number of rows than came in; raised in the place of the run.

    See also: map, batch, unbatch.
    """
    calls.function("map_batches", "map_func", map_func)
    calls.parallel("map_batches", num_parallel_calls)
    size = calls.count("map_batches", "batch_size", batch_size, 1)
    function = ElementFunction(map_func, "map_batches", calls.origin(), False, purity_of("map_batches", purity))
    return self._then(MapBatches(self._node, function, size))


@dataclass(frozen=True, slots=True, eq=False)
class MapBatches(Node):
    """`function` of each `batch_size` elements stacked, taken apart again."""

    input: Node
    function: ElementFunction
    batch_size: int

    @property
    def purity(self) -> Purity:
        return self.function.purity

    @property
    def yields_batches(self) -> bool:
        return False

    def known_spec(self) -> Spec | None:
        return None

    def cardinality(self) -> int:
        return self.input.cardinality()

    def open(self, context: Context) -> Operator:
        return _MapBatchesOperator(self, context.open(self.input), context)

    def signature(self) -> str:
        return f"map_batches({self.function.name}, {self.batch_size})"


class _MapBatchesOperator(SurplusOperator):
    """Computes one run at a time."""

    def __init__(self, node: MapBatches, source: Operator, context: Context) -> None:
        super().__init__(source)
        self._node = node
        self._context = context
        self._runs = 0

    def produce(self, rows: int) -> Block | None:
        block = exactly(self.source, self._node.batch_size)
        if block is None:
            return None
        number = self._runs
        self._runs += 1
        first = number * self._node.batch_size
        stacked = group(block, block.rows, "map_batches", first, self._context)
        parts = ungroup(self._node.function.apply(stacked, self._context, first), "map_batches")
        if parts.errors:
            return self._failed(parts.errors[0], first, block.rows)
        if parts.rows != block.rows:
            found = f"{self._node.function.name} was given {block.rows} rows and returned {parts.rows}"
            return all_errors(SpecError(f"map_batches(): {found}; return as many"), block.rows)
        return parts

    def _failed(self, error: Exception, first: int, rows: int) -> Block:
        """The error of a run in the place of each of its elements, where it says the number of that element."""
        block = all_errors(error, rows)
        function = self._node.function
        for row, own in block.errors.items():
            notes = getattr(own, "__notes__", [])
            if function.note(first) in notes:
                notes[notes.index(function.note(first))] = function.note(first + row)
        return block

    def own_state(self) -> Any:
        return self._runs

    def set_own_state(self, state: Any) -> None:
        self._runs = int(state)
