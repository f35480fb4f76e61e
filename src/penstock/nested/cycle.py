"""Reads the datasets of several elements in turn."""

from __future__ import annotations

from collections import deque

from penstock.block import Block
from penstock.nested.feed import Feed
from penstock.nested.order_log import OrderLogs
from penstock.nested.pieces import Pieces
from penstock.nested.poured import Rows
from penstock.nested.slot import Slot
from penstock.node import State

_MOST_FREE_ROWS = 256
"""In one block where the order is free: as long may the order become that a state has to tell."""


class CycleOperator:
    """Hands out `block_length` rows of each open dataset in turn.

    A slot whose dataset ends gives up its turn, and is filled with the dataset of the next element when its turn comes
    again. With the input at its end, empty slots are passed over.

    The state is the input's before the oldest element whose dataset is open, the number of the next element to come,
    and for each slot the number of its element and the place within its dataset. Where the order is free, `order` are
    the datasets that rows were taken of since the state was: whoever resumes takes them in that order again.

    Args:
        feed: Where slots are filled from.
        cycle_length: How many datasets are open at most.
        block_length: Rows of one dataset that follow one another.
        deterministic: False gives the turn to another slot where this one has nothing ready.
    """

    def __init__(self, feed: Feed, cycle_length: int, block_length: int, deterministic: bool = True) -> None:
        self._feed = feed
        self._cycle_length = cycle_length
        self._block_length = block_length
        self._deterministic = deterministic
        self._slots: list[Slot | None] = []
        self._at = 0
        self._in_block = 0
        self._input_ended = False
        self._failure: Exception | None = None
        self._logs = OrderLogs()
        self._to_repeat: deque[list[int]] = deque()
        if feed.queue is not None:
            self.queue_statistics = feed.queue.queue_statistics

    def next_block(self, rows: int) -> Block | None:
        if not self._deterministic:
            rows = min(rows, _MOST_FREE_ROWS)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        pieces = Pieces()
        try:
            while self._to_repeat and pieces.rows < rows:
                if not self._take_again(pieces, rows - pieces.rows):
                    return pieces.join()
            self._take_all(pieces, rows)
        except Exception as error:
            if not pieces.rows:
                raise
            # What was taken from other datasets before it comes first.
            self._failure = error
        return pieces.join() if pieces.rows else None

    def _take_all(self, pieces: Pieces, rows: int) -> None:
        """Take rows in turn until there are so many, or no more for now."""
        turns = 0
        while pieces.rows < rows:
            # Where some slot has nothing for a whole round, none is tried before each has had its turn.
            if not turns and self._take_rounds(pieces, rows - pieces.rows):
                continue
            turns = (turns or len(self._slots) or 1) - 1
            if not self._take(pieces, rows - pieces.rows):
                return

    def _take_again(self, pieces: Pieces, wanted: int) -> bool:
        """Take the next rows that were taken after the state that this began from; False where that is all for now."""
        number, rows = self._to_repeat[0]
        at = self._at_of(number)
        slot = None if at is None else self._slots[at]
        if at is None or slot is None:
            self._to_repeat.popleft()  # the input has become shorter
            return True
        if not slot.is_ready:
            if pieces.rows:
                return False
            self._feed.wait([slot])
        block = slot.look(max(1, min(wanted, rows)), 1)
        if block is not None and rows and not pieces.fit(block):
            return False
        taken = 0 if block is None else min(block.rows - slot.taken, wanted, rows)
        if block is None:
            self._end(at, slot)
        elif taken:
            self._hand_over(slot, block, taken, pieces)
        self._to_repeat[0][1] -= taken
        if not taken or taken == rows:
            self._to_repeat.popleft()
        return True

    def _at_of(self, number: int) -> int | None:
        """Where the dataset of an element is, which is opened with all before it if it was not yet."""
        for at, slot in enumerate(self._slots):
            if slot is not None and slot.sub.number == number:
                return at
        while None in self._slots or len(self._slots) < self._cycle_length:
            slot = self._feed.next_slot()
            if slot is None:
                return None
            if None not in self._slots:
                self._slots.append(None)
            at = self._slots.index(None)
            self._slots[at] = slot
            if slot.sub.number == number:
                return at
        return None

    def _hand_over(self, slot: Slot, block: Rows, rows: int, pieces: Pieces) -> None:
        pieces.add(block, slot.taken, slot.taken + rows)
        slot.take(rows)
        if not self._deterministic:
            self._logs.add(slot.sub.number, rows)

    def _end(self, at: int, slot: Slot) -> None:
        slot.close()
        self._slots[at] = None
        if not self._deterministic:
            self._logs.add(slot.sub.number, 0)

    def _take_rounds(self, pieces: Pieces, wanted: int) -> bool:
        """Take rows of all slots in turn, as many rounds as all have rows at hand for; False where there is not one.

        For each row that is taken by itself, more is done than for all else that becomes of it. Where the order is
        free, slots that have nothing ready are passed over.
        """
        slots, length = self._slots, self._block_length
        if (
            self._in_block
            or wanted < len(slots) * length
            or (len(slots) < self._cycle_length and not self._input_ended)
        ):
            return False
        at = self._at % max(1, len(slots))
        giving: list[Slot] = []
        shares: list[tuple[Rows, int]] = []
        treedef = None
        rounds = wanted // length
        for slot in (*slots[at:], *slots[:at]):
            if slot is not None and not slot.is_ready and not self._deterministic:
                continue
            block = None if slot is None else slot.at_hand()
            if block is None or slot is None or not pieces.fit(block):
                return False
            if shares and block.treedef is not treedef and block.treedef != treedef:
                return False
            treedef = block.treedef
            rounds = min(rounds, (block.rows - slot.taken) // length)
            if not rounds:
                return False
            giving.append(slot)
            shares.append((block, slot.taken))
        if not giving:
            return False
        rounds = min(rounds, wanted // (len(giving) * length))
        for slot in giving:
            slot.take(rounds * length)
        if not self._deterministic:
            self._logs.add_rounds([slot.sub.number for slot in giving], rounds, length)
        pieces.add_rounds(shares, rounds, length)
        return True

    def _take(self, pieces: Pieces, wanted: int) -> bool:
        """Take rows of the slot whose turn it is, or pass the turn on; False where that is all for now."""
        slot = self._next_slot()
        if slot is None:
            return bool(self._slots)
        if not slot.is_ready:
            if pieces.rows:
                return False
            slot = self._await(slot)
        if slot.is_broken and pieces.rows:
            return False  # what was taken of other datasets before it comes first
        share = min(wanted, 1 + wanted // len(self._slots))
        wanted = min(wanted, self._block_length - self._in_block)
        block = slot.look(wanted, share)
        if block is None:
            self._end(self._at, slot)
            self._pass_on()
            return True
        if not pieces.fit(block):
            return False
        rows = min(block.rows - slot.taken, wanted)
        self._hand_over(slot, block, rows, pieces)
        self._in_block += rows
        if self._in_block == self._block_length:
            self._pass_on()
        return True

    def _pass_on(self) -> None:
        self._in_block = 0
        self._at += 1

    def _next_slot(self) -> Slot | None:
        """The slot whose turn it is, filled if it was empty; None where it cannot be, and so has gone."""
        slots = self._slots
        if self._at == len(slots):
            if self._input_ended or len(slots) == self._cycle_length:
                self._at = 0
            else:
                slots.append(None)
            if not slots:
                return None
        slot: Slot | None = slots[self._at]
        if slot is None:
            slot = None if self._input_ended else self._feed.next_slot()
            if slot is None:
                self._input_ended = True
                del slots[self._at]
            else:
                slots[self._at] = slot
        return slot

    def _await(self, slot: Slot) -> Slot:
        """Wait until the slot has something ready; where the order is free, until some slot has."""
        if self._deterministic:
            self._feed.wait([slot])
            return slot
        self._fill_all()
        open_slots = [slot for slot in self._slots if slot is not None]
        if not any(slot.is_ready for slot in open_slots):
            self._feed.wait(open_slots)
        for at in (*range(self._at, len(self._slots)), *range(self._at)):
            other: Slot | None = self._slots[at]
            if other is not None and other.is_ready:
                if at != self._at:
                    self._at, self._in_block = at, 0
                return other
        return slot

    def _fill_all(self) -> None:
        """Give every slot a dataset, as long as there are any."""
        for at, slot in enumerate(self._slots):
            if slot is None and not self._input_ended:
                self._slots[at] = self._feed.next_slot()
                self._input_ended = self._slots[at] is None
        while len(self._slots) < self._cycle_length and not self._input_ended:
            slot = self._feed.next_slot()
            if slot is None:
                self._input_ended = True
            else:
                self._slots.append(slot)

    def get_state(self) -> State:
        open_slots = [slot for slot in self._slots if slot is not None]
        oldest = min(open_slots, key=lambda slot: slot.sub.number, default=None)
        number, before = self._feed.place()
        state = {
            "number": number,
            "input": before if oldest is None else oldest.sub.before,
            "at": self._at,
            "in_block": self._in_block,
            "slots": [None if slot is None else slot.get_state() for slot in self._slots],
        }
        if not self._deterministic:
            return {**state, "order": self._logs.begin()}
        # It may go on in order from a state of a free one.
        return {**state, "order": [list(taken) for taken in self._to_repeat]} if self._to_repeat else state

    def advance(self, state: State, rows: int) -> State | None:
        return None if rows else state

    def set_state(self, state: State) -> None:
        self._at, self._in_block = int(state["at"]), int(state["in_block"])
        self._to_repeat = deque([int(number), int(rows)] for number, rows in state.get("order", []))
        saved = {int(slot["number"]): slot for slot in state["slots"] if slot is not None}
        opened = self._feed.restore(int(state["number"]), state["input"], saved)
        self._slots = [None if slot is None else opened.get(int(slot["number"])) for slot in state["slots"]]

    def close(self) -> None:
        for slot in self._slots:
            if slot is not None:
                slot.close()
        self._feed.close()
