"""Files as streams of bytes: local or remote, plain or compressed."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from penstock.errors import DataLossError
from penstock.files.paths import is_remote, system_of

COMPRESSIONS = ("GZIP", "ZLIB", "ZSTD")
_SUFFIXES = {".gz": "GZIP", ".zz": "ZLIB", ".zst": "ZSTD"}
# Of one size always, so that what comes before a broken place does not depend on who reads, or from where.
_COMPRESSED_BYTES = 1 << 16
_MOST_INFLATED_BYTES = 1 << 18
_ZSTD_BYTES = 1 << 12
_FIRST_BYTES = 120 << 10  # less than what the C library has the system map anew each time
_BINARY = getattr(os, "O_BINARY", 0)  # Windows alone has and needs it


class ByteStream(Protocol):
    """What is read from its beginning to its end."""

    def read(self, size: int, /) -> bytes:
        """Some further bytes, about `size`; none at the end."""

    def close(self) -> None:
        """Let go of the file; twice is fine."""


def compression(method: str, value: Any) -> str | None:
    """The `compression_type` that a user asked for; None for none.

    Raises:
        ValueError: There is no such one.
    """
    if value is None or value == "":
        return None
    if value in COMPRESSIONS:
        return str(value)
    raise ValueError(
        f"{method}(): compression_type must be None, {', '.join(map(repr, COMPRESSIONS))}, but is {value!r}"
    )


def compression_of(path: str) -> str | None:
    """The compression that a path's suffix tells: .gz, .zz (zlib) or .zst; None for any other.

    >>> compression_of("a.txt.gz"), compression_of("a.txt")
    ('GZIP', None)
    """
    return _SUFFIXES.get(os.path.splitext(path)[1].lower())


def open_file(path: str) -> Any:
    """A file that is read as it is and can seek: unbuffered where it is local, else as fsspec has it.

    Raises:
        OSError: There is no such file, or it may not be read.
    """
    if is_remote(path):
        system, inner = system_of(path)
        return system.open(inner, "rb")
    return open(path, "rb", buffering=0)


def read_whole(path: str) -> bytes:
    """All bytes of a file as they are.

    Raises:
        OSError: There is no such file, or it may not be read.
    """
    if is_remote(path):
        with open_file(path) as file:
            content: bytes = file.read()
            return content
    # Without a file object it takes half as long, which counts where files are small (bench_png_files.py).
    descriptor = os.open(path, os.O_RDONLY | _BINARY)
    try:
        return _read_all(descriptor)
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    parts = [os.read(descriptor, _FIRST_BYTES)]
    if len(parts[0]) == _FIRST_BYTES:
        parts.append(os.read(descriptor, max(1, os.fstat(descriptor).st_size - _FIRST_BYTES)))
    while parts[-1]:
        parts.append(os.read(descriptor, _FIRST_BYTES))
    return parts[0] if len(parts) == 2 else b"".join(parts)


def open_bytes(path: str, compression: str | None = None, start: int = 0) -> ByteStream:
    """The contents of a file from byte `start` on.

    A plain file seeks there; a compressed one is read and uncompressed up to there.

    Raises:
        OSError: There is no such file, or it may not be read.
        DataLossError: It is shorter than `start`, or broken before it.
    """
    file = open_file(path)
    try:
        if compression is None:
            _seek(file, path, start)
            return file  # type: ignore[no-any-return]
        stream: ByteStream = _Unzstd(file, path) if compression == "ZSTD" else _Inflated(file, path, compression)
        return _from(stream, path, start)
    except BaseException:
        file.close()
        raise


def _seek(file: Any, path: str, start: int) -> None:
    if start:
        size = file.seek(0, os.SEEK_END)
        if size < start:
            raise _shorter(path, start, size)
        file.seek(start)


def _shorter(path: str, start: int, size: int) -> DataLossError:
    return DataLossError(
        f"{path} is to be read from byte {start} on, but ends at byte {size}; it was changed since the state was saved"
    )


def _from(stream: ByteStream, path: str, start: int) -> ByteStream:
    """A stream without its first `start` bytes."""
    missing = start
    while missing:
        data = stream.read(_MOST_INFLATED_BYTES)
        if not data:
            raise _shorter(path, start, start - missing)
        if len(data) > missing:
            return _Rest(data[missing:], stream)
        missing -= len(data)
    return stream


class _Rest:
    """Bytes that were read already, and then a stream."""

    def __init__(self, data: bytes, stream: ByteStream) -> None:
        self._data = data
        self._stream = stream
        self.close: Callable[[], None] = stream.close

    def read(self, size: int, /) -> bytes:
        data, self._data = self._data, b""
        return data or self._stream.read(size)


class _Inflated:
    """What is in a gzip or zlib file: one stream or several, one after another."""

    def __init__(self, file: Any, path: str, kind: str) -> None:
        self._file = file
        self._path = path
        self._kind = kind
        self._decoder: Any = None
        self._input = b""
        self._num_read = 0
        self._num_streams = 0

    def read(self, size: int, /) -> bytes:
        while True:
            at_end = not self._input and not self._fill()
            if at_end and self._decoder is None and self._num_streams:
                return b""
            data = self._inflate()
            if data:
                return data
            if at_end and self._decoder is not None:
                raise DataLossError(
                    f"{self._path} is cut off: it ends at byte {self._num_read}, in the middle of its "
                    f"{self._kind.lower()} stream; fetch or write it again"
                )

    def _fill(self) -> bool:
        self._input = self._file.read(_COMPRESSED_BYTES)
        self._num_read += len(self._input)
        if self._kind == "GZIP" and self._num_streams and self._decoder is None:
            # Tapes and some uploads fill the last block with zeros.
            self._input = self._input.lstrip(b"\0")
            return bool(self._input) or self._num_read == 0
        return bool(self._input)

    def _inflate(self) -> bytes:
        if self._decoder is None:
            self._decoder = zlib.decompressobj(zlib.MAX_WBITS + (16 if self._kind == "GZIP" else 0))
        try:
            data: bytes = self._decoder.decompress(self._input, _MOST_INFLATED_BYTES)
        except zlib.error as error:
            raise self._corrupt(error) from None
        self._input = self._decoder.unconsumed_tail
        if self._decoder.eof:
            self._input = self._decoder.unused_data
            if self._kind == "GZIP":
                self._input = self._input.lstrip(b"\0")
            self._decoder = None
            self._num_streams += 1
        return data

    def _corrupt(self, error: zlib.error) -> DataLossError:
        start = self._num_read - len(self._input)
        if not self._num_streams and "header" in str(error):
            return DataLossError(
                f"{self._path} is no {self._kind.lower()} file: it begins with {self._input[:8]!r}; "
                "is its suffix, or compression_type, right?"
            )
        return DataLossError(
            f"{self._path} is corrupt between byte {start} and byte {self._num_read}: {error}; fetch or write it again"
        )

    def close(self) -> None:
        self._file.close()


class _Unzstd:
    """What is in a zstd file: one frame or several."""

    def __init__(self, file: Any, path: str) -> None:
        import pyarrow

        self._file = file
        self._path = path
        self._counted = _Counted(file)
        self._stream = pyarrow.CompressedInputStream(pyarrow.PythonFile(self._counted, "r"), "zstd")

    def read(self, size: int, /) -> bytes:
        try:
            data: bytes = self._stream.read(_ZSTD_BYTES)
        except OSError as error:
            raise self._broken(str(error)) from None
        if not data and not self._counted.num_read:
            raise self._broken("Truncated compressed stream")
        return data

    def _broken(self, told: str) -> DataLossError:
        at = self._counted.num_read
        if "Truncated" in told:
            return DataLossError(
                f"{self._path} is cut off: it ends at byte {at}, in the middle of its zstd stream; "
                "fetch or write it again"
            )
        return DataLossError(f"{self._path} is corrupt or no zstd file, at or before byte {at}: {told}")

    def close(self) -> None:
        self._file.close()


class _Counted:
    """A file as pyarrow wants it, which counts what was read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.num_read = 0
        self.closed = False

    def read(self, size: int = -1, /) -> bytes:
        data: bytes = self._file.read(size)
        self.num_read += len(data)
        return data

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True
