"""The content of a file that may or may not be gzipped, in small pieces."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from penstock.errors import DataLossError

_READ_BYTES = 1 << 14
_PIECE_BYTES = 1 << 18
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31
"""zlib's number for "a gzip header and trailer, window of any size"."""


def content_pieces(path: Path) -> Iterator[bytes]:
    """Yield what `path` holds, decompressed if its first bytes are gzip's; its name says nothing.

    No piece is longer than 256 KiB, however well the file is compressed. The checksums that gzip carries are verified.

    Raises:
        DataLossError: The gzip stream is cut off or corrupt; names the path and the byte positions in the file.
    """
    with path.open("rb") as file:
        is_gzip = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        file.seek(0)
        if is_gzip:
            yield from _inflated(file, path)
        else:
            while piece := file.read(_PIECE_BYTES):
                yield piece


def _inflated(file: BinaryIO, path: Path) -> Iterator[bytes]:
    """Decompress one gzip member after another, until the end or nothing but padding with zeros."""
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    start = 0
    # Small reads, because zlib names no position: the error can only say which read was bad.
    while compressed := file.read(_READ_BYTES):
        end = start + len(compressed)
        while compressed:
            if inflater.eof:
                compressed = compressed.lstrip(b"\0")
                if not compressed:
                    break
                inflater = zlib.decompressobj(_GZIP_WINDOW)
            try:
                piece = inflater.decompress(compressed, _PIECE_BYTES)
            except zlib.error as error:
                message = f"{path}: corrupt gzip data between bytes {start} and {end} ({error}); fetch the file again"
                raise DataLossError(message) from error
            if piece:
                yield piece
            compressed = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        start = end
    if not inflater.eof:
        raise DataLossError(f"{path}: the gzip data is cut off at byte {start}; fetch the file again")
