"""W12: load a state saved at 90 % of an epoch of W1 in a new process, and take the next batch."""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench_mnist_memory as mnist
import numpy as np
from contender import Form
from mnist_arrays import FOLDER, ROWS, Images, read_arrays

BATCHES_BEFORE = ROWS * 9 // 10 // mnist.BATCH
"""The batches before the cut."""

Position = Any
"""An iterator that stands somewhere in an epoch."""


@dataclass(frozen=True)
class Resuming:
    """How one library saves its position to a folder and goes on from it."""

    name: str
    module: str
    form: Form
    start: Callable[[Images], Position]
    """A position at the first batch of a pass."""
    save: Callable[[Position, Path], None]
    load: Callable[[Position, Path], Position]
    """From a position at the start and a folder to the position saved there."""
    most_rounds: int | None = None

    @property
    def key(self) -> str:
        return self.module


class NumpyPosition:
    """The limit: a seeded permutation drawn again, and the number of batches taken from it."""

    def __init__(self, data: Images) -> None:
        self.data = data
        self.taken = 0

    def order(self) -> Any:
        return np.random.default_rng(0).permutation(len(self.data[1]))

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        rows = self.order()[self.taken * mnist.BATCH : (self.taken + 1) * mnist.BATCH]
        self.taken += 1
        return self.data[0].take(rows, axis=0) / np.float32(255), self.data[1].take(rows)


def save_numpy(position: NumpyPosition, folder: Path) -> None:
    (folder / "state.json").write_text(json.dumps(position.taken))


def load_numpy(position: NumpyPosition, folder: Path) -> NumpyPosition:
    position.taken = json.loads((folder / "state.json").read_text())
    return position


def start_penstock(data: Images) -> Position:
    ds: Any = mnist.penstock(data)
    return ds.iterator()


def save_penstock(position: Position, folder: Path) -> None:
    (folder / "state.json").write_text(json.dumps(position.state_dict()))


def load_penstock(position: Position, folder: Path) -> Position:
    position.load_state_dict(json.loads((folder / "state.json").read_text()))
    return position


def start_grain(data: Images) -> Position:
    return iter(mnist.grain_per_element(data))


def save_grain(position: Position, folder: Path) -> None:
    (folder / "state.json").write_text(json.dumps(position.get_state()))


def load_grain(position: Position, folder: Path) -> Position:
    position.set_state(json.loads((folder / "state.json").read_text()))
    return position


def start_tf(data: Images) -> Position:
    return iter(mnist.tf_per_element(data))


def save_tf(position: Position, folder: Path) -> None:
    import tensorflow as tf

    tf.train.Checkpoint(iterator=position).write(str(folder / "state"))


def load_tf(position: Position, folder: Path) -> Position:
    import tensorflow as tf

    tf.train.Checkpoint(iterator=position).read(str(folder / "state"))
    return position


NAME = "resume"
TITLE = "W12: resume W1 at 90 % in a new process: load the state, take the next batch"
CONTENDERS = (
    Resuming("NumPy", "numpy", Form.LIMIT, NumpyPosition, save_numpy, load_numpy),
    Resuming("penstock", "penstock.dataset", Form.PER_ELEMENT, start_penstock, save_penstock, load_penstock),
    Resuming("tf.data", "tensorflow", Form.PER_ELEMENT, start_tf, save_tf, load_tf),
    Resuming("Grain", "grain", Form.PER_ELEMENT, start_grain, save_grain, load_grain),
)


def save(contender: Resuming) -> None:
    """Go to the cut, save the position, and keep the batch that must follow."""
    folder = FOLDER / f"resume-{contender.key}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    position = contender.start(read_arrays(ROWS))
    for _ in range(BATCHES_BEFORE):
        next(position)
    contender.save(position, folder)
    state_bytes = sum(file.stat().st_size for file in folder.iterdir())
    images, labels = next(position)
    np.savez(folder / "next.npz", images=np.asarray(images), labels=np.asarray(labels))
    print(json.dumps({"state_bytes": state_bytes}))


def resume(contender: Resuming) -> None:
    """Time loading and the next batch; raise unless it is the batch that followed."""
    folder = FOLDER / f"resume-{contender.key}"
    # NumPy loads its random module at the first use; importing is no part of resuming.
    for module in (contender.module, "numpy.random"):
        importlib.import_module(module)
    position = contender.start(read_arrays(ROWS))
    began = time.perf_counter()
    images, labels = next(contender.load(position, folder))
    seconds = time.perf_counter() - began
    wanted = np.load(folder / "next.npz")
    if not (np.array_equal(wanted["images"], images) and np.array_equal(wanted["labels"], labels)):
        raise SystemExit(f"resume: {contender.key} went on with another batch than the one that followed the state")
    state_bytes = sum(file.stat().st_size for file in folder.iterdir() if file.name != "next.npz")
    print(json.dumps({"speed": 1 / seconds, "state_bytes": state_bytes}))


def main() -> None:
    arguments = argparse.ArgumentParser(description=TITLE)
    arguments.add_argument("contender", choices=[contender.key for contender in CONTENDERS])
    arguments.add_argument("--verify", action="store_true", help="save the state that later runs load")
    chosen = arguments.parse_args()
    contender = next(one for one in CONTENDERS if one.key == chosen.contender)
    (save if chosen.verify else resume)(contender)


if __name__ == "__main__":
    main()
