"""Worker processes: started anew, never forked, and kept from one iterator to the next."""

from __future__ import annotations

import atexit
import os
import threading
import time

from penstock.engine.autotune import usable_cores
from penstock.engine.worker_link import SECONDS_TO_END, ProcessWorker

_MOST_IDLE = max(4, os.cpu_count() or 1)
_NO_LIMIT = 1 << 30
_MOST_STARTING = max(1, usable_cores() - 1)  # while a thread computes what they will


class _Pool:
    """All workers of this process."""

    def __init__(self) -> None:
        # Wherever memory is asked for, the garbage collector may end an iterator, which gives its workers back.
        self._lock = threading.RLock()
        self._idle: list[ProcessWorker] = []
        self._all: set[ProcessWorker] = set()
        self._num_new = 0  # that are not yet among all
        self._is_exiting = False

    def borrow(self) -> ProcessWorker:
        while True:
            worker = self._borrow(_NO_LIMIT)
            if worker is not None:
                return worker

    def borrow_unless_many_start(self) -> ProcessWorker | None:
        return self._borrow(_MOST_STARTING)

    def _borrow(self, most_starting: int) -> ProcessWorker | None:
        """One that rests, or a new one; None where it rested for too long, or where so many start already."""
        with self._lock:
            if self._is_exiting:
                raise RuntimeError("no worker process can be started: the interpreter is exiting")
            worker = self._idle.pop() if self._idle else None
            if worker is None:
                if self._num_new + sum(each.is_starting() for each in list(self._all)) >= most_starting:
                    return None
                self._num_new += 1
        if worker is None:
            return self._new()
        if worker.wake():
            return worker
        self._discard(worker)
        return None

    def _new(self) -> ProcessWorker:
        worker = None
        try:
            worker = ProcessWorker(self.forget)
        finally:
            with self._lock:
                self._num_new -= 1
                if worker is not None:
                    self._all.add(worker)
        return worker

    def start_ahead(self, count: int) -> None:
        with self._lock:
            missing = 0 if self._is_exiting else min(count, _MOST_IDLE) - len(self._idle)
        for _ in range(missing):
            worker = ProcessWorker(self.forget)
            with self._lock:
                self._all.add(worker)
                self._idle.append(worker)

    def give_back(self, worker: ProcessWorker) -> None:
        is_usable = worker.rest()
        with self._lock:
            is_kept = is_usable and worker in self._all
            if is_kept:
                self._idle.append(worker)
            surplus = self._idle.pop(0) if len(self._idle) > _MOST_IDLE else None
        if not is_kept:
            self._discard(worker)
        if surplus is not None:
            self._discard(surplus)

    def forget(self, worker: ProcessWorker) -> None:
        with self._lock:
            self._all.discard(worker)

    def _discard(self, worker: ProcessWorker) -> None:
        self.forget(worker)
        worker.close()

    def close_all(self) -> None:
        with self._lock:
            workers, idle = list(self._all), self._idle
            # Those at work are known until they are given back: in a cycle with the iterator that they work for, the
            # garbage collector might take their connection before it ends the iterator.
            self._all, self._idle = self._all.difference(idle), []
        for worker in workers:
            worker.shut()
        deadline = time.monotonic() + SECONDS_TO_END
        for worker in workers:
            worker.end(deadline)
        # Threads that use the others close them.
        for worker in idle:
            worker.close()

    def exit(self) -> None:
        with self._lock:
            self._is_exiting = True
        self.close_all()

    def leave(self) -> None:
        for worker in self._all:
            worker.leave()
        self.__init__()  # type: ignore[misc]  # the lock may be another thread's, which is not in this process


_pool = _Pool()
atexit.register(_pool.exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.leave)


def borrow() -> ProcessWorker:
    """A worker for one thread's use: one that rests, or a new one."""
    return _pool.borrow()


def borrow_unless_many_start() -> ProcessWorker | None:
    """A worker for one thread's use; None where a new one would take a core from those that start or compute."""
    return _pool.borrow_unless_many_start()


def start_ahead(count: int) -> None:
    """Let at least so many workers rest, or start."""
    _pool.start_ahead(count)


def give_back(worker: ProcessWorker) -> None:
    """Let others borrow `worker`, dead or alive."""
    _pool.give_back(worker)


def close_all() -> None:
    """End all workers, those at work too, within a second."""
    _pool.close_all()
