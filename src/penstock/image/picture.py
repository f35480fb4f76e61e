"""An image as functions of this package take it: pixels, or encoded and then decoded no larger than is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from penstock import calls
from penstock.image import decoders
from penstock.image.content import Encoded, pixels_of, read_encoded
from penstock.image.first_rows import decode_first_rows
from penstock.image.geometry import Box, Image, Size, shown_size, stored_box, turned
from penstock.image.resampling import resample, rows_looked_at

ImageOrFile = Any
"""An array of pixels, encoded bytes, or a path."""

_SPARE = {2: 1.5, 4: 1.5, 8: 2.0}
"""How many times as large as the result a JPEG is decoded at least, by how much smaller it is decoded, where the result
is to be like Pillow's: with less, photographs differ from Pillow's by more than a grey level on average."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One of the two."""

    method: str
    pixels: Image | None
    encoded: Encoded | None
    channels: int

    @property
    def _encoded(self) -> Encoded:
        assert self.encoded is not None
        return self.encoded

    @property
    def size(self) -> Size:
        """Height and width of what is shown."""
        if self.pixels is not None:
            return self.pixels.shape[0], self.pixels.shape[1]
        header = self._encoded.header
        return shown_size((header.height, header.width), header.orientation)

    def whole(self) -> Image:
        """All pixels."""
        if self.pixels is not None:
            return self.pixels
        return turned(decoders.decode_stored(self._encoded, self.channels), self._encoded.header.orientation)

    def window(self, box: Box, size: Size, antialias: bool) -> Image:
        """A part of it in another size; decoded, resized and turned no more than that takes."""
        if self.pixels is not None:
            return resample(self.method, self.pixels, box, size, antialias)
        header = self._encoded.header
        box = stored_box(box, (header.height, header.width), header.orientation)
        size = shown_size(size, header.orientation)
        scale = min(box.height / size[0], box.width / size[1])
        fitting = (one for one in decoders.factors(self._encoded) if scale >= one * (_SPARE[one] if antialias else 1))
        factor = max(fitting, default=1)
        box = box.divided(factor)
        pixels = decode_first_rows(self._encoded, self.channels, factor, rows_looked_at(box, size))
        return turned(resample(self.method, pixels, box, size, antialias, factor > 1), header.orientation)


def picture(method: str, value: ImageOrFile, channels: int, max_pixels: int, any_dtype: bool = False) -> Picture:
    """What a user handed over, with the header read if it is encoded."""
    pixels = pixels_of(method, value, any_dtype)
    if pixels is not None:
        return Picture(method, pixels, None, pixels.shape[2])
    return Picture(method, None, encoded(method, value, channels, max_pixels), channels)


def encoded(method: str, value: ImageOrFile, channels: int, max_pixels: int) -> Encoded:
    """An image that has to be decoded, and how.

    Raises:
        TypeError, OSError, DataLossError, ValueError: As `read_encoded`, and where `channels` is not 1, 3 or 4.
    """
    if channels not in (1, 3, 4):
        raise ValueError(f"image.{method}(): channels must be 1 (grey), 3 (RGB) or 4 (RGBA), but is {channels!r}")
    return read_encoded(method, value, calls.count(f"image.{method}", "max_pixels", max_pixels, minimum=1))


def sides(method: str, size: int | Sequence[int], name: str = "size") -> Size:
    """A size as (height, width); one number stands for a square.

    Raises:
        TypeError: Something else than whole numbers.
        ValueError: One is below 1, or there are not two.
    """
    if isinstance(size, (tuple, list)):
        if len(size) != 2:
            raise ValueError(f"image.{method}(): {name} must be one number or (height, width), but is {size!r}")
        height, width = (calls.count(f"image.{method}", name, side, minimum=1) for side in size)
        return height, width
    side = calls.count(f"image.{method}", name, size, minimum=1)
    return side, side


def with_shorter_side(method: str, size: Size, shorter_side: int) -> Size:
    """The size after scaling so that the shorter side has `shorter_side` pixels."""
    scale = calls.count(f"image.{method}", "shorter_side", shorter_side, minimum=1) / min(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def generator(method: str, rng: Any) -> np.random.Generator:
    """`rng`, if it is a NumPy generator.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"image.{method}(): rng must be a numpy.random.Generator, such as random_map() hands to its function, but "
            f"is {rng!r}"
        )
    return rng
