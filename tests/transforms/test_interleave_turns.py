"""How many rows `interleave` reads and takes at once: what is done for each turn is not to be done for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from penstock.block import Block, block_from_elements
from penstock.engine import threads
from penstock.engine.autotune import Tuner
from penstock.nested import cycle, read_ahead
from penstock.nested.read_ahead import ReadAhead
from penstock.nested.slot import Slot
from penstock.parallel import Parallel


def rows_from(first: int, count: int) -> Block:
    return block_from_elements(list(np.arange(first, first + count)))


class Blocks:
    """A dataset of numbers by the block, and how many it was asked for each time."""

    has_failed = False

    def __init__(self, length: int, before_row: Callable[[int], None]) -> None:
        self.length = length
        self.before_row = before_row
        self.at = 0
        self.asked: list[int] = []

    def open(self) -> None: ...

    def place(self) -> None: ...

    def pouring(self) -> None: ...

    def close(self) -> None: ...

    def read(self, rows: int) -> Block | None:
        self.asked.append(rows)
        rows = min(rows, self.length - self.at)
        for row in range(self.at, self.at + rows):
            self.before_row(row)
        self.at += rows
        return rows_from(self.at - rows, rows) if rows else None


def asked_for(length: int, seconds: Callable[[int], float], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows a thread asks for at a time when each takes so long, by a clock of the test's own."""
    now = 0.0

    def pass_time(row: int) -> None:
        nonlocal now
        now += seconds(row)

    monkeypatch.setattr(read_ahead, "time", SimpleNamespace(perf_counter=lambda: now, thread_time=lambda: now))
    sub: Any = Blocks(length, pass_time)
    ahead = ReadAhead("interleave", threads.start, lambda: None, Tuner(Parallel(1)))
    line = ahead.add(sub)
    while not line.is_done:
        task = ahead.next_task(line)
        if task is not None:
            ahead.read(*task)
        while line.has_rows:
            ahead.receive(line)
    ahead.close()
    return sub.asked


@pytest.mark.parametrize("chunk", [1, 100, 2000])
def test_rows_behind_one_that_was_slow_are_read_many_at_once(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # As in a file that is uncompressed by the chunk.
    slow = 0.005 if chunk > 1 else 0.0
    asked = asked_for(20_000, lambda row: 0.0 if row % chunk else slow, monkeypatch)
    assert max(asked) >= min(1024, chunk // 4 or 1024)
    assert len(asked) < (40 if chunk == 1 else 20_000 // (chunk // 8))


def test_rows_that_each_are_slow_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_for(50, lambda row: 0.010, monkeypatch)
    assert set(asked) == {1}


def test_rows_that_become_slow_soon_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asked_for(10_000, lambda row: 0.010 if row > 5000 else 0.0, monkeypatch)
    slow = asked[next(at for at in range(len(asked)) if sum(asked[: at + 1]) > 5000) :]
    assert set(slow[5:]) == {1}


class Ready(Slot):
    """A place in the cycle that has rows from the beginning, unless told otherwise."""

    def __init__(self, number: int, rows: int, is_ready: bool = True) -> None:
        sub: Any = SimpleNamespace(number=number, before=None, close=lambda: None)
        super().__init__(sub)
        self._block = rows_from(1000 * number, rows)
        self.may_give = is_ready
        self.takes = 0

    @property
    def is_ready(self) -> bool:
        return self.may_give

    def look(self, wanted: int, useful: int) -> Any:
        return self._block

    def at_hand(self) -> Any:
        return self._block if self.may_give else None

    def take(self, rows: int) -> None:
        self.takes += 1
        super().take(rows)

    def get_state(self) -> Any:
        return {"number": self.sub.number}


class Given:
    """Gives the cycle these places."""

    queue = None

    def __init__(self, slots: Sequence[Ready]) -> None:
        self.slots = list(slots)

    def next_slot(self) -> Ready | None:
        return self.slots.pop(0) if self.slots else None

    def wait(self, slots: Sequence[Slot]) -> None:
        raise AssertionError("some place has rows")

    def place(self) -> tuple[int, Any]:
        return 0, None

    def close(self) -> None: ...


def values(block: Block | None) -> list[int]:
    assert block is not None
    return [int(element) for element in block.elements()]


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize("num_slots", [1, 2, 5])
def test_rounds_are_taken_at_once_whatever_the_order(num_slots: int, deterministic: bool) -> None:
    slots = [Ready(number, 400) for number in range(num_slots)]
    feed: Any = Given(slots)
    operator = cycle.CycleOperator(feed, num_slots, 1, deterministic)
    operator.next_block(num_slots)
    state = operator.get_state()
    rows = 40 * num_slots
    assert values(operator.next_block(rows)) == [1000 * n + at for at in range(1, 41) for n in range(num_slots)]
    assert max(slot.takes for slot in slots) <= 3
    if not deterministic:
        assert sum(rows for _, rows in state["order"]) == rows
        assert num_slots == 1 or state["order"] == [[n, 1] for _ in range(40) for n in range(num_slots)]


def test_a_free_order_passes_over_who_has_nothing_ready_for_many_rows_at_once() -> None:
    slots = [Ready(0, 400, is_ready=False), Ready(1, 400), Ready(2, 400)]
    feed: Any = Given(slots)
    operator = cycle.CycleOperator(feed, 3, 1, deterministic=False)
    taken = values(operator.next_block(8)) + values(operator.next_block(60))
    assert len(taken) > 40
    assert {value // 1000 for value in taken} == {1, 2}
    assert max(slot.takes for slot in slots) <= 8
    state = operator.get_state()
    later = values(operator.next_block(60))
    assert [number for number, rows in state["order"] for _ in range(rows)] == [value // 1000 for value in later]
