"""A folder of images for those who have none at hand: scans of digits, written as PNG files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np

from penstock import image
from penstock.recipes.datasets import load


def write_digits(folder: Path) -> None:
    """Write the 1,797 scans that scikit-learn carries as PNG files into a folder for each digit, unless they are there.

    Raises:
        ImportError: scikit-learn is not installed.
        OSError: The folder cannot be written.
    """
    if folder.exists():
        return
    digits = load("digits")
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in digits.class_names:
        (partial / name).mkdir(parents=True)
    scans = np.concatenate([digits.train_images, digits.test_images])
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    for number, (scan, label) in enumerate(zip(scans, labels, strict=True)):
        (partial / digits.class_names[label] / f"{number:04}.png").write_bytes(image.encode(scan[..., None], "PNG"))
    os.replace(partial, folder)  # So that the folder is whole wherever it is there.
