"""AUTOTUNE, from one worker and a buffer of one, beside the best number of workers that a hand could set.

    python benchmarks/autotuned.py                          three rounds of everything, some eight minutes
    python benchmarks/autotuned.py --only slow_files --rounds 5

Each trial is a process of its own. AUTOTUNE is given five seconds, and what comes in the three seconds after them
counts; numbers set by hand get two seconds to begin. A round runs every setting of a workload once; ratios are taken
within a round, against the setting whose median over the rounds is the best, and a line tells their median.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench_python_map
import bench_slow_files
import numpy as np

AUTOTUNE = -1
TUNING_SECONDS = 5.0
STARTING_SECONDS = 2.0
COUNTED_SECONDS = 3.0

is_late = False
"""Whether the cost of the workload that changes has changed; the threads that call it look here."""


@dataclass(frozen=True)
class Workload:
    """What is tuned, and which settings a hand would try."""

    title: str
    make: Callable[[int], Any]
    """From the number of calls at once to a pipeline without end."""
    batch: int
    by_hand: tuple[int, ...]
    changes: bool = False
    """Whether its cost changes after the first five seconds: AUTOTUNE then gets five more."""


def photos(calls: int) -> Any:
    from bench_photos import BATCH, read_paths
    from photo_files import training_crop

    from penstock import Dataset

    def augmented(path: Any, label: Any, generator: Any) -> Any:
        return training_crop(path, generator.random(3)), label

    paths, labels = read_paths(1600)
    ds = Dataset.from_tensor_slices((np.array(paths), labels)).repeat()
    return ds.random_map(augmented, seed=0, num_parallel_calls=calls).batch(BATCH).prefetch(ahead(calls))


def python_map(calls: int) -> Any:
    from penstock import Dataset

    ds = Dataset.range(bench_python_map.ELEMENTS).repeat()
    return (
        ds.map(bench_python_map.features, num_parallel_calls=calls).batch(bench_python_map.BATCH).prefetch(ahead(calls))
    )


def slow_files(calls: int) -> Any:
    from penstock import Dataset

    files = Dataset.range(bench_slow_files.FILES).repeat()
    ds = files.interleave(
        lambda file: Dataset.from_generator(bench_slow_files.records, args=(file, bench_slow_files.READS)),
        cycle_length=bench_slow_files.CYCLE,
        num_parallel_calls=calls,
    )
    return ds.batch(bench_slow_files.BATCH).prefetch(ahead(calls))


def changing(calls: int) -> Any:
    from penstock import Dataset

    sample = bytes(1 << 20)

    def fetched(number: Any) -> Any:
        """A wait of 1 ms, of 10 ms later, and half a millisecond of computing without the GIL."""
        time.sleep(0.010 if is_late else 0.001)
        return np.frombuffer(hashlib.sha1(sample[: 1 << 19]).digest(), np.uint8)

    ds = Dataset.counter().map(fetched, num_parallel_calls=calls, purity="stateless", executor="thread")
    return ds.batch(32).prefetch(ahead(calls))


def ahead(calls: int) -> int:
    return AUTOTUNE if calls == AUTOTUNE else 4


WORKLOADS = {
    "photos": Workload("W3, JPEG photos", photos, 32, (1, 2, 3)),
    "python_map": Workload("W4, plain Python of 2 ms", python_map, 32, (1, 2, 3)),
    "slow_files": Workload("W13, 64 slow files", slow_files, 128, (8, 16, 24, 32, 48)),
    "changing": Workload("waits that become ten times as long", changing, 32, (2, 8, 16, 24, 32), changes=True),
}


def main() -> None:
    """Run the rounds, or one trial in this process."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--only", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    arguments.add_argument("--trial", nargs=2, metavar=("WORKLOAD", "CALLS"), help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.trial is not None:
        print(json.dumps(trial(WORKLOADS[options.trial[0]], int(options.trial[1]))))
        return
    for name in options.only:
        print(compared(name, options.rounds), flush=True)


def trial(workload: Workload, calls: int) -> dict[str, Any]:
    """Elements a second once a setting has settled, and how many workers a slow reader leaves at work after that."""
    global is_late
    iterator = iter(workload.make(calls))
    is_late = workload.changes and calls != AUTOTUNE
    if workload.changes and calls == AUTOTUNE:
        batches_within(iterator, TUNING_SECONDS)
        is_late = True
    batches_within(iterator, TUNING_SECONDS if calls == AUTOTUNE else STARTING_SECONDS)
    began = time.perf_counter()
    batches = batches_within(iterator, COUNTED_SECONDS)
    found = {"speed": batches * workload.batch / (time.perf_counter() - began), "workers": workers(iterator)}
    if calls == AUTOTUNE:
        # A tenth of what it can have: all but a few workers are for others.
        pause = 10 * COUNTED_SECONDS / batches
        batches_within(iterator, TUNING_SECONDS, pause)
        found["workers_left"] = workers(iterator)
    iterator.close()
    return found


def batches_within(iterator: Iterator[Any], seconds: float, pause: float = 0.0) -> int:
    """How many batches come in that time."""
    deadline = time.perf_counter() + seconds
    count = 0
    while time.perf_counter() < deadline:
        next(iterator)
        count += 1
        if pause:
            time.sleep(pause)
    return count


def workers(iterator: Any) -> int:
    """The most workers that a step of the pipeline has at present."""
    return max((step.workers or 0 for step in iterator.stats()), default=0)


def compared(name: str, rounds: int) -> str:
    """The line of one workload."""
    workload = WORKLOADS[name]
    settings = (*workload.by_hand, AUTOTUNE)
    found: dict[int, list[dict[str, Any]]] = {calls: [] for calls in settings}
    for number in range(rounds):
        turn = number % len(settings)
        for calls in settings[turn:] + settings[:turn]:
            found[calls].append(trial_apart(name, calls))
    medians = {calls: statistics.median(one["speed"] for one in found[calls]) for calls in settings}
    best = max(workload.by_hand, key=lambda calls: medians[calls])
    pairs = zip(found[AUTOTUNE], found[best], strict=True)
    ratios = sorted(tuned["speed"] / by_hand["speed"] for tuned, by_hand in pairs)
    tried = ", ".join(f"{calls}: {medians[calls]:,.0f}" for calls in workload.by_hand)
    reached = [one["workers"] for one in found[AUTOTUNE]]
    left = [one["workers_left"] for one in found[AUTOTUNE]]
    return (
        f"{workload.title}: AUTOTUNE has {statistics.median(ratios):.1%} of {best} workers "
        f"({ratios[0]:.1%} to {ratios[-1]:.1%}); {medians[AUTOTUNE]:,.0f} elements a second, by hand {tried}; "
        f"workers {reached}, with a reader of a tenth of the speed {left}"
    )


def trial_apart(name: str, calls: int) -> dict[str, Any]:
    """A trial in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--trial", name, str(calls)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if ended.returncode != 0:
        raise SystemExit(f"{name} with {calls} calls failed:\n{ended.stderr[-800:]}")
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    print(f"{name} {calls}: {found}", file=sys.stderr)
    return found


if __name__ == "__main__":
    main()
