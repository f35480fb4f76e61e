"""W2 again with functions that cannot be vectorised: a Python branch on each value."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import bench_tiny_elements as tiny
import measure
import numpy as np
from contender import Batch, Contender, Form, Pipeline, Workload, columns_digest


def double(x: Any) -> Any:
    if x < 0:
        return 0
    return x * 2


def divisible(x: Any) -> Any:
    if x < 0:
        return False
    return x % 3 == 0


class Python:
    """The limit: Python's own map and filter over a range, grouped into arrays."""

    def __init__(self, elements: int) -> None:
        self.elements = elements

    def __iter__(self) -> Iterator[Batch]:
        kept = filter(divisible, map(double, range(self.elements)))
        while group := list(islice(kept, tiny.BATCH)):
            yield np.array(group)


def penstock(elements: int) -> Pipeline:
    from penstock import Dataset

    return Dataset.range(elements).map(double).filter(divisible).batch(tiny.BATCH)


def tf_per_element(elements: int) -> Pipeline:
    import tensorflow as tf

    def tf_double(x: Any) -> Any:
        return tf.cond(x < 0, lambda: tf.zeros_like(x), lambda: x * 2)

    return tf.data.Dataset.range(elements).map(tf_double).filter(lambda x: x % 3 == 0).batch(tiny.BATCH)


def torch_per_element(elements: int) -> Pipeline:
    from torch.utils.data import DataLoader, IterableDataset

    class Kept(IterableDataset[int]):
        def __iter__(self) -> Iterator[int]:
            return filter(divisible, map(double, range(elements)))

    return DataLoader(Kept(), tiny.BATCH)


def grain_per_element(elements: int) -> Pipeline:
    import grain

    ds = grain.MapDataset.range(elements).map(double).filter(divisible)
    return ds.to_iter_dataset(grain.ReadOptions(num_threads=0)).batch(tiny.BATCH)


WORKLOAD = Workload(
    name="branching_elements",
    title="W2 with a Python branch in both functions, which nothing can vectorise",
    elements=tiny.ELEMENTS,
    prepare=lambda elements: elements,
    rows_out=tiny.WORKLOAD.rows_out,
    count=len,
    digest=columns_digest,
    answer=tiny.answer,
    contenders=(
        Contender("Python", "numpy", Form.LIMIT, Python),
        Contender("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock),
        Contender("tf.data", "tensorflow", Form.PER_ELEMENT, tf_per_element),
        Contender("torch", "torch.utils.data", Form.PER_ELEMENT, torch_per_element),
        Contender("Grain", "grain", Form.PER_ELEMENT, grain_per_element),
    ),
    elements_verified=tiny.WORKLOAD.elements_verified,
)

if __name__ == "__main__":
    measure.main(WORKLOAD)
