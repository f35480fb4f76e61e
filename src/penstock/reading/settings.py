"""How many files are read at a time, as users ask for it."""

from __future__ import annotations

from typing import Any

from penstock import calls
from penstock.parallel import AUTOTUNE, Parallel


def parallel_reads(method: str, value: Any) -> Parallel | None:
    """What `num_parallel_reads` asks for; None for one file after another, in the thread that asks.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is neither AUTOTUNE (-1) nor positive.
    """
    if value is None:
        return None
    number = calls.count(method, "num_parallel_reads", value)
    if number != AUTOTUNE:
        calls.count(method, "num_parallel_reads", number, 1, "; use AUTOTUNE to leave it open")
    return Parallel(number, executor="thread")
