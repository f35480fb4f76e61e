"""Encoded images to pixels: by the fastest library that is installed and safe for the format."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from penstock.errors import DataLossError
from penstock.image import libraries
from penstock.image.content import Encoded
from penstock.image.geometry import Image, Size
from penstock.image.memory import new_pixels

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
JPEG_COLOURS = {1: "GRAY", 3: "RGB", 4: "RGBA"}
"""What simplejpeg calls so many channels."""
_FACTORS = (2, 4, 8)
_MEMORY_ADDRESS = re.compile(r" <_io\.BytesIO object at \w+>")
"""What Pillow calls bytes in memory, and no two runs alike."""

Decode = Callable[[Any, Encoded, int, int], Any]


class Unsupported(Exception):
    """The library has no way to decode this image, which says nothing of the image."""


def factors(encoded: Encoded) -> Sequence[int]:
    """By how much it may be decoded smaller."""
    return _FACTORS if encoded.header.format == "JPEG" else ()


def decode_stored(encoded: Encoded, channels: int, factor: int = 1) -> Image:
    """The pixels as they are stored, not turned, as a uint8 array of shape (height, width, channels).

    With `factor`, each side is divided by it and rounded up.

    Raises:
        DataLossError: The library reports that the image is broken.
        ImportError: No library is installed that decodes it.
    """
    refused: DataLossError | None = None
    for find, decode, shown in _preferred(encoded, channels):
        library = find()
        if library is None:
            continue
        try:
            image: Image = decode(library, encoded, channels, factor)
        except Unsupported as error:
            refused = refused or encoded.broken(shown, error)
            continue
        except (DataLossError, MemoryError):
            raise
        except Exception as error:
            raise _broken(encoded, shown, error) from error
        if image.shape != (*_smaller(encoded, factor), channels):
            raise encoded.broken(shown, f"its header says another size than {image.shape[0]} x {image.shape[1]}")
        return image
    raise refused or libraries.missing(encoded.method, "simplejpeg, OpenCV or Pillow")


@contextmanager
def _reporting(encoded: Encoded, library: str) -> Iterator[None]:
    """Whatever a library raises, as an error of the image."""
    try:
        yield
    except (DataLossError, MemoryError):
        raise
    except Exception as error:
        raise _broken(encoded, library, error) from error


def _broken(encoded: Encoded, library: str, error: Exception) -> DataLossError:
    """Of an error of any type: each library has its own, and Pillow several."""
    told = _MEMORY_ADDRESS.sub("", " ".join(str(error).split()))
    return encoded.broken(library, told or type(error).__name__)


def _smaller(encoded: Encoded, factor: int) -> Size:
    return -(-encoded.header.height // factor), -(-encoded.header.width // factor)


def _preferred(encoded: Encoded, channels: int) -> Sequence[tuple[Callable[[], Any], Decode, str]]:
    if encoded.header.format == "JPEG":
        return _SIMPLEJPEG, _OPENCV, _PILLOW  # the first alone makes errors of libjpeg's warnings
    if channels == 4 or encoded.header.format in ("GIF", "TIFF"):
        return _PILLOW, _OPENCV  # OpenCV multiplies colours of TIFF with alpha, and leaves palettes as BGR
    return _OPENCV, _PILLOW


def _by_simplejpeg(simplejpeg: Any, encoded: Encoded, channels: int, factor: int) -> Any:
    height, width = _smaller(encoded, factor)
    least = {"min_height": height, "min_width": width} if factor > 1 else {}
    image = new_pixels((height, width, channels))
    try:
        return simplejpeg.decode_jpeg(encoded.data, JPEG_COLOURS[channels], buffer=image, **least)
    except ValueError as error:
        if "subsampling" in str(error):  # of kinds that libjpeg-turbo does not name, though libjpeg decodes them
            raise Unsupported(error) from error
        raise


def _by_opencv(cv2: Any, encoded: Encoded, channels: int, factor: int) -> Any:
    with libraries.one_thread(cv2):
        image = cv2.imdecode(np.frombuffer(encoded.data, np.uint8), _opencv_flags(cv2, channels, factor))
        if image is None:
            raise encoded.broken("OpenCV", "it gives no reason, or prints one")
        if channels == 4:
            return _with_alpha(cv2, image)
        return image[:, :, None] if channels == 1 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB, image)


@functools.cache
def _opencv_flags(cv2: Any, channels: int, factor: int) -> int:
    if channels == 4:
        return int(cv2.IMREAD_UNCHANGED)
    kind = "GRAYSCALE" if channels == 1 else "COLOR"
    flags = getattr(cv2, f"IMREAD_{kind}" if factor == 1 else f"IMREAD_REDUCED_{kind}_{factor}")
    return int(flags | cv2.IMREAD_IGNORE_ORIENTATION)


def _with_alpha(cv2: Any, image: Any) -> Any:
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise Unsupported(f"its pixels are {image.dtype}")
    if image.ndim == 2:
        return cv2.cvtColor(image, cv2.COLOR_GRAY2RGBA)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGBA if image.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _by_pillow(pillow: Any, encoded: Encoded, channels: int, factor: int) -> Any:
    with pillow.open(io.BytesIO(encoded.data)) as image:
        if factor > 1:
            # Pillow divides the sizes to find the factor, and wants no more pixels than there will be.
            image.draft(image.mode, (max(1, image.width // factor), max(1, image.height // factor)))
        return _converted(image, channels)


_SIMPLEJPEG = (libraries.simplejpeg, _by_simplejpeg, "simplejpeg")
_OPENCV = (libraries.opencv, _by_opencv, "OpenCV")
_PILLOW = (libraries.pillow, _by_pillow, "Pillow")


def decode_frames(encoded: Encoded, channels: int, max_pixels: int) -> Image:
    """Each frame of an animation, drawn over those before it: shape (frames, height, width, channels)."""
    pillow, cv2 = libraries.pillow(), libraries.opencv()
    if pillow is None and cv2 is None:
        raise libraries.missing(encoded.method, "Pillow or OpenCV")
    if pillow is None:
        return _frames_by_opencv(cv2, encoded, channels, max_pixels)
    with _reporting(encoded, "Pillow"), pillow.open(io.BytesIO(encoded.data)) as image:
        number = getattr(image, "n_frames", 1)
    _check_frames(encoded, number, max_pixels)
    with _reporting(encoded, "Pillow"), pillow.open(io.BytesIO(encoded.data)) as image:
        return np.stack([_frame(image, place, channels) for place in range(number)])


def _frames_by_opencv(cv2: Any, encoded: Encoded, channels: int, max_pixels: int) -> Image:
    with _reporting(encoded, "OpenCV"):
        found, animation = cv2.imdecodeanimation(np.frombuffer(encoded.data, np.uint8))
        if not found:
            raise ValueError("it finds no frame")
    _check_frames(encoded, len(animation.frames), max_pixels)
    to = {1: "GRAY", 3: "RGB", 4: "RGBA"}[channels]
    frames = [cv2.cvtColor(one, getattr(cv2, f"COLOR_BGR{'A' * (one.shape[2] == 4)}2{to}")) for one in animation.frames]
    return np.stack(frames).reshape(len(frames), *frames[0].shape[:2], channels)


def _check_frames(encoded: Encoded, number: int, max_pixels: int) -> None:
    height, width = encoded.header.height, encoded.header.width
    if number * height * width > max_pixels:
        raise ValueError(
            f"image.{encoded.method}(): {encoded.name} has {number} frames of {height} x {width} pixels, more than "
            f"max_pixels={max_pixels}; pass max_pixels={number * height * width} if they are to be decoded"
        )


def _frame(image: Any, place: int, channels: int) -> Any:
    image.seek(place)
    return _converted(image, channels)


def _converted(image: Any, channels: int) -> Any:
    """Pixels of a Pillow image, alpha dropped unless it is asked for, 16 bits cut to their upper 8."""
    mode = _MODES[channels]
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return _of_grey(grey, channels)
    if image.mode in ("I", "F"):
        if image.format != "PNG":
            raise ValueError(
                f"its pixels are numbers of 32 bits (mode {image.mode!r}), which have no meaning as colours"
            )
        return _of_grey((np.asarray(image) >> 8).astype(np.uint8), channels)
    if "transparency" in image.info:
        image = image.convert("RGBA")
    # np.array, not np.asarray: the caller may write into what it gets.
    pixels = np.array(image if image.mode == mode else image.convert(mode))
    return pixels.reshape(*pixels.shape[:2], channels)


def _of_grey(grey: Any, channels: int) -> Any:
    image = np.repeat(grey[:, :, None], channels, axis=2)
    if channels == 4:
        image[:, :, 3] = 255
    return image
