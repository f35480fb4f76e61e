"""A place in a cycle of datasets that threads read ahead."""

from __future__ import annotations

from penstock.nested.poured import Rows
from penstock.nested.read_ahead import ReadAhead
from penstock.nested.slot import Slot, state_of
from penstock.nested.sub_dataset import SubDataset
from penstock.node import State


class AheadSlot(Slot):
    """Hands over what threads have read of a dataset."""

    def __init__(self, sub: SubDataset, ahead: ReadAhead) -> None:
        super().__init__(sub)
        self._ahead = ahead
        # Before a thread has it: what that makes known of the dataset shows in the places that come with its rows.
        self._place = sub.place()
        self._skip = 0
        self.line = ahead.add(sub)

    @property
    def is_ready(self) -> bool:
        return self._block is not None or bool(self.line.ready)

    @property
    def is_broken(self) -> bool:
        return self._block is None and self.line.is_broken

    def look(self, wanted: int, useful: int) -> Rows | None:
        if self._block is None:
            if self.line.has_rows:
                self._place, self._skip = self.line.place()
            self._block = self._ahead.receive(self.line)
            self.taken = 0
        return self._block

    def at_hand(self) -> Rows | None:
        # The end and what broke are met in their turn.
        return self.look(1, 1) if self._block is None and self.line.has_rows else self._block

    def take(self, rows: int) -> None:
        assert self._block is not None
        self.taken += rows
        self._state = None
        if self.taken == self._block.rows:
            self._block, self.taken = None, 0
            self._place, self._skip = self.line.place()

    def get_state(self) -> State:
        if self._state is None:
            self._state = state_of(self.sub, self._place, self._skip + self.taken)
        return self._state

    def close(self) -> None:
        """The threads let go of the dataset."""
