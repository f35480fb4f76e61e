"""How long runs are, how many are in flight, and whether they are pulled before what is done is handed out."""

from __future__ import annotations

from penstock.engine.crew import Run
from penstock.parallel import WorkPace

_THREAD_RUN_SECONDS = 0.008
_PROCESS_RUN_SECONDS = 0.02
_MOST_RUN_ROWS = 1 << 16
_MOST_RUN_BYTES = 1 << 22
_RUNS_PER_WORKER = 2  # in the queue and at work: one more than is at work, so that no worker waits for the next
_QUICK_RUNS_PER_WORKER = 16  # where a run takes so little that it is worth not to wake a thread for each
_QUICK_SECONDS = 0.0002
_IDLE_SHARE = 0.05
_NEW_SHARE = 0.25
"""How much the last of several times counts."""


class Flow:
    """The runs of one operator: as long as a hand-over is cheap beside, and never longer.

    Args:
        pace: What is learnt for the next iteration too.
        unit: Rows of a run are a multiple of this.
    """

    def __init__(self, pace: WorkPace, unit: int) -> None:
        self._pace = pace
        self._unit = unit
        self._pull_seconds = self._run_seconds = 0.0
        self.runs_per_worker = _RUNS_PER_WORKER

    def rows(self, wanted: int) -> int:
        """How many rows the next run has."""
        # Without workers nothing is handed over, and as much is computed as is asked for.
        return max(wanted, self._unit) if self._pace.way == "inline" else self._pace.run_rows * self._unit

    def pulled(self, run: Run, seconds: float) -> None:
        """The source took so long to make the rows of `run`."""
        if run.rows:
            self._pull_seconds += _NEW_SHARE * (seconds - self._pull_seconds)

    def observe(self, run: Run) -> None:
        """A run is done."""
        self._run_seconds += _NEW_SHARE * (run.seconds - self._run_seconds)
        self.runs_per_worker = _QUICK_RUNS_PER_WORKER if run.seconds < _QUICK_SECONDS else _RUNS_PER_WORKER
        self._set_rows(run)

    def is_slow(self, workers: int) -> bool:
        """Whether the source takes so long that the workers wait for it, however early it is asked.

        Then rows that are done need not be held back to ask it: a worker is busy with the runs of its queue for less
        time than it takes to fill that again.
        """
        return self._pull_seconds * workers * self.runs_per_worker > self._run_seconds

    def is_idle(self) -> bool:
        """Whether runs take so little beside the source that it costs little to wait for them before it is asked.

        An element that comes from the network once a second is then handed out when it is computed, rather than when
        the next one has come.
        """
        return 0 < self._run_seconds < _IDLE_SHARE * self._pull_seconds

    def _set_rows(self, run: Run) -> None:
        """Let the next runs take as long as a hand-over is cheap beside."""
        target = _PROCESS_RUN_SECONDS if self._pace.way == "process" else _THREAD_RUN_SECONDS
        length = self._pace.run_rows
        if not length * self._unit < 2 * run.rows <= 2 * length * self._unit:
            return  # the last ones, or from before runs grew
        # Nor is any row to wait longer for those that come with it.
        seconds = max(run.seconds, self._pull_seconds)
        if seconds < target / 2 and length < _MOST_RUN_ROWS and run.num_bytes < _MOST_RUN_BYTES:
            self._pace.run_rows = 2 * length
        elif seconds > 2 * target and length > 1:
            self._pace.run_rows = max(1, length // 2)
