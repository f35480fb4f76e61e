"""W14, full shuffle: ten million elements of 16 bytes, every order possible, batch 1024."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import measure
import numpy as np
from contender import Batch, Contender, Form, Pipeline, Workload, columns_digest
from numpy.typing import NDArray

ELEMENTS = 10_000_000
BATCH = 1024
Pairs = NDArray[np.int64]


def pairs(elements: int) -> Pairs:
    return np.arange(2 * elements, dtype=np.int64).reshape(elements, 2)


class Numpy:
    """The limit: one permutation an epoch, one gather a batch."""

    def __init__(self, data: Pairs) -> None:
        self.data = data
        self.draws = np.random.default_rng(0)

    def __iter__(self) -> Iterator[Batch]:
        order = self.draws.permutation(len(self.data))
        for start in range(0, len(order), BATCH):
            yield self.data.take(order[start : start + BATCH], axis=0)


def penstock(data: Pairs) -> Pipeline:
    from penstock import Dataset

    return Dataset.from_tensor_slices(data).shuffle(len(data), seed=0).batch(BATCH)


def penstock_state_bytes(ds: Any) -> int:
    iterator = ds.iterator()
    next(iterator)
    return len(json.dumps(iterator.state_dict()))


def tf_per_element(data: Pairs) -> Pipeline:
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(data).shuffle(len(data), seed=0).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def torch_per_element(data: Pairs) -> Pipeline:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(torch.from_numpy(data)), BATCH, shuffle=True)


def torch_by_hand(data: Pairs) -> Pipeline:
    import torch
    from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

    torch.set_num_threads(1)
    rows_of = torch.from_numpy(data)

    class Batches(Dataset[Any]):
        def __getitem__(self, rows: list[int]) -> Any:
            return rows_of.index_select(0, torch.tensor(rows))

    return DataLoader(Batches(), batch_size=None, sampler=BatchSampler(RandomSampler(range(len(data))), BATCH, False))


def torch_own_batches(data: Pairs) -> Pipeline:
    import torch
    from torch.utils.data import DataLoader, IterableDataset

    torch.set_num_threads(1)
    rows_of = torch.from_numpy(data)

    class ShuffledBatches(IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            for rows in torch.randperm(len(rows_of)).split(BATCH):
                yield rows_of.index_select(0, rows)

    return DataLoader(ShuffledBatches(), batch_size=None)


def grain_per_element(data: Pairs) -> Pipeline:
    import grain

    ds = grain.MapDataset.source(data).shuffle(seed=0).batch(BATCH)
    return ds.to_iter_dataset(grain.ReadOptions(num_threads=0))


def grain_by_hand(data: Pairs) -> Pipeline:
    import grain

    ds = grain.MapDataset.range(len(data)).shuffle(seed=0).batch(BATCH).map(lambda rows: data.take(rows, axis=0))
    return ds.to_iter_dataset(grain.ReadOptions(num_threads=0))


def grain_state_bytes(ds: Any) -> int:
    iterator = iter(ds)
    next(iterator)
    return len(json.dumps(iterator.get_state()))


def count(batch: Batch) -> int:
    """Rows of a batch; torch's TensorDataset wraps its only column in a list."""
    return len(batch[0]) if isinstance(batch, list) else len(batch)


def digest(batch: Batch) -> tuple[float, ...]:
    return columns_digest(batch[0] if isinstance(batch, list) else batch)


WORKLOAD = Workload(
    name="full_shuffle",
    title="W14: full shuffle of 10,000,000 elements of 16 bytes, batch 1024",
    elements=ELEMENTS,
    prepare=pairs,
    rows_out=lambda elements: elements,
    count=count,
    digest=digest,
    answer=lambda data: data,
    contenders=(
        Contender("NumPy", "numpy", Form.LIMIT, Numpy),
        Contender("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock, penstock_state_bytes),
        Contender("tf.data", "tensorflow", Form.PER_ELEMENT, tf_per_element, most_rounds=1),
        Contender("torch", "torch.utils.data", Form.PER_ELEMENT, torch_per_element),
        Contender("torch", "torch.utils.data", Form.BY_HAND, torch_by_hand),
        Contender("torch", "torch.utils.data", Form.OWN_BATCHES, torch_own_batches),
        Contender("Grain", "grain", Form.PER_ELEMENT, grain_per_element, grain_state_bytes),
        Contender("Grain", "grain", Form.BY_HAND, grain_by_hand, grain_state_bytes),
    ),
    elements_verified=50_000,
)

if __name__ == "__main__":
    measure.main(WORKLOAD)
