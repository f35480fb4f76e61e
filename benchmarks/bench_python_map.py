"""W4, plain Python: a function of about 2 ms an element whose result is 4 KB, batch 32."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

import measure
import numpy as np
from contender import Batch, Contender, Form, Pipeline, Workload, columns_digest

ELEMENTS = 1536
BATCH = 32
WORKERS = 2
SETTLING_BATCHES = 8
"""More than any contender makes in advance unless it is let."""
STEPS = 20_000
"""About 2 ms of CPython 3.11."""
VALUES = 1024


def features(number: int) -> Any:
    """A linear congruential generator turned `STEPS` times: nothing that NumPy could do at once."""
    state = int(number)
    for _ in range(STEPS):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    return np.full(VALUES, state % 1009, np.float32)


class TwoProcesses:
    """The limit: two bare processes, each with every second batch, and pipes to hand them over."""

    def __init__(self, elements: int) -> None:
        self.starts = range(0, elements, BATCH)
        self.elements = elements

    def work(self, part: int, out: Connection) -> None:
        for start in self.starts[part::WORKERS]:
            out.send(np.stack([features(number) for number in range(start, min(start + BATCH, self.elements))]))
        out.close()

    def __iter__(self) -> Iterator[Batch]:
        # This process has no other thread, so a copy of it is safe and the quickest start there is.
        context = multiprocessing.get_context("fork")
        readers, workers = [], []
        for part in range(WORKERS):
            reader, writer = context.Pipe(duplex=False)
            workers.append(context.Process(target=self.work, args=(part, writer), daemon=True))
            workers[-1].start()
            writer.close()
            readers.append(reader)
        try:
            yield from self.received(readers)
        finally:
            for worker in workers:
                worker.terminate()
                worker.join()

    def received(self, readers: list[Connection]) -> Iterator[Batch]:
        """Batches in order; those that come early are kept, so that no worker waits to send."""
        early: list[list[Batch]] = [[] for _ in readers]
        for number in range(len(self.starts)):
            part = number % WORKERS
            while not early[part]:
                for ready in wait([reader for reader in readers if not reader.closed]):
                    assert isinstance(ready, Connection)
                    try:
                        early[readers.index(ready)].append(ready.recv())
                    except EOFError:
                        ready.close()
            yield early[part].pop(0)


def penstock(elements: int) -> Pipeline:
    from penstock import Dataset

    return Dataset.range(elements).map(features, num_parallel_calls=WORKERS).batch(BATCH).prefetch(2)


def penstock_processes(elements: int) -> Pipeline:
    from penstock import Dataset

    ds = Dataset.range(elements).map(features, num_parallel_calls=WORKERS, executor="process")
    return ds.batch(BATCH).prefetch(2)


def penstock_autotuned(elements: int) -> Pipeline:
    from penstock import AUTOTUNE, Dataset

    return Dataset.range(elements).map(features, num_parallel_calls=AUTOTUNE).batch(BATCH).prefetch(AUTOTUNE)


def tf_per_element(elements: int) -> Pipeline:
    import tensorflow as tf

    def called(number: Any) -> Any:
        return tf.ensure_shape(tf.py_function(lambda one: features(one.numpy()), [number], tf.float32), (VALUES,))

    ds = tf.data.Dataset.range(elements).map(called, num_parallel_calls=tf.data.AUTOTUNE)
    return ds.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def torch_per_element(elements: int) -> Pipeline:
    from torch.utils.data import DataLoader, Dataset

    class Features(Dataset[Any]):
        def __len__(self) -> int:
            return elements

        def __getitem__(self, number: int) -> Any:
            return features(number)

    return DataLoader(Features(), BATCH, num_workers=WORKERS, persistent_workers=True)


def grain_per_element(elements: int) -> Pipeline:
    import grain

    ds = grain.MapDataset.range(elements).map(features).batch(BATCH)
    # Its default of 16 threads and 500 batches in each worker makes most of an epoch before the pace is taken.
    alone = grain.ReadOptions(num_threads=0)
    return ds.to_iter_dataset(alone).mp_prefetch(grain.MultiprocessingOptions(num_workers=WORKERS))


class SpdlPipeline:
    """SPDL with a pool of processes, built anew for each epoch around the one pool."""

    def __init__(self, elements: int) -> None:
        from concurrent.futures import ProcessPoolExecutor

        self.elements = elements
        self.pool = ProcessPoolExecutor(WORKERS)

    def __iter__(self) -> Iterator[Batch]:
        from spdl.pipeline import PipelineBuilder

        builder = PipelineBuilder().add_source(range(self.elements))
        builder = builder.pipe(features, concurrency=2 * WORKERS, executor=self.pool, output_order="input")
        built = builder.aggregate(BATCH).pipe(np.stack).add_sink(2).build(num_threads=1)
        with built.auto_stop():
            yield from built


WORKLOAD = Workload(
    name="python_map",
    title="W4: plain Python, about 2 ms an element, 4 KB results, batch 32",
    elements=ELEMENTS,
    prepare=lambda elements: elements,
    rows_out=lambda elements: elements,
    count=len,
    digest=columns_digest,
    answer=lambda elements: np.stack([features(number) for number in range(elements)]),
    contenders=(
        Contender("two processes", "numpy", Form.LIMIT, TwoProcesses),
        Contender("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock),
        Contender("penstock", "penstock.dataset", Form.BY_HAND, penstock_processes),
        Contender("penstock", "penstock.dataset", Form.AUTOTUNED, penstock_autotuned),
        Contender("tf.data", "tensorflow", Form.PER_ELEMENT, tf_per_element),
        Contender("torch", "torch.utils.data", Form.PER_ELEMENT, torch_per_element),
        Contender("Grain", "grain", Form.PER_ELEMENT, grain_per_element),
        Contender("SPDL", "spdl.pipeline", Form.PER_ELEMENT, SpdlPipeline),
    ),
    elements_verified=256,
    settling_batches=SETTLING_BATCHES,
)

if __name__ == "__main__":
    measure.main(WORKLOAD)
