"""W11, disk: the second epoch of a cache in a file, 64x64x3 float32, batch 32."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure
import numpy as np
from contender import Batch, Contender, Form, Pipeline, Workload, columns_digest
from numpy.typing import NDArray

IMAGES = 4096
BATCH = 32
SHAPE = (64, 64, 3)
Images = NDArray[np.float32]

_folder = tempfile.TemporaryDirectory()


def images(elements: int) -> Images:
    return np.random.default_rng(0).random((elements, *SHAPE), dtype=np.float32)


def file_path(name: str) -> Path:
    return Path(_folder.name, name)


def mapped(data: Images) -> Images:
    """The images in a file that is mapped into memory."""
    np.save(file_path("images.npy"), data)
    return np.load(file_path("images.npy"), mmap_mode="r")  # type: ignore[no-any-return]


class Numpy:
    """The limit: each batch copied out of the mapped file, so that it is the reader's own."""

    def __init__(self, data: Images) -> None:
        self.data = mapped(data)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.data), BATCH):
            yield np.array(self.data[start : start + BATCH])


def read_once(pipeline: Pipeline) -> Pipeline:
    """The first epoch, which writes the file."""
    for _ in pipeline:
        pass
    return pipeline


def penstock(data: Images) -> Pipeline:
    from penstock import Dataset

    return read_once(Dataset.from_tensor_slices(data).cache(file_path("penstock")).batch(BATCH))


def penstock_state_bytes(ds: Any) -> int:
    iterator = ds.iterator()
    next(iterator)
    return len(json.dumps(iterator.state_dict()))


def tf_per_element(data: Images) -> Pipeline:
    import tensorflow as tf

    ds = tf.data.Dataset.from_tensor_slices(data).cache(str(file_path("tf")))
    return read_once(ds.batch(BATCH).prefetch(tf.data.AUTOTUNE))


def torch_per_element(data: Images) -> Pipeline:
    import torch
    from torch.utils.data import DataLoader, Dataset

    torch.set_num_threads(1)
    kept = mapped(data)

    class Mapped(Dataset[Any]):
        def __len__(self) -> int:
            return len(kept)

        def __getitem__(self, index: int) -> Any:
            return np.array(kept[index])

    return DataLoader(Mapped(), BATCH)


WORKLOAD = Workload(
    name="disk_cache",
    title="W11: second epoch of a cache on disk, 64x64x3 float32, batch 32",
    elements=IMAGES,
    prepare=images,
    rows_out=lambda elements: elements,
    count=len,
    digest=columns_digest,
    answer=lambda data: data,
    contenders=(
        Contender("NumPy", "numpy", Form.LIMIT, Numpy),
        Contender("penstock", "penstock.dataset", Form.PER_ELEMENT, penstock, penstock_state_bytes),
        Contender("tf.data", "tensorflow", Form.PER_ELEMENT, tf_per_element),
        Contender("torch", "torch.utils.data", Form.PER_ELEMENT, torch_per_element),
    ),
    elements_verified=1000,
)

if __name__ == "__main__":
    measure.main(WORKLOAD)
