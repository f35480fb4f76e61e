"""Threads or processes: measured on the first runs, whose results count."""

from __future__ import annotations

import sys

from penstock.engine.autotune import usable_cores
from penstock.engine.crew import Run
from penstock.node import Purity, Step
from penstock.parallel import Parallel

_LONG_ENOUGH_SECONDS = 0.001
_WARM_UP_RUNS = 2
_ROUNDS = 3
_MOST_PAIRS = 5
_LETS_GO_BELOW = 1.5
"""Two at once take this many times as long as one where a function holds the GIL for half of its time."""
_SHORT_SECONDS = 1e-6
_CHEAP_SECONDS_PER_BLOCK = 0.002
_CHEAP_SECONDS_PER_BYTE = 2e-9
"""What computing a byte of the result may take beside copying it, which no worker makes quicker."""
_DEAR_ROW_SECONDS = 0.0003
"""What reads a file takes the GIL several times for each row, and threads get in each other's way over quicker rows
(bench_png_files.py)."""
_KNOWN = "its function is known to compute without the GIL"
_BLOCK_ROWS = 4096
_FEW_ROWS = 256


class Choice:
    """Where the calls of a step run.

    The first runs grow until one takes a millisecond, for a shorter one says nothing. Then some are timed alone, and as
    many pairs at the same time in two threads: what lets go of the GIL takes as long in pairs as alone. Time counts
    relative to what the threads computed, for elements differ.
    """

    def __init__(self, settings: Parallel, step: Step) -> None:
        self._pace = settings.pace
        self._step = step
        self._alone: list[tuple[float, float]] = []
        self._pairs: list[float] = []
        self._pair: list[Run] = []
        self._to_hand_over = 0
        self._observed = 0
        self._dear_blocks = 0
        if not self._pace.way:
            self._decide_without_measuring(settings)

    @property
    def workers(self) -> int:
        """How many threads are needed until it is decided; 0 from then on."""
        return 0 if self._pace.way else 2

    def wants_more(self, unfinished: int) -> bool:
        """Whether another run is to be handed over while `unfinished` are at work."""
        if not self._is_pairing:
            return unfinished == 0
        if unfinished == 0:
            # Both of a pair at once, and none before both are done.
            self._pair, self._to_hand_over = [], 2
        self._to_hand_over -= 1
        return self._to_hand_over >= 0

    @property
    def _is_pairing(self) -> bool:
        return len(self._alone) >= _ROUNDS

    def _decide_without_measuring(self, settings: Parallel) -> None:
        if settings.executor == "process":
            self._decide("process", "")
        elif settings.executor == "thread":
            self._decide("thread", "")
        elif not getattr(sys, "_is_gil_enabled", lambda: True)():
            self._decide("thread", "this Python has no GIL")
        elif self._step.purity is Purity.STATEFUL:
            self._decide("thread", "the function may have effects, which have to be seen in this process")
        elif self._step.lets_go_of_gil and self._step.purity is Purity.PURE:
            self._decide("thread", _KNOWN)
        elif usable_cores() == 1:
            self._decide("thread", "there is one core")

    def observe(self, run: Run) -> None:
        """Learn from a run that is done."""
        self._observed += 1
        if self._observed <= _WARM_UP_RUNS:
            return
        if self._step.lets_go_of_gil and run.cpu_seconds >= _DEAR_ROW_SECONDS * run.rows:
            self._decide("thread", _KNOWN)
        elif self._step.is_vectorised and run.rows >= _FEW_ROWS:
            self._decide_for_blocks(run)
        elif run.seconds < _LONG_ENOUGH_SECONDS and run.rows < _BLOCK_ROWS:
            return
        elif not self._is_pairing:
            self._alone.append((run.seconds, run.cpu_seconds))
            self._pace.run_rows = max(1, run.rows)
        else:
            self._observe_pair(run)

    def _decide_for_blocks(self, run: Run) -> None:
        """Where a function runs that NumPy computes for whole blocks, most of the time without the GIL."""
        seconds = min(run.seconds, run.cpu_seconds)  # other programs do not make it dear
        is_cheap = seconds / run.rows * _BLOCK_ROWS < _CHEAP_SECONDS_PER_BLOCK
        if is_cheap or seconds < run.num_bytes * _CHEAP_SECONDS_PER_BYTE:
            self._decide("inline", "it runs on whole blocks that take less than a hand-over is worth")
            return
        # The quickest counts, as with pairs: what the machine did to one block says nothing about the function.
        self._dear_blocks += 1
        if self._dear_blocks == _ROUNDS:
            self._decide("thread", "it runs on whole blocks, which NumPy computes without the GIL")

    def _observe_pair(self, run: Run) -> None:
        self._pair.append(run)
        if len(self._pair) < 2:
            return
        first, second = self._pair
        self._pair = []
        end = max(first.began + first.seconds, second.began + second.seconds)
        together = end - min(first.began, second.began)
        # Both would take as long as one, if neither waited for the other; and what waits alone waits in pairs too.
        seconds, computed = (sum(times) for times in zip(*self._alone, strict=True))
        expected = (first.cpu_seconds + second.cpu_seconds) / 2 * seconds / max(computed, _SHORT_SECONDS)
        self._pairs.append(together / max(expected, _SHORT_SECONDS))
        # The quickest pair counts: other programs may slow any of them down, and nothing makes up for the GIL.
        ratio = min(self._pairs)
        if ratio < _LETS_GO_BELOW:
            self._decide("thread", f"two at once take {ratio:.2f} times as long as one: it lets go of the GIL")
        elif len(self._pairs) == _MOST_PAIRS:
            self._decide("process", f"two at once take {ratio:.2f} times as long as one: it holds the GIL")

    def _decide(self, way: str, why: str) -> None:
        self._pace.way, self._pace.why = way, why
