"""Reads elements, lets them wait by the bucket of their length, and hands over each batch when it is complete."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from penstock import tree
from penstock.block import Block
from penstock.collecting.cutting import Begun
from penstock.collecting.waiting import WaitingRows
from penstock.columns import Dense
from penstock.errors import SpecError
from penstock.group import group_ragged
from penstock.node import Context, Indices, Operator, State
from penstock.padder import Padder, block_of_batches, ready_together
from penstock.plan import demand_is_exact
from penstock.vectorize.by_length import LengthFunction

if TYPE_CHECKING:
    from penstock.collecting.node import Collecting

_MOST_ROWS = 8192
_MOST_BYTES = 1 << 24
_BYTES_AT_ONCE = 1 << 20
_LONG_SECONDS = 0.001
_ROWS_READ_AGAIN = 1024
# Judging functions takes longer than reading so many rows one by one.
_ROWS_UNJUDGED = 32
_NO_BUCKET = -1
_AT_THE_END = -1


class Outcome(NamedTuple):
    """What is handed over when a row comes: a batch of a bucket, or an error."""

    place: int
    bucket: int
    rows: Indices
    error: Exception | None = None


class CollectOperator:
    """Works in rounds: reads rows, cuts all that wait into batches, and makes those batches as they are asked for.

    The state is the input's at or before the oldest row that waited when the round began, how many rows had been read
    by then, how many waited in each bucket (they are the bucket's last ones), and how much of the round was handed
    over. Going back to it reads the input again from there, without making batches.
    """

    def __init__(self, node: Collecting, source: Operator, context: Context) -> None:
        self._node = node
        self._source = source
        self._context = context
        self._cutter = node.cutter()
        self._length = LengthFunction(node.function)
        self._padders: dict[int, Padder] = {}
        self._waiting = WaitingRows()
        self._begun: Indices = np.empty(0, np.int64)
        self._read = 0
        self._marks: list[tuple[int, State]] = []
        self._round: list[Outcome] = []
        self._taken = 0
        self._before: State = None
        self._restored: State = None
        self._exact: bool | None = None
        self._rows_at_once = 1
        self._ended = False

    def next_block(self, rows: int) -> Block | None:
        if self._restored is not None:
            self._read_again()
        while self._taken >= len(self._round):
            if self._ended:
                return None
            self._start_round()
        block = self._made(self._round[self._taken : self._taken + rows])
        self._taken += block.rows
        return block

    def _start_round(self) -> None:
        """Read until a batch may be complete, and cut what waits."""
        self._begun = self._waiting.keep(self._begun)
        self._drop_marks()
        self._before = self._state_of_round()
        errors = self._read_on()
        self._round = sorted([*errors, *self._cut()], key=lambda outcome: outcome.place)
        self._taken = 0
        if self._ended:
            if not self._node.drops_rest:
                rest = self._waiting.by_bucket(self._begun)
                self._round += [Outcome(_AT_THE_END, bucket, rows) for bucket, rows in rest]
            self._begun = self._begun[:0]

    def _read_on(self) -> list[Outcome]:
        """Read rows: where functions may have effects, none beyond the one that completes a batch or is an error.

        Gives the errors.
        """
        waiting = self._waiting
        begun = Begun(len(self._node.boundaries) + 1)
        begun.add(waiting.buckets[self._begun], waiting.lengths[self._begun])
        while True:
            if self._exact is None and self._read >= _ROWS_UNJUDGED:
                self._exact = demand_is_exact(self._node)
            block = self._pull(1 if self._exact is not False else self._rows_at_once)
            if block is None:
                self._ended = True
                return []
            start = len(waiting.numbers)
            errors = self._add(block)
            places = np.arange(start, start + block.rows)
            good = places[waiting.buckets[start:] >= 0]
            self._begun = np.concatenate([self._begun, good])
            begun.add(waiting.buckets[good], waiting.lengths[good])
            if errors or self._exact is False or self._cutter.completes(begun):
                break
        return [Outcome(start + row, _NO_BUCKET, places[:0], error) for row, error in sorted(errors.items())]

    def _pull(self, rows: int) -> Block | None:
        state = self._source.get_state()
        began = time.perf_counter()
        block = self._source.next_block(rows)
        seconds = time.perf_counter() - began
        if block is None:
            return None
        self._marks.append((self._read, state))
        if seconds > 4 * _LONG_SECONDS or block.num_bytes > _MOST_BYTES:
            self._rows_at_once = max(1, block.rows // 2)
        elif seconds < _LONG_SECONDS and block.num_bytes < _MOST_BYTES // 2:
            self._rows_at_once = min(_MOST_ROWS, max(self._rows_at_once, 2 * block.rows))
        return block

    def _add(self, block: Block) -> dict[int, Exception]:
        """Let rows wait; gives the errors, which do not."""
        result = self._length.apply(block, self._context, self._read)
        errors = dict(result.errors)
        lengths = whole_numbers(result, errors, self._node, self._read)
        buckets = np.searchsorted(self._node.boundaries, lengths, side="right")
        buckets[list(errors)] = _NO_BUCKET
        self._waiting.add(Block(block.treedef, block.columns, block.rows), self._read, buckets, lengths)
        self._read += block.rows
        return errors

    def _cut(self) -> list[Outcome]:
        """The batches that are complete; the other rows have begun one."""
        found: list[Outcome] = []
        rest: list[Indices] = [self._begun[:0]]
        for bucket, places in self._waiting.by_bucket(self._begun):
            stops, closers = self._cutter.cut(bucket, self._waiting.lengths[places])
            start = 0
            for stop, closer in zip(stops.tolist(), places[closers].tolist(), strict=True):
                found.append(Outcome(closer, bucket, places[start:stop]))
                start = stop
            rest.append(places[start:])
        self._begun = np.sort(np.concatenate(rest))
        return found

    def _made(self, chosen: list[Outcome]) -> Block:
        """The first of these outcomes, a row for each: batches, or errors."""
        is_error = [outcome.error is not None for outcome in chosen]
        if is_error[0]:
            count = is_error.index(False) if False in is_error else len(chosen)
            return Block(None, (), count, {at: one.error for at, one in enumerate(chosen[:count]) if one.error})
        count = is_error.index(True) if True in is_error else len(chosen)
        return self._stacked(chosen[:count]) if self._node.padding is None else self._padded(chosen[:count])

    def _padded(self, chosen: list[Outcome]) -> Block:
        """The first of these batches, as many as stay in the processor's cache until they are read."""
        chosen = chosen[: self._batches_at_once(chosen)]
        pieces = [self._waiting.pieces(outcome.rows) for outcome in chosen]
        ready = self._made_together(chosen, pieces)
        errors: dict[int, Exception] = {}
        made: list[list[Any] | None] = []
        for at, outcome in enumerate(chosen):
            batch = None
            try:
                batch = self._padder(outcome.bucket).batch(pieces[at], self._context, ready.get(at))
            except (SpecError, TypeError, ValueError) as error:
                errors[at] = error
            made.append(batch)
        return block_of_batches(pieces[0][0][0].treedef, made, errors)

    def _batches_at_once(self, chosen: list[Outcome]) -> int:
        rows = _BYTES_AT_ONCE // self._waiting.bytes_per_row
        for at, outcome in enumerate(chosen):
            rows -= len(outcome.rows)
            if rows <= 0:
                return at + 1
        return len(chosen)

    def _made_together(
        self, chosen: list[Outcome], pieces: list[list[tuple[Block, Indices]]]
    ) -> dict[int, tuple[Any, ...]]:
        """What could be made at once for all batches whose rows came with the last block."""
        block = pieces[-1][-1][0]
        alike = [at for at, own in enumerate(pieces) if len(own) == 1 and own[0][0] is block]
        if not alike:
            return {}
        padders = [self._padder(chosen[at].bucket) for at in alike]
        return dict(zip(alike, ready_together(block, [pieces[at][0][1] for at in alike], padders), strict=True))

    def _padder(self, bucket: int) -> Padder:
        padder = self._padders.get(bucket)
        if padder is None:
            padding = self._node.padding_of(bucket)
            assert padding is not None
            padder = self._padders[bucket] = Padder(padding)
        return padder

    def _stacked(self, chosen: list[Outcome]) -> Block:
        batches = [outcome.rows for outcome in chosen]
        offsets = np.concatenate([[0], np.cumsum([len(rows) for rows in batches])])
        first = np.zeros(len(batches), np.int64)
        found = group_ragged(self._waiting.joined(batches), offsets, self._node.method, first, self._context)
        for error in found.errors.values():
            error.add_note("elements are counted within the batch")
        return found

    def _drop_marks(self) -> None:
        """Keep the input's states before the rows that wait, and no others."""
        starts = [start for start, _ in self._marks]
        needed = np.unique(np.searchsorted(starts, self._waiting.numbers[self._begun], side="right") - 1)
        self._marks = [self._marks[at] for at in needed.tolist()]

    def _state_of_round(self) -> State:
        start, state = self._marks[0] if self._marks else (self._read, self._source.get_state())
        buckets, counts = np.unique(self._waiting.buckets[self._begun], return_counts=True)
        return {
            "read_from": start,
            "read": self._read,
            "waiting": [list(pair) for pair in zip(buckets.tolist(), counts.tolist(), strict=True)],
            "input": state,
        }

    def get_state(self) -> State:
        if self._restored is not None:
            return self._restored
        if self._before is None:
            return {**self._state_of_round(), "taken": 0}
        return {**self._before, "taken": self._taken}

    def set_state(self, state: State) -> None:
        self._source.set_state(state["input"])
        self._restored = {
            "read_from": int(state["read_from"]),
            "read": int(state["read"]),
            "waiting": [[int(bucket), int(count)] for bucket, count in state["waiting"]],
            "input": state["input"],
            "taken": int(state["taken"]),
        }

    def _read_again(self) -> None:
        """Read the rows that waited, and those between them, and begin the round that the state was taken in."""
        state = self._restored
        self._read = state["read_from"]
        waiting = dict(state["waiting"])
        while self._read < state["read"]:
            start = len(self._waiting.numbers)
            block = self._pull(min(_ROWS_READ_AGAIN, state["read"] - self._read))
            if block is None:
                break
            self._add(block)
            places = np.concatenate([self._begun, np.arange(start, start + block.rows)])
            last = [own[-waiting[bucket] :] for bucket, own in self._waiting.by_bucket(places) if bucket in waiting]
            self._begun = self._waiting.keep(np.sort(np.concatenate([places[:0], *last])))
        self._restored = None
        left = state["taken"]
        while not self._ended and (self._before is None or left > len(self._round)):
            left -= len(self._round)
            self._start_round()
        self._taken = min(left, len(self._round))

    def advance(self, state: State, rows: int) -> State | None:
        return {**state, "taken": state["taken"] + rows}

    def close(self) -> None:
        self._waiting = WaitingRows()
        self._round = []
        self._source.close()


def whole_numbers(result: Block, errors: dict[int, Exception], node: Collecting, first: int) -> Indices:
    """The lengths that a function gave for rows from `first` on; those that are none become errors of their row."""
    column = result.columns[0] if result.treedef == tree.LEAF else None
    if isinstance(column, Dense) and getattr(column.dtype, "kind", "O") in "iu" and not column.row_shape:
        lengths = column.array.astype(np.int64)
    else:
        lengths = np.zeros(result.rows, np.int64)
        for row, value in enumerate(result.elements()):
            if row in errors:
                continue
            if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
                lengths[row] = value
            else:
                errors[row] = SpecError(
                    f"{node.method}(): {node.function.name} returned {value!r} for element {first + row}; "
                    "return its length, a whole number"
                )
    longest = node.longest
    is_wrong = lengths < 0 if longest is None else (lengths < 0) | (lengths > longest)
    for row in np.flatnonzero(is_wrong).tolist():
        if row not in errors:
            bound = "at least 0" if lengths[row] < 0 else f"at most {longest}; {node.advice}"
            errors[row] = SpecError(
                f"{node.method}(): element {first + row} has the length {lengths[row]}, but it must be {bound}"
            )
    return lengths
