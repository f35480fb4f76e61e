"""Shuffling streams: the same orders, with the elements of the buffer in memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock import random
from penstock.block import Block, concatenate
from penstock.node import Indices, Operator, State

_RUN_ROWS = 1024


class FullShuffleOperator:
    """Reads the whole input, then hands it out in the order of a permutation."""

    def __init__(self, source: Operator, key: random.Key) -> None:
        self._source = source
        self._key = key
        self._start: State = None
        self._next = 0
        self._rows: Block | None = None
        self._order: Indices = np.empty(0, np.int64)

    def next_block(self, rows: int) -> Block | None:
        if self._start is None:
            self._start = self._source.get_state()
        if self._rows is None:
            blocks = []
            while (block := self._source.next_block(_RUN_ROWS)) is not None:
                blocks.append(block)
            if not blocks:
                return None
            self._rows = concatenate(blocks)
            self._order = random.Permutation(self._key, self._rows.rows)(np.arange(self._rows.rows))
        chosen = self._order[self._next : self._next + rows]
        self._next += len(chosen)
        return self._rows.take(chosen) if len(chosen) else None

    def get_state(self) -> State:
        start = self._source.get_state() if self._start is None else self._start
        return {"next": self._next, "input": start}

    def set_state(self, state: Any) -> None:
        self._next, self._start = int(state["next"]), state["input"]
        self._source.set_state(self._start)

    def advance(self, state: State, rows: int) -> State | None:
        return {**state, "next": state["next"] + rows}

    def close(self) -> None:
        self._rows = None
        self._source.close()


class BufferedShuffleOperator:
    """Holds the rows of the buffer's slots; which one comes next is computed by `BufferedOrder`.

    The state is the number of the next output and the input's state at or before the oldest row that is still held;
    going back to it reads the input again from there.

    Each output waits for one row more than the buffer's: whether the input goes on decides what comes next, since an
    input that ends when the buffer has just been filled is a permutation, and the last buffer has an order of its own.
    """

    def __init__(self, source: Operator, key: random.Key, buffer_rows: int) -> None:
        self._source = source
        self._key = key
        self._buffer_rows = buffer_rows
        self._order = random.BufferedOrder(key, buffer_rows)
        self._step = 0
        self._held = _HeldRows()
        self._read = 0
        self._marks: list[tuple[int, State]] = []
        self._size: int | None = None
        self._last_order: Indices | None = None
        self._oldest_of_last: int | None = None

    def next_block(self, rows: int) -> Block | None:
        while self._size is None and self._read < self._step + self._buffer_rows:
            self._pull(self._step + self._buffer_rows - self._read)
        if self._size is None:
            block = self._pull(rows)
            if block is not None:
                return self._hand_out(self._order.outputs(self._step, block.rows))
        if self._size is not None and self._step < self._size - self._buffer_rows:
            # Only after a state was loaded: the input has been read further than outputs were handed over.
            count = min(rows, self._size - self._buffer_rows - self._step)
            return self._hand_out(self._order.outputs(self._step, count))
        return self._drain(rows)

    def _drain(self, rows: int) -> Block | None:
        assert self._size is not None
        if self._last_order is None:
            if self._size > self._buffer_rows:
                self._last_order = self._order.tail(self._size)
            else:
                self._last_order = random.Permutation(self._key, self._size)(np.arange(self._size))
        done = self._step - max(0, self._size - self._buffer_rows)
        chosen = self._last_order[done : done + rows]
        return self._hand_out(chosen) if len(chosen) else None

    def _pull(self, rows: int) -> Block | None:
        state = self._source.get_state()
        block = self._source.next_block(min(rows, max(_RUN_ROWS, 1)))
        if block is None:
            self._size = self._read
            return None
        self._marks.append((self._read, state))
        self._held.add(self._read, block)
        self._read += block.rows
        if self._held.rows > 2 * self._buffer_rows + 2 * _RUN_ROWS and self._size is None:
            self._forget()
        return block

    def _forget(self) -> None:
        """Drop rows that were handed over, and states older than the oldest row still held."""
        arrived = np.arange(self._step + self._buffer_rows, self._read)
        pending = np.concatenate([np.sort(self._order.slots(self._step)), arrived])
        self._held.keep(pending[pending < self._read])
        self._drop_marks(int(pending[0]))

    def _drop_marks(self, oldest: int) -> None:
        keep = 0
        while keep + 1 < len(self._marks) and self._marks[keep + 1][0] <= oldest:
            keep += 1
        del self._marks[:keep]

    def _hand_out(self, indices: Indices) -> Block:
        self._step += len(indices)
        return self._held.take(indices)

    def get_state(self) -> State:
        if not self._marks:
            start, state = self._read, self._source.get_state()
        else:
            self._drop_marks(self._oldest())
            start, state = self._marks[0]
        return {"step": self._step, "read_from": start, "size": self._size, "input": state}

    def _oldest(self) -> int:
        last_step = None if self._size is None else self._size - self._buffer_rows
        if self._step == 0 or (last_step is not None and last_step <= 0):
            return 0
        if last_step is None or self._step <= last_step:
            return self._order.oldest_pending(self._step)
        if self._oldest_of_last is None:
            # The rows of the last buffer come out in an order of their own; all are kept until the end.
            self._oldest_of_last = int(self._order.slots(last_step).min())
        return self._oldest_of_last

    def set_state(self, state: Any) -> None:
        self._step = int(state["step"])
        self._size = None
        self._read = int(state["read_from"])
        self._source.set_state(state["input"])
        self._marks = []
        self._held = _HeldRows()

    def advance(self, state: State, rows: int) -> State | None:
        return {**state, "step": state["step"] + rows}

    def close(self) -> None:
        self._held = _HeldRows()
        self._source.close()


class _HeldRows:
    """Rows by their index in the input: a few blocks of growing size, so that adding rows copies each only rarely."""

    def __init__(self) -> None:
        self._parts: list[tuple[Indices, Block]] = []
        self.rows = 0

    def add(self, start: int, block: Block) -> None:
        parts = self._parts
        parts.append((np.arange(start, start + block.rows), block))
        self.rows += block.rows
        while len(parts) > 1 and parts[-2][1].rows <= 2 * parts[-1][1].rows:
            (left, older), (right, newer) = parts[-2:]
            parts[-2:] = [(np.concatenate([left, right]), concatenate([older, newer]))]

    def take(self, indices: Indices) -> Block:
        starts = [int(part[0][0]) for part in self._parts]
        which = np.searchsorted(starts, indices, side="right") - 1
        gathered: list[Block] = []
        rows: list[Indices] = []
        for number in np.unique(which).tolist():
            here = np.flatnonzero(which == number)
            own, block = self._parts[number]
            gathered.append(block.take(np.searchsorted(own, indices[here])))
            rows.append(here)
        if len(gathered) == 1:
            return gathered[0]
        return concatenate(gathered).take(np.argsort(np.concatenate(rows), kind="stable"))

    def keep(self, indices: Indices) -> None:
        block = self.take(indices)
        self._parts = [(indices, block)]
        self.rows = len(indices)
