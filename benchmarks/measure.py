"""One contender, measured in this process: `python bench_x.py CONTENDER` prints one line of JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import process_tree
from contender import Contender, Pipeline, Workload

WARM_UP_SECONDS = 0.4
"""Long enough for caches, tracing and autotuning to settle; a slower contender's first epoch is cut there."""


class Epoch(NamedTuple):
    """One pass through a pipeline, or what it would have taken had it not been cut."""

    seconds: float
    processor_seconds: float
    """Of all processes that worked on it."""
    cut: bool


def main(workload: Workload) -> None:
    """Measure, or with --verify check, the contender named on the command line."""
    arguments = argparse.ArgumentParser(description=workload.title)
    arguments.add_argument("contender", choices=[contender.key for contender in workload.contenders])
    arguments.add_argument("--seconds", type=float, default=1.0, help="how long to time epochs; one is always timed")
    arguments.add_argument("--verify", action="store_true", help="check one epoch's values instead of timing")
    chosen = arguments.parse_args()
    contender = next(one for one in workload.contenders if one.key == chosen.contender)
    report = verify(workload, contender) if chosen.verify else timed(workload, contender, chosen.seconds)
    print(json.dumps(report))


def timed(workload: Workload, contender: Contender, seconds: float) -> dict[str, Any]:
    """Times and memory of one contender: import, first batch, epochs."""
    began = time.perf_counter()
    importlib.import_module(contender.module)
    import_seconds = time.perf_counter() - began
    data = workload.prepare(workload.elements)
    before_bytes = peak_bytes()
    began = time.perf_counter()
    pipeline = contender.make(data)
    started = iter(pipeline)
    next(started)
    first_batch_seconds = time.perf_counter() - began
    del started
    rows = workload.rows_out(workload.elements)
    timed_epoch(workload, pipeline, rows, WARM_UP_SECONDS)
    epochs: list[Epoch] = []
    deadline = time.perf_counter() + seconds
    while not epochs or time.perf_counter() < deadline:
        epochs.append(timed_epoch(workload, pipeline, rows, 2 * seconds))
    busy = sum(epoch.processor_seconds for epoch in epochs)
    report: dict[str, Any] = {
        "speed": workload.elements / statistics.median(epoch.seconds for epoch in epochs),
        "epochs": len(epochs),
        "extrapolated": any(epoch.cut for epoch in epochs),
        "processor_nanoseconds": 1e9 * busy / len(epochs) / workload.elements,
        "import_seconds": import_seconds,
        "first_batch_seconds": first_batch_seconds,
        "beyond_data_bytes": peak_bytes() - before_bytes,
        "peak_bytes": peak_bytes(),
    }
    if contender.state_bytes is not None:
        report["state_bytes"] = contender.state_bytes(pipeline)
    return report


def timed_epoch(workload: Workload, pipeline: Pipeline, rows: int, at_most: float) -> Epoch:
    """Time one epoch; `at_most` seconds after its first batch stop, and extend the pace since then to all rows."""
    count, clock = workload.count, time.perf_counter
    settling = workload.settling_batches
    arrived = paced_rows = 0
    processor = process_tree.processor_seconds()
    paced = began = clock()
    for number, batch in enumerate(pipeline, 1):
        arrived += count(batch)
        if number <= max(1, settling):
            if number == settling:
                processor = process_tree.processor_seconds()
            paced_rows, paced = arrived, clock()
        elif clock() - paced > at_most:
            break
    ended = clock()
    busy = process_tree.processor_seconds() - processor
    if settling:
        share = rows / (arrived - paced_rows)
        return Epoch((ended - paced) * share, busy * share, arrived < rows)
    if arrived == rows:
        return Epoch(ended - began, busy, False)
    taken = (paced - began) + (rows - paced_rows) * (ended - paced) / (arrived - paced_rows)
    return Epoch(taken, busy * taken / (ended - began), True)


def verify(workload: Workload, contender: Contender) -> dict[str, Any]:
    """Raise unless one epoch holds exactly the right elements; order is free."""
    elements = workload.elements_verified
    data = workload.prepare(elements)
    found = np.sum([workload.digest(batch) for batch in contender.make(data)], axis=0)
    wanted = np.asarray(workload.digest(workload.answer(data)))
    # float32 pixels are summed in float64, so 1e-9 is far above rounding and far below one lost element.
    if not np.allclose(found, wanted, rtol=1e-9, atol=0):
        found_wanted = f"gave {found.tolist()}, the right sums are {wanted.tolist()}"
        raise SystemExit(f"{workload.name}: {contender.key} {found_wanted}")
    return {"verified_elements": elements}


def peak_bytes() -> int:
    """The most memory that this process has held so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux hands getrusage's figure on from parent to child; this one starts anew with the program.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else kilobytes * 1024
