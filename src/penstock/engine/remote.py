"""Runs of a step in worker processes, one process for each thread that asks; those that die are replaced."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from penstock.block import Block, concatenate
from penstock.engine.failed_calls import failed_calls
from penstock.node import Context, Epochs, Indices, Step
from penstock.parallel import WorkPace

if TYPE_CHECKING:
    from penstock.engine.patience import Patience
    from penstock.engine.worker_link import ProcessWorker
    from penstock.errors import WorkerDied

_STARTING_SECONDS = 0.1  # of computing
_MOST_DEATHS = 3
_MOST_DEATHS_OF_A_RUN = 24
"""To find one element among many takes their logarithm; where most of them are deadly, starting anew has an end."""


class _Rows(NamedTuple):
    """Rows, and where they stand."""

    block: Block
    epochs: Epochs
    indices: Indices | int

    @property
    def first(self) -> int:
        """The least index of them."""
        return int(np.min(self.indices))

    def slice(self, start: int, stop: int) -> _Rows:
        """Rows `start` to `stop` of these."""
        epochs, indices = self.epochs, self.indices
        return _Rows(
            self.block.slice(start, stop),
            epochs if isinstance(epochs, int) else epochs[start:stop],
            indices + start if isinstance(indices, int) else indices[start:stop],
        )


class _TookTooLong(Exception):
    """A process was ended since it took too long."""


class Remote:
    """The process workers of one operator.

    Args:
        step: What they run.
        unit: The step gets a multiple of so many rows, but for the last.
        patience: How long an element may take; for ever if not given.
        in_order: Whether the first result of a function is that of the first run, and not that which comes first.
        is_early: Whether nothing was computed before, so that a thread that can do without a process does so for as
            long as one takes to start: what is done sooner is better done without.
        pace: Goes on in threads where no process can be started; that is an error if not given.
        context: That of the run, where rows follow one another; without it errors do not say which call failed.
    """

    def __init__(
        self,
        step: Step,
        unit: int = 1,
        patience: Patience | None = None,
        *,
        in_order: bool = True,
        is_early: bool = False,
        pace: WorkPace | None = None,
        context: Context | None = None,
    ) -> None:
        self._step = step
        self._context = context
        self._unit = unit
        self._patience = patience if patience is not None and patience.is_limited else None
        self._workers: dict[int, ProcessWorker] = {}
        self._starts_from = time.monotonic() + (_STARTING_SECONDS if is_early else 0.0)
        self._pace = pace
        self._is_closed = False
        self._runs = itertools.count()
        self._first_is_back = threading.Event()
        self._before_agreeing = self._first_is_back.wait if in_order else None

    def start_ahead(self, count: int) -> None:
        """Let so many processes start now, which the first calls will need."""
        from penstock.engine import processes

        try:
            processes.start_ahead(count)
        except RuntimeError as refusal:
            self._go_on_without(refusal)

    def has_started(self) -> bool:
        """Whether the process of the calling thread has, so that a call begins at once; for who could do without."""
        if threading.get_ident() not in self._workers:
            if time.monotonic() < self._starts_from:
                return False
            from penstock.engine import processes

            try:
                worker = processes.borrow_unless_many_start()
            except RuntimeError as refusal:
                self._go_on_without(refusal)
                return False
            if worker is None:
                return False
            self._take(worker)
        return self._has_begun(self._worker())

    def _has_begun(self, worker: ProcessWorker) -> bool:
        from penstock.errors import WorkerDied

        if not worker.is_ready():
            return False
        if not self._is_closed:  # what was ended by `kill` is to fail
            try:
                worker.begin()
            except WorkerDied as refusal:
                del self._workers[threading.get_ident()]
                self._go_on_without(refusal)
                return False
        return True

    def _go_on_without(self, refusal: Exception) -> None:
        if self._pace is None or self._is_closed:
            raise refusal
        self._pace.go_on_in_threads(refusal)

    def apply(
        self,
        block: Block,
        epochs: Epochs,
        indices: Indices | int,
        meanwhile: Callable[[], Block] | None = None,
    ) -> Block:
        """The step's rows for `block`, computed in the process of the calling thread.

        When that dies, or is ended since it takes too long, one half is computed after the other, so that only those
        rows are errors that no process survives, and not those that came along.

        Args:
            block: The rows.
            epochs: Their epochs.
            indices: Where they stand.
            meanwhile: Computes them in this thread, as long as the process has not started; if not given, it waits.
        """
        if meanwhile is not None and not self.has_started():
            return meanwhile()
        if next(self._runs):
            return self._apply(_Rows(block, epochs, indices), [], self._before_agreeing)
        try:
            return self._apply(_Rows(block, epochs, indices), [], None)
        finally:
            self._first_is_back.set()

    def _apply(self, rows: _Rows, all_deaths: list[WorkerDied], before_agreeing: Callable[[], object] | None) -> Block:
        from penstock.errors import WorkerDied

        deaths: list[WorkerDied] = []
        while len(deaths) < _MOST_DEATHS and len(all_deaths) < _MOST_DEATHS_OF_A_RUN:
            try:
                return self._call(rows, before_agreeing)
            except WorkerDied as death:
                del self._workers[threading.get_ident()]
                if self._is_closed:
                    raise
                deaths.append(death)
                all_deaths.append(death)
            except _TookTooLong:
                del self._workers[threading.get_ident()]
                if rows.block.rows <= self._unit:
                    assert self._patience is not None
                    return self._patience.failed(rows.block, rows.epochs, rows.first)
            if rows.block.rows > self._unit:
                half = -(-rows.block.rows // self._unit) // 2 * self._unit
                halves = rows.slice(0, half), rows.slice(half, rows.block.rows)
                return concatenate([self._apply(each, all_deaths, before_agreeing) for each in halves])
        error = self._too_many(deaths or all_deaths, rows)
        return failed_calls(error, rows.block, self._step, self._unit, self._context, rows.epochs, rows.first)

    def _call(self, rows: _Rows, before_agreeing: Callable[[], object] | None) -> Block:
        from penstock.errors import WorkerDied

        worker = self._worker()
        if self._patience is None:
            return worker.call(self._step, *rows, before_agreeing)
        worker.load(self._step)
        with self._patience.calling(rows.block.rows, worker.kill) as call:
            before = None if before_agreeing is None else partial(call.wait, before_agreeing)
            try:
                return worker.call(self._step, *rows, before)
            except WorkerDied:
                if call.is_late and not self._is_closed:
                    raise _TookTooLong from None
                raise

    def _worker(self) -> ProcessWorker:
        """The process of the calling thread."""
        from penstock.engine import processes

        worker = self._workers.get(threading.get_ident())
        return self._take(processes.borrow()) if worker is None else worker

    def _take(self, worker: ProcessWorker) -> ProcessWorker:
        self._workers[threading.get_ident()] = worker
        if self._is_closed:
            worker.kill()  # it has come too late for `kill`
        return worker

    def _too_many(self, deaths: list[WorkerDied], rows: _Rows) -> WorkerDied:
        from penstock.errors import WorkerDied

        where = (
            f"element {rows.first}"
            if rows.block.rows == 1
            else f"elements {rows.first} to {rows.first + rows.block.rows - 1}"
        )
        how = ", ".join(dict.fromkeys(str(death.cause) for death in deaths))
        error = WorkerDied(
            f"{self._step.signature()}: {len(deaths)} worker processes died at {where} ({how}); "
            "run it with executor='thread' to see why, or leave the elements out",
            deaths[-1].cause,
        )
        error.__cause__ = deaths[-1]
        return error

    def kill(self) -> None:
        """End the processes that are still at work."""
        self._is_closed = True
        self._first_is_back.set()
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
