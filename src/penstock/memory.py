"""Memory for batches and images: large buffers come back when users let go of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RECYCLED_FROM_BYTES = 1 << 20
_KEPT_PER_SIZE = 3
_ONE_KEPT_FROM_BYTES = 1 << 23
_KEPT_SIZES = 4


class Allocator:
    """Hands out arrays; large ones are recycled once no array refers to them.

    The page faults of a fresh large buffer cost more than filling it (bench_mnist_memory.py). Nothing is shared between
    two users of a buffer: it returns here only when the last array over it has gone.

    Args:
        least_bytes: How large arrays are that are recycled.
        kept_bytes: How much of one size is kept, where that is more than a few buffers.
    """

    def __init__(self, least_bytes: int = _RECYCLED_FROM_BYTES, kept_bytes: int = 0) -> None:
        self._least_bytes = least_bytes
        self._kept_bytes = kept_bytes
        # Lists are appended to and popped from without a lock: both are atomic, and buffers come back in any thread,
        # even in the middle of `allocate`, when the garbage collector runs there.
        self._free: dict[int, list[bytearray]] = {}

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of this shape and dtype, not cleared."""
        size = math.prod(shape) * dtype.itemsize
        if size < self._least_bytes or dtype.hasobject:
            return np.empty(shape, dtype)
        free = self._free.get(size)
        if free is None:
            if len(self._free) >= _KEPT_SIZES:
                self._free = {}
            free = self._free.setdefault(size, [])
        try:
            memory = free.pop()
        except IndexError:
            memory = bytearray(size)
        owner = _Owner(size, np.uint8, memory)
        owner.memory, owner.free = memory, free
        owner.most_free = max(_KEPT_PER_SIZE if size < _ONE_KEPT_FROM_BYTES else 1, self._kept_bytes // size)
        return np.ndarray(shape, dtype, owner)


class _Owner(np.ndarray[Any, Any]):
    """The `base` of every array over a buffer; goes when the last of them does, and gives the buffer back."""

    memory: bytearray
    free: list[bytearray]
    most_free: int

    def __del__(self) -> None:
        free = getattr(self, "free", None)
        if free is not None and len(free) < self.most_free:
            free.append(self.memory)
