"""What handing one element to a worker and back costs: time beyond the function's own, one worker, runs of one row."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from contender import Form

ELEMENTS = 300
SETTLING = 20
"""Elements before the clock starts."""
AHEAD = 4
THREAD_SECONDS, PROCESS_SECONDS = 0.004, 0.010
"""How long the functions wait: twice what makes penstock hand over a single row at a time."""
ARRAY_BYTES = 1_000_000
ARRAY = np.ones(ARRAY_BYTES, np.uint8)


def waiting(number: Any) -> float:
    """Let go of the GIL for a while, and tell how long it took."""
    began = time.perf_counter()
    time.sleep(THREAD_SECONDS)
    return time.perf_counter() - began


def waiting_array(number: Any) -> tuple[Any, float]:
    """The same with an array of 1 MB as a further result."""
    began = time.perf_counter()
    time.sleep(PROCESS_SECONDS)
    return ARRAY, time.perf_counter() - began


@dataclass(frozen=True)
class HandOver:
    """How one library calls one of the two functions in one worker."""

    name: str
    module: str
    form: Form
    make: Callable[[], Iterator[Any]]
    """An iterator over the function's results."""
    most_rounds: int | None = None

    @property
    def key(self) -> str:
        return f"{self.make.__name__}-{self.module}"


def submitted(executor: Executor, function: Callable[[Any], Any]) -> Iterator[Any]:
    """The limit: results of a bare executor in order, some calls ahead."""
    given: deque[Any] = deque()
    with executor:
        for number in range(ELEMENTS):
            given.append(executor.submit(function, number))
            if len(given) == AHEAD:
                yield given.popleft().result()
        while given:
            yield given.popleft().result()


def pool_thread() -> Iterator[Any]:
    return submitted(ThreadPoolExecutor(1), waiting)


def pool_process() -> Iterator[Any]:
    return submitted(ProcessPoolExecutor(1, multiprocessing.get_context("fork")), waiting_array)


def penstock_thread() -> Iterator[Any]:
    from penstock import Dataset

    return iter(Dataset.range(ELEMENTS).map(waiting, num_parallel_calls=1, executor="thread"))


def penstock_process() -> Iterator[Any]:
    from penstock import Dataset

    return iter(Dataset.range(ELEMENTS).map(waiting_array, num_parallel_calls=1, executor="process"))


def tf_thread() -> Iterator[Any]:
    import tensorflow as tf

    def called(number: Any) -> Any:
        return tf.py_function(waiting, [number], tf.float64)

    return iter(tf.data.Dataset.range(ELEMENTS).map(called, num_parallel_calls=1).prefetch(AHEAD))


def grain_thread() -> Iterator[Any]:
    import grain

    options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=AHEAD)
    return iter(grain.MapDataset.range(ELEMENTS).map(waiting).to_iter_dataset(options))


def grain_process() -> Iterator[Any]:
    import grain

    ds = grain.MapDataset.range(ELEMENTS).map(waiting_array).to_iter_dataset(grain.ReadOptions(num_threads=0))
    return iter(ds.mp_prefetch(grain.MultiprocessingOptions(num_workers=1, per_worker_buffer_size=AHEAD)))


def spdl_thread() -> Iterator[Any]:
    from spdl.pipeline import PipelineBuilder

    built = PipelineBuilder().add_source(range(ELEMENTS)).pipe(waiting).add_sink(AHEAD).build(num_threads=1)
    with built.auto_stop():
        yield from built


def torch_process() -> Iterator[Any]:
    import torch
    from torch.utils.data import DataLoader, Dataset

    class Arrays(Dataset[Any]):
        def __len__(self) -> int:
            return ELEMENTS

        def __getitem__(self, number: int) -> Any:
            array, seconds = waiting_array(number)
            return torch.from_numpy(array), seconds

    return iter(DataLoader(Arrays(), batch_size=None, num_workers=1, prefetch_factor=AHEAD))


THREADS_NAME = "hand_over_threads"
THREADS_TITLE = f"Hand-over to a thread: time an element beyond the function's own {1000 * THREAD_SECONDS:.0f} ms"
THREADS = (
    HandOver("executor", "numpy", Form.LIMIT, pool_thread),
    HandOver("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock_thread),
    HandOver("tf.data", "tensorflow", Form.PER_ELEMENT, tf_thread),
    HandOver("Grain", "grain", Form.PER_ELEMENT, grain_thread),
    HandOver("SPDL", "spdl.pipeline", Form.PER_ELEMENT, spdl_thread),
)
PROCESSES_NAME = "hand_over_processes"
PROCESSES_TITLE = f"Array of 1 MB from a process: time beyond the function's own {1000 * PROCESS_SECONDS:.0f} ms"
PROCESSES = (
    HandOver("executor", "numpy", Form.LIMIT, pool_process),
    HandOver("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock_process),
    HandOver("torch", "torch.utils.data", Form.PER_ELEMENT, torch_process),
    HandOver("Grain", "grain", Form.PER_ELEMENT, grain_process),
)


def inner_seconds(result: Any) -> float:
    """How long the call itself took; raise where the array is not all there."""
    if not isinstance(result, (tuple, list)):
        return float(result)
    array, seconds = result
    if len(array) != ARRAY_BYTES or array[0] != 1 or array[-1] != 1:
        raise SystemExit(f"hand_over: an array came that is not the {ARRAY_BYTES} ones that were made")
    return float(seconds)


def beyond_seconds(results: Iterator[Any]) -> float:
    """The median over the elements' groups of ten of: time since the last group, less what the calls took, by ten."""
    shares, group, began = [], 10, 0.0
    inside = 0.0
    for number, result in enumerate(results, 1):
        inside += inner_seconds(result)
        if number % group:
            continue
        now = time.perf_counter()
        if number > SETTLING:
            shares.append((now - began - inside) / group)
        began, inside = now, 0.0
    return float(np.median(shares))


def main() -> None:
    arguments = argparse.ArgumentParser(description="The cost of a hand-over to a thread, or to a process.")
    both = THREADS + PROCESSES
    arguments.add_argument("contender", choices=[contender.key for contender in both])
    arguments.add_argument("--verify", action="store_true", help="only see that all elements come")
    chosen = arguments.parse_args()
    contender = next(one for one in both if one.key == chosen.contender)
    if chosen.verify:
        came = sum(1 for result in contender.make() if inner_seconds(result) > 0)
        if came != ELEMENTS:
            raise SystemExit(f"hand_over: {contender.key} gave {came} elements of {ELEMENTS}")
        print(json.dumps({"verified_elements": came}))
    else:
        print(json.dumps({"speed": 1 / beyond_seconds(contender.make())}))


if __name__ == "__main__":
    main()
