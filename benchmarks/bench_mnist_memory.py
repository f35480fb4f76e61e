"""W1, MNIST in memory: shuffle 10,000, scale each image to float32, batch 128, prefetch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import measure
import numpy as np
from contender import Batch, Contender, Form, Pipeline, Workload, columns_digest
from mnist_arrays import ROWS, Images, read_arrays

BUFFER = 10_000
BATCH = 128


class Numpy:
    """The limit: one permutation an epoch, then per batch two gathers and one division."""

    def __init__(self, data: Images) -> None:
        self.images, self.labels = data
        self.draws = np.random.default_rng(0)

    def __iter__(self) -> Iterator[Batch]:
        order = self.draws.permutation(len(self.labels))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            yield self.images.take(rows, axis=0) / np.float32(255), self.labels.take(rows)


def penstock(data: Images) -> Pipeline:
    from penstock import Dataset

    ds = Dataset.from_tensor_slices(data).shuffle(BUFFER, seed=0)
    return ds.map(lambda x, y: (x / np.float32(255), y)).batch(BATCH).prefetch(2)


def tf_per_element(data: Images) -> Pipeline:
    import tensorflow as tf

    def scale(x: Any, y: Any) -> Any:
        return tf.cast(x, tf.float32) / 255.0, y

    ds = tf.data.Dataset.from_tensor_slices(data).shuffle(BUFFER, seed=0)
    return ds.map(scale, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def tf_by_hand(data: Images) -> Pipeline:
    import tensorflow as tf

    def scale(x: Any, y: Any) -> Any:
        return tf.cast(x, tf.float32) / 255.0, y

    ds = tf.data.Dataset.from_tensor_slices(data).shuffle(BUFFER, seed=0).batch(BATCH)
    return ds.map(scale, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def tf_own_batches(data: Images) -> Pipeline:
    import tensorflow as tf

    images, labels = tf.constant(data[0]), tf.constant(data[1])
    starts = tf.range(0, len(data[1]), BATCH, dtype=tf.int64)

    def order(_: Any) -> Any:
        rows = tf.random.shuffle(tf.range(len(data[1]), dtype=tf.int64), seed=0)
        return tf.data.Dataset.from_tensor_slices(tf.RaggedTensor.from_row_starts(rows, starts))

    def gather(rows: Any) -> Any:
        return tf.cast(tf.gather(images, rows), tf.float32) / 255.0, tf.gather(labels, rows)

    ds = tf.data.Dataset.range(1).flat_map(order)
    return ds.map(gather, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def torch_per_element(data: Images) -> Pipeline:
    from torch.utils.data import DataLoader, Dataset

    class Scaled(Dataset[Any]):
        def __len__(self) -> int:
            return len(data[1])

        def __getitem__(self, row: int) -> Any:
            return data[0][row] / np.float32(255), data[1][row]

    return DataLoader(Scaled(), BATCH, shuffle=True)


def torch_by_hand(data: Images) -> Pipeline:
    import torch
    from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

    # On batches this small a second thread gains nothing alone, and loses nine tenths when another process is busy.
    torch.set_num_threads(1)
    images, labels = torch.from_numpy(data[0]), torch.from_numpy(data[1])

    class ScaledBatches(Dataset[Any]):
        def __getitem__(self, rows: list[int]) -> Any:
            wanted = torch.tensor(rows)
            return images.index_select(0, wanted) / 255, labels.index_select(0, wanted)

    sampler = BatchSampler(RandomSampler(range(len(labels))), BATCH, drop_last=False)
    return DataLoader(ScaledBatches(), batch_size=None, sampler=sampler)


def torch_own_batches(data: Images) -> Pipeline:
    import torch
    from torch.utils.data import DataLoader, IterableDataset

    torch.set_num_threads(1)
    images, labels = torch.from_numpy(data[0]), torch.from_numpy(data[1])

    class ShuffledBatches(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            for rows in torch.randperm(len(labels)).split(BATCH):
                yield images.index_select(0, rows) / 255, labels.index_select(0, rows)

    return DataLoader(ShuffledBatches(), batch_size=None)


def grain_per_element(data: Images) -> Pipeline:
    import grain

    class Rows:
        def __len__(self) -> int:
            return len(data[1])

        def __getitem__(self, row: int) -> Any:
            return data[0][row], data[1][row]

    ds = grain.MapDataset.source(Rows()).shuffle(seed=0).map(lambda xy: (xy[0] / np.float32(255), xy[1]))
    # Its default of 16 threads is three times slower on such small elements than none.
    return ds.batch(BATCH).to_iter_dataset(grain.ReadOptions(num_threads=0))


def grain_by_hand(data: Images) -> Pipeline:
    import grain

    def gather(rows: Any) -> Any:
        return data[0].take(rows, axis=0) / np.float32(255), data[1].take(rows)

    ds = grain.MapDataset.range(len(data[1])).shuffle(seed=0).batch(BATCH).map(gather)
    return ds.to_iter_dataset(grain.ReadOptions(num_threads=0))


def grain_own_batches(data: Images) -> Pipeline:
    import grain

    order = np.random.default_rng(0).permutation(len(data[1]))

    class ShuffledBatches:
        def __len__(self) -> int:
            return -(-len(order) // BATCH)

        def __getitem__(self, index: int) -> Any:
            rows = order[index * BATCH : index * BATCH + BATCH]
            return data[0].take(rows, axis=0) / np.float32(255), data[1].take(rows)

    return grain.MapDataset.source(ShuffledBatches()).to_iter_dataset(grain.ReadOptions(num_threads=0))


WORKLOAD = Workload(
    name="mnist_memory",
    title="W1: MNIST in memory, shuffle 10,000, x / 255 in float32, batch 128, prefetch",
    elements=ROWS,
    prepare=read_arrays,
    rows_out=lambda elements: elements,
    count=lambda batch: len(batch[1]),
    digest=lambda batch: columns_digest(*batch),
    answer=lambda data: (data[0] / np.float32(255), data[1]),
    contenders=(
        Contender("NumPy", "numpy", Form.LIMIT, Numpy),
        Contender("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock),
        Contender("tf.data", "tensorflow", Form.PER_ELEMENT, tf_per_element),
        Contender("tf.data", "tensorflow", Form.BY_HAND, tf_by_hand),
        Contender("tf.data", "tensorflow", Form.OWN_BATCHES, tf_own_batches),
        Contender("torch", "torch.utils.data", Form.PER_ELEMENT, torch_per_element),
        Contender("torch", "torch.utils.data", Form.BY_HAND, torch_by_hand),
        Contender("torch", "torch.utils.data", Form.OWN_BATCHES, torch_own_batches),
        Contender("Grain", "grain", Form.PER_ELEMENT, grain_per_element),
        Contender("Grain", "grain", Form.BY_HAND, grain_by_hand),
        Contender("Grain", "grain", Form.OWN_BATCHES, grain_own_batches),
    ),
    elements_verified=ROWS,
)

if __name__ == "__main__":
    measure.main(WORKLOAD)
