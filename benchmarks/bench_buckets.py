"""W8, sequences of unequal length: 200,000 of 1 to 512 tokens, bucketed by length, padded batches of 64."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import measure
import numpy as np
from contender import Batch, Contender, Form, Pipeline, Workload, columns_digest
from numpy.typing import NDArray

ELEMENTS = 200_000
LONGEST = 512
BATCH = 64
BOUNDARIES = [*range(64, LONGEST, 64)]
BUCKETS = len(BOUNDARIES) + 1

Rows = list[NDArray[np.int32]]


def prepare(elements: int) -> Rows:
    """Sequences as a user has them: a list of arrays."""
    rng = np.random.default_rng(8)
    lengths = rng.integers(1, LONGEST + 1, elements)
    values = rng.integers(1, 50_000, int(lengths.sum()), dtype=np.int32)
    return np.split(values, np.cumsum(lengths)[:-1])


def padded(rows: Rows) -> NDArray[np.int32]:
    """A batch of sequences, as people write it."""
    batch = np.zeros((len(rows), max(map(len, rows))), np.int32)
    for at, row in enumerate(rows):
        batch[at, : len(row)] = row
    return batch


class Python:
    """The limit: a list for each bucket."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Batch]:
        waiting: list[Rows] = [[] for _ in range(BUCKETS)]
        for row in self.rows:
            bucket = bisect_right(BOUNDARIES, len(row))
            waiting[bucket].append(row)
            if len(waiting[bucket]) == BATCH:
                yield padded(waiting[bucket])
                waiting[bucket] = []
        yield from map(padded, filter(None, waiting))


def penstock(rows: Rows) -> Pipeline:
    from penstock import Dataset

    ds = Dataset.from_list(rows)
    return ds.bucket_by_sequence_length(lambda x: len(x), BOUNDARIES, [BATCH] * BUCKETS)


def tf_per_element(rows: Rows) -> Pipeline:
    import tensorflow as tf

    ds = tf.data.Dataset.from_generator(lambda: rows, output_signature=tf.TensorSpec([None], tf.int32))
    return ds.bucket_by_sequence_length(lambda x: tf.shape(x)[0], BOUNDARIES, [BATCH] * BUCKETS)


def torch_per_element(rows: Rows) -> Pipeline:
    import torch
    from torch.nn.utils.rnn import pad_sequence
    from torch.utils.data import DataLoader

    # Without workers the collation is of tensors that share the arrays' memory.
    return DataLoader(
        [torch.from_numpy(row) for row in rows], batch_sampler=planned(rows), collate_fn=_padded_by(pad_sequence)
    )


def _padded_by(pad_sequence: Any) -> Any:
    return lambda rows: pad_sequence(rows, batch_first=True)


def planned(rows: Rows) -> list[list[int]]:
    """The numbers of the elements of each batch, found from all lengths beforehand."""
    buckets = np.searchsorted(BOUNDARIES, np.fromiter(map(len, rows), int, len(rows)), side="right")
    order = np.argsort(buckets, kind="stable")
    ends = np.cumsum(np.bincount(buckets, minlength=BUCKETS))
    parts = [part for part in np.split(order, ends[:-1]) if len(part)]
    return [part[at : at + BATCH].tolist() for part in parts for at in range(0, len(part), BATCH)]


def grain_by_hand(rows: Rows) -> Pipeline:
    import grain

    ds = grain.MapDataset.source(planned(rows)).map(lambda numbers: padded([rows[number] for number in numbers]))
    return ds.to_iter_dataset(grain.ReadOptions(num_threads=0))


WORKLOAD = Workload(
    name="buckets",
    title="W8, 200,000 sequences of 1 to 512 tokens, bucketed by length, padded batches of 64",
    elements=ELEMENTS,
    prepare=prepare,
    rows_out=lambda elements: elements,
    count=len,
    digest=columns_digest,
    answer=padded,
    contenders=(
        Contender("Python", "numpy", Form.LIMIT, Python),
        Contender("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock),
        Contender("tf.data", "tensorflow", Form.PER_ELEMENT, tf_per_element),
        Contender("torch, planned", "torch.utils.data", Form.PER_ELEMENT, torch_per_element),
        Contender("Grain, planned", "grain", Form.BY_HAND, grain_by_hand),
    ),
    elements_verified=4_000,
)

if __name__ == "__main__":
    measure.main(WORKLOAD)
