"""A function of many elements at once: `map_batches`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls, policies
from penstock.block import Block, all_errors, concatenate
from penstock.errors import SpecError
from penstock.group import group, ungroup
from penstock.node import Context, Epochs, Indices, Node, Operator, Purity
from penstock.parallel import Parallel
from penstock.record import record
from penstock.spec import Spec
from penstock.stream import SurplusOperator, exactly
from penstock.vectorize.function import ElementFunction, Replay, purity_of

if TYPE_CHECKING:
    from penstock.dataset import Dataset
    from penstock.faults import OnError

R = TypeVar("R")


def map_batches(
    self: Dataset[Any],
    map_func: Callable[..., R],
    batch_size: int = 1024,
    *,
    num_parallel_calls: int | None = None,
    deterministic: bool | None = None,
    executor: str = "auto",
    purity: str | None = None,
    on_error: OnError = "raise",
    max_errors: int | float | None = None,
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
        num_parallel_calls: As in `map`.
        deterministic: As in `map`.
        executor: As in `map`.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code.
        on_error: As in `map`; a call that fails is that of each element of its run.
        max_errors: As in `map`.

    Spec: rows of the function's results.
    Cardinality: the input's.
    Order: kept.  Random access: no.
    Memory: one run.  State: the input's, and a count within the run, which is computed again.

    Raises:
        TypeError: `map_func` is no function.
        ValueError: `batch_size` is below 1, or one of the others none of the values above.
        SpecError: A result has another number of rows than came in; raised in the place of the run.
        TooManyErrorsError: More elements failed than `max_errors`; raised in the place of the first that is too many.

    See also: map, batch, unbatch.
    """
    calls.function("map_batches", "map_func", map_func)
    settings = calls.parallel("map_batches", num_parallel_calls, deterministic, executor)
    size = calls.count("map_batches", "batch_size", batch_size, 1)
    policy = policies.asked("map_batches", on_error, max_errors)
    function = policy.function(map_func, calls.origin(), False, purity_of("map_batches", purity))
    node = MapBatches(self._node, function, size, settings)
    return self._then(policy.around(node, function.name, function.origin))


@record
class MapBatches(Node):
    """`function` of each `batch_size` elements stacked, taken apart again."""

    input: Node
    function: ElementFunction
    batch_size: int
    settings: Parallel | None = None

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
        source, step = context.open(self.input), WholeRuns(self.function, self.batch_size)
        if self.settings is not None:
            return context.in_parallel(step, source, self.settings, is_row_by_row=False, unit=self.batch_size)
        return _MapBatchesOperator(step, source, context)

    def sequential(self) -> Node:
        return self if self.settings is None else replace(self, settings=None)

    def signature(self) -> str:
        return f"map_batches({self.function.name}, {self.batch_size})"

    def label(self) -> str:
        return self.signature() if self.settings is None else f"{self.signature()}  # {self.settings}"


@record(eq=True)
class WholeRuns:
    """The step: `function` of each `batch_size` rows stacked, taken apart again."""

    function: ElementFunction
    batch_size: int

    @property
    def purity(self) -> Purity:
        return self.function.purity

    @property
    def is_vectorised(self) -> bool:
        return False

    @property
    def lets_go_of_gil(self) -> bool:
        return self.function.verdict.lets_go_of_gil

    def signature(self) -> str:
        return f"map_batches({self.function.name})"

    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        first, size = int(np.min(indices)), self.batch_size
        parts = [
            self._apply_to_one(block.slice(start, min(start + size, block.rows)), context, first + start)
            for start in range(0, block.rows, size)
        ]
        return parts[0] if len(parts) == 1 else concatenate(parts)

    def call_on(self, rows: Block, context: Context, epoch: Epochs, index: int) -> Replay | None:
        """What calls the function on a run of rows again; None where one of them is an error."""
        stacked = group(rows, rows.rows, "map_batches", index, context)
        return None if stacked.errors else Replay(self.function, stacked, None, index)

    def _apply_to_one(self, block: Block, context: Context, first: int) -> Block:
        stacked = group(block, block.rows, "map_batches", first, context)
        parts = ungroup(self.function.apply(stacked, context, first), "map_batches")
        if parts.errors:
            return self._failed(parts.errors[0], first, block.rows)
        if parts.rows != block.rows:
            found = f"{self.function.name} was given {block.rows} rows and returned {parts.rows}"
            return all_errors(SpecError(f"map_batches(): {found}; return as many"), block.rows)
        return parts

    def _failed(self, error: Exception, first: int, rows: int) -> Block:
        """The error of a run in the place of each of its elements, where it says the number of that element."""
        block = all_errors(error, rows)
        function = self.function
        for row, own in block.errors.items():
            notes = getattr(own, "__notes__", [])
            if function.note(first) in notes:
                notes[notes.index(function.note(first))] = function.note(first + row)
        return block


class _MapBatchesOperator(SurplusOperator):
    """Computes one run at a time."""

    def __init__(self, step: WholeRuns, source: Operator, context: Context) -> None:
        super().__init__(source)
        self._step = step
        self._context = context
        self._seen = 0

    def produce(self, rows: int) -> Block | None:
        block = exactly(self.source, self._step.batch_size)
        if block is None:
            return None
        first = self._seen
        self._seen += block.rows
        return self._step.apply(block, self._context, self._context.epoch, first)

    def own_state(self) -> Any:
        return self._seen

    def set_own_state(self, state: Any) -> None:
        self._seen = int(state)
