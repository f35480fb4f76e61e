"""Arrays as pictures: which axis holds the channels, and which numbers are black and white."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CHANNELS = (1, 3, 4)
_NOT_FINITE = (255, 0, 255)
"""Magenta: no picture is likely to hold it, so that a NaN is seen."""
_GREY = 128

_OVERSHOOT = 0.05
"""How far values may lie beyond 0 to 1, and still be that: resampling overshoots at edges."""

_BYTES_FROM = 16
"""Values of numbers that reach from 0 to above this, and not above 255, are levels of a byte."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Which value is drawn black and which white, and what to say about that."""

    black: float
    white: float
    said: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture of an array: uint8 of shape (height, width, 3), and what the array's channels and holes were."""

    pixels: NDArray[np.uint8]
    num_channels: int
    num_not_finite: int


def scales(images: Sequence[NDArray[Any]]) -> list[Scale]:
    """A scale for each image; those of one dtype share theirs, so that they can be compared."""
    by_dtype: dict[Any, list[NDArray[Any]]] = {}
    for image in images:
        by_dtype.setdefault(image.dtype, []).append(image)
    found = {dtype: _scale(dtype, alike) for dtype, alike in by_dtype.items()}
    return [found[image.dtype] for image in images]


def _scale(dtype: np.dtype[Any], images: list[NDArray[Any]]) -> Scale:
    if dtype == np.uint8:
        return Scale(0, 255, "uint8, 0 to 255")
    if dtype == np.bool_:
        return Scale(0, 1, "bool, False drawn black, True white")
    least, greatest = _range(images)
    if dtype.kind == "f" and -_OVERSHOOT <= least and greatest <= 1 + _OVERSHOOT:
        return Scale(0, 1, f"{dtype}, 0 to 1 drawn as black to white")
    if dtype.kind == "f" and -1 - _OVERSHOOT <= least and greatest <= 1 + _OVERSHOOT:
        return Scale(-1, 1, f"{dtype}, -1 to 1 drawn as black to white")
    if least >= 0 and _BYTES_FROM < greatest <= 255:
        return Scale(0, 255, f"{dtype}, 0 to 255 drawn as black to white")
    if least == greatest:
        return Scale(least, greatest, f"{dtype}, all values {least:.3g}, drawn grey")
    return Scale(
        least, greatest, f"{dtype}, {least:.3g} to {greatest:.3g} (least and greatest) drawn as black to white"
    )


def _range(images: list[NDArray[Any]]) -> tuple[float, float]:
    """The least and the greatest finite value; 0 and 0 if there is none."""
    least, greatest = np.inf, -np.inf
    for image in images:
        finite = image[np.isfinite(image)] if image.dtype.kind == "f" else image
        if finite.size:
            least, greatest = min(least, float(finite.min())), max(greatest, float(finite.max()))
    return (least, greatest) if least <= greatest else (0.0, 0.0)


def draw(image: NDArray[Any], scale: Scale) -> Drawn:
    """The picture of an array of shape (height, width), or with channels as first or last axis.

    One and two channels are drawn grey (of two the first), of more the first three as colours.
    """
    channels_last = image[..., None] if image.ndim == 2 else np.moveaxis(image, channel_axis(image.shape), -1)
    num_channels = channels_last.shape[2]
    colours = channels_last[..., :3] if num_channels >= 3 else channels_last[..., :1]
    holes = ~np.isfinite(colours).all(axis=2) if image.dtype.kind == "f" else None
    pixels = np.broadcast_to(_bytes(colours, scale), (*colours.shape[:2], 3)).copy()
    if holes is None:
        return Drawn(pixels, num_channels, 0)
    pixels[holes] = _NOT_FINITE
    return Drawn(pixels, num_channels, int(np.count_nonzero(holes)))


def _bytes(values: NDArray[Any], scale: Scale) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    # Halves, since the distance of two doubles may be none.
    black, white = scale.black / 2, scale.white / 2
    if black == white:
        return np.full(values.shape, _GREY, np.uint8)
    share = (np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0) / 2 - black) / (white - black)
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def channel_axis(shape: tuple[int, ...]) -> int:
    """The axis of the channels in an image of three axes: the last, if both ends could be."""
    if shape[2] in _CHANNELS:
        return 2
    if shape[0] in _CHANNELS:
        return 0
    return 2 if shape[2] <= shape[0] else 0


def is_drawable(value: Any) -> bool:
    """Whether an array has the shape and dtype of an image, of whatever size."""
    return value.dtype.kind in "buif" and value.ndim in (2, 3) and value.size > 0
