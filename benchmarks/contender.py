"""The words of a benchmark: a workload, the contenders that do it, and the forms they are written in."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Batch = Any
"""What one contender hands over at a time: arrays or the peer's own tensors, alone or in a tuple."""

Pipeline = Any
"""What `for batch in ...` can go through again and again, of whatever type its library has."""

SUMMED_IN = np.float64
"""Wide enough that no digest below overflows or loses the last element."""


class Form(enum.StrEnum):
    """How a contender's program is written."""

    LIMIT = "limit"
    """The same work in bare NumPy, bare Python, bare threads or bare processes."""
    PER_ELEMENT = "per element"
    """As people write it: functions of one element, the library's own shuffle and batch."""
    AUTOTUNED = "autotuned"
    """As people write it, with the number of workers and the depth of buffers left to the library."""
    OWN_FUNCTIONS = "own functions"
    """As people write it, with the library's own functions where it has any."""
    OWN_CODE = "own code"
    """The user's own functions, given to a library whose people write them in its own operations."""
    BY_HAND = "by hand"
    """Vectorised or restructured by an expert: functions of a batch, still the library's own shuffle and batch."""
    OWN_BATCHES = "own batches"
    """The user shuffles and gathers whole batches in a source of his own; the library only hands them on."""


@dataclass(frozen=True)
class Contender:
    """One program that does a workload, always in a process of its own."""

    name: str
    """As the tables show it."""
    module: str
    """The module whose import is timed; tells the environment that the program runs in."""
    form: Form
    make: Callable[[Any], Pipeline]
    """From the workload's data to a pipeline."""
    state_bytes: Callable[[Pipeline], int] | None = None
    """The size of a saved position after one batch, where the library saves positions."""
    most_rounds: int | None = None
    """Fewer rounds for a program whose first batch alone takes a minute."""

    @property
    def key(self) -> str:
        """Its name on the command line."""
        return f"{self.module}-{self.form}".replace(" ", "-")


@dataclass(frozen=True)
class Workload:
    """What each contender is asked to do, and how its answer is checked."""

    name: str
    title: str
    elements: int
    """How many elements go in."""
    prepare: Callable[[int], Any]
    """The data, for that many elements; its time and memory are nobody's."""
    rows_out: Callable[[int], int]
    """How many rows must come out for that many elements in."""
    count: Callable[[Batch], int]
    """Rows of one batch."""
    digest: Callable[[Batch], tuple[float, ...]]
    """Sums that tell whether every element came out once with the right values; they add up over batches."""
    answer: Callable[[Any], Batch]
    """The whole right answer, as one batch, in any order."""
    contenders: tuple[Contender, ...]
    elements_verified: int
    """How many elements the one-time check goes through; all that the slowest contender bears."""
    settling_batches: int = 0
    """Batches of each epoch before its pace is taken, so that neither the start of workers nor what they have made by
    then counts; their start stands in the time of the first batch. 0: the epoch counts from its beginning."""
    runs_beside_peers: bool = False
    """Whether penstock and the limit run in the peers' environment too, for a package that only it has."""


def columns_digest(*columns: Any) -> tuple[float, ...]:
    """Rows, then for each column its sum and the sum of its squares: no row can be lost, doubled or left unscaled."""
    arrays = [np.asarray(column) for column in columns]
    sums = [float(part.sum(dtype=SUMMED_IN)) for array in arrays for part in (array, np.square(array, dtype=SUMMED_IN))]
    return (float(len(arrays[0])), *sums)
