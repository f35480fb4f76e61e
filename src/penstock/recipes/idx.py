"""Arrays in IDX files, the format that MNIST and its relatives are published in.

A file is two zero bytes, one byte for the type, one for the number of dimensions, each dimension as a big-endian
uint32, and then the values, big-endian, last dimension fastest (Y. LeCun, "The MNIST database", FILE FORMATS).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from penstock.errors import DataLossError
from penstock.recipes.gzipped import content_pieces

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAGIC_BYTES = 4


def read_idx(path: Path, num_dimensions: int | None = None) -> np.ndarray[Any, np.dtype[Any]]:
    """Read the array of an IDX file, gzipped or not, whatever its name.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "labels"
    >>> path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 4]))
    11
    >>> read_idx(path, num_dimensions=1)
    array([7, 0, 4], dtype=uint8)

    Args:
        path: The file.
        num_dimensions: What the header must say; None takes any.

    Returns:
        A writable array in this machine's byte order.

    Memory: what the file really holds, at most twice; never what its header only claims.

    Raises:
        DataLossError: The file is cut off, too long, corrupt or no IDX file; names the path and the byte position.
        FileNotFoundError: There is no such file.
    """
    content = _Content(path)
    dtype, rank = _parse_magic(content)
    if num_dimensions is not None and rank != num_dimensions:
        raise DataLossError(f"{path}: expected {num_dimensions} dimensions, byte 3 says {rank}; give the right file")
    header = content.take(4 * rank, "the dimensions")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    values = content.take(math.prod(shape) * dtype.itemsize, f"the values of shape {shape} and dtype {dtype.name}")
    content.expect_end()
    flat = np.frombuffer(values, dtype).astype(dtype.newbyteorder("="), copy=False)
    try:
        return flat.reshape(shape)
    except ValueError as error:  # NumPy has limits: 64 dimensions, and sizes that fit an int64
        raise DataLossError(f"{path}: NumPy has no array of the shape that bytes 4 to {4 + 4 * rank} give") from error


def _parse_magic(content: _Content) -> tuple[np.dtype[Any], int]:
    magic = content.take(_MAGIC_BYTES, "the magic number")
    if magic[:2] != b"\0\0" or magic[2] not in _DTYPES:
        codes = ", ".join(f"{code:02x}" for code in _DTYPES)
        found = f"bytes 0 to 3 are {magic.hex(' ')}"
        raise DataLossError(f"{content.path}: no IDX file: {found}, expected 00 00, one of {codes}, and a count")
    return np.dtype(_DTYPES[magic[2]]), magic[3]


class _Content:
    """Reads the content of a file front to back and knows the position in it, in bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pieces: Iterator[bytes] = content_pieces(path)
        self._rest = memoryview(b"")
        self._position_bytes = 0

    def take(self, num_bytes: int, what: str) -> bytearray:
        """The next `num_bytes`; the buffer grows with what is there, not with what is asked for."""
        taken = bytearray()
        while len(taken) < num_bytes:
            if not self._rest and not self._advance():
                found, wanted = self._position_bytes + len(taken), self._position_bytes + num_bytes
                raise DataLossError(f"{self.path}: cut off at byte {found}: {what} should end at byte {wanted}")
            missing = num_bytes - len(taken)
            taken += self._rest[:missing]
            self._rest = self._rest[missing:]
        self._position_bytes += num_bytes
        return taken

    def expect_end(self) -> None:
        # Asking for more also makes gzip verify its own checksum.
        if self._rest or self._advance():
            end = self._position_bytes
            raise DataLossError(f"{self.path}: trailing data from byte {end} on, where the header says the end is")

    def _advance(self) -> bool:
        self._rest = memoryview(next(self._pieces, b""))
        return len(self._rest) > 0
