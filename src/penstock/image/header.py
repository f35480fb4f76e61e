"""What an encoded image says of itself before it is decoded: format, size, orientation."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

FORMATS = "JPEG, PNG, GIF, WebP, BMP and TIFF"
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
_ORIENTATION, _WIDTH, _HEIGHT = 0x0112, 0x0100, 0x0101
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset([0x01, *range(0xD0, 0xD9)])
_START_OF_SCAN = 0xDA
_CHUNK, _CHECKSUM = struct.Struct(">I4s"), struct.Struct(">I")
"""Of PNG: what precedes a chunk's content, and what follows it."""
_ROW_AFTER_ROW = frozenset([0xC0, 0xC1])
"""The frames that are not progressive."""
_RESTARTS = 0xDD
_GREY_OR_COLOURS = frozenset([1, 3])


class BrokenHeader(Exception):
    """Says in one clause what is wrong with the bytes."""


class Header(NamedTuple):
    """The size is that of the pixels as decoders give them, before they are turned the way `orientation` says."""

    format: str
    height: int
    width: int
    orientation: int = 1
    """1 to 8, as EXIF counts them; 5 to 8 swap height and width."""
    height_at: int = 0
    """The byte at which a JPEG image says its height, if all its rows are stored in one piece; else 0."""


def read_header(data: memoryview) -> Header:
    """The header of an image in any of the known formats; the content decides, no name does.

    Raises:
        BrokenHeader: The bytes are of none of the formats, end within the header, or fail a checksum.
    """
    found = _format_of(bytes(data[:16]))
    try:
        header = _READERS[found](data)
    except (struct.error, IndexError):
        raise BrokenHeader(f"a {found} image that is cut off after {len(data)} bytes") from None
    if header.height < 1 or header.width < 1:
        raise BrokenHeader(f"a {found} image of {header.width} x {header.height} pixels")
    return header


def _format_of(first: bytes) -> str:
    for signature, name in _SIGNATURES:
        if first.startswith(signature):
            return name
    if first[:4] == b"RIFF" and first[8:12] == b"WEBP":
        return "WebP"
    if not first:
        raise BrokenHeader("no bytes at all")
    raise BrokenHeader(f"bytes that begin with {first[:12]!r}, which is none of {FORMATS}")


def _jpeg(data: memoryview) -> Header:
    size: tuple[int, int] | None = None
    orientation, height_at, has_restarts = 1, 0, False
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xE1 and bytes(data[start : start + 6]) == b"Exif\0\0":
            orientation = _orientation(data[start + 6 : end])
        elif marker in _START_OF_FRAME and size is None:
            height, width, components = struct.unpack_from(">HHB", data, start + 1)
            size = height, width
            if marker in _ROW_AFTER_ROW and components in _GREY_OR_COLOURS:
                height_at = start + 1
        elif marker == _RESTARTS and any(data[start : start + 2]):
            has_restarts = True
    if size is None:
        raise BrokenHeader("a JPEG image without a frame")
    return Header("JPEG", *size, orientation, 0 if has_restarts else height_at)


def _jpeg_segments(data: memoryview) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the content of each segment before the first scan."""
    place = 2
    while True:
        while data[place] != 0xFF:  # decoders skip what stands between segments
            place += 1
        while data[place] == 0xFF:
            place += 1
        marker = data[place]
        place += 1
        if marker == _START_OF_SCAN:
            return
        if marker in _WITHOUT_LENGTH:
            continue
        (length,) = struct.unpack_from(">H", data, place)
        yield marker, place + 2, place + length
        place += max(2, length)


def _png(data: memoryview) -> Header:
    """Checks every chunk's checksum too: not every decoder does, and a wrong one means wrong pixels."""
    width, height = struct.unpack_from(">II", data, 16)
    orientation, place, kind = 1, 8, b""
    while kind != b"IEND":
        length, kind = _CHUNK.unpack_from(data, place)
        end = place + 8 + length
        if zlib.crc32(data[place + 4 : end]) != _CHECKSUM.unpack_from(data, end)[0]:
            name = kind.decode("latin-1")
            raise BrokenHeader(f"a PNG image whose chunk {name!r} at byte {place} fails its checksum")
        if kind == b"eXIf":
            orientation = _orientation(data[place + 8 : end])
        place = end + 4
    return Header("PNG", height, width, orientation)


def _gif(data: memoryview) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("GIF", height, width)


def _webp(data: memoryview) -> Header:
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data):
        raise BrokenHeader(f"a WebP image of {length + 8} bytes that is cut off after {len(data)}")
    kind = bytes(data[12:16])
    if kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
        return Header("WebP", height, width)
    if kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        return Header("WebP", (packed >> 14 & 0x3FFF) + 1, (packed & 0x3FFF) + 1)
    width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    return Header("WebP", height, width, _webp_orientation(data))


def _webp_orientation(data: memoryview) -> int:
    place = 12
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        if kind == b"EXIF":
            content = data[place + 8 : place + 8 + length]
            return _orientation(content[6:] if bytes(content[:6]) == b"Exif\0\0" else content)
        place += 8 + length + length % 2
    return 1


def _bmp(data: memoryview) -> Header:
    (length,) = struct.unpack_from("<I", data, 14)
    if length == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return Header("BMP", abs(height), width)  # below 0: rows from top to bottom


def _tiff(data: memoryview) -> Header:
    tags = _tiff_tags(data)
    if _WIDTH not in tags or _HEIGHT not in tags:
        raise BrokenHeader("a TIFF image that does not say its size")
    height, width = tags[_HEIGHT], tags[_WIDTH]
    # Every decoder turns a TIFF image itself.
    return Header("TIFF", width, height) if tags.get(_ORIENTATION, 1) in (5, 6, 7, 8) else Header("TIFF", height, width)


def _orientation(exif: memoryview) -> int:
    """A broken EXIF block turns nothing, as in every viewer."""
    try:
        return _valid(_tiff_tags(exif).get(_ORIENTATION, 1))
    except (struct.error, IndexError):
        return 1


def _valid(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 1


def _tiff_tags(data: memoryview) -> dict[int, int]:
    """The single whole numbers of the first directory, by tag."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]), "")
    if not order:
        return {}
    (start,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, start)
    tags = {}
    for place in range(start + 2, start + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", data, place)
        if count == 1 and kind in (3, 4):
            (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, place + 8)
    return tags


_READERS = {"JPEG": _jpeg, "PNG": _png, "GIF": _gif, "WebP": _webp, "BMP": _bmp, "TIFF": _tiff}
