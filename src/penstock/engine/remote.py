"""Runs of a step in worker processes, one process for each thread that asks; those that die are replaced."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from penstock.block import Block, all_errors
from penstock.node import Epochs, Indices, Step

if TYPE_CHECKING:
    from penstock.engine.processes import ProcessWorker
    from penstock.errors import WorkerDied

_MOST_DEATHS = 3


class Remote:
    """The process workers of one operator."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._workers: dict[int, ProcessWorker] = {}
        self._given_up: set[int] = set()
        self._is_closed = False

    def apply(self, block: Block, epochs: Epochs, indices: Indices | int) -> Block:
        """The step's rows for `block`, computed in the process of the calling thread."""
        from penstock.engine import processes
        from penstock.errors import WorkerDied

        thread = threading.get_ident()
        deaths: list[WorkerDied] = []
        while True:
            worker = self._workers.get(thread)
            if worker is None:
                worker = self._workers[thread] = processes.borrow()
            try:
                return worker.call(self._step, block, epochs, indices)
            except WorkerDied as death:
                del self._workers[thread]
                if self._is_closed or thread in self._given_up:
                    self._given_up.discard(thread)
                    raise
                deaths.append(death)
                if len(deaths) == _MOST_DEATHS:
                    return all_errors(self._too_many(deaths, int(np.min(indices)), block.rows), block.rows)

    def _too_many(self, deaths: list[WorkerDied], first: int, rows: int) -> WorkerDied:
        from penstock.errors import WorkerDied

        where = f"element {first}" if rows == 1 else f"elements {first} to {first + rows - 1}"
        how = ", ".join(str(death.cause) for death in deaths)
        error = WorkerDied(
            f"{self._step.signature()}: {len(deaths)} worker processes died at {where} ({how}); "
            "run it with executor='thread' to see why, or leave the elements out",
            deaths[-1].cause,
        )
        error.__cause__ = deaths[-1]
        return error

    def give_up(self, thread: int) -> None:
        """End the process that a thread waits for, for good."""
        worker = self._workers.get(thread)
        if worker is not None:
            self._given_up.add(thread)
            worker.kill()

    def kill(self) -> None:
        """End the processes that are still at work."""
        self._is_closed = True
        for worker in list(self._workers.values()):
            worker.kill()

    def close(self) -> None:
        """Give the processes back for others to use; call it when no thread is at work any more."""
        self._is_closed = True
        if not self._workers:
            return
        from penstock.engine import processes

        while self._workers:
            _, worker = self._workers.popitem()
            processes.give_back(worker)
