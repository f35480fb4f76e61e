"""PNG files listed, read, decoded and batched, beside bare loops over OpenCV, in one process, rounds interleaved.

    python benchmarks/bench_png_files.py                          60,000 grey images of 28 x 28, 3 rounds
    python benchmarks/bench_png_files.py --files 10000 --rounds 5

The bare thread lists, reads, decodes and stacks what a batch needs, nothing else. Two bare threads are no quicker: each
image lets go of the GIL several times for some microseconds, and to get it back from the other thread takes longer than
that. So the pipelines with two calls choose processes, whose start is part of the time. Ratios are taken within a
round; the table shows their medians, and the best time of each.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rounds import Entry, Run, arguments, compared

from penstock import Dataset, image

FILES = 60_000
CLASSES = 10
SIDE = 28
BATCH = 128
LIMIT = "bare thread"


def write_files(folder: Path, files: int) -> None:
    """Smoothed noise, of which files have about 700 bytes; a folder for each class."""
    draws = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / str(label)).mkdir()
    for number in range(files):
        pixels = cv2.resize(draws.integers(0, 256, (7, 7), np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        cv2.imwrite(str(folder / str(number % CLASSES) / f"{number:05}.png"), pixels)


def listed(folder: Path) -> Iterator[tuple[str, int]]:
    """The path and the label of each file, in order."""
    for label, name in enumerate(sorted(os.listdir(folder))):
        for file in sorted(os.listdir(folder / name)):
            yield os.path.join(folder, name, file), label


def decoded(path: str) -> Any:
    """A file's pixels, shape (28, 28, 1)."""
    with open(path, "rb") as file:
        return cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_GRAYSCALE)[..., None]


def bare_thread(folder: Path) -> Iterator[object]:
    pairs = listed(folder)
    while batch := list(islice(pairs, BATCH)):
        yield np.stack([decoded(path) for path, _ in batch]), np.array([label for _, label in batch])


def bare_threads(folder: Path, threads: int) -> Iterator[object]:
    pairs = list(listed(folder))

    def batch_from(start: int) -> object:
        batch = pairs[start : start + BATCH]
        return np.stack([decoded(path) for path, _ in batch]), np.array([label for _, label in batch])

    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(batch_from, range(0, len(pairs), BATCH))


def decode_pair(path: str, label: int) -> Any:
    return image.decode(path, channels=1), label


def opencv_pair(path: str, label: int) -> Any:
    return decoded(path), label


def pipeline(folder: Path, function: Callable[[str, int], Any], **parallel: Any) -> Iterable[object]:
    return Dataset.from_image_folder(folder).map(function, **parallel).batch(BATCH)


def contenders(folder: Path) -> dict[str, Run]:
    """What is compared."""
    return {
        LIMIT: partial(bare_thread, folder),
        "two bare threads": partial(bare_threads, folder, 2),
        "map(image.decode)": partial(pipeline, folder, decode_pair),
        "map(image.decode), 2 calls": partial(pipeline, folder, decode_pair, num_parallel_calls=2),
        "map(image.decode), 2 processes": partial(
            pipeline, folder, decode_pair, num_parallel_calls=2, executor="process"
        ),
        "map(OpenCV), 2 calls": partial(pipeline, folder, opencv_pair, num_parallel_calls=2),
        "map(OpenCV), 2 processes": partial(pipeline, folder, opencv_pair, num_parallel_calls=2, executor="process"),
    }


def main() -> None:
    chosen = arguments(__doc__, "files", FILES, rounds=3)
    # What runs beside one another is threads of ours, not of OpenCV's.
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), chosen.files)
        entries = {key: Entry(LIMIT, run) for key, run in contenders(Path(name)).items()}
        found = compared(entries, chosen.rounds)
    for name, limit, seconds, ratio in found:
        print(f"{name:32} {chosen.files / seconds:8.0f} images/s   {ratio:5.2f} of {limit}")


if __name__ == "__main__":
    main()
