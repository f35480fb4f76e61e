"""How long a thread could have computed but had no core, since other threads and programs had them."""

from __future__ import annotations

import threading

_FILE = "/proc/thread-self/schedstat"
_WORTH_LOOKING_SECONDS = 0.02
"""Looking takes some 20 microseconds, and lets go of the GIL, which may take as long as some other thread computes."""
_FEW_THREADS = 4
"""More of them look less often each: thirty would lose a fifth of their speed to it (benchmarks/autotuned.py)."""


class _Seen(threading.local):
    """What the calling thread saw when it looked last, below 0 where it never did; for how long it has worked since."""

    nanoseconds = -1
    seconds_since = 0.0
    is_known = True


_seen = _Seen()


def seconds_without_core(elapsed_seconds: float, threads: int = 1) -> float:
    """How long the calling thread was ready to run but did not, since it last told; 0 where the system does not.

    Without it, calls that compute look on a busy machine like calls that wait, and get more threads than there are
    cores.

    Args:
        elapsed_seconds: How long the caller has worked since it last asked; where it is little, nobody looks as yet.
        threads: How many ask, this one included.
    """
    _seen.seconds_since += elapsed_seconds
    worth_looking_seconds = _WORTH_LOOKING_SECONDS * max(1.0, threads / _FEW_THREADS)
    if _seen.seconds_since < worth_looking_seconds or not _seen.is_known:
        return 0.0
    try:
        with open(_FILE, "rb", buffering=0) as file:
            now = int(file.read().split()[1])
    except (OSError, ValueError, IndexError):
        _seen.is_known = False
        return 0.0
    before, _seen.nanoseconds = _seen.nanoseconds, now
    most, _seen.seconds_since = _seen.seconds_since, 0.0
    return 0.0 if before < 0 else min(most, (now - before) / 1e9)
