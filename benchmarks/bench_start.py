"""W10: a new process to the first batch of W1, interpreter and imports included."""

from __future__ import annotations

from dataclasses import dataclass

from contender import Form

READ = """
import sys
import numpy as np
data = np.load(sys.argv[1] + "/images.npy"), np.load(sys.argv[1] + "/labels.npy")
"""

NUMPY = """
rows = np.random.default_rng(0).permutation(len(data[1]))[:128]
batch = data[0].take(rows, axis=0) / np.float32(255), data[1].take(rows)
"""

PENSTOCK = """
from penstock import Dataset
ds = Dataset.from_tensor_slices(data).shuffle(10_000, seed=0)
ds = ds.map(lambda x, y: (x / np.float32(255), y)).batch(128).prefetch(2)
batch = next(iter(ds))
"""

TENSORFLOW = """
import tensorflow as tf
def scale(x, y):
    return tf.cast(x, tf.float32) / 255.0, y
ds = tf.data.Dataset.from_tensor_slices(data).shuffle(10_000, seed=0)
ds = ds.map(scale, num_parallel_calls=tf.data.AUTOTUNE).batch(128).prefetch(tf.data.AUTOTUNE)
batch = next(iter(ds))
"""

TORCH = """
from torch.utils.data import DataLoader, Dataset
class Scaled(Dataset):
    def __len__(self):
        return len(data[1])
    def __getitem__(self, row):
        return data[0][row] / np.float32(255), data[1][row]
batch = next(iter(DataLoader(Scaled(), 128, shuffle=True)))
"""

GRAIN = """
import grain
class Rows:
    def __len__(self):
        return len(data[1])
    def __getitem__(self, row):
        return data[0][row], data[1][row]
ds = grain.MapDataset.source(Rows()).shuffle(seed=0).map(lambda xy: (xy[0] / np.float32(255), xy[1]))
batch = next(iter(ds.batch(128).to_iter_dataset(grain.ReadOptions(num_threads=0))))
"""

REPORT = """
assert batch[0].shape == (128, 28, 28) and 0 < float(np.asarray(batch[0]).max()) <= 1, batch
print("{}", flush=True)
"""
"""The parent stops its clock at this line."""


@dataclass(frozen=True)
class Start:
    """One whole program, as a user would write it."""

    name: str
    module: str
    form: Form
    program: str
    most_rounds: int | None = None

    @property
    def key(self) -> str:
        return self.module


NAME = "start"
TITLE = "W10: new process to the first batch of W1"
CONTENDERS = (
    Start("NumPy", "numpy", Form.LIMIT, READ + NUMPY + REPORT),
    Start("penstock", "penstock.dataset", Form.PER_ELEMENT, READ + PENSTOCK + REPORT),
    Start("tf.data", "tensorflow", Form.PER_ELEMENT, READ + TENSORFLOW + REPORT),
    Start("torch", "torch.utils.data", Form.PER_ELEMENT, READ + TORCH + REPORT),
    Start("Grain", "grain", Form.PER_ELEMENT, READ + GRAIN + REPORT),
)
