"""Faults at random places of generated pipelines; run by `make soak`.

Each pipeline is drawn from a seed, which is printed when it goes wrong: `make soak ARGS="--only SEED"` runs that one
again. Its parallel form must give what the sequential one gives, errors at their places; at the end there must be no
more file descriptors, processes, threads at work and shared memory than at the beginning.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import os
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from penstock import Dataset
from penstock.engine import processes
from penstock.parallel import IDLE

SECONDS_TO_HANG = 120
FAULTS = ("kill", "raise", "close")
WAYS_TO_CLOSE = ("close", "drop", "raise", "with")
PARENT = os.getpid()


class Fault(Exception):
    """What the functions of a pipeline raise."""


class Trouble:
    """Calls a function, and on some elements raises an error, or kills its process the first time.

    Args:
        function: What is called.
        salt: Which elements it is that this happens on.
        one_in: On how many of them an error is raised; 0 for none.
        kill_at: The call of a process at which it dies; 0 for none.
        marker: A file that says that one has died.
    """

    def __init__(self, function: Callable[..., Any], salt: int, one_in: int, kill_at: int, marker: str) -> None:
        self.function = function
        self.salt = salt
        self.one_in = one_in
        self.kill_at = kill_at
        self.marker = marker
        self.calls = 0

    def __call__(self, element: Any, *more: Any) -> Any:
        number = int(np.sum(element))
        if self.one_in and (number * 2654435761 + self.salt) % self.one_in == 0:
            raise Fault(number)
        self.calls += 1
        if self.calls == self.kill_at and os.getpid() != PARENT:
            with contextlib.suppress(FileExistsError):
                open(self.marker, "x").close()
                os.kill(os.getpid(), signal.SIGKILL)
        return self.function(element, *more)


class Drawing:
    """Pipelines, each drawn from a seed: a sequential and a parallel one of the same steps."""

    def __init__(self, seed: int, fault: str, folder: Path) -> None:
        self.seed = seed
        self.fault = fault
        self.folder = folder

    def dataset(self, is_parallel: bool) -> Dataset[Any]:
        """One of the two."""
        self._draw = random.Random(self.seed)
        self._is_parallel = is_parallel
        self._num_steps = 0
        ds: Dataset[Any] = Dataset.range(self._draw.randrange(1, 300))
        count = self._draw.randrange(1, 5)
        troubled = self._draw.randrange(count)
        for at in range(count):
            # The draws are the same for both, so that both are made of the same steps.
            kind = self._draw.choice(KINDS if at != troubled else CALLING)
            ds = getattr(self, kind)(ds, at == troubled)
        if self._draw.random() < 0.4:
            ds = ds.batch(self._draw.randrange(1, 20))
        if is_parallel and self._draw.random() < 0.3:
            ds = ds.prefetch(self._draw.randrange(1, 5))
        return ds

    def _how(self, is_troubled: bool = False) -> dict[str, Any]:
        calls = self._draw.choice([1, 2, 2, 3, -1])
        executor = self._draw.choice(["process", "process", "thread", "auto"])
        if is_troubled and self.fault == "kill":
            executor = "process"
        return {"num_parallel_calls": calls, "executor": executor} if self._is_parallel else {}

    def _function(self, function: Callable[..., Any], is_troubled: bool) -> Any:
        salt, one_in = self._draw.randrange(1 << 30), self._draw.randrange(3, 60)
        kill_at = min(self._draw.randrange(1, 40) for _ in range(2))
        if not is_troubled:
            return function
        return Trouble(
            function,
            salt,
            one_in if self.fault == "raise" or self._draw.random() < 0.3 else 0,
            kill_at if self.fault == "kill" else 0,
            str(self.folder / f"{self.seed}"),
        )

    def map(self, ds: Dataset[Any], is_troubled: bool) -> Dataset[Any]:
        factor = self._draw.randrange(1, 9)
        function = self._function(lambda n: np.int64(int(n) * factor + 1), is_troubled)
        return ds.map(function, **self._how(is_troubled), purity="stateless")

    def large(self, ds: Dataset[Any], is_troubled: bool) -> Dataset[Any]:
        length = self._draw.choice([10, 2000, 40_000])
        function = self._function(lambda n: np.full(length, n), is_troubled)
        large = ds.map(function, **self._how(is_troubled), purity="stateless")
        return large.map(lambda many: np.int64(many[-1]), **self._how(), purity="stateless")

    def random_map(self, ds: Dataset[Any], is_troubled: bool) -> Dataset[Any]:
        function = self._function(lambda n, rng: np.int64(int(n) + int(rng.integers(10))), is_troubled)
        return ds.random_map(function, seed=3, **self._how(is_troubled), purity="stateless")

    def filter(self, ds: Dataset[Any], is_troubled: bool) -> Dataset[Any]:
        modulus = self._draw.randrange(2, 5)
        function = self._function(lambda n: int(n) % modulus != 0, is_troubled)
        return ds.filter(function, **self._how(is_troubled), purity="stateless")

    def map_batches(self, ds: Dataset[Any], is_troubled: bool) -> Dataset[Any]:
        size = self._draw.randrange(1, 20)
        function = self._function(lambda many: many + 1, is_troubled)
        return ds.map_batches(function, size, **self._how(is_troubled), purity="stateless")

    def shuffle(self, ds: Dataset[Any], is_troubled: bool) -> Dataset[Any]:
        return ds.shuffle(self._draw.randrange(1, 50), seed=self._draw.randrange(9))

    def prefetch(self, ds: Dataset[Any], is_troubled: bool) -> Dataset[Any]:
        return ds.prefetch(self._draw.randrange(1, 10))

    def interleave(self, ds: Dataset[Any], is_troubled: bool) -> Dataset[Any]:
        inner = self._how() if self._draw.random() < 0.3 else {}
        cycle, block = self._draw.randrange(1, 5), self._draw.randrange(1, 4)
        opened = self._function(
            lambda n: Dataset.range(int(n) % 4).map(lambda i: i * 2, **inner),
            is_troubled and self.fault == "raise",
        )
        calls = self._draw.choice([1, 2, -1])
        how = {"num_parallel_calls": calls} if self._is_parallel else {}
        return ds.interleave(opened, cycle, block, **how)


KINDS = ["map", "large", "random_map", "filter", "map_batches", "shuffle", "prefetch", "interleave"]
CALLING = ["map", "large", "random_map", "filter", "map_batches"]


def outcomes(elements: Iterator[Any]) -> Iterator[Any]:
    """Elements as lists, and errors as their type and arguments."""
    while True:
        try:
            yield np.asarray(next(elements)).tolist()
        except StopIteration:
            return
        except Exception as error:
            yield type(error), error.args


class Stopped(Exception):
    """What a consumer raises."""


def read_some(ds: Dataset[Any], count: int, way: str) -> list[Any]:
    """The first elements of a pipeline that is then closed in one of the ways there are."""
    elements = iter(ds)
    found: list[Any] = []
    with contextlib.suppress(Stopped), elements if way == "with" else contextlib.nullcontext():
        for outcome in islice(outcomes(elements), count):
            found.append(outcome)
            if way == "raise" and len(found) == count:
                raise Stopped
    if way == "close":
        elements.close()
    return found


def check(seed: int, fault: str, folder: Path) -> bool:
    """Run the pipeline of a seed; whether its fault came to pass."""
    drawing = Drawing(seed, fault, folder)
    expected = list(outcomes(iter(drawing.dataset(False))))
    ds = drawing.dataset(True)
    draw = random.Random(~seed)
    if fault == "close":
        count, way = draw.randrange(len(expected) + 1), draw.choice(WAYS_TO_CLOSE)
        expected, found = expected[:count], read_some(ds, count, way)
    else:
        found = list(outcomes(iter(ds)))
    if found != expected:
        at = next((n for n, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), None)
        print(f"{fault} {seed}: {len(found)} for {len(expected)} outcomes, differing first at {at}", flush=True)
        print(ds.explain(), flush=True)
        if at is not None:
            print(f"  found    {str(found[at])[:300]}\n  expected {str(expected[at])[:300]}", flush=True)
        raise SystemExit(1)
    if fault == "kill":
        return (folder / f"{seed}").exists()
    return fault == "close" or any(isinstance(outcome, tuple) for outcome in found)


def holdings() -> dict[str, int]:
    """What this process holds when nothing runs."""
    processes.close_all()
    deadline = time.monotonic() + 10
    while True:
        gc.collect()
        held = {
            "descriptors": len(os.listdir("/proc/self/fd")),
            "processes": sum(
                len(Path(task, "children").read_text().split()) for task in Path("/proc/self/task").iterdir()
            ),
            "threads at work": sum(thread.name != IDLE for thread in threading.enumerate()) - 1,
            "shared memory": sum("memfd:" in line for line in Path("/proc/self/maps").read_text().splitlines()),
        }
        # Threads that were let go of a moment ago may still be on their way.
        if not held["threads at work"] or time.monotonic() > deadline:
            return held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="of each kind")
    parser.add_argument("--seed", type=int, default=None, help="where to begin")
    parser.add_argument("--only", type=int, default=None, help="the pipeline of this seed alone, with each kind")
    options = parser.parse_args()
    warnings.simplefilter("error")
    begin = time.time_ns() // 1000 % (1 << 40) if options.seed is None else options.seed
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only is not None:
            for fault in FAULTS:
                print(fault, check(options.only, fault, folder))
            return
        print(f"seeds from {begin}", flush=True)
        for seed in range(20):  # what is imported and kept for good
            check(seed, FAULTS[seed % len(FAULTS)], folder)
        before = holdings()
        met: Counter[str] = Counter()
        began, seed = time.monotonic(), begin
        while any(met[fault] < options.faults for fault in FAULTS):
            seed += 1
            fault = min(FAULTS, key=lambda kind: met[kind])
            faulthandler.dump_traceback_later(SECONDS_TO_HANG, exit=True)
            try:
                met[fault] += check(seed, fault, folder)
            except BaseException:
                print(f"in pipeline {seed}, {fault}", flush=True)
                raise
            faulthandler.cancel_dump_traceback_later()
            if seed % 100 == 0:
                print(f"{seed - begin} pipelines, {dict(met)}, {time.monotonic() - began:.0f} s", flush=True)
        after = holdings()
    print(f"{seed - begin} pipelines, {dict(met)}\nbefore {before}\nafter  {after}")
    grown = [name for name, count in after.items() if count > before[name]]
    sys.exit(f"grown: {', '.join(grown)}" if grown else 0)


if __name__ == "__main__":
    main()
