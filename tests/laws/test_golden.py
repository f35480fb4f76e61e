"""Golden files: seeded orders and saved states that no release may change without saying so.

An order that changes breaks every experiment that is to be repeated; a state that changes, every training that is to go
on. Where a change is meant, `python -m tests.laws.test_golden` writes the files anew; say so in CHANGELOG.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock import Dataset, text

FOLDER = Path(__file__).parent / "golden"
ELEMENTS = 24


def numbers() -> Iterator[int]:
    yield from range(40)


def is_odd(n: Any) -> Any:
    return n % 2 == 1


def up_to(n: Any) -> Any:
    return Dataset.range(n % 5).shuffle(5, seed=3)


def jittered(n: Any, rng: Any) -> Any:
    return n + rng.integers(1000)


def doubled(n: Any) -> Any:
    return n * 2


def counted(n: Any) -> Any:
    return np.arange(n * n % 7) + 10 * n


def weighed(row: Any) -> Any:
    return (row["tokens"] * np.arange(1, 9)).sum() + row["segment_ids"].sum() * 10**6


PIPELINES: dict[str, Callable[[], Dataset[Any]]] = {
    "full shuffle": lambda: Dataset.range(40).shuffle(40, seed=1),
    "full shuffle of many": lambda: Dataset.range(1_000_000).shuffle(1_000_000, seed=1),
    "full shuffle of a stream": lambda: Dataset.from_generator(numbers).shuffle(100, seed=1),
    "buffered shuffle": lambda: Dataset.range(40).shuffle(10, seed=1),
    "buffered shuffle of many": lambda: Dataset.range(1_000_000).shuffle(100_000, seed=1),
    "buffered shuffle of a stream": lambda: Dataset.from_generator(numbers).shuffle(10, seed=1),
    "epochs of a shuffle": lambda: Dataset.range(9).shuffle(9, seed=2).repeat(),
    "epochs of one order": lambda: Dataset.range(9).shuffle(9, seed=2, reshuffle_each_iteration=False).repeat(),
    "two shuffles": lambda: Dataset.range(40).shuffle(40, seed=1).shuffle(7, seed=2),
    "random": lambda: Dataset.random(seed=5),
    "random, again each pass": lambda: Dataset.random(seed=5, rerandomize_each_iteration=True),
    "random_map": lambda: Dataset.range(40).random_map(jittered, seed=5),
    "random_map in epochs": lambda: Dataset.range(7).random_map(jittered, seed=5).repeat(4),
    "shuffles inside flat_map": lambda: Dataset.range(12).flat_map(up_to),
    "training": lambda: (
        Dataset.range(40).shuffle(40, seed=1).repeat().map(doubled).batch(4).map(lambda batch: batch[0]).prefetch(2)
    ),
    "filtered and cached": lambda: Dataset.range(60).filter(is_odd).cache().shuffle(8, seed=4).repeat(2),
    "shard": lambda: Dataset.range(100).shuffle(20, seed=1).shard(3, 1),
    "zip and concatenate": lambda: Dataset.zip(
        Dataset.range(9).concatenate(Dataset.range(30).shuffle(6, seed=1)), Dataset.from_generator(numbers)
    ).map(lambda left, right: left * 100 + right),
    "sample_from_datasets": lambda: Dataset.sample_from_datasets(
        [Dataset.range(30), Dataset.range(100, 130), Dataset.counter(200)], [0.5, 0.3, 0.2], seed=3
    ),
    "sample_from_datasets, evenly": lambda: Dataset.sample_from_datasets(
        [Dataset.range(30), Dataset.range(100, 130), Dataset.range(200, 230)], [0.5, 0.3, 0.2], evenly=True
    ),
    "sample_from_datasets of streams": lambda: Dataset.sample_from_datasets(
        [Dataset.from_generator(numbers), Dataset.range(100, 160).filter(is_odd)], [0.4, 0.6], seed=4
    ),
    "scan and unique": lambda: (
        Dataset.range(60).map(lambda n: n % 37).unique().scan(0, lambda total, n: (total + n, n))
    ),
    "pack": lambda: Dataset.range(90).map(counted).pack(8).map(weighed),
    "pack, first_fit": lambda: Dataset.range(90).map(counted).pack(8, "first_fit", open_rows=3).map(weighed),
    "pack, best_fit": lambda: Dataset.range(90).map(counted).pack(8, "best_fit", open_rows=3).map(weighed),
    "mix": lambda: text.mix({"a": Dataset.range(9), "b": Dataset.range(100, 120)}, {"a": 1, "b": 2.5}),
    "mix by a schedule": lambda: text.mix(
        {"a": Dataset.range(9), "b": Dataset.range(100, 120)}, lambda step: (step % 5 + 1, 3)
    ),
    "unbatch": lambda: Dataset.range(40).batch(7).unbatch().enumerate().map(lambda number, n: number * 100 + n),
}


def frozen(build: Callable[[], Dataset[Any]]) -> dict[str, Any]:
    """What a golden file says of a pipeline: the elements of two passes, and a state with what comes after it."""
    dataset = build()
    passes = [shown(islice(dataset, ELEMENTS)) for _ in range(2)]
    elements = iter(build())
    shown(islice(elements, 5))
    state = elements.state_dict()
    # Hashes of functions follow Python's bytecode, which is another one in each release of Python.
    del state["functions"]
    return {"passes": passes, "state": state, "after the state": shown(islice(elements, ELEMENTS))}


def shown(elements: Any) -> list[int]:
    return [int(np.asarray(element)) for element in elements]


def path_of(name: str) -> Path:
    return FOLDER / f"{name.replace(',', '').replace(' ', '_')}.json"


def read(name: str) -> dict[str, Any]:
    return json.loads(path_of(name).read_text())


@pytest.mark.parametrize("name", PIPELINES)
def test_seeded_orders_and_states_are_those_of_every_release(name: str) -> None:
    found = json.loads(json.dumps(frozen(PIPELINES[name])))
    golden = read(name)
    assert found["passes"] == golden["passes"]
    assert found["after the state"] == golden["after the state"]
    if set(golden["state"]["at"]) == {"index"}:
        # Elsewhere a state may stand before a block, and how large that was depends on the machine's speed.
        assert found["state"] == golden["state"]


@pytest.mark.parametrize("name", PIPELINES)
def test_a_state_of_an_earlier_release_goes_on(name: str) -> None:
    golden = read(name)
    elements = iter(PIPELINES[name]())
    elements.load_state_dict(golden["state"])
    assert shown(islice(elements, ELEMENTS)) == golden["after the state"]


def test_every_golden_file_belongs_to_a_pipeline() -> None:
    assert sorted(FOLDER.glob("*.json")) == sorted(path_of(name) for name in PIPELINES)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, build in PIPELINES.items():
        path_of(name).write_text(json.dumps(frozen(build), indent=1) + "\n")
