"""A place in a cycle of datasets: what was read of the one that has it, and what of that was handed over."""

from __future__ import annotations

from penstock.nested.poured import Rows
from penstock.nested.sub_dataset import SubDataset
from penstock.node import State

# Whether a dataset's functions are pure is judged when so many rows were read: that takes longer than reading a few.
_ROWS_UNJUDGED = 64


class Slot:
    """Reads one dataset when rows of it are wanted.

    Attributes:
        sub: The dataset.
        taken: Rows of the block at hand that were handed over.
    """

    def __init__(self, sub: SubDataset) -> None:
        self.sub = sub
        self.taken = 0
        self._block: Rows | None = None
        self._num_read = 0
        self._place: State = None
        self._state: State = None

    @property
    def is_ready(self) -> bool:
        """Whether `look` need not wait for a thread."""
        return True

    @property
    def is_broken(self) -> bool:
        """Whether `look` will raise what a thread met."""
        return False

    def look(self, wanted: int, useful: int) -> Rows | None:
        """Rows with those from `taken` on, None at the end.

        If there is none at hand, `wanted` rows are read; where no user code can tell, as many as are `useful`.
        """
        if self._block is None:
            if not self.sub.is_open:
                self.sub.open()
                self._place = None
            self._place, self.taken = self._place or self.sub.place(), 0
            if useful > wanted and self._num_read >= _ROWS_UNJUDGED and not self.sub.demand_is_exact:
                wanted = useful
            self._block = self.sub.take_up(wanted)
            if self._block is not None:
                self._num_read += self._block.rows
        return self._block

    def at_hand(self) -> Rows | None:
        """Rows with those from `taken` on that is there without reading."""
        return self._block

    def take(self, rows: int) -> None:
        """Hand over rows of the block at hand."""
        assert self._block is not None
        self.taken += rows
        self._state = None
        if self.taken == self._block.rows:
            self._block = self._place = None

    def get_state(self) -> State:
        """The number of the element, and the place after the rows handed over."""
        if self._state is None:
            if self._place is None:
                self._place = self.sub.place()
            self._state = state_of(self.sub, self._place, 0 if self._block is None else self.taken)
        return self._state

    def close(self) -> None:
        """Let go of the dataset."""
        self.sub.close()


def state_of(sub: SubDataset, place: State, rows: int) -> State:
    """The state of a slot, `rows` rows after `place`."""
    taken = place.get("taken", 0) + rows
    return {"number": sub.number, **place, **({"taken": taken} if taken else {})}
