"""Tables from trials: medians, ratios within a round, and their 95 % bootstrap intervals."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RESAMPLES = 5000
Entry = dict[str, Any]
Column = tuple[str, Callable[[Entry, dict[str, Entry]], str]]

HOW_TO_READ = """\
Made by `make bench` (`python benchmarks/run.py`): every program runs once a round in a process of its own, each round
starting with another one. Medians over rounds; ratios are taken within a round, with 95 % bootstrap intervals. Peers:
{versions}.

*limit*: the same work in bare NumPy, bare Python, bare threads or bare processes; for the slow files the ideal, 16
reads in each 10 ms by the clock. *per element*: as people write it. *autotuned*: the same, with numbers of workers and
buffers left to the library. *own code*: the user's own function in a library whose people write it in its own
operations. *by hand*: vectorised or restructured by an expert with the library's own shuffle and batch; for penstock's
plain Python, `executor="process"`. *own batches*: the user shuffles and gathers whole batches in a source of his own,
and the library only hands them on. `~`: a slow program, cut after some seconds and extended at its pace. *penstock is*:
its speed over that program's; 0.80 x the limit is 80 % of it.

Photos, plain Python and slow files: the pace is taken after each epoch's first batches, so that the start of workers
shows under *first batch* and nowhere else. *CPU an element* counts worker processes; *peak memory* is the program's own
process. The photos are read and cut by one OpenCV function in all programs but tf.data's own operations, and all run
in the peers' environment, with the same OpenCV and NumPy. *memory a process*: proportional memory (PSS) of the program
and its workers, less what the data took before there were workers, divided by the number of processes, at the end of an
epoch that is cut after some seconds. Hand-over: one worker, a function that waits, and the time an element takes beyond
the function's own.
"""


def machine() -> str:
    """Processor, cores, Python and NumPy."""
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    processor = names[0] if names else platform.processor() or platform.machine()
    software = f"Python {platform.python_version()}, NumPy {np.__version__}, {time.strftime('%B %Y')}"
    return f"{os.cpu_count()} cores of {processor}, {software}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def page(tables: list[dict[str, Any]], versions: list[str]) -> str:
    """All of RESULTS.md."""
    sections = "\n\n".join(section(table) for table in tables)
    return "# Benchmarks\n\n" + HOW_TO_READ.format(versions=", ".join(versions)) + "\n" + sections + "\n"


def section(race: dict[str, Any]) -> str:
    """One workload's table, aligned so that it reads as text and renders as Markdown."""
    entries = race["contenders"]
    columns = [column for column in COLUMNS if any(column[1](entry, entries) for entry in entries.values())]
    rows = [[title for title, _ in columns]]
    rows += [[cell(entry, entries) for _, cell in columns] for entry in entries.values()]
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    lines = [" | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
    lines = [f"| {line} |" for line in lines]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return f"## {race['title']}\n\n{race['circumstances']}\n\n" + "\n".join(lines)


def speeds(entry: Entry) -> list[float]:
    return [trial["speed"] for trial in entry["trials"]]


def median_of(entry: Entry, key: str) -> float | None:
    """The median of one measured number over the rounds, or None where it is not measured."""
    found = [trial[key] for trial in entry["trials"] if key in trial]
    return statistics.median(found) if found else None


def ratio(above: Entry, below: Entry) -> tuple[float, float, float] | None:
    """Median of `above`'s speed over `below`'s within a round, and the 95 % interval of that median."""
    pairs = list(zip(speeds(above), speeds(below), strict=False))
    if not pairs:
        return None
    ratios = np.array([first / second for first, second in pairs])
    draws = np.random.default_rng(0).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(ratios[draws], axis=1), [0.025, 0.975])
    return float(np.median(ratios)), float(low), float(high)


def _first(entries: dict[str, Entry], wanted: Callable[[Entry], bool]) -> Entry | None:
    return next((entry for entry in entries.values() if wanted(entry)), None)


def _speed(entry: Entry, _: dict[str, Entry]) -> str:
    """Elements a second, where the trials went through epochs."""
    speed = median_of(entry, "speed")
    if speed is None or median_of(entry, "epochs") is None:
        return ""
    cut = any(trial["extrapolated"] for trial in entry["trials"])
    return ("~" if cut else "") + quantity(speed, ("", " k", " M"), 1000)


def _milliseconds(entry: Entry, _: dict[str, Entry]) -> str:
    """The time of one start or resume, where that is what was measured."""
    speed = median_of(entry, "speed")
    return "" if speed is None or median_of(entry, "epochs") is not None else f"{significant(1000 / speed)} ms"


def _of_limit(entry: Entry, entries: dict[str, Entry]) -> str:
    limit = _first(entries, lambda one: one["form"] == "limit")
    share = ratio(entry, limit) if limit is not None else None
    return "" if share is None else f"{significant(100 * share[0])} %"


def _penstock_is(entry: Entry, entries: dict[str, Entry]) -> str:
    own = _first(entries, lambda one: one["name"] == "penstock")
    if own is None or own is entry:
        return ""
    times = ratio(own, entry)
    if times is None:
        return ""
    interval = f" ({significant(times[1])} to {significant(times[2])})" if len(entry["trials"]) > 1 else ""
    return f"{significant(times[0])} x{interval}"


def _seconds(key: str) -> Callable[[Entry, dict[str, Entry]], str]:
    def cell(entry: Entry, _: dict[str, Entry]) -> str:
        seconds = median_of(entry, key)
        return "" if seconds is None else f"{significant(1000 * seconds)} ms"

    return cell


def _bytes(key: str) -> Callable[[Entry, dict[str, Entry]], str]:
    def cell(entry: Entry, _: dict[str, Entry]) -> str:
        size = entry.get(key, median_of(entry, key))
        return "" if size is None else quantity(size, (" B", " KB", " MB", " GB"), 1000)

    return cell


def _processor(entry: Entry, _: dict[str, Entry]) -> str:
    nanoseconds = median_of(entry, "processor_nanoseconds")
    return "" if nanoseconds is None else f"{significant(nanoseconds)} ns"


COLUMNS: tuple[Column, ...] = (
    ("program", lambda entry, _: entry["name"]),
    ("written", lambda entry, _: entry["form"] + (", failed" if "failure" in entry else "")),
    ("elements/s", _speed),
    ("time", _milliseconds),
    ("of the limit", _of_limit),
    ("penstock is", _penstock_is),
    ("CPU an element", _processor),
    ("first batch", _seconds("first_batch_seconds")),
    ("import beyond NumPy", _seconds("import_seconds")),
    ("memory beyond data", _bytes("beyond_data_bytes")),
    ("peak memory", _bytes("peak_bytes")),
    ("memory a process, epoch 1", _bytes("first_epoch_process_bytes")),
    ("epoch 5", _bytes("last_epoch_process_bytes")),
    ("largest worker", _bytes("largest_worker_bytes")),
    ("state", _bytes("state_bytes")),
    ("installed", _bytes("installed_bytes")),
)


def quantity(number: float, units: tuple[str, ...], step: int) -> str:
    """Three figures and a unit: 2.31 M, 26.4 k."""
    power = 0
    while number >= step and power < len(units) - 1:
        number, power = number / step, power + 1
    return significant(number) + units[power]


def significant(number: float) -> str:
    """Three significant figures, never in powers of ten."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}" if number >= 0.001 else f"{number:.1g}"
