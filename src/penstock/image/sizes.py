"""Other sizes: `resize`, `central_crop`, `random_crop` and `random_resized_crop`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from penstock.image import asked
from penstock.image.content import MAX_PIXELS
from penstock.image.geometry import Box, Image, Size
from penstock.image.picture import ImageOrFile, Picture, generator, picture, sides, with_shorter_side

_FITS = ("exact", "pad", "crop")
_ATTEMPTS = 10
"""Random windows that are tried before the largest in the middle is taken, as in torchvision."""


def resize(
    image: ImageOrFile,
    size: int | Sequence[int] | None = None,
    *,
    shorter_side: int | None = None,
    fit: str = "exact",
    fill: int | Sequence[int] = 0,
    antialias: bool = True,
    channels: int = 3,
    max_pixels: int = MAX_PIXELS,
) -> Image:
    """Resize an image, or decode one to another size, by Pillow's bilinear filter or what is very like it.

    >>> photo = np.zeros((300, 400, 3), np.uint8)
    >>> image.resize(photo, (60, 60)).shape, image.resize(photo, shorter_side=60).shape
    ((60, 60, 3), (60, 80, 3))

    A JPEG image that is to become less than half as large is decoded at 1/2, 1/4 or 1/8, which is quicker.

    Args:
        image: A uint8 array of shape (height, width, channels), encoded bytes, or a path.
        size: (height, width), or one number for a square.
        shorter_side: The shorter side's pixels, instead of `size`; the other side keeps the proportion.
        fit: "exact" stretches to `size`; "pad" keeps the proportion and fills what is left over on both sides; "crop"
            keeps it and cuts off what is too much on both sides.
        fill: What to pad with: a number, or one for each channel.
        antialias: Take the mean of all source pixels that a pixel stands for; without it, of the nearest four, which is
            what OpenCV and tf.image do unless told otherwise, and quicker.
        channels: As in `decode`, for what is encoded.
        max_pixels: As in `decode`.

    Raises:
        DataLossError, OSError, ImportError: As `decode`.
        TypeError: The image is of another type or dtype.
        ValueError: Neither or both of `size` and `shorter_side` are given, or an argument is none of those values.

    See also: decode, central_crop.
    """
    if (size is None) == (shorter_side is None):
        raise ValueError("image.resize(): give either size or shorter_side")
    if fit not in _FITS or (fit != "exact" and size is None):
        raise ValueError(f'image.resize(): fit must be "exact" or, with size, "pad" or "crop", but is {fit!r}')
    found = picture("resize", image, channels, max_pixels)
    if size is None:
        assert shorter_side is not None
        return _all_of(found, with_shorter_side("resize", found.size, shorter_side), antialias)
    wanted = sides("resize", size)
    if fit == "pad":
        return _padded(found, wanted, fill, antialias)
    box = _largest_middle(found.size, wanted[1] / wanted[0]) if fit == "crop" else Box.whole(found.size)
    return found.window(box, wanted, antialias)


def central_crop(
    image: ImageOrFile,
    size: int | Sequence[int],
    *,
    shorter_side: int | None = None,
    antialias: bool = True,
    channels: int = 3,
    max_pixels: int = MAX_PIXELS,
) -> Image:
    """Cut out the middle, after resizing to `shorter_side` if that is given.

    >>> image.central_crop(np.zeros((300, 400, 3), np.uint8), 224, shorter_side=256).shape
    (224, 224, 3)

    Args:
        image: An array of shape (height, width, channels), encoded bytes, or a path.
        size: (height, width) of the crop, or one number for a square.
        shorter_side: As in `resize`; without it pixels are as they were.
        antialias: As in `resize`.
        channels: As in `decode`, for what is encoded.
        max_pixels: As in `decode`.

    Raises:
        DataLossError, OSError, ImportError: As `decode`.
        TypeError: The image is of another type or dtype.
        ValueError: The image is smaller than the crop, or an argument is none of those values.

    See also: resize, random_crop.
    """
    found = picture("central_crop", image, channels, max_pixels, any_dtype=shorter_side is None)
    height, width = wanted = sides("central_crop", size)
    whole = _size_before_crop(found, shorter_side, wanted)
    top, left = (whole[0] - height) // 2, (whole[1] - width) // 2
    if shorter_side is None:
        return np.ascontiguousarray(found.whole()[top : top + height, left : left + width])
    rows, columns = found.size[0] / whole[0], found.size[1] / whole[1]
    return found.window(Box(top * rows, left * columns, height * rows, width * columns), wanted, antialias)


def random_crop(
    image: ImageOrFile,
    size: int | Sequence[int],
    rng: np.random.Generator,
    *,
    shorter_side: int | None = None,
    antialias: bool = True,
    channels: int = 3,
    max_pixels: int = MAX_PIXELS,
) -> Image:
    """Cut out a part at a random place, of the image as it is or as it would be with `shorter_side` pixels.

    >>> image.random_crop(np.zeros((300, 400, 3), np.uint8), 224, np.random.default_rng(0), shorter_side=256).shape
    (224, 224, 3)

    With `shorter_side`, only the part that the crop shows is resized; it begins and ends between pixels of the source.

    Args:
        image: An array of shape (height, width, channels), encoded bytes, or a path.
        size: (height, width) of the crop, or one number for a square.
        rng: The generator that `random_map` hands over.
        shorter_side: As in `resize`; without it pixels are as they were.
        antialias: As in `resize`.
        channels: As in `decode`, for what is encoded.
        max_pixels: As in `decode`.

    Raises:
        DataLossError, OSError, ImportError: As `decode`.
        TypeError: The image is of another type or dtype, or `rng` no generator.
        ValueError: The image is smaller than the crop, or an argument is none of those values.

    See also: random_resized_crop, central_crop.
    """
    draws = generator("random_crop", rng)
    found = picture("random_crop", image, channels, max_pixels, any_dtype=shorter_side is None)
    height, width = wanted = sides("random_crop", size)
    whole = _size_before_crop(found, shorter_side, wanted)
    top = int(draws.integers(whole[0] - height + 1))
    left = int(draws.integers(whole[1] - width + 1))
    if shorter_side is None:
        return np.ascontiguousarray(found.whole()[top : top + height, left : left + width])
    rows, columns = found.size[0] / whole[0], found.size[1] / whole[1]
    box = _between_pixels(Box(top * rows, left * columns, height * rows, width * columns), found.size)
    return found.window(box, wanted, antialias)


def random_resized_crop(
    image: ImageOrFile,
    size: int | Sequence[int],
    rng: np.random.Generator,
    *,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    antialias: bool = True,
    channels: int = 3,
    max_pixels: int = MAX_PIXELS,
) -> Image:
    """Cut out a part of random size, proportion and place, and resize it: the usual way to train on photographs.

    >>> image.random_resized_crop(np.zeros((300, 400, 3), np.uint8), 224, np.random.default_rng(0)).shape
    (224, 224, 3)

    The part is drawn as in "Going deeper with convolutions" (Szegedy et al. 2014), by the size in the header, and only
    that part is resized; a JPEG image is decoded no larger than the part needs.

    Args:
        image: A uint8 array of shape (height, width, channels), encoded bytes, or a path.
        size: (height, width) of the result, or one number for a square.
        rng: The generator that `random_map` hands over.
        scale: The least and the greatest share of the image's area.
        ratio: The least and the greatest width for a height of 1; drawn evenly on a logarithmic scale.
        antialias: As in `resize`.
        channels: As in `decode`, for what is encoded.
        max_pixels: As in `decode`.

    Raises:
        DataLossError, OSError, ImportError: As `decode`.
        TypeError: The image is of another type or dtype, or `rng` no generator.
        ValueError: An argument is none of those values.

    See also: random_crop, resize.
    """
    draws = generator("random_resized_crop", rng)
    scale = asked.span("random_resized_crop", "scale", scale, 1)
    ratio = asked.span("random_resized_crop", "ratio", ratio)
    found = picture("random_resized_crop", image, channels, max_pixels)
    wanted = sides("random_resized_crop", size)
    return found.window(_drawn_box(found.size, draws, scale, ratio), wanted, antialias)


def _drawn_box(size: Size, draws: np.random.Generator, scale: tuple[float, float], ratio: tuple[float, float]) -> Box:
    area = size[0] * size[1]
    for _ in range(_ATTEMPTS):
        part = area * draws.uniform(*scale)
        proportion = math.exp(draws.uniform(math.log(ratio[0]), math.log(ratio[1])))
        height, width = round(math.sqrt(part / proportion)), round(math.sqrt(part * proportion))
        if 0 < height <= size[0] and 0 < width <= size[1]:
            top = int(draws.integers(size[0] - height + 1))
            return Box(top, int(draws.integers(size[1] - width + 1)), height, width)
    proportion = min(max(size[1] / size[0], ratio[0]), ratio[1])
    return _between_pixels(_largest_middle(size, proportion), size)


def _largest_middle(size: Size, proportion: float) -> Box:
    """The largest window in the middle whose width is `proportion` times its height."""
    height, width = min(size[0], size[1] / proportion), min(size[1], size[0] * proportion)
    return Box((size[0] - height) / 2, (size[1] - width) / 2, height, width)


def _between_pixels(box: Box, size: Size) -> Box:
    """The window moved and stretched by less than a pixel, so that no pixel is cut."""
    height, width = min(size[0], max(1, round(box.height))), min(size[1], max(1, round(box.width)))
    return Box(min(round(box.top), size[0] - height), min(round(box.left), size[1] - width), height, width)


def _all_of(found: Picture, size: Size, antialias: bool) -> Image:
    return found.window(Box.whole(found.size), size, antialias)


def _size_before_crop(found: Picture, shorter_side: int | None, wanted: Size) -> Size:
    size = found.size if shorter_side is None else with_shorter_side(found.method, found.size, shorter_side)
    if wanted[0] > size[0] or wanted[1] > size[1]:
        name = found.encoded.name if found.encoded is not None else "the image"
        hint = "pass" if shorter_side is None else "use a larger"
        raise ValueError(
            f"image.{found.method}(): the crop of {wanted[0]} x {wanted[1]} is larger than {name}, of {size[0]} x "
            f"{size[1]} pixels; {hint} shorter_side={max(wanted)}, or a smaller size"
        )
    return size


def _padded(found: Picture, wanted: Size, fill: int | Sequence[int], antialias: bool) -> Image:
    scale = min(wanted[0] / found.size[0], wanted[1] / found.size[1])
    height, width = (max(1, round(side * scale)) for side in found.size)
    colour = asked.for_channels(found.method, "fill", fill, found.channels, 0, 255)
    inner = _all_of(found, (height, width), antialias)
    padded = np.empty((*wanted, inner.shape[2]), np.uint8)
    padded[:] = colour
    top, left = (wanted[0] - height) // 2, (wanted[1] - width) // 2
    padded[top : top + height, left : left + width] = inner
    return padded
