"""The only place that makes memory for batches: large buffers come back when users let go of them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RECYCLED_FROM_BYTES = 1 << 20
_KEPT_PER_SIZE = 4


class Allocator:
    """Hands out arrays; those of a mebibyte and more are recycled once no array refers to them.

    A fresh large buffer costs a page fault every 4 KiB, more than filling it. Nothing is shared between two users of a
    buffer: it returns here only when the last array over it has gone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: dict[int, list[NDArray[np.uint8]]] = {}

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of this shape and dtype, not cleared."""
        size = dtype.itemsize
        for dim in shape:
            size *= dim
        if size < _RECYCLED_FROM_BYTES or dtype.hasobject:
            return np.empty(shape, dtype)
        with self._lock:
            kept = self._free.get(size)
            memory = kept.pop() if kept else None
        if memory is None:
            memory = np.empty(size, np.uint8)
        return np.asarray(_Lease(memory, self)).view(dtype).reshape(shape)

    def give_back(self, memory: NDArray[np.uint8]) -> None:
        """Keep a buffer for the next user; a few per size, and only the sizes used last."""
        with self._lock:
            kept = self._free.pop(memory.nbytes, [])
            if len(kept) < _KEPT_PER_SIZE:
                kept.append(memory)
            self._free[memory.nbytes] = kept
            while len(self._free) > _KEPT_PER_SIZE:
                del self._free[next(iter(self._free))]


class _Lease:
    """Owns a buffer on behalf of all arrays over it, whose `base` it is."""

    __slots__ = ("__array_interface__", "_allocator", "_memory")

    def __init__(self, memory: NDArray[np.uint8], allocator: Allocator) -> None:
        self._memory = memory
        self._allocator = allocator
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        self._allocator.give_back(self._memory)
