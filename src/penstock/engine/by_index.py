"""Runs nodes with access by index: places are resolved in windows far ahead, data is gathered as it is asked for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from penstock.block import Block
from penstock.blockwise import Blockwise
from penstock.errors import StateError
from penstock.node import Access, Context, IndexOnly, Node, Places, State
from penstock.plan import walk
from penstock.tally import Tally

_FIRST_WINDOW = 4096
_LARGEST_WINDOW = 65536


def parallel_below(node: Node) -> Blockwise | None:
    """The first step with parallel calls that is reached from an index-only step through others of its kind."""
    while isinstance(node, IndexOnly) and node.access is not Access.STREAM:
        node = node.input_node
        if isinstance(node, Blockwise) and node.settings is not None:
            return node
    return None


class Located(NamedTuple):
    """Rows whose places are known."""

    places: Places
    start: int
    rows: int

    def slice(self, start: int, stop: int) -> Located:
        """Rows `start` to `stop` of these."""
        return Located(self.places, self.start + start, stop - start)


class IndexOperator:
    """Walks a node from its first element to its last; its state is an index."""

    def __init__(self, node: Node, context: Context) -> None:
        self._node = node
        self._context = context
        self._count = node.cardinality()
        self._next = 0
        self._window: Places | None = None
        self._used = 0
        self._window_rows = _FIRST_WINDOW
        self.tally = Tally()
        # Shards below another step: an index among their elements means nothing to another number of shards.
        below = [step for step in walk(node)[1:] if step.global_index(1) != 1]
        self._shards = [step.global_index(1) for step in below]

    def next_block(self, rows: int) -> Block | None:
        located = self.next_places(rows)
        if located is None:
            return None
        block = located.places.gather(located.start, located.start + located.rows)
        self.tally.blocks += 1
        if block.rows != 1 or block.errors:
            self.tally.add(block)
        return block

    def next_places(self, rows: int) -> Located | None:
        """Where the next `rows` rows are; fewer at the end, None after it."""
        if self._count >= 0:
            rows = min(rows, self._count - self._next)
            if rows <= 0:
                return None
        window = self._window
        if window is None or self._used + rows > window.rows:
            window = self._look_ahead(rows)
        located = Located(window, self._used, rows)
        self._used += rows
        self._next += rows
        return located

    def _look_ahead(self, rows: int) -> Places:
        """Resolve the next window: a multiple of what is asked for, so that demands seldom straddle two."""
        per_element = self._node.rows_per_element
        wanted = max(1, self._window_rows // (rows * per_element)) * rows
        self._window_rows = min(2 * self._window_rows, _LARGEST_WINDOW)
        if self._count >= 0:
            wanted = min(wanted, self._count - self._next)
        indices = np.arange(self._next, self._next + wanted, dtype=np.int64)
        self._window = self._node.resolve(self._context.epoch, indices, self._context)
        self._used = 0
        return self._window

    def get_state(self) -> State:
        state = {"index": self._node.global_index(self._next)}
        return {**state, "shards": self._shards} if self._shards else state

    def set_state(self, state: State) -> None:
        index = int(state["index"])
        self._next = self._node.local_index(index)
        # A shard may be one element shorter than the one that the state was taken on.
        if index < 0 or self._next > self._count + 1 > 0:
            raise StateError(f"load_state_dict(): there is no element {index} in {self._node.signature()}")
        if state.get("shards", []) != self._shards:
            raise StateError(
                f"load_state_dict(): the state was taken on {state.get('shards')} shards and this is {self._shards}; "
                f"the number of shards may change only where shard() comes after {self._node.signature()}"
            )
        self._window = None

    def local_index(self, state: State) -> int:
        """The index here that a state stands for."""
        return self._node.local_index(int(state["index"]))

    def advance(self, state: State, rows: int) -> State:
        index = self._node.local_index(int(state["index"])) + rows
        return {**state, "index": self._node.global_index(index if self._count < 0 else min(index, self._count))}

    def close(self) -> None:
        self._window = None
        self._count = self._next
