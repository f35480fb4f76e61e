"""The elements before the first that a predicate refuses: `take_while`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls
from penstock.block import Block
from penstock.node import UNKNOWN, Context, Node, Operator, Purity, State, advance
from penstock.plan import demand_is_exact
from penstock.record import record
from penstock.spec import Spec
from penstock.vectorize.function import ElementFunction, purity_of
from penstock.vectorize.verdicts import verdicts

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def take_while(
    self: Dataset[T], predicate: Callable[..., Any], *, vectorize: bool = True, purity: str | None = None
) -> Dataset[T]:
    """Keep the elements before the first for which `predicate` is false; what comes after it is not read.

    >>> [int(n) for n in Dataset.counter().take_while(lambda n: n * n < 20)]
    [0, 1, 2, 3, 4]

    Args:
        predicate: Called like the function of `map`; returns a bool, of Python or NumPy.
        vectorize: False runs the predicate once an element in any case.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code.

    Spec: kept.
    Cardinality: unknown.
    Order: kept.  Random access: no.
    Memory: one block.  State: the input's, and whether it has ended.

    An element that is an error, of the input or of the predicate, comes out at its place and ends nothing.

    Raises:
        TypeError: `predicate` is no function.
        ValueError: `purity` is none of those values.
        SpecError: It returned something else than a bool; raised in the place of that element.

    See also: filter, take.
    """
    calls.function("take_while", "predicate", predicate)
    chosen = purity_of("take_while", purity)
    function = ElementFunction(predicate, "take_while", calls.origin(), vectorize, chosen)
    return self._then(TakeWhile(self._node, function))


@record
class TakeWhile(Node):
    """The input up to the first element for which `predicate` is false."""

    input: Node
    predicate: ElementFunction

    @property
    def purity(self) -> Purity:
        return self.predicate.purity

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def cardinality(self) -> int:
        return UNKNOWN

    def open(self, context: Context) -> Operator:
        return _TakeWhileOperator(self, context)

    def signature(self) -> str:
        return f"take_while({self.predicate.name})"

    def label(self) -> str:
        return f"{self.signature()}  # {self.predicate.describe(self.input.known_spec())}"


class _TakeWhileOperator:
    """Judges blocks until one has a row to end at; row by row where reading beyond that row could be noticed."""

    def __init__(self, node: TakeWhile, context: Context) -> None:
        self._node = node
        self._context = context
        self._source = context.open(node.input)
        self._seen = 0
        self._ended = False
        self._is_exact: bool | None = None

    def next_block(self, rows: int) -> Block | None:
        if self._ended:
            return None
        if rows > 1:
            if self._is_exact is None:
                self._is_exact = demand_is_exact(self._node)
            rows = 1 if self._is_exact else rows
        block = self._source.next_block(rows)
        if block is None:
            self._ended = True
            return None
        kept = self._judge(block)
        self._seen += kept.rows
        if kept.rows < block.rows:
            self._ended = True
            self._source.close()
        return kept if kept.rows else None

    def _judge(self, block: Block) -> Block:
        """The rows before the first that is refused."""
        mask, errors = verdicts(self._node.predicate, block, self._context, self._seen)
        if errors:
            mask = mask.copy()
            mask[list(errors)] = True
            block = block.with_errors(errors)
        refused = np.flatnonzero(~mask)
        return block.slice(0, int(refused[0])) if len(refused) else block

    def get_state(self) -> State:
        return {"ended": self._ended, "seen": self._seen, "input": self._source.get_state()}

    def set_state(self, state: Any) -> None:
        self._ended, self._seen = bool(state["ended"]), int(state["seen"])
        self._source.set_state(state["input"])

    def advance(self, state: State, rows: int) -> State | None:
        below = advance(self._source, state["input"], rows)
        return None if below is None else {**state, "seen": state["seen"] + rows, "input": below}

    def close(self) -> None:
        self._source.close()
