"""The first rows of a JPEG image and no others: for a window, what lies below it need not be decoded."""

from __future__ import annotations

import re
import struct
from typing import Any

from penstock.image import decoders, libraries
from penstock.image.content import Encoded
from penstock.image.geometry import Image
from penstock.image.memory import new_pixels

_MORE_ROWS = 2
"""The last row that is decoded takes its colours from itself alone, so it is not one that is asked for."""
_LEAST_SAVED = 16
"""Rows of the stored image; so many are decoded at once."""
_IS_ALL = re.compile(r"Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9")


def decode_first_rows(encoded: Encoded, channels: int, factor: int, rows: int) -> Image:
    """At least the first `rows` rows of `decode_stored`, the same to the bit.

    What is broken below them goes unnoticed, but that the data end too early does not.

    Raises:
        DataLossError, ImportError: As `decode_stored`.
    """
    height = (rows + _MORE_ROWS) * factor
    simplejpeg = libraries.simplejpeg()
    if simplejpeg is not None and encoded.header.height_at and height <= encoded.header.height - _LEAST_SAVED:
        first = _first_rows(simplejpeg, encoded, channels, factor, height)
        if first is not None:
            return first
    return decoders.decode_stored(encoded, channels, factor)


def _first_rows(simplejpeg: Any, encoded: Encoded, channels: int, factor: int, height: int) -> Image | None:
    """The image as if it had only `height` rows; None where that is not all there is to say of them.

    libjpeg stops after the height that the header tells, and then warns of the data that are left. It tells its first
    warning alone, so if that is the one, there was none about the rows.
    """
    shortened = bytearray(encoded.data)
    struct.pack_into(">H", shortened, encoded.header.height_at, height)
    size = -(-height // factor), -(-encoded.header.width // factor)
    image = new_pixels((*size, channels))
    least = {"min_height": size[0], "min_width": size[1]} if factor > 1 else {}
    try:
        simplejpeg.decode_jpeg(shortened, decoders.JPEG_COLOURS[channels], buffer=image, **least)
    except ValueError as error:
        return image if _IS_ALL.fullmatch(str(error)) else None
    return None
