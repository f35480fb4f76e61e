"""Runs a mixture over streams: each input is read as far as its elements were picked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from penstock.block import Block
from penstock.mixing.picks import ERROR, Picker, Picks
from penstock.mixing.places import Rows, failures, merged
from penstock.node import Context, Operator, State
from penstock.stream import exactly

_STEPS_AHEAD = 4096


class MixtureOperator:
    """Picks an input for each of some steps, then reads from each input what was picked of it.

    The state is the number of the next step, which inputs have ended, and where all of them are.

    Args:
        method: The public function, for messages.
        picker: Whose picks.
        sources: The inputs.
        chooser: What tells the picks, if something does.
        stop_on_empty: Whether the first pick of an input that has ended ends everything; else it is passed over.
        is_step_by_step: Whether it could be noticed that more was read than one step after another takes.
        context: That of the run.
    """

    def __init__(
        self,
        method: str,
        picker: Picker,
        sources: Sequence[Operator],
        chooser: Operator | None,
        stop_on_empty: bool,
        is_step_by_step: bool,
        context: Context,
    ) -> None:
        self._method = method
        self._picker = picker
        self._sources = sources
        self._chooser = chooser
        self._stop_on_empty = stop_on_empty
        self._is_step_by_step = is_step_by_step
        self._context = context
        self._step = 0
        self._is_open = np.ones(len(sources), np.bool_)
        self._ended = False

    def next_block(self, rows: int) -> Block | None:
        while not self._ended:
            block = self._next(1 if self._is_step_by_step else rows)
            if block is not None:
                return block
        return None

    def _next(self, rows: int) -> Block | None:
        """At most `rows` elements; None where the steps looked at gave none, or at the end."""
        start, count, given = self._step, rows, None
        if self._chooser is not None:
            given = exactly(self._chooser, rows)
            if given is None:
                self._end()
                return None
            count = given.rows
        elif not (self._is_step_by_step or self._is_open.all()):
            # Picks of inputs that have ended are passed over: many, where those that are left have small weights.
            count = max(rows, _STEPS_AHEAD)
        picks = self._picker.pick(start, count, given, self._is_open, self._context)
        if count > rows:
            picks = self._of_elements(picks, rows)
        self._step += len(picks.which)
        return self._read(picks, start, given)

    def _of_elements(self, picks: Picks, rows: int) -> Picks:
        """The picks as far as the first `rows` of inputs that have not ended."""
        giving = np.flatnonzero((picks.which == ERROR) | self._is_open[picks.which])
        if len(giving) < rows:
            return picks
        steps = int(giving[rows - 1]) + 1
        return Picks(picks.which[:steps], {step: error for step, error in picks.errors.items() if step < steps})

    def _read(self, picks: Picks, start: int, given: Block | None) -> Block | None:
        """The elements that were picked; without those whose inputs have ended."""
        which = picks.which
        blocks: list[Block] = []
        places: list[Rows] = []
        closing: list[tuple[int, int]] = []
        for number in dict.fromkeys(which.tolist()):
            mine = np.flatnonzero(which == number)
            if number == ERROR:
                blocks.append(failures([picks.errors[row] for row in mine.tolist()]))
                places.append(mine)
            elif self._is_open[number]:
                block = exactly(self._sources[number], len(mine))
                found = 0 if block is None else block.rows
                if found < len(mine):
                    closing.append((int(mine[found]), number))
                if block is not None:
                    blocks.append(block)
                    places.append(mine[:found])
        end = self._close_inputs(closing, len(which), start, given)
        if picks.is_last or end < len(which):
            self._end()
        return self._joined(blocks, places, end)

    def _close_inputs(self, closing: list[tuple[int, int]], count: int, start: int, given: Block | None) -> int:
        """Note which inputs have ended, each at a row of the `count` that were picked; the row that ends everything."""
        for row, number in sorted(closing):
            self._is_open[number] = False
            if self._stop_on_empty:
                return row
            if row + 1 < count:
                # What comes after it may be nothing, now that this input has ended.
                rest = None if given is None else given.slice(row + 1, count)
                again = self._picker.pick(start + row + 1, count - row - 1, rest, self._is_open, self._context)
                if again.is_last:
                    return row + 1 + len(again.which)
        return count

    def _joined(self, blocks: list[Block], places: list[Rows], end: int) -> Block | None:
        """The rows that stand before `end`, without gaps between them."""
        cut = [(block, rows[rows < end]) for block, rows in zip(blocks, places, strict=True)]
        cut = [(block.slice(0, len(rows)), rows) for block, rows in cut if len(rows)]
        if not cut:
            return None
        if len(cut) == 1:
            return cut[0][0]
        # From places with gaps to rows.
        order = np.sort(np.concatenate([rows for _, rows in cut]))
        rows = [np.searchsorted(order, rows) for _, rows in cut]
        return merged(self._method, [block for block, _ in cut], rows, self._context.allocate)

    def _end(self) -> None:
        self._ended = True
        self.close()

    def get_state(self) -> State:
        return {
            "step": self._step,
            "open": self._is_open.tolist(),
            "ended": self._ended,
            "inputs": [source.get_state() for source in self._sources],
            "chooser": None if self._chooser is None else self._chooser.get_state(),
        }

    def set_state(self, state: Any) -> None:
        self._step, self._ended = int(state["step"]), bool(state["ended"])
        self._is_open = np.array(state["open"], np.bool_)
        for source, saved in zip(self._sources, state["inputs"], strict=True):
            source.set_state(saved)
        if self._chooser is not None:
            self._chooser.set_state(state["chooser"])

    def close(self) -> None:
        for source in self._sources:
            source.close()
        if self._chooser is not None:
            self._chooser.close()
