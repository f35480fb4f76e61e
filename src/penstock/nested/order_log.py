"""The order in which rows were taken of several datasets, where it is not known beforehand."""

from __future__ import annotations

import weakref
from collections.abc import Sequence


class OrderLog(list[list[int]]):
    """What was taken since a state was: the number of a dataset, or of a run's first row, and how many rows of it.

    No rows are the end of a dataset.

    It is part of that state, and goes on growing with it: whoever keeps a state and counts the rows that came after it
    can go back to it, and gets the same rows again.
    """

    __hash__ = object.__hash__  # type: ignore[assignment]


class OrderLogs:
    """The logs of all states that somebody keeps."""

    def __init__(self) -> None:
        self._logs: weakref.WeakSet[OrderLog] = weakref.WeakSet()

    def begin(self) -> OrderLog:
        """A log for a state that is taken now."""
        log = OrderLog()
        self._logs.add(log)
        return log

    def add(self, number: int, rows: int) -> None:
        """Tell all that so many rows of a dataset were taken, or with 0 that it was found to be at its end."""
        for log in self._logs:
            if rows and log and log[-1][0] == number and log[-1][1]:
                log[-1] = [number, log[-1][1] + rows]
            else:
                log.append([number, rows])

    def add_rounds(self, numbers: Sequence[int], rounds: int, rows: int) -> None:
        """Tell all that `rounds` times so many rows of each dataset were taken in turn."""
        if len(numbers) == 1:
            self.add(numbers[0], rounds * rows)
            return
        # The same entries again and again: none is ever changed, and new ones would take longer than taking the rows.
        taken = [[number, rows] for number in numbers] * rounds
        for log in self._logs:
            log.extend(taken)
