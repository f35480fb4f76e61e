"""Runs of a step in worker processes, one process for each thread that asks; those that die are replaced."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from penstock.block import Block, all_errors, concatenate
from penstock.node import Epochs, Indices, Step

if TYPE_CHECKING:
    from penstock.engine.processes import ProcessWorker
    from penstock.errors import WorkerDied

_MOST_DEATHS = 3
_MOST_DEATHS_OF_A_RUN = 24
"""To find one element among many takes their logarithm; where most of them are deadly, starting anew has an end."""


class Remote:
    """The process workers of one operator.

    Args:
        step: What they run.
        unit: The step gets a multiple of so many rows, but for the last.
    """

    def __init__(self, step: Step, unit: int = 1) -> None:
        self._step = step
        self._unit = unit
        self._workers: dict[int, ProcessWorker] = {}
        self._given_up: set[int] = set()
        self._is_closed = False

    def apply(self, block: Block, epochs: Epochs, indices: Indices | int) -> Block:
        """The step's rows for `block`, computed in the process of the calling thread.

        When that dies, one half is computed after the other, so that only those rows are errors that no process
        survives, and not those that came along.
        """
        return self._apply(block, epochs, indices, [])

    def _apply(self, block: Block, epochs: Epochs, indices: Indices | int, all_deaths: list[WorkerDied]) -> Block:
        from penstock.errors import WorkerDied

        deaths: list[WorkerDied] = []
        while len(deaths) < _MOST_DEATHS and len(all_deaths) < _MOST_DEATHS_OF_A_RUN:
            try:
                return self._call(block, epochs, indices)
            except WorkerDied as death:
                thread = threading.get_ident()
                del self._workers[thread]
                if self._is_closed or thread in self._given_up:
                    self._given_up.discard(thread)
                    raise
                deaths.append(death)
                all_deaths.append(death)
            if block.rows > self._unit:
                half = -(-block.rows // self._unit) // 2 * self._unit
                parts = ((0, half), (half, block.rows))
                return concatenate(
                    [
                        self._apply(block.slice(*part), _of(epochs, *part), _at(indices, *part), all_deaths)
                        for part in parts
                    ]
                )
        return all_errors(self._too_many(deaths or all_deaths, int(np.min(indices)), block.rows), block.rows)

    def _call(self, block: Block, epochs: Epochs, indices: Indices | int) -> Block:
        from penstock.engine import processes

        thread = threading.get_ident()
        worker = self._workers.get(thread)
        if worker is None:
            worker = self._workers[thread] = processes.borrow()
        return worker.call(self._step, block, epochs, indices)

    def _too_many(self, deaths: list[WorkerDied], first: int, rows: int) -> WorkerDied:
        from penstock.errors import WorkerDied

        where = f"element {first}" if rows == 1 else f"elements {first} to {first + rows - 1}"
        how = ", ".join(dict.fromkeys(str(death.cause) for death in deaths))
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


def _of(epochs: Epochs, start: int, stop: int) -> Epochs:
    return epochs if isinstance(epochs, int) else epochs[start:stop]


def _at(indices: Indices | int, start: int, stop: int) -> Indices | int:
    return indices + start if isinstance(indices, int) else indices[start:stop]
