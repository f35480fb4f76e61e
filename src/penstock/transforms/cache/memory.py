"""Elements kept in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from penstock.block import Block, concatenate
from penstock.node import Context, Indices, Operator, Places, State

# Blocks of fewer rows than this on average are joined once all are there.
_FEW_ROWS = 64


class CacheCell:
    """What has been kept so far: blocks that follow one another from index 0. Has identity; pickles empty."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.facts: list[Any] | None = None
        self._blocks: list[Block] = []
        self._starts: list[int] = []
        self.rows = 0
        self.complete = False
        self._is_used = False

    def __reduce__(self) -> Any:
        return CacheCell, ()

    def begin_again(self, facts: list[Any]) -> bool:
        """Fix the pass of a state that is loaded, if nothing was read of another one so far; whether that is so."""
        with self._lock:
            if not self._is_used:
                self.facts = facts
            return not self._is_used

    @property
    def size(self) -> None:
        """Nothing: how many rows there are is the input's to tell."""

    @property
    def described(self) -> str:
        """What it holds, for people."""
        return "full" if self.complete else f"{self.rows} elements kept"

    def apart(self) -> CacheCell:
        """A cell for one run alone."""
        return CacheCell()

    def places(self, indices: Indices, context: Context) -> Places:
        """The kept rows at `indices`; of a full cell."""
        return _Kept(self.whole(), indices)

    def open(self, facts: list[Any] | None, size: int, open_input: Callable[[], Operator]) -> Operator:
        """Reads the rows of the pass of `facts`, from here as far as they are kept."""
        return _CacheOperator(self if self._use(facts) else CacheCell(), size, open_input)

    def begin(self, facts: list[Any] | None) -> bool:
        """Fix the pass over the input whose rows are kept, the first that asks; whether it is the one of `facts`."""
        with self._lock:
            if self.facts is None:
                self.facts = facts
            return self.facts == facts

    def _use(self, facts: list[Any] | None) -> bool:
        is_mine = self.begin(facts)
        self._is_used = self._is_used or is_mine
        return is_mine

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

    def __init__(self, cell: CacheCell, size: int, open_input: Callable[[], Operator]) -> None:
        self._cell = cell
        self._size = size
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
        return Block(block.treedef, block.columns, block.rows, block.errors, False, block.provenance)

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
