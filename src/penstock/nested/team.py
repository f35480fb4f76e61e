"""The threads that read datasets ahead: what they do, and how they and their reader wait for each other."""

from __future__ import annotations

import threading
import time
import weakref
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from penstock.parallel import IDLE

if TYPE_CHECKING:
    from penstock.nested.read_ahead import ReadAhead


class Team:
    """The threads of one `ReadAhead`, and how they and the reader wait for each other."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.work = threading.Condition(self.lock)
        self.left: SimpleQueue[None] = SimpleQueue()
        self.idents: set[int] = set()
        self.size = 0
        self.num_waiting = 0
        self.is_closed = False
        self.is_wanted = False  # for a line that the reader waits for and nobody reads

    def await_all(self, seconds: float) -> bool:
        """Wait until all threads have left, but no longer than that; whether they have."""
        deadline = time.monotonic() + seconds
        while self.size:
            try:
                self.left.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                break
        return not self.size


def serve(team: Team, whose: weakref.ref[ReadAhead]) -> None:
    """Read what is to be read, in one of the threads, until there are too many or nobody reads from it any more."""
    team.idents.add(threading.get_ident())
    line = None
    try:
        while True:
            with team.lock:
                ahead = whose()
                if ahead is None or team.is_closed:
                    return
                if len(team.idents) > ahead.tuning.workers:
                    # At once, so that no other thread leaves for the same reason.
                    team.idents.discard(threading.get_ident())
                    return
                task = ahead.next_task(line)
                if task is None:
                    # While it waits, a thread keeps nothing alive that nobody reads from any more.
                    del ahead
                    line = None
                    team.num_waiting += 1
                    team.work.wait()
                    team.num_waiting -= 1
                    continue
            ahead.read(*task)
            line = task[0]
            del ahead, task
    finally:
        # Whoever waits until it has left is not to find it under its name here: it is the pool's again.
        threading.current_thread().name = IDLE
        with team.lock:
            team.idents.discard(threading.get_ident())
            team.size -= 1
        team.left.put(None)
