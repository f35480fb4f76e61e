"""Changes of one image that keep its size: `random_flip`, `rotate`, `random_erasing`, `color_jitter`, `normalize`."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.image import asked, libraries
from penstock.image.content import pixels_of
from penstock.image.geometry import Image
from penstock.image.memory import new_floats
from penstock.image.picture import generator

_GREY = np.array([0.299, 0.587, 0.114])
_MOST_STRENGTH = 255.0
"""Of brightness, contrast and saturation; with more, each pixel is black or white."""
_TO_YIQ = np.array([_GREY, [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)
_LAYOUTS = ("HWC", "CHW")
_ATTEMPTS = 10
_MOST_DEGREES = 360_000
"""A thousand turns, which nobody means."""


def random_flip(
    image: NDArray[Any], rng: np.random.Generator, *, probability: float = 0.5, vertical: bool = False
) -> NDArray[Any]:
    """Mirror an image left to right, or top to bottom, or leave it as it is.

    >>> image.random_flip(np.arange(3).reshape(1, 3, 1), np.random.default_rng(0), probability=1).ravel().tolist()
    [2, 1, 0]

    Args:
        image: An array of shape (height, width, channels), of any dtype.
        rng: The generator that `random_map` hands over.
        probability: Of mirroring; 0 to 1.
        vertical: Top to bottom.

    Raises:
        TypeError: The image is no array, or `rng` no generator.
        ValueError: The image has another shape, or `probability` is not from 0 to 1.
    """
    pixels = _pixels("random_flip", image, any_dtype=True)
    share = asked.number("random_flip", "probability", probability, 0, 1)
    if generator("random_flip", rng).random() >= share:
        return pixels
    cv2 = libraries.opencv()
    if cv2 is not None and pixels.dtype in (np.uint8, np.float32) and pixels.shape[2] <= 4:
        with libraries.one_thread(cv2):
            flipped: NDArray[Any] = cv2.flip(pixels, 0 if vertical else 1)
        return flipped.reshape(pixels.shape)
    return np.ascontiguousarray(pixels[::-1] if vertical else pixels[:, ::-1])


def rotate(image: Image, degrees: float, *, fill: int | Sequence[int] = 0) -> Image:
    """Turn an image counter-clockwise around its middle; the size stays, and corners are cut off.

    >>> image.rotate(np.arange(4, dtype=np.uint8).reshape(2, 2, 1), 90)[:, :, 0].tolist()
    [[1, 3], [0, 2]]

    Args:
        image: A uint8 array of shape (height, width, channels).
        degrees: How far; `rng.uniform(-15, 15)` for a random one.
        fill: What is in the corners: a number, or one for each channel.

    Raises:
        TypeError: The image is no uint8 array, or `degrees` no number.
        ValueError: It has another shape, or `fill` has.
        ImportError: Neither OpenCV nor Pillow is installed.
    """
    pixels = _pixels("rotate", image)
    height, width, channels = pixels.shape
    degrees = asked.number("rotate", "degrees", degrees, -_MOST_DEGREES, _MOST_DEGREES)
    colour = asked.for_channels("rotate", "fill", fill, channels)
    cv2, pillow = libraries.opencv(), libraries.pillow()
    if cv2 is not None:
        turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
        with libraries.one_thread(cv2):
            turned = cv2.warpAffine(pixels, turn, (width, height), borderValue=colour.tolist())
        return turned.reshape(pixels.shape)  # type: ignore[no-any-return]
    if pillow is None:
        raise libraries.missing("rotate", "OpenCV or Pillow")
    whole = pillow.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    filled = tuple(int(value) for value in colour) if channels > 1 else int(colour[0])
    return np.array(whole.rotate(degrees, pillow.Resampling.BILINEAR, fillcolor=filled)).reshape(pixels.shape)


def random_erasing(
    image: NDArray[Any],
    rng: np.random.Generator,
    *,
    probability: float = 0.5,
    scale: tuple[float, float] = (0.02, 0.33),
    ratio: tuple[float, float] = (0.3, 3.3),
    fill: float | Sequence[float] = 0,
) -> NDArray[Any]:
    """Paint over a rectangle of random size, proportion and place, as in "Random Erasing Data Augmentation" (2017).

    >>> erased = image.random_erasing(np.ones((32, 32, 3), np.uint8), np.random.default_rng(0), probability=1)
    >>> bool(0.02 < (erased == 0).mean() < 0.33)
    True

    Args:
        image: An array of shape (height, width, channels), of any dtype; it is not written into.
        rng: The generator that `random_map` hands over.
        probability: Of painting; 0 to 1.
        scale: The least and the greatest share of the image's area.
        ratio: The least and the greatest width for a height of 1; drawn evenly on a logarithmic scale.
        fill: What to paint: a number, or one for each channel.

    Raises:
        TypeError: The image is no array, `rng` no generator, or `scale` or `ratio` no pair of numbers.
        ValueError: The image has another shape, or `fill` has; or another argument is none of those values.
    """
    pixels = _pixels("random_erasing", image, any_dtype=True)
    draws = generator("random_erasing", rng)
    colour = asked.for_channels("random_erasing", "fill", fill, pixels.shape[2])
    scale = asked.span("random_erasing", "scale", scale, 1)
    ratio = asked.span("random_erasing", "ratio", ratio)
    if draws.random() >= asked.number("random_erasing", "probability", probability, 0, 1):
        return pixels
    rows, columns = pixels.shape[:2]
    for _ in range(_ATTEMPTS):
        area = rows * columns * draws.uniform(*scale)
        proportion = math.exp(draws.uniform(math.log(ratio[0]), math.log(ratio[1])))
        height, width = round(math.sqrt(area / proportion)), round(math.sqrt(area * proportion))
        if 0 < height < rows and 0 < width < columns:
            top, left = int(draws.integers(rows - height + 1)), int(draws.integers(columns - width + 1))
            erased = pixels.copy()
            erased[top : top + height, left : left + width] = colour
            return erased
    return pixels


def color_jitter(
    image: Image,
    rng: np.random.Generator,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> Image:
    """Change brightness, contrast, saturation and hue at random, all in one pass over the pixels.

    >>> grey = np.full((2, 2, 3), 100, np.uint8)
    >>> image.color_jitter(grey, np.random.default_rng(0), saturation=0.5).ravel().tolist() == [100] * 12
    True

    They are changed in this order, and values are cut to 0 to 255 once, at the end. Hue is turned in the YIQ colour
    space, which is linear, so colours come out a little otherwise than by way of HSV.

    Args:
        image: A uint8 array of shape (height, width, channels); of one channel, brightness and contrast alone count.
        rng: The generator that `random_map` hands over.
        brightness: The factor is drawn from 1 - brightness to 1 + brightness, and is never below 0.
        contrast: So is this factor, of the difference to the mean grey,
        saturation: and this one, of the difference to each pixel's grey.
        hue: The greatest turn to either side, as a part of the circle: 0 to 0.5.

    Raises:
        TypeError: The image is no uint8 array, or `rng` no generator.
        ValueError: The image has another shape, or a strength is negative, above 255, or of hue above 0.5.
    """
    pixels = _pixels("color_jitter", image)
    draws = generator("color_jitter", rng)
    strengths = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
    for name, strength in strengths.items():
        asked.number("color_jitter", name, strength, 0, 0.5 if name == "hue" else _MOST_STRENGTH)
    light, depth, colour = (draws.uniform(max(0, 1 - part), 1 + part) for part in (brightness, contrast, saturation))
    turn = draws.uniform(-hue, hue) * 2 * math.pi
    matrix = np.eye(pixels.shape[2])
    if pixels.shape[2] >= 3:
        matrix[:3, :3] = _turn_of_hue(turn) @ (colour * np.eye(3) + (1 - colour) * _GREY)
        matrix[:3, :3] *= light * depth
        grey = _GREY @ _means(pixels)[:3]
    else:
        matrix *= light * depth
        grey = pixels.mean()
    offset = np.zeros(len(matrix))
    offset[:3] = (1 - depth) * light * grey
    return _mixed(pixels, matrix, offset)


def _means(image: Image) -> NDArray[np.float64]:
    """Of each channel."""
    cv2 = libraries.opencv()
    return np.asarray(image.mean(axis=(0, 1)) if cv2 is None else cv2.mean(image))


def _turn_of_hue(angle: float) -> NDArray[np.float64]:
    cosine, sine = math.cos(angle), math.sin(angle)
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    return np.asarray(_FROM_YIQ @ turn @ _TO_YIQ)


def _mixed(image: Image, matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> Image:
    """Each pixel's channels times `matrix`, plus `offset`, rounded and cut to 0 to 255."""
    cv2 = libraries.opencv()
    if cv2 is not None:
        with libraries.one_thread(cv2):
            return cv2.transform(image, np.column_stack([matrix, offset])).reshape(image.shape)  # type: ignore[no-any-return]
    mixed = image.astype(np.float32) @ matrix.T.astype(np.float32)
    mixed += offset.astype(np.float32)
    return np.clip(np.rint(mixed, out=mixed), 0, 255, out=mixed).astype(np.uint8)


