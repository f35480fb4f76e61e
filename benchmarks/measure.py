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
from typing import Any

import numpy as np
from contender import Contender, Pipeline, Workload

WARM_UP_SECONDS = 0.4
"""Long enough for caches, tracing and autotuning to settle; a slower contender's first epoch is cut there."""


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
    next(iter(pipeline))
    first_batch_seconds = time.perf_counter() - began
    rows = workload.rows_out(workload.elements)
    epoch_seconds(workload, pipeline, rows, WARM_UP_SECONDS)
    epochs: list[float] = []
    cut = False
    busy = 0.0
    deadline = time.perf_counter() + seconds
    while not epochs or time.perf_counter() < deadline:
        processor, clock = time.process_time(), time.perf_counter()
        taken, was_cut = epoch_seconds(workload, pipeline, rows, 2 * seconds)
        # A cut epoch's processor time is extended like its length.
        busy += (time.process_time() - processor) * taken / (time.perf_counter() - clock)
        epochs.append(taken)
        cut = cut or was_cut
    report: dict[str, Any] = {
        "speed": workload.elements / statistics.median(epochs),
        "epochs": len(epochs),
        "extrapolated": cut,
        "processor_nanoseconds": 1e9 * busy / len(epochs) / workload.elements,
        "import_seconds": import_seconds,
        "first_batch_seconds": first_batch_seconds,
        "beyond_data_bytes": peak_bytes() - before_bytes,
        "peak_bytes": peak_bytes(),
    }
    if contender.state_bytes is not None:
        report["state_bytes"] = contender.state_bytes(pipeline)
    return report


def epoch_seconds(workload: Workload, pipeline: Pipeline, rows: int, at_most: float) -> tuple[float, bool]:
    """Time one epoch; `at_most` seconds after its first batch stop, and extend the pace since then to all rows."""
    count, clock = workload.count, time.perf_counter
    arrived = first_rows = 0
    first = began = clock()
    for batch in pipeline:
        arrived += count(batch)
        if not first_rows:
            first_rows, first = arrived, clock()
        elif clock() - first > at_most:
            break
    ended = clock()
    if arrived == rows:
        return ended - began, False
    pace = (ended - first) / (arrived - first_rows)
    return (first - began) + (rows - first_rows) * pace, True


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
