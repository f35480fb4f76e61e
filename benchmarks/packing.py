"""How full rows are, and tokens a second, for each strategy of `pack`, beside Grain's packers where it is installed.

    python benchmarks/packing.py [--sequences 20000] [--rounds 3]

Lengths are those of paragraphs of the topic texts that CPython carries, about a token for four characters, and
log-normal with a mean of 200. Speeds are of one pass over arrays in memory, row by row, the best of the rounds, which
are interleaved; of two speeds compare only those of one run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from pydoc_data.topics import topics
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import Dataset

OPEN_ROWS = 64

Packed = Callable[[], Iterable[Any]]
"""A pass over the segment ids of rows, 0 for padding."""


def paragraphs(count: int) -> NDArray[np.int64]:
    """Lengths of paragraphs, over and over."""
    found = [max(1, len(part) // 4) for text in topics.values() for part in text.split("\n\n") if part.strip()]
    order = np.random.default_rng(0).permutation(count) % len(found)
    return np.array(found)[order]


def log_normal(sigma: float) -> Callable[[int], NDArray[np.int64]]:
    def drawn(count: int) -> NDArray[np.int64]:
        found = np.random.default_rng(0).lognormal(np.log(200) - sigma**2 / 2, sigma, count)
        return np.maximum(1, found.round()).astype(np.int64)

    return drawn


LENGTHS = {"paragraphs": paragraphs, "log-normal 0.6": log_normal(0.6), "log-normal 1.0": log_normal(1.0)}


def ours(sequences: list[NDArray[np.int32]], length: int) -> dict[str, Packed]:
    def one(strategy: Any) -> Packed:
        ds = Dataset.from_list(sequences).pack(length, strategy, open_rows=OPEN_ROWS)
        return lambda: (row["segment_ids"] for row in ds)

    return {f"penstock, {name}": one(name) for name in ("split", "first_fit", "best_fit")}


def grains(sequences: list[NDArray[np.int32]], length: int) -> dict[str, Packed]:
    try:
        import grain
        from grain import experimental
    except ImportError:
        return {}
    elements = [{"tokens": sequence} for sequence in sequences]

    def one(kind: Any) -> Packed:
        def rows() -> Iterable[Any]:
            ds = grain.MapDataset.source(elements).to_iter_dataset(grain.ReadOptions(num_threads=0))
            packed = kind(ds, length_struct={"tokens": length}, num_packing_bins=OPEN_ROWS)
            return (row["tokens_segment_ids"] for row in packed)

        return rows

    kinds = {"FirstFit": "FirstFitPackIterDataset", "BestFit": "BestFitPackIterDataset"}
    return {f"Grain, {name}": one(getattr(experimental, kind)) for name, kind in kinds.items()}


def measured(packed: Packed) -> tuple[float, float]:
    """Seconds of a pass, and the share of places that hold a token."""
    began = time.perf_counter()
    rows = list(packed())
    seconds = time.perf_counter() - began
    return seconds, float(np.mean([np.count_nonzero(row) / len(row) for row in rows]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    for name, lengths_of in LENGTHS.items():
        for length in (512, 2048):
            lengths = np.minimum(lengths_of(asked.sequences), length)
            tokens = int(lengths.sum())
            sequences = np.split(np.ones(tokens, np.int32), np.cumsum(lengths)[:-1])
            contenders = {**ours(sequences, length), **grains(sequences, length)}
            found: dict[str, list[tuple[float, float]]] = {contender: [] for contender in contenders}
            for _ in range(asked.rounds):
                for contender, packed in contenders.items():
                    found[contender].append(measured(packed))
            print(f"\n{name}, mean {lengths.mean():.0f}, rows of {length}, {tokens / 1e6:.1f} M tokens")
            for contender, runs in found.items():
                speed = tokens / min(seconds for seconds, _ in runs) / 1e6
                print(f"  {contender:22} {100 * runs[0][1]:6.2f} % full {speed:7.1f} M tokens/s")


if __name__ == "__main__":
    main()
