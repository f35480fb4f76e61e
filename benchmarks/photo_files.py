"""JPEG files of the photos workload, and the OpenCV code that makes a training crop of one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILES = 400
SIDE = 256
CROP = 224
QUALITY = 92
GRAIN = 5.0
"""The deviation of a pixel's own noise; with it the files have about 60 KB, as photos of this size may."""
WIDTHS_HEIGHTS = ((500, 375), (375, 500), (500, 333), (480, 360))
OCTAVES = (4, 8, 16, 32, 64, 128, 256)
LARGE_FILES = 24
LARGE_WIDTHS_HEIGHTS = ((2400, 1800), (1800, 2400), (2400, 1600), (3000, 2250))

FOLDER = Path(os.environ.get("PENSTOCK_BENCH_FOLDER", "runs/bench")) / "photos"
LARGE_FOLDER = FOLDER.with_name("large-photos")
REAL_PHOTOS = "PENSTOCK_BENCH_PHOTOS"
"""The environment variable that names a folder of the user's own photos."""


def photo_paths(elements: int) -> list[str]:
    """`elements` paths, going through the photos again and again; the synthetic ones are written at the first call."""
    folder = Path(os.environ.get(REAL_PHOTOS) or FOLDER)
    if folder == FOLDER and not folder.exists():
        write_photos(folder, FILES, WIDTHS_HEIGHTS)
    return _paths_in(folder, elements)


def large_photo_paths(elements: int) -> list[str]:
    """The same of photos of four to seven million pixels, always synthetic."""
    if not LARGE_FOLDER.exists():
        write_photos(LARGE_FOLDER, LARGE_FILES, LARGE_WIDTHS_HEIGHTS)
    return _paths_in(LARGE_FOLDER, elements)


def _paths_in(folder: Path, elements: int) -> list[str]:
    found = sorted(str(path) for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if not found:
        raise SystemExit(f"--photos-dir {folder}: no file *.jpg or *.jpeg below it")
    return [found[place % len(found)] for place in range(elements)]


def write_photos(folder: Path, files: int, widths_heights: tuple[tuple[int, int], ...]) -> None:
    """Write the synthetic photos; the folder appears when all are there."""
    import cv2

    draws = np.random.default_rng(0)
    unfinished = folder.with_name(f"{folder.name}-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for number in range(files):
        width, height = widths_heights[number % len(widths_heights)]
        photo = synthetic_photo(draws, width, height)
        cv2.imwrite(str(unfinished / f"{number:04}.jpg"), photo, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    unfinished.rename(folder)


def synthetic_photo(draws: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Noise of seven scales, the coarser the stronger, as in the spectrum of photos; hard edges, a sensor's grain."""
    import cv2

    photo = np.full((height, width, 3), 128, np.float32)
    for cells in OCTAVES:
        coarse = draws.normal(0, 100 / cells**0.6, (cells, cells, 3)).astype(np.float32)
        photo += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(6):
        left, top = int(draws.integers(width)), int(draws.integers(height))
        photo[top : top + int(draws.integers(20, 200)), left : left + int(draws.integers(20, 200))] += draws.normal(
            0, 40
        )
    photo += draws.normal(0, GRAIN, photo.shape)
    return np.clip(photo, 0, 255).astype(np.uint8)


def training_crop(path: str, draws: NDArray[np.float64]) -> Any:
    """Read and decode, shorter side to 256, the crop of 224 and the flip that three numbers in [0, 1) name, float32.

    Written for all contenders as a user writes it for himself.
    """
    import cv2

    # One thread a call: the contenders' own workers are what keeps both cores busy.
    cv2.setNumThreads(1)
    with open(path, "rb") as file:
        photo = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
    height, width = photo.shape[:2]
    scale = SIDE / min(height, width)
    photo = cv2.resize(photo, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_LINEAR)
    top = int(draws[0] * (photo.shape[0] - CROP + 1))
    left = int(draws[1] * (photo.shape[1] - CROP + 1))
    crop = photo[top : top + CROP, left : left + CROP]
    if draws[2] < 0.5:
        crop = cv2.flip(crop, 1)
    return cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32) / np.float32(255)
