"""Contenders in one process: each goes once through everything in every round, and is divided by its limit there."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

Run = Callable[[], Iterable[object]]


class Entry(NamedTuple):
    """What is iterated over, and the name of what it is divided by."""

    limit: str
    run: Run


class Timed(NamedTuple):
    """What came of one entry: its best time, and the median over all rounds of the limit's time divided by its own."""

    name: str
    limit: str
    best_seconds: float
    ratio: float


def arguments(description: str | None, size: str, number: int, rounds: int) -> argparse.Namespace:
    """The command line: how many rounds, and how large the data is."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(f"--{size}", type=int, default=number)
    parser.add_argument("--rounds", type=int, default=rounds)
    return parser.parse_args()


def compared(entries: dict[str, Entry], rounds: int) -> list[Timed]:
    """Run them all, round by round."""
    times = [{name: seconds_of(entry.run) for name, entry in entries.items()} for _ in range(rounds)]
    return [
        Timed(name, limit, min(one[name] for one in times), statistics.median(one[limit] / one[name] for one in times))
        for name, (limit, _) in entries.items()
    ]


def seconds_of(run: Run) -> float:
    """How long it takes to go through everything once."""
    began = time.perf_counter()
    for _ in run():
        pass
    return time.perf_counter() - began
