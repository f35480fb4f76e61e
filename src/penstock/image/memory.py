"""Memory for images and their batches, which each thread uses again and again.

To get fresh memory from the system may take longer than all that is done with a decoded image (bench_photos.py).
"""

from __future__ import annotations

import math
import threading

import numpy as np
from numpy.typing import NDArray

from penstock.image.geometry import Image
from penstock.memory import Allocator

_LEAST_BYTES = 1 << 18
_KEPT_BYTES = 1 << 25
_PIXELS, _FLOATS = np.dtype(np.uint8), np.dtype(np.float32)


class _OfThread(threading.local):
    """What is kept goes with the thread."""

    def __init__(self) -> None:
        self.decoded = Allocator(_LEAST_BYTES)
        self.results = Allocator(_LEAST_BYTES, _KEPT_BYTES)


_own = _OfThread()


def new_pixels(shape: tuple[int, ...]) -> Image:
    """An array to decode into."""
    size = math.prod(shape)
    if size < _LEAST_BYTES:
        return np.empty(shape, _PIXELS)
    # Sizes differ from image to image: what was one's serves another.
    whole = _own.decoded.allocate((1 << (size - 1).bit_length(),), _PIXELS)
    return whole[:size].reshape(shape)


def new_floats(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An array for a result, of which many may wait to be made a batch."""
    return _own.results.allocate(shape, _FLOATS)
