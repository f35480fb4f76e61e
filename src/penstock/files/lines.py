"""Chunks of whole lines, with the byte at which each begins."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.files.opening import open_bytes

_FIRST_BYTES = 1 << 16
_MOST_BYTES = 1 << 17  # larger ones leave the cache of the processor (bench_text_lines.py)


def line_chunks(
    path: str, compression: str | None, start: int, buffer_bytes: int | None
) -> Iterator[tuple[int, bytes]]:
    """The contents of a file in chunks that end with a newline, each with the byte at which it begins.

    The last one may lack the newline. Bytes of compressed files are counted as they were before.

    Args:
        path: A local file or a URL.
        compression: "GZIP", "ZLIB", "ZSTD" or None.
        start: The byte to begin at; it has to be the first of a line.
        buffer_bytes: How much to read at once; if not given, little at first, so that the first lines come soon.

    Raises:
        OSError: There is no such file, or it may not be read.
        DataLossError: It is broken; raised after all whole lines before that place.
    """
    size, most = (buffer_bytes, buffer_bytes) if buffer_bytes else (_FIRST_BYTES, _MOST_BYTES)
    stream = open_bytes(path, compression, start)
    try:
        # The beginning of a line whose end was not read yet; in pieces, since lines may be long.
        begun: list[bytes] = []
        while data := stream.read(size):
            stop = data.rfind(b"\n") + 1
            if not stop:
                begun.append(data)
                continue
            chunk = b"".join([*begun, memoryview(data)[:stop]])
            begun = [data[stop:]] if stop < len(data) else []
            yield start, chunk
            start += len(chunk)
            size = min(2 * size, most)
        if begun:
            yield start, b"".join(begun)
    finally:
        stream.close()


def split_lines(chunk: bytes) -> list[bytes]:
    """The lines of a chunk, without their newlines.

    >>> split_lines(b"one\\r\\n\\ntwo")
    [b'one', b'', b'two']
    """
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n")
    lines = chunk.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines
