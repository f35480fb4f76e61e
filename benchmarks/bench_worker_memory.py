"""10 million small elements in memory and 4 process workers: proportional memory beyond the data, over 5 epochs."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import process_tree
from contender import Form, Pipeline

ELEMENTS = 10_000_000
ELEMENTS_VERIFIED = 20_000
WORKERS = 4
BATCH = 1024
EPOCHS = 5
SECONDS_AN_EPOCH = 4
"""How long each epoch is from its first batch at most, times --seconds."""


@dataclass(frozen=True)
class Loading:
    """How one library goes through the elements with process workers."""

    name: str
    module: str
    form: Form
    prepare: Callable[[int], Any]
    """The data, as its people hold it."""
    make: Callable[[Any], Pipeline]
    most_rounds: int | None = 3
    """Memory differs little from round to round, and a round takes half a minute."""

    @property
    def key(self) -> str:
        return self.module


def columns(elements: int) -> dict[str, Any]:
    return {"id": np.arange(elements), "value": np.arange(elements, dtype=np.float32)}


def python_objects(elements: int) -> list[dict[str, Any]]:
    return [{"id": number, "value": float(number)} for number in range(elements)]


def doubled(row: Any) -> Any:
    return {"id": row["id"], "value": row["value"] * 2}


def penstock(data: dict[str, Any]) -> Pipeline:
    from penstock import Dataset

    ds = Dataset.from_tensor_slices(data).shuffle(len(data["id"]), seed=0)
    return ds.map(doubled, num_parallel_calls=WORKERS, executor="process").batch(BATCH).prefetch(2)


def torch(data: list[dict[str, Any]]) -> Pipeline:
    from torch.utils.data import DataLoader, Dataset

    class Rows(Dataset[Any]):
        def __len__(self) -> int:
            return len(data)

        def __getitem__(self, row: int) -> Any:
            return doubled(data[row])

    return DataLoader(Rows(), BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True)


def grain(data: dict[str, Any]) -> Pipeline:
    import grain

    class Rows:
        def __len__(self) -> int:
            return len(data["id"])

        def __getitem__(self, row: int) -> Any:
            return {name: column[row] for name, column in data.items()}

    ds = grain.MapDataset.source(Rows()).shuffle(seed=0).map(doubled).batch(BATCH)
    # As in the other workloads with processes: no threads that read ahead in each worker.
    alone = grain.ReadOptions(num_threads=0)
    return ds.to_iter_dataset(alone).mp_prefetch(grain.MultiprocessingOptions(num_workers=WORKERS))


NAME = "worker_memory"
TITLE = "10 M small elements in memory, shuffled, 4 process workers, batch 1024: memory beyond the data, 5 epochs"
CONTENDERS = (
    Loading("penstock", "penstock.dataset", Form.PER_ELEMENT, columns, penstock),
    Loading("torch", "torch.utils.data", Form.PER_ELEMENT, python_objects, torch),
    Loading("Grain", "grain", Form.PER_ELEMENT, columns, grain),
)


def verify(contender: Loading) -> dict[str, Any]:
    """Raise unless one epoch of fewer elements holds each once, with its value doubled."""
    numbers = np.arange(ELEMENTS_VERIFIED)
    batches = list(contender.make(contender.prepare(ELEMENTS_VERIFIED)))
    found = np.concatenate([np.asarray(batch["id"]) for batch in batches])
    values = np.concatenate([np.asarray(batch["value"]) for batch in batches])
    if not (np.array_equal(np.sort(found), numbers) and np.array_equal(values, 2 * found)):
        raise SystemExit(f"{NAME}: {contender.key} did not give each of the {ELEMENTS_VERIFIED} elements once, doubled")
    return {"verified_elements": ELEMENTS_VERIFIED}


def measured(contender: Loading, seconds: float) -> dict[str, Any]:
    """Speed, and the memory of all processes at the end of each epoch, less the data, for each process."""
    __import__(contender.module)
    before = process_tree.proportional_bytes(os.getpid())
    data = contender.prepare(ELEMENTS)
    data_bytes = process_tree.proportional_bytes(os.getpid()) - before
    pipeline = contender.make(data)
    speeds, beyond, workers = [], [], []
    cut = False
    for _ in range(EPOCHS):
        batches = iter(pipeline)
        next(batches)
        rows, began = 0, time.perf_counter()
        for batch in batches:
            rows += len(batch["id"])
            if time.perf_counter() - began > seconds * SECONDS_AN_EPOCH:
                cut = True
                break
        speeds.append(rows / (time.perf_counter() - began))
        # The iterator is still open, and its workers are there.
        sizes = process_bytes()
        beyond.append((sum(sizes) - data_bytes) / len(sizes))
        workers.append(max(sizes[1:], default=0))
    return {
        "speed": float(np.median(speeds)),
        "epochs": EPOCHS,
        "extrapolated": cut,
        "data_bytes": data_bytes,
        "process_bytes": beyond,
        "first_epoch_process_bytes": beyond[0],
        "last_epoch_process_bytes": beyond[-1],
        "largest_worker_bytes": max(workers),
    }


def process_bytes() -> list[int]:
    """The proportional memory of this process and of each below it that holds any."""
    sizes = [process_tree.proportional_bytes(process) for process in (os.getpid(), *process_tree.descendants())]
    return [size for size in sizes if size]


def main() -> None:
    arguments = argparse.ArgumentParser(description=TITLE)
    arguments.add_argument("contender", choices=[contender.key for contender in CONTENDERS])
    arguments.add_argument("--seconds", type=float, default=1.0, help=f"a {SECONDS_AN_EPOCH}th of an epoch")
    arguments.add_argument("--verify", action="store_true", help="check the elements instead of measuring")
    chosen = arguments.parse_args()
    contender = next(one for one in CONTENDERS if one.key == chosen.contender)
    print(json.dumps(verify(contender) if chosen.verify else measured(contender, chosen.seconds)))


if __name__ == "__main__":
    main()