def normalize(
    image: Image,
    mean: float | Sequence[float] = 0.0,
    std: float | Sequence[float] = 1.0,
    *,
    layout: str = "HWC",
) -> NDArray[np.float32]:
    """Divide by 255, subtract `mean` and divide by `std`, to float32.

    >>> image.normalize(np.full((1, 1, 3), 255, np.uint8), mean=(0.5, 0.5, 0), std=0.5).ravel().tolist()
    [1.0, 1.0, 2.0]

    Args:
        image: A uint8 array of shape (height, width, channels), or a batch of them.
        mean: A number, or one for each channel, where 1 is white.
        std: The same.
        layout: "HWC" keeps the axes; "CHW" puts the channels first, as torch wants them.

    Raises:
        TypeError: The image is no uint8 array.
        ValueError: It has fewer than three axes, or `mean`, `std` or `layout` do not fit.
    """
    if layout not in _LAYOUTS:
        raise ValueError(f'image.normalize(): layout must be "HWC" or "CHW", but is {layout!r}')
    array: Any = image  # whatever the caller's types say
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        found = getattr(array, "dtype", type(array).__name__)
        raise TypeError(f"image.normalize(): an image must be a uint8 array, but is {found}")
    if array.ndim < 3:
        raise ValueError(
            f"image.normalize(): an image must have shape (height, width, channels), but has {image.shape}"
        )
    factor, offset = _factor_and_offset(_as_key(mean), _as_key(std), image.shape[-1])
    return _planes(image, factor, offset) if layout == "CHW" else _interleaved(image, factor, offset)


