"""How a step's calls are spread over workers: what the user asked for, and what was learnt about it."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Protocol

from penstock.record import record

AUTOTUNE = -1
EXECUTORS = ("auto", "thread", "process")
IDLE = "penstock-idle"
"""What threads of the pool are called that have no work."""


class WorkPace:
    """What one iteration learns about a step's calls for the next; kept by identity, pickles as new.

    Attributes:
        way: "thread", "process", "inline" (in the thread that asks, one after another), or "" as long as that is open.
        why: The reason, in a few words.
        run_rows: How many elements are handed to a worker at once.
        workers: How many worked at the same time when AUTOTUNE was last content.
        refusal: Why no process could be started, as long as nobody has been told.
    """

    __slots__ = ("refusal", "run_rows", "way", "why", "workers")

    def __init__(self) -> None:
        self.way = ""
        self.why = ""
        self.run_rows = 1
        self.workers = 1
        self.refusal = ""

    def __reduce__(self) -> Any:
        return WorkPace, ()

    def go_on_in_threads(self, refusal: BaseException) -> None:
        """Give up the processes that measuring had chosen, since none can be started."""
        if self.way != "thread":
            self.way, self.why, self.refusal = "thread", "no worker process could be started", str(refusal)


@record(eq=True)
class Parallel:
    """Several calls of one step at once.

    Attributes:
        calls: How many; AUTOTUNE (-1) for as many as help.
        deterministic: Whether results come in the order of the input, or as they are done.
        executor: "thread", "process", or "auto": what suits the function by measurement.
        pace: What iterations have learnt.
    """

    calls: int
    deterministic: bool = True
    executor: str = "auto"
    pace: WorkPace = field(default_factory=WorkPace, compare=False, repr=False)

    def __str__(self) -> str:
        told = [f"num_parallel_calls={'AUTOTUNE' if self.calls == AUTOTUNE else self.calls}"]
        if not self.deterministic:
            told.append("deterministic=False")
        ways = {"thread": "in threads", "process": "in processes", "inline": "in the thread that asks"}
        way = ways.get(self.pace.way, "threads or processes: not known before the first elements")
        return f"{', '.join(told)}; {way}" + (f": {self.pace.why}" if self.pace.why else "")


class Turn(Protocol):
    """Some rows that a worker has done at once."""

    @property
    def rows(self) -> int:
        """How many."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def cpu_seconds(self) -> float:
        """How long its thread or process computed meanwhile."""

    @property
    def starved_seconds(self) -> float:
        """How long it would have computed, but had no core."""

    @property
    def thread(self) -> int:
        """The identifier of the worker."""


class Resizable(Protocol):
    """Workers whose number may change while they work."""

    @property
    def num_at_work(self) -> int:
        """How many are at work at this moment."""

    def resize(self, size: int) -> None:
        """Let so many work."""


class Tuning(Protocol):
    """The number of workers of one step, as its settings say; with AUTOTUNE it follows what it is told."""

    @property
    def workers(self) -> int:
        """How many are to work."""

    @property
    def is_open(self) -> bool:
        """Whether that follows what it is told."""

    def waited(self, seconds: float) -> None:
        """The reader has waited for a result."""

    def observe(self, turn: Turn) -> None:
        """Some rows are done."""

    def adjust(self, crew: Resizable | None, is_full: bool) -> None:
        """When it is time, let more or fewer work; `is_full` says that no more work can be handed out."""
