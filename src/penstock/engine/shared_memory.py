"""Memory without a name that two processes share: one lends segments of it, the other hands them back.

A segment travels as a file descriptor, once; both sides keep it mapped and speak of it by number from then on. As it
has no name, nothing is left behind when a process dies, however it dies.
"""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

if sys.platform != "win32":
    import resource

_SMALLEST_BYTES = 1 << 16
_MOST_FREE = 4
_MOST_FREE_BYTES = 1 << 26
# A segment this many times too large is not taken: it would keep memory that somebody else could use.
_MOST_TOO_LARGE = 16
_MOST_HELD = 256
_MORE_FILES = "let go of results, or raise the limit of open files (ulimit -n)"

_held: set[int] = set()
"""The identities of all borrowed arrays whose segments have not been handed back, of this whole process."""


class Segment:
    """Shared memory of this process: its number, its size, and its descriptor until that has been sent."""

    __slots__ = ("array", "descriptor", "number", "size_bytes")

    def __init__(self, number: int, size_bytes: int) -> None:
        self.number = number
        self.size_bytes = size_bytes
        self.descriptor: int | None = _anonymous_file(size_bytes)
        try:
            self.array: NDArray[np.uint8] = np.frombuffer(_mapped(self.descriptor, size_bytes), np.uint8)
        except BaseException:
            self.forget_descriptor()
            raise

    def forget_descriptor(self) -> None:
        """Close it: the mapping stays."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


class Lender:
    """The segments that this process fills and the other one reads; one thread may lend while another takes back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._segments: dict[int, Segment] = {}
        self._free: list[Segment] = []
        self._numbers = 0
        self._dropped: list[int] = []

    def lend(self, size_bytes: int) -> Segment:
        """A segment of at least so many bytes that nobody reads.

        Raises:
            OSError: The system has no memory or no descriptor left.
        """
        with self._lock:
            fitting = [s for s in self._free if size_bytes <= s.size_bytes <= _MOST_TOO_LARGE * size_bytes]
            if fitting:
                # The one used last is the likeliest to be in the processor's cache.
                segment = min(reversed(fitting), key=lambda s: s.size_bytes)
                self._free.remove(segment)
                return segment
            # Powers of two are found again when sizes vary; pages that are never touched cost nothing.
            rounded = max(_SMALLEST_BYTES, 1 << (size_bytes - 1).bit_length())
            self._numbers += 1
            segment = self._segments[self._numbers] = Segment(self._numbers, rounded)
            return segment

    def take_back(self, numbers: list[int]) -> None:
        """The other side reads these no more."""
        with self._lock:
            for number in numbers:
                segment = self._segments.get(number)
                if segment is not None:
                    self._free.append(segment)
            while len(self._free) > 1 and self._too_much_is_free():
                segment = self._free.pop(0)
                del self._segments[segment.number]
                self._dropped.append(segment.number)

    def _too_much_is_free(self) -> bool:
        return len(self._free) > _MOST_FREE or sum(s.size_bytes for s in self._free) > _MOST_FREE_BYTES

    def take_dropped(self) -> list[int]:
        """The segments given up since this was last asked, which the other side is to forget."""
        with self._lock:
            dropped, self._dropped = self._dropped, []
        return dropped

    def forget(self) -> None:
        """Give up all segments; those still read live on until their reader lets go."""
        for segment in self._segments.values():
            segment.forget_descriptor()
        self._segments, self._free, self._dropped = {}, [], []


class Borrower:
    """The segments that the other process fills and this one reads."""

    def __init__(self) -> None:
        self._mapped: dict[int, mmap.mmap] = {}
        self._released: list[int] = []

    def borrow(self, number: int, size_bytes: int, used_bytes: int, descriptor: int | None) -> NDArray[np.uint8]:
        """The first bytes of a segment, which is handed back when the last array over them has gone.

        Where a user holds very many, these are copied, since a process can map only so much.
        """
        mapping = self._mapped.get(number)
        if mapping is None:
            mapping = self._mapped[number] = _received(descriptor, size_bytes)
        borrowed = _Borrowed(used_bytes, np.uint8, mapping)
        if len(_held) >= _most_held():
            copied = np.array(borrowed, subok=False)
            self._released.append(number)
            return copied
        borrowed.number, borrowed.released = number, self._released
        _held.add(id(borrowed))
        return borrowed

    def take_released(self) -> list[int]:
        """The segments read no more since this was last asked, which the other side gets back."""
        released = self._released[:]
        # Not a new list: arrays append to this one, in any thread.
        del self._released[: len(released)]
        return released

    def drop(self, numbers: list[int]) -> None:
        """The other side has given these up."""
        for number in numbers:
            self._mapped.pop(number, None)

    def forget(self) -> None:
        """Unmap all segments; those still read live on until the last array over them has gone."""
        self._mapped, self._released = {}, []


class _Borrowed(np.ndarray[Any, np.dtype[np.uint8]]):
    """The base of every array over a segment; goes when the last of them does, and hands the segment back."""

    number: int
    released: list[int]

    def __del__(self) -> None:
        released = getattr(self, "released", None)
        if released is not None:
            released.append(self.number)
            _held.discard(id(self))


def _most_held() -> int:
    """How many segments a user may hold: a descriptor stays open for each before Python 3.13, as a limit of files."""
    if sys.platform == "win32" or sys.version_info >= (3, 13):
        return _MOST_HELD
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST_HELD if most_files == resource.RLIM_INFINITY else min(_MOST_HELD, most_files // 4)


def _received(descriptor: int | None, size_bytes: int) -> mmap.mmap:
    # Not an OSError: that would mean that the other process is gone.
    if descriptor is None:
        raise RuntimeError(f"shared memory came without a descriptor: too many files are open; {_MORE_FILES}")
    try:
        return _mapped(descriptor, size_bytes)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError(
                f"shared memory of {size_bytes:,} bytes cannot be mapped ({error}): let go of results, or raise the "
                "limit of this process (ulimit -v)"
            ) from error
        raise RuntimeError(f"shared memory cannot be mapped ({error}); {_MORE_FILES}") from error


def _mapped(descriptor: int, size_bytes: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, size_bytes, trackfd=False)
    return mmap.mmap(descriptor, size_bytes)


def _anonymous_file(size_bytes: int) -> int:
    descriptor = os.memfd_create("penstock") if hasattr(os, "memfd_create") else _unlinked_file()
    try:
        os.ftruncate(descriptor, size_bytes)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _unlinked_file() -> int:
    """Shared memory whose name is taken away at once, where there is none without a name (macOS)."""
    import _posixshmem  # type: ignore[import-not-found]  # what multiprocessing.shared_memory is made of; it has no other way without a resource tracker

    name = f"/penstock-{secrets.token_hex(8)}"
    descriptor: int = _posixshmem.shm_open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode=0o600)
    _posixshmem.shm_unlink(name)
    return descriptor
