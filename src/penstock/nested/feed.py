"""Where the slots of a cycle are filled from: the input, an element at a time, or some elements ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from penstock.nested.ahead_slot import AheadSlot
from penstock.nested.node import Flattening
from penstock.nested.read_ahead import ReadAhead
from penstock.nested.slot import Slot
from penstock.nested.sub_dataset import SubDataset
from penstock.node import Context, Operator, Purity, State
from penstock.parallel import Tuning


class Feed:
    """Makes a slot of each element when it is asked for.

    Args:
        node: What makes the datasets.
        context: That of the plan's run.
    """

    def __init__(self, node: Flattening, context: Context) -> None:
        self._node = node
        self._context = context
        self._source: Operator = context.open(node.input)
        self._number = 0

    def next_slot(self) -> Slot | None:
        """A slot with the dataset of the next element; None at the end of the input."""
        sub = self._pull()
        return None if sub is None else Slot(sub)

    def wait(self, slots: Sequence[Slot]) -> None:
        """Wait until one of `slots` has something ready."""

    def place(self) -> tuple[int, State]:
        """The number of the next element, and the input's state before it."""
        return self._number, self._source.get_state()

    def restore(self, number: int, before: State, saved: dict[int, Any]) -> dict[int, Slot]:
        """Go to element `number`, from `before` the oldest element with a saved slot; those slots."""
        found = {}
        for sub in self._pull_again(number, before, saved):
            sub.open()
            found[sub.number] = Slot(sub)
        return found

    @property
    def queue(self) -> ReadAhead | None:
        """What runs ahead of whoever asks for slots, if anything does."""
        return None

    def close(self) -> None:
        """Let go of the input."""
        self._source.close()

    def _pull(self, saved: State = None) -> SubDataset | None:
        before = self._source.get_state()
        element = self._source.next_block(1)
        if element is None:
            return None
        self._number += 1
        return SubDataset(self._node, self._context, self._number - 1, before, element, saved)

    def _pull_again(self, number: int, before: State, saved: dict[int, Any]) -> list[SubDataset]:
        self._source.set_state(before)
        # One element after another, from the oldest that is needed: where they end is where the input was.
        self._number = min(saved, default=number)
        found = []
        while self._number < number:
            sub = self._pull(saved.get(self._number))
            if sub is None:
                break
            if sub.number in saved:
                found.append(sub)
        return found


class FeedAhead(Feed):
    """Pulls elements ahead, and lets threads open and read their datasets.

    Only the thread that asks for rows pulls elements, while it waits for rows, and one whenever it asks. Functions that
    may be stateful are called by it too, in order.

    Args:
        node: What makes the datasets.
        context: That of the plan's run.
        cycle_length: How many datasets are open at most.
        tuning: How many threads read.
    """

    def __init__(self, node: Flattening, context: Context, cycle_length: int, tuning: Tuning) -> None:
        super().__init__(node, context)
        self._cycle_length = cycle_length
        self._tuning = tuning
        self._context, interrupt = context.for_threads()
        name, most_bytes = node.function.transformation, context.memory_budget_bytes
        self._ahead = ReadAhead(name, context.start_thread, interrupt, tuning, most_bytes)
        self._waiting: deque[AheadSlot] = deque()
        self._input_ended = False

    def next_slot(self) -> Slot | None:
        if not self._waiting:
            self._pull_one()
        return self._waiting.popleft() if self._waiting else None

    def wait(self, slots: Sequence[Slot]) -> None:
        while not self._input_ended and self._ahead.num_lines < self._cycle_length + self._tuning.workers:
            self._pull_one()
            self._ahead.engage()
            if any(slot.is_ready for slot in slots):
                return
        self._ahead.wait([slot.line for slot in slots if isinstance(slot, AheadSlot)])

    def place(self) -> tuple[int, State]:
        if self._waiting:
            oldest = self._waiting[0].sub
            return oldest.number, oldest.before
        return super().place()

    def restore(self, number: int, before: State, saved: dict[int, Any]) -> dict[int, Slot]:
        return {sub.number: self._slot(sub) for sub in self._pull_again(number, before, saved)}

    @property
    def queue(self) -> ReadAhead | None:
        return self._ahead

    def close(self) -> None:
        self._ahead.close()
        super().close()

    def _pull_one(self) -> None:
        sub = None if self._input_ended else self._pull()
        if sub is None:
            self._input_ended = True
        else:
            self._waiting.append(self._slot(sub))

    def _slot(self, sub: SubDataset) -> AheadSlot:
        if self._node.function.purity is Purity.STATEFUL:
            sub.make()
        return AheadSlot(sub, self._ahead)


def feed(node: Flattening, context: Context, cycle_length: int) -> Feed:
    """Open the input of a step that reads up to `cycle_length` datasets in turn, as its settings say."""
    if node.settings is None:
        return Feed(node, context)
    node.settings.pace.way = "thread"
    return FeedAhead(node, context, cycle_length, context.tuning(node.settings))
