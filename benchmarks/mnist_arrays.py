"""The arrays of the MNIST workloads, kept as .npy files so that each process reads them in milliseconds."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Images = tuple[NDArray[np.uint8], NDArray[np.int64]]

FOLDER = Path(os.environ.get("PENSTOCK_BENCH_FOLDER", "runs/bench"))
ROWS = 60_000
IDX_HEADER_BYTES = {"images": 16, "labels": 8}


def write_arrays(data_dir: Path | None) -> None:
    """Write images.npy and labels.npy: random bytes of MNIST's shape, or the real digits of `data_dir`."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if data_dir is None:
        draws = np.random.default_rng(0)
        images = draws.integers(0, 256, (ROWS, 28, 28), dtype=np.uint8)
        labels = draws.integers(0, 10, ROWS)
    else:
        images = idx_bytes(data_dir, "images").reshape(-1, 28, 28)
        labels = idx_bytes(data_dir, "labels").astype(np.int64)
    np.save(FOLDER / "images.npy", images)
    np.save(FOLDER / "labels.npy", labels)


def idx_bytes(data_dir: Path, part: str) -> NDArray[np.uint8]:
    """The bytes after the header of one IDX file, compressed or not."""
    found = sorted(data_dir.glob(f"train-{part}*"))
    if not found:
        raise SystemExit(f"--data-dir {data_dir}: no file train-{part}-*; give the folder of MNIST's four IDX files")
    content = found[0].read_bytes()
    content = gzip.decompress(content) if found[0].suffix == ".gz" else content
    return np.frombuffer(content, np.uint8, offset=IDX_HEADER_BYTES[part])


def read_arrays(elements: int) -> Images:
    """The first `elements` images and labels that `write_arrays` left."""
    images, labels = np.load(FOLDER / "images.npy"), np.load(FOLDER / "labels.npy")
    if elements > len(images):
        raise SystemExit(f"{FOLDER}/images.npy holds {len(images)} images, {elements} were asked for")
    return (images, labels) if elements == len(images) else (images[:elements].copy(), labels[:elements].copy())
