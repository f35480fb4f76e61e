"""The elements that a predicate accepts: `filter`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls, policies
from penstock.block import Block
from penstock.node import UNKNOWN, Context, Epochs, Indices, Node, Operator, Purity
from penstock.parallel import Parallel
from penstock.plan import demand_is_exact
from penstock.record import record
from penstock.spec import Spec
from penstock.stream import SurplusOperator
from penstock.vectorize.function import ElementFunction, Replay, purity_of
from penstock.vectorize.verdicts import verdicts

if TYPE_CHECKING:
    from penstock.dataset import Dataset
    from penstock.faults import OnError

T = TypeVar("T")

_MOST_ROWS = 1 << 17


def filter_(
    self: Dataset[T],
    predicate: Callable[..., Any],
    num_parallel_calls: int | None = None,
    deterministic: bool | None = None,
    *,
    executor: str = "auto",
    vectorize: bool = True,
    purity: str | None = None,
    on_error: OnError = "raise",
    max_errors: int | float | None = None,
) -> Dataset[T]:
    """Keep the elements for which `predicate` is true.

    >>> [int(n) for n in Dataset.range(10).filter(lambda n: n % 3 == 0)]
    [0, 3, 6, 9]

    Args:
        predicate: Called like the function of `map`; returns a bool, of Python or NumPy.
        num_parallel_calls: As in `map`.
        deterministic: As in `map`.
        executor: As in `map`.
        vectorize: False runs the predicate once an element in any case.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code.
        on_error: As in `map`, without `substitute(...)`.
        max_errors: As in `map`.

    Spec: kept.
    Cardinality: unknown.
    Order: kept.  Random access: no.
    Memory: one block.  State: the input's, and a count within its block.

    Raises:
        TypeError: `predicate` is no function.
        ValueError: `num_parallel_calls`, `executor`, `purity`, `on_error` or `max_errors` is none of those values.
        SpecError: It returned something else than a bool; raised in the place of that element.
        TooManyErrorsError: More elements failed than `max_errors`; raised in the place of the first that is too many.

    See also: ignore_errors, map, take_while.
    """
    calls.function("filter", "predicate", predicate)
    settings = calls.parallel("filter", num_parallel_calls, deterministic, executor)
    policy = policies.asked("filter", on_error, max_errors, refused=("substitute",))
    function = policy.function(predicate, calls.origin(), vectorize, purity_of("filter", purity))
    node = Filter(self._node, function, settings)
    return self._then(policy.around(node, function.name, function.origin, is_aligned=False))


@record
class Filter(Node):
    """The input's elements for which `predicate` is true, and its errors."""

    input: Node
    predicate: ElementFunction
    settings: Parallel | None = None

    @property
    def purity(self) -> Purity:
        return self.predicate.purity

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def cardinality(self) -> int:
        return UNKNOWN

    def open(self, context: Context) -> Operator:
        source, step = context.open(self.input), Choosing(self.predicate)
        if self.settings is not None:
            return context.in_parallel(step, source, self.settings, is_row_by_row=False)
        return _FilterOperator(self, step, source, context)

    def sequential(self) -> Node:
        return self if self.settings is None else replace(self, settings=None)

    def signature(self) -> str:
        return f"filter({self.predicate.name})"

    def label(self) -> str:
        how = "" if self.settings is None else f"; {self.settings}"
        return f"{self.signature()}  # {self.predicate.describe(self.input.known_spec())}{how}"


@record(eq=True)
class Choosing:
    """The step: of rows, those for which `predicate` is true, and its errors."""

    predicate: ElementFunction

    @property
    def purity(self) -> Purity:
        return self.predicate.purity

    @property
    def is_vectorised(self) -> bool:
        return self.predicate.is_vectorised

    @property
    def lets_go_of_gil(self) -> bool:
        return self.predicate.verdict.lets_go_of_gil

    def signature(self) -> str:
        return f"filter({self.predicate.name})"

    def call_on(self, row: Block, context: Context, epoch: Epochs, index: int) -> Replay:
        """What calls the predicate on a row again."""
        return Replay(self.predicate, row, None, index)

    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        mask, errors = verdicts(self.predicate, block, context, indices)
        if errors:
            mask = mask.copy()
            mask[list(errors)] = True
            block = block.with_errors(errors)
        if not errors and mask.all():
            return block
        return block.take(np.flatnonzero(mask))


class _FilterOperator(SurplusOperator):
    """Asks for as many rows as it takes by what was accepted so far, where running ahead is allowed."""

    def __init__(self, node: Filter, step: Choosing, source: Operator, context: Context) -> None:
        super().__init__(source)
        self._step = step
        self._context = context
        self._node = node
        self._exact: bool | None = None
        self._seen = 0
        self._kept = 1
        self._judged = 1

    def produce(self, rows: int) -> Block | None:
        if self._judged > 1 and self._exact is None:
            self._exact = demand_is_exact(self._node)
        if self._exact is False:
            rows = min(_MOST_ROWS, rows * self._judged // self._kept + 1)
        block = self.source.next_block(rows)
        if block is None:
            return None
        kept = self._step.apply(block, self._context, self._context.epoch, self._seen)
        self._seen += block.rows
        self._judged += block.rows
        self._kept += kept.rows
        return kept

    def own_state(self) -> Any:
        return self._seen

    def set_own_state(self, state: Any) -> None:
        self._seen = int(state)