Numbers = tuple[float, ...]
"""One, or one for each channel."""


@functools.lru_cache(maxsize=64)
def _factor_and_offset(mean: Numbers | float, std: Numbers | float, channels: int) -> tuple[Numbers, Numbers]:
    deviations = asked.for_channels("normalize", "std", std, channels)
    if not deviations.all():
        raise ValueError(f"image.normalize(): std must not be 0, but is {std!r}")
    offsets = -asked.for_channels("normalize", "mean", mean, channels) / deviations
    return tuple((1 / (255 * deviations)).tolist()), tuple(offsets.tolist())


def _as_key(value: float | Sequence[float]) -> Numbers | float:
    return value if isinstance(value, (int, float)) else tuple(np.ravel(value).tolist())


def _interleaved(image: Image, factor: Numbers, offset: Numbers) -> NDArray[np.float32]:
    # Whole rows at once, in place: NumPy's loops over three channels would take ten times as long, and a second array
    # twice (benchmarks/bench_photos.py).
    width = image.shape[-2]
    scaled = new_floats(image.shape).reshape(-1, width * len(factor))
    np.multiply(image.reshape(scaled.shape), _row(factor, width), out=scaled)
    if any(offset):
        scaled += _row(offset, width)
    return scaled.reshape(image.shape)


@functools.lru_cache(maxsize=64)
def _row(values: Numbers, width: int) -> Any:
    """The values of a whole row of pixels; one number where all channels have the same."""
    return np.float32(values[0]) if len(set(values)) == 1 else np.tile(np.array(values, np.float32), width)


def _planes(image: Image, factor: Numbers, offset: Numbers) -> NDArray[np.float32]:
    planes = new_floats((*image.shape[:-3], len(factor), *image.shape[-3:-1]))
    for channel, (times, plus) in enumerate(zip(factor, offset, strict=True)):
        plane = planes[..., channel, :, :]
        np.multiply(image[..., channel], np.float32(times), out=plane)
        if plus:
            plane += np.float32(plus)
    return planes


def _pixels(method: str, image: Any, any_dtype: bool = False) -> NDArray[Any]:
    pixels = pixels_of(method, image, any_dtype)
    if pixels is None:
        raise TypeError(
            f"image.{method}() takes an array of shape (height, width, channels), but was given "
            f"{type(image).__name__}; decode() it first"
        )
    return pixels
