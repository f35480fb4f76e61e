"""What a process and its workers cost together: processor time and proportional memory, read from /proc."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def descendants() -> list[int]:
    """The processes below this one, started by it or by others below it; none where there is no /proc."""
    parents = {}
    for folder in _PROC.glob("[0-9]*"):
        fields = _stat(int(folder.name))
        if fields is not None:
            parents[int(folder.name)] = int(fields[1])
    found = [os.getpid()]
    for above in found:
        found += [process for process, parent in parents.items() if parent == above]
    return found[1:]


def processor_seconds() -> float:
    """Processor time of this process, of its ended children, and of all that runs below it."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = 0
    for process in descendants():
        fields = _stat(process)
        # User and system time, and those of its own ended children.
        ticks += sum(int(field) for field in fields[11:15]) if fields is not None else 0
    return time.process_time() + ended.ru_utime + ended.ru_stime + ticks * _TICK_SECONDS


def proportional_bytes(process: int) -> int:
    """The memory of one process, each page shared out among those that hold it; 0 if it has ended."""
    try:
        lines = (_PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _stat(process: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name, which may hold spaces itself; None if it has ended."""
    try:
        return (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
