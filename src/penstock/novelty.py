"""Steps that hand on only what has not come before: how they read, and what their state is."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from penstock.block import Block
from penstock.node import Node, Operator, State
from penstock.plan import demand_is_exact
from penstock.stream import SurplusOperator

_RUN_ROWS = 4096
_MOST_ROWS = 1 << 16


class FromTheStart:
    """An input whose state is how many rows were read of it; they are read again after that was loaded."""

    def __init__(self, source: Operator) -> None:
        self._source = source
        self.read = 0
        self.to_read_again = 0

    def next_block(self, rows: int) -> Block | None:
        block = self._source.next_block(rows)
        self.read += 0 if block is None else block.rows
        return block

    def get_state(self) -> State:
        return self.read + self.to_read_again

    def set_state(self, state: State) -> None:
        self.to_read_again = int(state)

    def close(self) -> None:
        self._source.close()


class NoveltyOperator(SurplusOperator):
    """Remembers what it handed on. Asks for as many rows as it takes by what was new so far, where it may run ahead."""

    source: FromTheStart

    def __init__(self, node: Node, source: Operator) -> None:
        super().__init__(FromTheStart(source))
        self._node = node
        self._is_exact: bool | None = None
        self._looked_at = self._kept = 1

    @abstractmethod
    def new_rows(self, block: Block) -> tuple[Block, Sequence[int]]:
        """The block, with errors in the rows that cannot be told, and its rows that are new or errors."""

    def produce(self, rows: int) -> Block | None:
        while self.source.to_read_again:
            block = self.source.next_block(min(_RUN_ROWS, self.source.to_read_again))
            if block is None:
                return None
            self.source.to_read_again -= block.rows
            self._first_ones(block)
        if self._looked_at > 1 and self._is_exact is None:
            self._is_exact = demand_is_exact(self._node)
        if self._is_exact is False:
            rows = min(_MOST_ROWS, rows * self._looked_at // self._kept + 1)
        block = self.source.next_block(rows)
        return None if block is None else self._first_ones(block)

    def _first_ones(self, block: Block) -> Block:
        if block.treedef is None:
            return block
        block, kept = self.new_rows(block)
        self._looked_at += block.rows
        self._kept += len(kept)
        return block if len(kept) == block.rows else block.take(np.array(kept, np.intp))
