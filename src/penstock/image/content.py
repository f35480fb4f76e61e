"""What a user hands over as an image: an array of pixels, encoded bytes, or the path of a file."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penstock.errors import DataLossError
from penstock.files.opening import read_whole
from penstock.image.header import BrokenHeader, Header, read_header

MAX_PIXELS = 2**27
"""What is decoded at most unless the caller allows more: 134 million pixels, of 400 MB."""


class Encoded(NamedTuple):
    """An image that is not decoded yet."""

    method: str
    name: str
    """The path, or what was handed over."""
    data: bytes
    header: Header

    def broken(self, library: str, why: object) -> DataLossError:
        """The error where a library cannot decode it."""
        return _broken(self.method, self.name, f"a {self.header.format} image that {library} cannot decode: {why}")


def pixels_of(method: str, value: Any, any_dtype: bool = False) -> NDArray[Any] | None:
    """`value` if it is an array of shape (height, width, channels); None for what is encoded or a path.

    Raises:
        TypeError: It is an array of another dtype than uint8, and that matters.
        ValueError: It is an array of another shape.
    """
    if not isinstance(value, np.ndarray) or value.dtype.kind in "SUTO" or (value.ndim == 1 and value.dtype == np.uint8):
        return None
    if value.ndim != 3 or 0 in value.shape or (not any_dtype and value.shape[2] not in (1, 3, 4)):
        hint = "; write image[..., None] for one without channels" if value.ndim == 2 else ""
        raise ValueError(
            f"image.{method}(): an image must have shape (height, width, channels) with 1, 3 or 4 channels, "
            f"but has {value.shape}{hint}"
        )
    if not any_dtype and value.dtype != np.uint8:
        raise TypeError(
            f"image.{method}(): an image must be uint8, but is {value.dtype}; call it before normalize(), or convert "
            "with np.clip(image, 0, 255).astype(np.uint8)"
        )
    return value


def read_encoded(method: str, value: Any, max_pixels: int) -> Encoded:
    """Read the file, if it is a path, and the header; nothing is decoded.

    Raises:
        TypeError: It is neither bytes nor a path.
        OSError: There is no such file.
        DataLossError: It is no image of a known format, or its header is broken.
        ValueError: It has more than `max_pixels`.
    """
    data, name = _bytes_of(method, value)
    try:
        header = read_header(memoryview(data))
    except BrokenHeader as found:
        raise _broken(method, name, str(found)) from None
    if header.height * header.width > max_pixels:
        raise ValueError(
            f"image.{method}(): {name} has {header.height} x {header.width} pixels, more than max_pixels={max_pixels}; "
            f"pass max_pixels={header.height * header.width} if it is to be decoded"
        )
    return Encoded(method, name, data, header)


def _broken(method: str, name: str, what: str) -> DataLossError:
    return DataLossError(
        f'image.{method}(): {name} holds {what}; fetch or write it again, or leave such images out with on_error="skip"'
    )


def _bytes_of(method: str, value: Any) -> tuple[bytes, str]:
    if isinstance(value, (str, os.PathLike)):
        path = os.fsdecode(value)
        return read_whole(path), path
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return _bytes_of(method, value.item())
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == np.uint8:
        return value.tobytes(), f"the array of {value.size} bytes"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), f"the {len(value)} bytes handed over"
    found = f"an array of {value.dtype}, shape {value.shape}" if isinstance(value, np.ndarray) else repr(value)
    raise TypeError(f"image.{method}() takes a path, encoded bytes or an array of pixels, but was given {found}")
