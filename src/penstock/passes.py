"""What a node learns from one pass for the next: the number of the pass, and how fast its elements are read."""

from __future__ import annotations

import itertools
from typing import Any


class PassCounter:
    """Numbers the passes over one node; kept by identity, so it is shared by every dataset derived from that node."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = itertools.count()

    def take(self) -> int:
        """The number of a pass that begins now."""
        return next(self._next)

    def go_on_after(self, number: int) -> None:
        """Let the next pass be the one after `number`."""
        self._next = itertools.count(number + 1)

    def __reduce__(self) -> Any:
        return PassCounter, ()


class ReadingPace:
    """How whoever reads from a background thread has done so of late; kept by identity, pickles as new.

    Attributes:
        eager_reads: How often it came back at once for the next element; see `BackgroundOperator`.
    """

    __slots__ = ("eager_reads",)

    def __init__(self) -> None:
        self.eager_reads = 0

    def __reduce__(self) -> Any:
        return ReadingPace, ()


def bind_pass(counter: PassCounter, seed: int, fact: Any | None) -> dict[str, int]:
    """The seed and the pass of one iteration: the next pass, the one that `fact` asks for, or all as `fact` says.

    `fact` may hold a "pass" alone (the user picked it), or a "seed" and a "pass" (a state is being loaded).
    """
    if fact is None:
        return {"seed": seed, "pass": counter.take()}
    number = int(fact["pass"])
    if fact.get("restores"):
        counter.go_on_after(number)
    return {"seed": int(fact.get("seed", seed)), "pass": number}
