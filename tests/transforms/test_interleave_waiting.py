"""The reader of `interleave` and the threads that read for it: whoever waits is told, however they are scheduled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
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


def test_who_tells_of_a_row_late_tells_of_the_next_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    is_late, sleeps = threading.Event(), threading.Semaphore(0)
    reader = threading.get_ident()
    told: list[bool] = []

    def pour(put: Callable[[Any], Any]) -> None:
        put([1])
        assert sleeps.acquire(timeout=SECONDS)
        with ahead._team.lock:  # not before the reader, which has it, sleeps
            put([2])

    class Lock:
        """The thread that has seen that its first row is waited for gets it when the reader waits for the second."""

        def __enter__(self) -> None:
            if threading.get_ident() != reader and line.ready and not is_late.is_set():
                is_late.set()
                assert sleeps.acquire(timeout=SECONDS)
            ahead._team.lock.acquire()

        def __exit__(self, *_: object) -> None:
            ahead._team.lock.release()

    ahead = ReadAhead("interleave", threads.start, Tuner(Parallel(1)))
    rows = ahead._rows
    sleep = rows.wait

    def wait() -> None:
        sleeps.release()
        told.append(sleep(SECONDS))

    monkeypatch.setattr(rows, "wait", wait)
    monkeypatch.setattr(ahead, "_lock", Lock())
    sub: Any = Pouring(pour)
    line = ahead.add(sub)
    line.is_awaited = True  # as in a wait that is over before the thread has the lock
    ahead.engage()
    assert is_late.wait(SECONDS)
    line.is_awaited = False
    first = ahead.receive(line)
    ahead.wait([line])
    second = ahead.receive(line)
    ahead.close()
    assert first is not None
    assert second is not None
    assert [first.values, second.values] == [[[1]], [[2]]]
    assert all(told), "the reader slept until it looked by itself"
