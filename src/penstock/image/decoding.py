"""Encoded images to arrays and back: `decode` and `encode`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from penstock import calls
from penstock.image import libraries
from penstock.image.content import MAX_PIXELS, pixels_of
from penstock.image.decoders import decode_frames, decode_stored
from penstock.image.geometry import Image, turned
from penstock.image.picture import ImageOrFile, encoded
from penstock.image.sizes import resize

_FORMATS = ("JPEG", "PNG", "WebP")


def decode(
    data: ImageOrFile,
    *,
    channels: int = 3,
    size: int | Sequence[int] | None = None,
    shorter_side: int | None = None,
    frames: bool = False,
    antialias: bool = True,
    max_pixels: int = MAX_PIXELS,
) -> Image:
    """Decode a JPEG, PNG, WebP, GIF, BMP or TIFF image to a uint8 array of shape (height, width, channels).

    >>> photo = np.full((300, 400, 3), 200, np.uint8)
    >>> image.decode(image.encode(photo, "PNG")).shape, image.decode(image.encode(photo), shorter_side=150).shape
    ((300, 400, 3), (150, 200, 3))

    The content decides on the format, no name does. The image is turned as its EXIF data say. Alpha is dropped unless
    `channels=4`; 16 bits are cut to their upper 8; palettes and CMYK become colours. Colour profiles are not applied.

    Args:
        data: The path or URL of a file, or its bytes.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        size: Resize to (height, width), or to a square.
        shorter_side: Resize so that the shorter side has this many pixels. A JPEG image is decoded no larger than
            either of the two needs.
        frames: Decode all frames of an animation: shape (frames, height, width, channels).
        antialias: As in `resize`.
        max_pixels: The most pixels to decode; more are refused by the header.

    Raises:
        DataLossError: The image is broken, as far as a library reports it, or none; names path and reason. Warnings of
            libjpeg are errors if simplejpeg is installed.
        OSError: There is no such file.
        TypeError: `data` is neither path nor bytes.
        ValueError: It has more than `max_pixels`, or another argument is none of those values.
        ImportError: No library is installed that decodes it.

    See also: resize, random_resized_crop, encode.
    """
    if frames:
        if size is not None or shorter_side is not None:
            raise ValueError("image.decode(): frames=True decodes whole frames; resize() each of them after that")
        return decode_frames(encoded("decode", data, channels, max_pixels), channels, max_pixels)
    if pixels_of("decode", data, any_dtype=True) is not None:
        raise TypeError("image.decode() takes a path or encoded bytes, but was given pixels; use resize() for these")
    if size is None and shorter_side is None:
        found = encoded("decode", data, channels, max_pixels)
        return turned(decode_stored(found, channels), found.header.orientation)
    return resize(data, size, shorter_side=shorter_side, antialias=antialias, channels=channels, max_pixels=max_pixels)


def encode(image: Image, format: str = "JPEG", *, quality: int = 92) -> bytes:
    """Encode a uint8 array of shape (height, width, channels), where channels is 1, 3 or, but for JPEG, 4.

    >>> image.encode(np.zeros((8, 8, 3), np.uint8), "PNG")[:4]
    b'\\x89PNG'

    Args:
        image: The pixels.
        format: "JPEG", "PNG" or "WebP".
        quality: 1 to 100, for JPEG and WebP.

    Raises:
        TypeError: The image is no uint8 array, or `quality` no whole number.
        ValueError: Its shape is another, or `format` or `quality` none of those values.
        ImportError: No library is installed that encodes it.

    See also: decode.
    """
    name = {known.lower(): known for known in _FORMATS}.get(str(format).lower())
    if name is None:
        raise ValueError(f"image.encode(): format must be one of {', '.join(_FORMATS)}, but is {format!r}")
    pixels = pixels_of("encode", image)
    if pixels is None:
        raise TypeError(f"image.encode() takes an array of shape (height, width, channels), but was given {image!r}")
    if calls.count("image.encode", "quality", quality, minimum=1) > 100:
        raise ValueError(f"image.encode(): quality must be at most 100, but is {quality}")
    if name == "JPEG" and pixels.shape[2] == 4:
        raise ValueError("image.encode(): JPEG has no alpha; write image[..., :3], or use PNG or WebP")
    return _encoded(pixels, name, quality)


def _encoded(image: Any, name: str, quality: int) -> bytes:
    simplejpeg, cv2, pillow = libraries.simplejpeg(), libraries.opencv(), libraries.pillow()
    if name == "JPEG" and simplejpeg is not None:
        grey = image.shape[2] == 1
        contiguous = image if image.flags.c_contiguous else image.copy()
        subsampling, colours = ("Gray", "GRAY") if grey else ("420", "RGB")
        return bytes(simplejpeg.encode_jpeg(contiguous, quality, colours, subsampling))
    if pillow is not None:
        file = io.BytesIO()
        pillow.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(file, name, quality=quality)
        return file.getvalue()
    if cv2 is None:
        raise libraries.missing("encode", "simplejpeg, OpenCV or Pillow")
    conversion = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(image.shape[2])
    stored = image if conversion is None else cv2.cvtColor(image, conversion)
    setting = {"JPEG": cv2.IMWRITE_JPEG_QUALITY, "WebP": cv2.IMWRITE_WEBP_QUALITY}.get(name)
    _, data = cv2.imencode(f".{name.lower()}", stored, [] if setting is None else [setting, quality])
    return bytes(data)
