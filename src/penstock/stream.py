"""What operators over streams share: holding a surplus exactly, and walking through inputs that end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from penstock.block import Block, concatenate
from penstock.building import Allocate
from penstock.columns import Part
from penstock.errors import refuse_without_order
from penstock.node import Operator, State
from penstock.tally import Tally


class SurplusOperator(ABC):
    """An operator whose steps give more or fewer rows than were asked for: what is left over waits here.

    Subclasses make rows in `produce`, out of `self.source`. The state is the source's before the step that gave the
    held rows, and how many of those have been handed over; going back to it repeats that one step.
    """

    def __init__(self, source: Operator) -> None:
        self.source = source
        self._before: State = None
        self._held: Block | None = None
        self._taken = 0
        self._to_skip = 0
        self.tally = Tally()

    @abstractmethod
    def produce(self, rows: int) -> Block | None:
        """Some further rows, perhaps none, when `rows` are wanted; None at the end."""

    def own_state(self) -> Any:
        """What the subclass keeps beside its source's state, as it is before a step."""
        return None

    def set_own_state(self, state: Any) -> None:  # noqa: B027  nothing to take back is the common case
        """Take back what `own_state` gave."""

    def next_block(self, rows: int) -> Block | None:
        while True:
            held = self._held
            if held is not None and self._taken < held.rows:
                start = self._taken
                self._taken = min(held.rows, start + rows)
                if self._taken == held.rows:
                    # Not kept for longer than needed: an error in it, once raised, refers back to the whole pipeline.
                    self._held = None
                block = held.slice(start, self._taken)
                self.tally.blocks += 1
                if block.rows != 1 or block.errors:
                    self.tally.add(block)
                return block
            self._before = {"source": self.source.get_state(), "own": self.own_state()}
            self._held = self.produce(rows if not self._to_skip else self._to_skip)
            if self._held is None:
                self._taken = 0
                return None
            self._taken = min(self._to_skip, self._held.rows)
            self._to_skip -= self._taken

    def get_state(self) -> State:
        if self._before is None:
            return {"source": self.source.get_state(), "own": self.own_state(), "taken": 0}
        return {**self._before, "taken": self._taken + self._to_skip}

    def set_state(self, state: State) -> None:
        refuse_without_order(state)
        self.source.set_state(state["source"])
        self.set_own_state(state["own"])
        self._before = {"source": state["source"], "own": state["own"]}
        self._held, self._taken, self._to_skip = None, 0, int(state["taken"])

    def advance(self, state: State, rows: int) -> State | None:
        return {**state, "taken": state["taken"] + rows}

    def close(self) -> None:
        self._held = None
        self.source.close()


def exactly(source: Operator, rows: int, allocate: Allocate | None = None, batch_rows: int = 0) -> Block | None:
    """`rows` rows of `source`, fewer only at its end, None where nothing is left; joined in memory of `allocate`.

    Where they lie in the memory of batches of `batch_rows` already, only whole ones that join without a copy.
    """
    block = source.next_block(rows)
    if block is None or block.rows == rows:
        return block
    if batch_rows and any(type(column) is Part for column in block.columns):
        rows = min(rows, -(-block.rows // batch_rows) * batch_rows)
    blocks = [block]
    missing = rows - block.rows
    while missing:
        block = source.next_block(missing)
        if block is None:
            break
        blocks.append(block)
        missing -= block.rows
    return concatenate(blocks, allocate)
