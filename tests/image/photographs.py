"""A photograph that is made, not taken; encoded in any format; and libraries hidden as if they were not installed."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

from penstock.image import libraries

MODULES = ("simplejpeg", "cv2", "PIL.Image")
NAMES = {"simplejpeg": "simplejpeg", "cv2": "OpenCV", "PIL.Image": "Pillow"}


@functools.cache
def photograph(height: int = 300, width: int = 400) -> Any:
    """Noise of several scales, the coarser the stronger, as in photographs."""
    draws = np.random.default_rng(0)
    photo = np.full((height, width, 3), 128.0)
    for cells in (4, 8, 16, 32, 64, 128):
        coarse = draws.normal(0, 120 / cells**0.6, (cells, cells, 3)).clip(-127, 127) + 128
        large = Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
        photo += np.asarray(large) - 128.0
    photo = photo.clip(0, 255).astype(np.uint8)
    photo.flags.writeable = False
    return photo


def encoded(pixels: Any, format: str, mode: str | None = None, **options: Any) -> bytes:
    """What Pillow makes of it."""
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(file, format, **options)
    return file.getvalue()


def by_pillow(data: bytes, mode: str = "RGB") -> Any:
    """What Pillow sees, as signed numbers."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert(mode)).astype(int)


def difference(one: Any, other: Any) -> float:
    """The mean over all values."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other).mean())


@contextmanager
def only(*installed: str) -> Iterator[None]:
    """As if no other of the three libraries were installed."""
    found = {name: libraries.find(name) for name in MODULES}
    with patch.object(libraries, "find", lambda name: found[name] if name in installed else None):
        yield
