"""The reader of `interleave` and the threads that read for it: whoever waits is told, however they are scheduled."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from penstock.block import Block, block_from_elements
from penstock.engine import threads
from penstock.engine.autotune import Tuner
from penstock.nested.read_ahead import ReadAhead
from penstock.parallel import Parallel

SECONDS = 30.0
"""Longer than anything takes, so that a test that would hang fails instead."""


class Pouring:
    """A dataset whose rows come when the test says."""

    treedef = None
    has_failed = False

    def __init__(self, pour: Callable[[Callable[[Any], Any]], None]) -> None:
        self._pour = pour

    def open(self) -> None: ...

    def place(self) -> None: ...

    def close(self) -> None: ...

    def pouring(self) -> Pouring:
        return self

    def pour(self, rows: int, put: Callable[[Any], Any]) -> bool:
        self._pour(put)
        return False

    def join(self, rows: Sequence[Any]) -> Block:
        return block_from_elements(list(rows))


def ahead_of(interrupt: Callable[[], None] = lambda: None) -> ReadAhead:
    return ReadAhead("interleave", threads.start, interrupt, Tuner(Parallel(1)))


def test_who_tells_of_a_row_late_tells_of_the_next_one_too() -> None:
    is_late, sleeps = threading.Event(), threading.Semaphore(0)

    def pour(put: Callable[[Any], Any]) -> None:
        put([1])
        assert sleeps.acquire(timeout=SECONDS)  # not before the reader, which was told of nothing, sleeps again
        put([2])

    class Bell:
        """The thread that has seen that its first row is waited for rings when the reader waits for the second."""

        def __init__(self) -> None:
            self.rings: SimpleQueue[None] = SimpleQueue()

        def put(self, _: None) -> None:
            if not is_late.is_set():
                is_late.set()
                assert sleeps.acquire(timeout=SECONDS)
            self.rings.put(None)

        def get(self) -> None:
            sleeps.release()
            self.rings.get(timeout=SECONDS)

    ahead: Any = ahead_of()
    ahead._bell = Bell()
    sub: Any = Pouring(pour)
    line = ahead.add(sub)
    line.is_awaited = True  # as in a wait that is over before the thread rings
    ahead.engage()
    assert is_late.wait(SECONDS)
    line.is_awaited = False
    first = ahead.receive(line)
    ahead.wait([line])
    second = ahead.receive(line)
    ahead.close()
    assert [first.values, second.values] == [[[1]], [[2]]]


@pytest.mark.parametrize("way", ["wait", "close"])
def test_ctrl_c_while_the_reader_waits_is_no_other_error(way: str) -> None:
    may_end = threading.Event()
    closed: list[int] = []

    class Closing(Pouring):
        def close(self) -> None:
            closed.append(1)

    def broken_off(*_: Any, **__: Any) -> None:
        may_end.set()
        raise KeyboardInterrupt

    ahead: Any = ahead_of()
    waits_by = SimpleNamespace(get=broken_off, put=lambda _: None)
    if way == "wait":
        ahead._bell = waits_by
    else:
        ahead._team.left = waits_by
    for owner in (ahead, ahead._team):
        for found in vars(owner).values():
            if isinstance(found, threading.Condition) and found is not ahead._team.work:
                found._acquire_restore = broken_off  # where its lock is taken back
    subs: list[Any] = [Closing(lambda put: may_end.wait(SECONDS) and None) for _ in range(2)]
    lines = [ahead.add(sub) for sub in subs]
    ahead.engage()
    with pytest.raises(KeyboardInterrupt):
        ahead.wait(lines) if way == "wait" else ahead.close()
    ahead._team.left = SimpleQueue()
    ahead.close()
    assert ahead._team.await_all(SECONDS)
    assert len(closed) == 2


def test_a_dataset_is_closed_by_one_alone() -> None:
    closed: list[int] = []

    class Closing(Pouring):
        def close(self) -> None:
            closed.append(1)
            if len(closed) == 1:
                ahead.close()  # as another thread may at the same moment

    ahead = ahead_of()
    sub: Any = Closing(lambda put: None)
    line = ahead.add(sub)
    ahead.read(line, 1)
    assert closed == [1]


def test_threads_that_do_not_leave_are_interrupted() -> None:
    is_at_work, may_leave = threading.Event(), threading.Event()

    def pour(put: Callable[[Any], Any]) -> None:
        is_at_work.set()
        assert may_leave.wait(SECONDS)

    ahead = ahead_of(may_leave.set)
    sub: Any = Pouring(pour)
    ahead.add(sub)
    ahead.engage()
    assert is_at_work.wait(SECONDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on a busy machine it may take longer than the warning
        ahead.close()
    assert may_leave.is_set()
