"""Elements kept in memory after they were first computed: `cache`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.block import Block, concatenate
from penstock.depth import ask
from penstock.node import INFINITE, Access, Context, Epochs, Indices, Node, Operator, Places, State
from penstock.spec import Spec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_RUN_ROWS = 1024
# Blocks of fewer rows than this on average are joined once all are there.
_FEW_ROWS = 64


def cache(self: Dataset[T], filename: str = "") -> Dataset[T]:
    """Compute the elements once and keep them in memory.

    >>> calls = []
    >>> ds = Dataset.range(3).map(lambda n: calls.append(n) or n).cache()
    >>> len(list(ds)), len(list(ds)), len(calls)
    (3, 3, 3)

    What stands above is frozen: a shuffle before the cache keeps the order of the first pass. The cache belongs to this
    dataset and is shared by all that are derived from it. A pass that was left early is kept as far as it went; from an
    element that is an error on, it is computed again in the next pass.

    Args:
        filename: Must be empty: the elements are kept in memory.

    Spec: kept.
    Cardinality: kept.
    Order: kept.  Random access: once it is full, if the cardinality is known.
    Memory: all elements.  State: an index; in a new process the elements are computed again.

    Raises:
        ValueError: The input is endless.
        NotImplementedError: `filename` is given.

    See also: prefetch, repeat.
    """
    if filename:
        raise NotImplementedError("cache(): files are not supported yet; leave filename empty to cache in memory")
    if ask(self._node, lambda node: node.cardinality()) == INFINITE:
        raise ValueError("cache(): an endless dataset cannot be kept in memory; take(n) elements first")
    return self._then(Cache(self._node, CacheCell()))


class CacheCell:
    """What has been kept so far: blocks that follow one another from index 0. Has identity; pickles empty."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.facts: list[Any] | None = None
        self._blocks: list[Block] = []
        self._starts: list[int] = []
        self.rows = 0
        self.complete = False

    def __reduce__(self) -> Any:
        return CacheCell, ()

    def begin(self, facts: list[Any] | None) -> bool:
        """Fix the pass over the input whose rows are kept, the first that asks; whether it is the one of `facts`."""
        with self._lock:
            if self.facts is None:
                self.facts = facts
            return self.facts == facts

    def add(self, start: int, block: Block) -> None:
        """Keep `block` if it begins where the kept rows end; up to its first error."""
        if block.errors:
            block = block.slice(0, min(block.errors))
        with self._lock:
            if start == self.rows and block.rows:
                self._blocks.append(block)
                self._starts.append(start)
                self.rows += block.rows

    def finish(self, rows: int) -> None:
        """Say that there are `rows` rows in all."""
        with self._lock:
            self.complete = self.complete or self.rows == rows
            if self.complete and len(self._blocks) * _FEW_ROWS > self.rows:
                self._blocks, self._starts = [concatenate(self._blocks)], [0]

    def read(self, start: int, rows: int) -> Block:
        """Up to `rows` kept rows from `start` on."""
        with self._lock:
            low, high = 0, len(self._starts) - 1
            while low < high:
                middle = (low + high + 1) // 2
                if self._starts[middle] <= start:
                    low = middle
                else:
                    high = middle - 1
            block, first = self._blocks[low], self._starts[low]
        return block.slice(start - first, min(block.rows, start - first + rows))

    def whole(self) -> Block:
        """All kept rows as one block."""
        with self._lock:
            if len(self._blocks) > 1:
                self._blocks = [concatenate(self._blocks)]
                self._starts = [0]
            return self._blocks[0]


@dataclass(frozen=True, slots=True, eq=False)
class Cache(Node):
    """The input at epoch 0, from `cell` as far as that holds it."""

    input: Node
    cell: CacheCell = field(repr=False)
    complete: bool = False
    facts: list[Any] | None = None

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def cardinality(self) -> int:
        return self.input.cardinality()

    def bind(self, fact: Any | None) -> tuple[Node, Any | None]:
        # A pass that began with a full cache goes on as one in a new process too, where the cell is filled first.
        complete = self.cell.complete if fact is None or "complete" not in fact else bool(fact["complete"])
        return replace(self, complete=complete), {"complete": complete}

    def facts_below(self, given: list[Any] | None) -> list[Any] | None:
        # What is missing must come from the pass that the kept rows came from, or rows would be lost and doubled.
        if self.cell.facts is None or (given is not None and any(fact and "restores" in fact for fact in given)):
            return given
        return self.cell.facts

    def bound_below(self, facts: list[Any], given: list[Any] | None) -> Node:
        if given is None and self.cell.facts is None:
            self.cell.begin(facts)
        if self.cell.facts is None or self.cell.facts == facts:
            return replace(self, facts=facts)
        # A state of a pass that this cell knows nothing of: its rows are computed for this run alone.
        return replace(self, facts=facts, cell=CacheCell())

    @property
    def access(self) -> Access:
        return Access.RANDOM if self.complete and self.cardinality() > 0 else Access.STREAM

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        self._fill(context)
        return _Kept(self.cell.whole(), indices)

    def _fill(self, context: Context) -> None:
        if self.cell.complete:
            return
        operator = self.open(context)
        while operator.next_block(_RUN_ROWS) is not None:
            pass
        operator.close()

    def open(self, context: Context) -> Operator:
        return _CacheOperator(self, lambda: context.open(self.input, 0))

    def signature(self) -> str:
        return "cache()"

    def label(self) -> str:
        return f"cache()  # {'full' if self.complete else f'{self.cell.rows} elements kept'}"


class _Kept(Places):
    __slots__ = ("_block", "_indices")

    def __init__(self, block: Block, indices: Indices) -> None:
        self.rows = len(indices)
        self._block = block
        self._indices = indices

    def gather(self, start: int, stop: int) -> Block:
        return self._block.take(self._indices[start:stop])


class _CacheOperator:
    """Reads the cell as far as it goes, then the input, which it opens only for that."""

    def __init__(self, node: Cache, open_input: Callable[[], Operator]) -> None:
        self._cell = node.cell if node.cell.begin(node.facts) else CacheCell()
        self._size = node.cardinality()
        self._open_input = open_input
        self._input: Operator | None = None
        self._input_rows = 0
        self._next = 0

    def next_block(self, rows: int) -> Block | None:
        cell = self._cell
        if self._next < cell.rows:
            block = cell.read(self._next, rows)
        elif cell.complete:
            return None
        else:
            found = self._compute(rows)
            if found is None:
                return None
            block = found
        self._next += block.rows
        return Block(block.treedef, block.columns, block.rows, block.errors, fresh=False)

    def _compute(self, rows: int) -> Block | None:
        if self._input is None:
            self._input = self._open_input()
        while self._input_rows < self._next:
            skipped = self._input.next_block(self._next - self._input_rows)
            if skipped is None:
                return None
            self._cell.add(self._input_rows, skipped)
            self._input_rows += skipped.rows
        block = self._input.next_block(rows)
        if block is None:
            self._cell.finish(self._input_rows)
            return None
        self._cell.add(self._input_rows, block)
        self._input_rows += block.rows
        if self._input_rows == self._size:
            self._cell.finish(self._input_rows)
        return block

    def get_state(self) -> State:
        return {"next": self._next}

    def set_state(self, state: Any) -> None:
        self._next = int(state["next"])

    def advance(self, state: State, rows: int) -> State | None:
        return {"next": state["next"] + rows}

    def close(self) -> None:
        if self._input is not None:
            self._input.close()
