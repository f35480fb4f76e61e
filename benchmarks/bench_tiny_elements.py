"""W2, tiny elements: `range(1_000_000)`, map x * 2, filter x % 3 == 0, batch 1000; lambdas that can be vectorised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import measure
import numpy as np
from contender import Batch, Contender, Form, Pipeline, Workload, columns_digest

ELEMENTS = 1_000_000
BATCH = 1000
BLOCK = 3 * BATCH
"""Elements that leave exactly one full batch behind the filter."""
TF_BLOCK = 20_000


class Numpy:
    """The limit: whole arrays, then slices."""

    def __init__(self, elements: int) -> None:
        self.elements = elements

    def __iter__(self) -> Iterator[Batch]:
        doubled = np.arange(self.elements) * 2
        kept = doubled[doubled % 3 == 0]
        for start in range(0, len(kept), BATCH):
            yield kept[start : start + BATCH]


def penstock(elements: int) -> Pipeline:
    from penstock import Dataset

    return Dataset.range(elements).map(lambda x: x * 2).filter(lambda x: x % 3 == 0).batch(BATCH)


def tf_per_element(elements: int) -> Pipeline:
    import tensorflow as tf

    ds = tf.data.Dataset.range(elements).map(lambda x: x * 2)
    return ds.filter(lambda x: x % 3 == 0).batch(BATCH)


def tf_by_hand(elements: int) -> Pipeline:
    import tensorflow as tf

    ds = tf.data.Dataset.range(elements).batch(TF_BLOCK).map(lambda x: x * 2)
    return ds.map(lambda x: tf.boolean_mask(x, x % 3 == 0)).rebatch(BATCH).prefetch(tf.data.AUTOTUNE)


def tf_own_batches(elements: int) -> Pipeline:
    import tensorflow as tf

    def block(start: Any) -> Any:
        doubled = tf.range(start, tf.minimum(start + TF_BLOCK, elements)) * 2
        return tf.boolean_mask(doubled, doubled % 3 == 0)

    ds = tf.data.Dataset.range(0, elements, TF_BLOCK).map(block, num_parallel_calls=tf.data.AUTOTUNE)
    return ds.prefetch(tf.data.AUTOTUNE).rebatch(BATCH)


def torch_per_element(elements: int) -> Pipeline:
    from torch.utils.data import DataLoader, IterableDataset

    class Kept(IterableDataset[int]):
        def __iter__(self) -> Iterator[int]:
            return filter(lambda x: x % 3 == 0, (x * 2 for x in range(elements)))

    return DataLoader(Kept(), BATCH)


def torch_own_batches(elements: int) -> Pipeline:
    import torch
    from torch.utils.data import DataLoader, IterableDataset

    torch.set_num_threads(1)

    class Batches(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            doubled = torch.arange(elements) * 2
            yield from doubled[doubled % 3 == 0].split(BATCH)

    return DataLoader(Batches(), batch_size=None)


def grain_per_element(elements: int) -> Pipeline:
    import grain

    ds = grain.MapDataset.range(elements).map(lambda x: x * 2).filter(lambda x: x % 3 == 0)
    return ds.to_iter_dataset(grain.ReadOptions(num_threads=0)).batch(BATCH)


def grain_by_hand(elements: int) -> Pipeline:
    import grain

    ds = grain.MapDataset.range(elements).batch(BLOCK).map(lambda x: x * 2).map(lambda x: x[x % 3 == 0])
    return ds.to_iter_dataset(grain.ReadOptions(num_threads=0))


def grain_own_batches(elements: int) -> Pipeline:
    import grain

    class Blocks:
        def __len__(self) -> int:
            return -(-elements // BLOCK)

        def __getitem__(self, index: int) -> Any:
            return np.arange(index * BLOCK, min(index * BLOCK + BLOCK, elements))

    ds = grain.MapDataset.source(Blocks()).map(lambda x: x * 2).map(lambda x: x[x % 3 == 0])
    return ds.to_iter_dataset(grain.ReadOptions(num_threads=0))


def answer(elements: int) -> Batch:
    doubled = np.arange(elements) * 2
    return doubled[doubled % 3 == 0]


WORKLOAD = Workload(
    name="tiny_elements",
    title="W2: range(1,000,000), map x * 2, filter x % 3 == 0, batch 1000",
    elements=ELEMENTS,
    prepare=lambda elements: elements,
    rows_out=lambda elements: -(-elements // 3),
    count=len,
    digest=columns_digest,
    answer=answer,
    contenders=(
        Contender("NumPy", "numpy", Form.LIMIT, Numpy),
        Contender("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock),
        Contender("tf.data", "tensorflow", Form.PER_ELEMENT, tf_per_element),
        Contender("tf.data", "tensorflow", Form.BY_HAND, tf_by_hand),
        Contender("tf.data", "tensorflow", Form.OWN_BATCHES, tf_own_batches),
        Contender("torch", "torch.utils.data", Form.PER_ELEMENT, torch_per_element),
        Contender("torch", "torch.utils.data", Form.OWN_BATCHES, torch_own_batches),
        Contender("Grain", "grain", Form.PER_ELEMENT, grain_per_element),
        Contender("Grain", "grain", Form.BY_HAND, grain_by_hand),
        Contender("Grain", "grain", Form.OWN_BATCHES, grain_own_batches),
    ),
    elements_verified=50_000,
)

if __name__ == "__main__":
    measure.main(WORKLOAD)
