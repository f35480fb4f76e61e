"""Functions of images in pipelines: by index, in threads, with the same pixels whatever runs beside them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from penstock import Dataset, image
from penstock.image import libraries
from penstock.node import Purity
from penstock.vectorize.purity import judge
from tests.image.photographs import encoded, photograph


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    for number in range(24):
        pixels = np.ascontiguousarray(np.roll(photograph(), 11 * number, axis=1))
        (tmp_path / f"{number:02}.jpg").write_bytes(encoded(pixels, "JPEG"))
    return sorted(str(path) for path in tmp_path.iterdir())


def augmented(path: str, rng: np.random.Generator) -> Any:
    photo = image.random_resized_crop(path, 64, rng)
    photo = image.color_jitter(image.random_flip(photo, rng), rng, brightness=0.2, hue=0.1)
    return image.normalize(image.random_erasing(image.rotate(photo, rng.uniform(-9, 9)), rng), 0.5, 0.5)


def test_functions_are_known_to_have_no_effect() -> None:
    verdict = judge(augmented, draws=True)
    assert verdict.purity is Purity.STATELESS
    assert verdict.lets_go_of_gil
    assert judge(image.decode).purity is Purity.STATELESS
    rng = np.random.default_rng(0)
    assert judge(lambda path: image.random_crop(path, 3, rng)).purity is Purity.STATEFUL
    assert not judge(lambda path: path.upper()).lets_go_of_gil


@pytest.mark.parametrize("random", [False, True])
def test_plans_run_by_index_in_threads_and_say_by_which_library(paths: list[str], random: bool) -> None:
    ds = Dataset.from_list(paths)
    if random:
        ds = ds.random_map(augmented, seed=0, num_parallel_calls=2)
    else:
        ds = ds.map(lambda path: image.decode(path, shorter_side=32), num_parallel_calls=2)
    assert ds[5].shape == ((64, 64, 3) if random else (32, 43, 3))
    assert len(list(ds)) == 24
    said = ds.explain()
    assert "in threads: its function is known to compute without the GIL" in said
    assert f"(installed: {libraries.in_use()})" in said
    assert "simplejpeg, OpenCV, Pillow" in said


def test_pixels_are_the_same_whatever_the_number_of_workers(paths: list[str]) -> None:
    ds = Dataset.from_list(paths)
    expected = [element.tobytes() for element in ds.random_map(augmented, seed=5)]
    for workers, executor in ((2, "thread"), (5, "thread"), (2, "process")):
        parallel = ds.random_map(augmented, seed=5, num_parallel_calls=workers, executor=executor)
        assert [element.tobytes() for element in parallel] == expected


def test_opencv_keeps_the_number_of_threads_that_the_user_chose(paths: list[str]) -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        list(Dataset.from_list(paths).random_map(augmented, seed=5, num_parallel_calls=4, executor="thread"))
        assert cv2.getNumThreads() == 3
        with libraries.one_thread(cv2):
            assert cv2.getNumThreads() == 1
            with libraries.one_thread(cv2):
                pass
            assert cv2.getNumThreads() == 1
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_results_do_not_depend_on_threads_of_opencv() -> None:
    results = []
    before = cv2.getNumThreads()
    try:
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            results.append(image.resize(photograph(), (900, 1100)).tobytes())
    finally:
        cv2.setNumThreads(before)
    assert results[0] == results[1]


def test_libraries_are_loaded_when_they_are_first_needed() -> None:
    program = "import sys; from penstock import image; image.decode; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "penstock.image.decoding" in loaded
    assert not {"cv2", "PIL", "simplejpeg", "fsspec"} & set(loaded)
