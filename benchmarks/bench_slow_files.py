"""W13, slow files: 64 generators with 10 ms a read of 64 KB, 16 open at a time, records of 4 KB in batches of 128."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import measure
import numpy as np
from contender import Batch, Contender, Form, Pipeline, Workload, columns_digest

FILES = 64
CYCLE = 16
READ_SECONDS = 0.010
RECORDS_A_READ = 16
RECORD_BYTES = 4096
READS = 40
"""Reads in each file."""
ELEMENTS = FILES * READS * RECORDS_A_READ
BATCH = 128


def read_block(file: int, number: int) -> Any:
    """One read of 64 KB, without its delay; its bytes tell where it comes from."""
    return np.full((RECORDS_A_READ, RECORD_BYTES), (31 * file + number) % 251, np.uint8)


def blocks(file: int, reads: int) -> Iterator[Any]:
    for number in range(reads):
        time.sleep(READ_SECONDS)
        yield read_block(file, number)


def records(file: int, reads: int) -> Iterator[Any]:
    """The generator that every contender is given: a file on a slow disk, record by record."""
    for block in blocks(int(file), int(reads)):
        yield from block


def rebatched(pieces: Iterator[Any]) -> Iterator[Batch]:
    """Batches of BATCH rows from blocks that divide it."""
    waiting: list[Any] = []
    for piece in pieces:
        waiting.append(piece)
        if len(waiting) * RECORDS_A_READ == BATCH:
            yield np.concatenate(waiting)
            waiting.clear()
    if waiting:
        yield np.concatenate(waiting)


class Ideal:
    """The limit: in each 10 ms come 16 blocks, by the clock, whatever the machine does."""

    def __init__(self, reads: int) -> None:
        self.reads = reads

    def __iter__(self) -> Iterator[Batch]:
        return rebatched(self.pieces())

    def pieces(self) -> Iterator[Any]:
        due = time.perf_counter()
        for first in range(0, FILES, CYCLE):
            for number in range(self.reads):
                due += READ_SECONDS
                time.sleep(max(0.0, due - time.perf_counter()))
                for file in range(first, first + CYCLE):
                    yield read_block(file, number)


class BareThreads:
    """What bare threads reach: 16 of them, each with one file after another, and a queue."""

    def __init__(self, reads: int) -> None:
        self.reads = reads

    def __iter__(self) -> Iterator[Batch]:
        return rebatched(self.pieces())

    def pieces(self) -> Iterator[Any]:
        arrived: SimpleQueue[Any] = SimpleQueue()
        abandoned = False

        def read(file: int) -> None:
            for block in blocks(file, self.reads):
                if abandoned:
                    return
                arrived.put(block)

        with ThreadPoolExecutor(CYCLE) as pool:
            for file in range(FILES):
                pool.submit(read, file)
            try:
                for _ in range(FILES * self.reads):
                    yield arrived.get()
            finally:
                abandoned = True


def penstock(reads: int) -> Pipeline:
    from penstock import Dataset

    ds = Dataset.range(FILES).interleave(
        lambda file: Dataset.from_generator(records, args=(file, reads)),
        cycle_length=CYCLE,
        num_parallel_calls=CYCLE,
    )
    return ds.batch(BATCH).prefetch(2)


def penstock_autotuned(reads: int) -> Pipeline:
    from penstock import AUTOTUNE, Dataset

    ds = Dataset.range(FILES).interleave(
        lambda file: Dataset.from_generator(records, args=(file, reads)),
        cycle_length=CYCLE,
        num_parallel_calls=AUTOTUNE,
    )
    return ds.batch(BATCH).prefetch(AUTOTUNE)


def tf_per_element(reads: int) -> Pipeline:
    import tensorflow as tf

    def opened(file: Any) -> Any:
        element = tf.TensorSpec((RECORD_BYTES,), tf.uint8)
        return tf.data.Dataset.from_generator(records, output_signature=element, args=(file, reads))

    ds = tf.data.Dataset.range(FILES).interleave(opened, cycle_length=CYCLE, num_parallel_calls=CYCLE)
    return ds.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def torch_per_element(reads: int) -> Pipeline:
    """As many workers as files should be open, each with its share of the files."""
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info

    class Files(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            worker: Any = get_worker_info()
            for file in range(worker.id, FILES, worker.num_workers):
                yield from records(file, reads)

    return DataLoader(Files(), BATCH, num_workers=CYCLE, persistent_workers=True)


def torch_by_hand(reads: int) -> Pipeline:
    """Two workers of eight threads each, which hand on whole blocks."""
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info

    class Files(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            worker: Any = get_worker_info()
            files = range(worker.id, FILES, worker.num_workers)
            arrived: SimpleQueue[Any] = SimpleQueue()

            def read(file: int) -> None:
                for block in blocks(file, reads):
                    arrived.put(block)

            with ThreadPoolExecutor(CYCLE // worker.num_workers) as pool:
                for file in files:
                    pool.submit(read, file)
                yield from rebatched(arrived.get() for _ in range(len(files) * reads))

    return DataLoader(Files(), batch_size=None, num_workers=2, persistent_workers=True)


def grain_per_element(reads: int) -> Pipeline:
    import grain

    class Reading(grain.DatasetIterator[Any]):
        def __init__(self, file: int) -> None:
            super().__init__()
            self.file, self.taken, self.rows = file, 0, records(file, reads)

        def __next__(self) -> Any:
            row = next(self.rows)
            self.taken += 1
            return row

        def get_state(self) -> Any:
            return {"taken": self.taken}

        def set_state(self, state: Any) -> None:
            self.taken, self.rows = state["taken"], records(self.file, reads)
            for _ in range(self.taken):
                next(self.rows)

    class File(grain.IterDataset[Any]):
        def __init__(self, file: int) -> None:
            super().__init__()
            self.file = file

        def __iter__(self) -> Any:
            return Reading(self.file)

    files = grain.MapDataset.range(FILES).map(File)
    ds = grain.experimental.InterleaveIterDataset(
        files,
        cycle_length=CYCLE,
        num_make_iter_threads=CYCLE,
        make_iter_buffer_size=CYCLE,
        iter_buffer_size=2 * RECORDS_A_READ,
    )
    return ds.batch(BATCH)


class SpdlPipeline:
    """SPDL calls the generators in 16 threads; records come as they are read."""

    def __init__(self, reads: int) -> None:
        self.reads = reads

    def __iter__(self) -> Iterator[Batch]:
        from spdl.pipeline import PipelineBuilder

        def read(file: int) -> Iterator[Any]:
            yield from records(file, self.reads)

        builder = PipelineBuilder().add_source(range(FILES)).pipe(read, concurrency=CYCLE)
        built = builder.aggregate(BATCH).pipe(np.stack).add_sink(2).build(num_threads=CYCLE + 1)
        with built.auto_stop():
            yield from built


class SpdlBlocks(SpdlPipeline):
    """The same with whole blocks handed on."""

    def __iter__(self) -> Iterator[Batch]:
        from spdl.pipeline import PipelineBuilder

        def read(file: int) -> Iterator[Any]:
            yield from blocks(file, self.reads)

        builder = PipelineBuilder().add_source(range(FILES)).pipe(read, concurrency=CYCLE)
        builder = builder.aggregate(BATCH // RECORDS_A_READ).pipe(np.concatenate)
        built = builder.add_sink(2).build(num_threads=CYCLE + 1)
        with built.auto_stop():
            yield from built


WORKLOAD = Workload(
    name="slow_files",
    title="W13: 64 slow files, 10 ms a read of 64 KB, 16 open, records of 4 KB, batch 128",
    elements=ELEMENTS,
    prepare=lambda elements: elements // (FILES * RECORDS_A_READ),
    rows_out=lambda elements: elements,
    count=len,
    digest=columns_digest,
    answer=lambda reads: np.concatenate([read_block(file, n) for file in range(FILES) for n in range(reads)]),
    contenders=(
        Contender("ideal", "numpy", Form.LIMIT, Ideal),
        Contender("threads", "numpy", Form.BY_HAND, BareThreads),
        Contender("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock),
        Contender("penstock", "penstock.dataset", Form.AUTOTUNED, penstock_autotuned),
        Contender("tf.data", "tensorflow", Form.PER_ELEMENT, tf_per_element),
        Contender("torch", "torch.utils.data", Form.PER_ELEMENT, torch_per_element),
        Contender("torch", "torch.utils.data", Form.BY_HAND, torch_by_hand),
        Contender("Grain", "grain", Form.PER_ELEMENT, grain_per_element),
        Contender("SPDL", "spdl.pipeline", Form.PER_ELEMENT, SpdlPipeline),
        Contender("SPDL", "spdl.pipeline", Form.BY_HAND, SpdlBlocks),
    ),
    elements_verified=FILES * RECORDS_A_READ * 5,
)

if __name__ == "__main__":
    measure.main(WORKLOAD)
