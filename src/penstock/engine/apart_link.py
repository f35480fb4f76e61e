"""The connection to a process that runs a plan: what is asked of it, and what it delivers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from penstock.engine import processes
from penstock.engine.agreement import known
from penstock.engine.apart_worker import NAME, Delivery, News, PlanRequest
from penstock.engine.portable_plan import PortablePlan
from penstock.node import State

_SECONDS_TO_STOP = 0.5


class PlanLink:
    """One process that runs a plan; `kill` is for any thread, all else for one at a time.

    Args:
        plan: The plan.
        restored: A state to begin with, and how many rows after it to leave out.
        rows: How many rows to compute at first.

    Raises:
        WorkerDied: The process ended before it had the plan.
    """

    def __init__(self, plan: PortablePlan, restored: tuple[State, int] | None, rows: int) -> None:
        self._worker = processes.borrow()
        try:
            self._channel, surroundings = self._worker.begin_conversation()
            self._channel.send(PlanRequest(surroundings, known(plan.functions), restored), plan.arrays)
            self._channel.send(rows)
        except (EOFError, OSError):
            raise self._worker.death(NAME) from None
        except BaseException:
            self.abandon()
            raise

    def allow(self, rows: int) -> None:
        """Let it compute `rows` more rows; if it is dead, `receive` says so."""
        with contextlib.suppress(OSError):
            self._channel.send(rows)

    def has_delivery(self) -> bool:
        """Whether `receive` need not wait."""
        return self._channel.has_message_within(0)

    def receive(self) -> tuple[Delivery, list[NDArray[Any]]]:
        """What it delivers next, waited for.

        Raises:
            WorkerDied: The process ended.
        """
        try:
            return self._channel.receive()
        except (EOFError, OSError):
            raise self._worker.death(NAME) from None

    def stop(self, take_news: Callable[[News], None]) -> None:
        """End the run; if the process is inside user code that does not return, end it too."""
        deadline = time.monotonic() + _SECONDS_TO_STOP
        with contextlib.suppress(EOFError, OSError):
            self._channel.send(0)
            while self._channel.has_message_within(max(0.0, deadline - time.monotonic())):
                delivery: Delivery = self._channel.receive()[0]
                if delivery.news is not None:
                    take_news(delivery.news)
                if delivery.is_last:
                    self._worker.end_conversation()
                    break
        processes.give_back(self._worker)

    def abandon(self) -> None:
        """End the process: nobody knows where in a message the connection is."""
        self.kill()
        processes.give_back(self._worker)

    def kill(self) -> None:
        """End the process at once, whatever it is at; whoever waits for it gets `WorkerDied`."""
        self._worker.kill()
