"""Reads elements, packs their tokens, and hands over rows as they become complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from penstock.block import Block, concatenate
from penstock.columns import Dense, Varlen
from penstock.node import Context, Node, Operator, State
from penstock.packing.asked import Asked
from penstock.packing.fitting import BestFit, FirstFit
from penstock.packing.packer import Packer
from penstock.packing.placing import Placer
from penstock.packing.sequences import SequenceReader
from penstock.packing.splitting import Splitter
from penstock.plan import demand_is_exact
from penstock.stream import SurplusOperator

_MOST_ROWS = 1 << 14
_MOST_TOKENS = 1 << 20
# A round has a cost of its own, that of some thousand tokens (benchmarks/packing.py).
_TOKENS_WORTH_A_ROUND = 1 << 15
_ROWS_READ_AGAIN = 1024
# Judging functions takes longer than reading so many rows one by one.
_ROWS_UNJUDGED = 32


class _Mark(NamedTuple):
    """A place to go back to: before a block of the input."""

    row: int
    given: int  # how much the packer had been given before it
    state: State


def _num_tokens(block: Block) -> int | None:
    """How many tokens the only row has; None where that cannot be told at once."""
    column = block.columns[0] if block.columns and not block.errors else None
    if isinstance(column, Varlen):
        return int(column.offsets[1] - column.offsets[0])
    return column.row_shape[0] if isinstance(column, Dense) and column.row_shape else None


class _Marked:
    """The input, with its states before the blocks that something still waits of.

    Its own state is the oldest of these, the number of its first row, and how many rows had been read.
    """

    def __init__(self, source: Operator) -> None:
        self._source = source
        self.read = 0
        self.marks: list[_Mark] = []
        self.to_read_again = 0

    def pull(self, rows: int, given: int) -> Block | None:
        """The next rows; `given` is how much the packer was given so far."""
        return self._marked(given, lambda: self._source.next_block(rows))

    def pull_singly(self, given: int, wanted: int, longest: int, added: int) -> Block | None:
        """The next rows, each asked for alone, up to the one with which there are `wanted` tokens.

        Or up to one of `longest` tokens or more, or one that is an error, or no tokens: whatever comes of those.
        `added` tokens are put into each.
        """

        def pulled() -> Block | None:
            blocks: list[Block] = []
            missing = wanted
            while missing > 0:
                block = self._source.next_block(1)
                if block is None:
                    break
                blocks.append(block)
                tokens = _num_tokens(block)
                missing = 0 if tokens is None or tokens + added >= longest else missing - tokens - added
            return concatenate(blocks) if blocks else None

        return self._marked(given, pulled)

    def _marked(self, given: int, pull: Callable[[], Block | None]) -> Block | None:
        state = self._source.get_state()
        block = pull()
        if block is not None:
            self.marks.append(_Mark(self.read, given, state))
            self.read += block.rows
        return block

    def drop(self, oldest: int, count: int) -> None:
        """Keep the last state before what the packer counts as `oldest`, and those after it; none if nothing waits."""
        if oldest == count:
            self.marks = []
        while len(self.marks) > 1 and self.marks[1].given <= oldest:
            self.marks.pop(0)

    def next_block(self, rows: int) -> Block | None:
        raise NotImplementedError("rows are pulled")

    def get_state(self) -> State:
        row, state = (self.marks[0].row, self.marks[0].state) if self.marks else (self.read, self._source.get_state())
        return {"input": state, "read_from": row, "read": self.read + self.to_read_again}

    def set_state(self, state: Any) -> None:
        self._source.set_state(state["input"])
        self.read = int(state["read_from"])
        self.to_read_again = int(state["read"]) - self.read

    def close(self) -> None:
        self.marks = []
        self._source.close()


def _packer(asked: Asked, reader: SequenceReader, context: Context) -> Packer:
    if asked.strategy == "split":
        return Splitter(asked, reader, context)
    fitter = FirstFit if asked.strategy == "first_fit" else BestFit
    return Placer(asked, fitter(asked.length, asked.open_rows), reader, context)


class PackOperator(SurplusOperator):
    """Packs blocks of the input, as many rows of it as should make the rows that are wanted.

    The state is that of the input, before the block of the oldest sequence that waits, and which of those read since
    wait; going back to it reads them again.
    """

    source: _Marked

    def __init__(self, node: Node, asked: Asked, source: Operator, context: Context) -> None:
        super().__init__(_Marked(source))
        self._node = node
        self._length = asked.length
        self._reader = SequenceReader(asked)
        self._packer = _packer(asked, self._reader, context)
        self._exact: bool | None = None
        self._read_tokens = self._read_rows = 1
        self._tokens_at_once = 1
        self._restored: Any = None

    def produce(self, rows: int) -> Block | None:
        packer = self._packer
        if self._restored is not None:
            self._read_again()
        made: Block | None = None
        while made is None:
            block = self._pull(rows)
            if block is None:
                made = packer.rest()
                self.source.drop(packer.count, packer.count)
                return made
            made = self._packed(block)
            self.source.drop(packer.oldest, packer.count)
        return made

    def _pull(self, rows: int) -> Block | None:
        """The elements that should make so many rows; where somebody could notice, none beyond those that make one."""
        packer = self._packer
        if self._exact is None and self.source.read >= _ROWS_UNJUDGED:
            self._exact = demand_is_exact(self._node)
        if self._exact is not False:
            return self.source.pull_singly(packer.count, max(1, packer.wanted_tokens), self._length, self._reader.added)
        self._tokens_at_once = min(2 * self._tokens_at_once, _TOKENS_WORTH_A_ROUND)
        tokens = packer.wanted_tokens + min((rows - 1) * self._length, _MOST_TOKENS)
        elements = max(tokens, self._tokens_at_once) * self._read_rows // self._read_tokens
        return self.source.pull(max(1, min(_MOST_ROWS, elements)), packer.count)

    def _packed(self, block: Block) -> Block | None:
        """The rows that become complete, and errors, in the order in which they do."""
        made: list[Block | None] = []
        start = 0
        errors = self._reader.check(block, self.source.read - block.rows)
        for row in [*sorted(errors), block.rows]:
            if row > start:
                self._add(block.slice(start, row))
                made.append(self._packer.complete())
            if row < block.rows:
                made.append(Block(None, (), 1, {0: errors[row]}))
            start = row + 1
        found = [part for part in made if part is not None]
        return concatenate(found) if found else None

    def _add(self, block: Block) -> None:
        sequences = self._reader.read(block)
        self._packer.add(sequences)
        self._read_rows += block.rows
        self._read_tokens += int(sequences.offsets[-1])

    def own_state(self) -> Any:
        if self._restored is not None:
            return self._restored
        start = self.source.marks[0].given if self.source.marks else self._packer.count
        return {"form": self._reader.form(), "waiting": self._packer.waiting(start)}

    def set_own_state(self, state: Any) -> None:
        self._restored = state

    def _read_again(self) -> None:
        """Read the rows from the oldest that waited on, and let the same wait."""
        self._reader.remember(self._restored["form"])
        while self.source.to_read_again:
            block = self.source.pull(min(_ROWS_READ_AGAIN, self.source.to_read_again), self._packer.count)
            if block is None:
                break
            self.source.to_read_again -= block.rows
            errors = self._reader.check(block, self.source.read - block.rows)
            good = np.delete(np.arange(block.rows), list(errors))
            if len(good):
                self._add(block.take(good) if errors else block)
        self._packer.load(self._restored["waiting"])
        self.source.drop(self._packer.oldest, self._packer.count)
        self._restored = None
