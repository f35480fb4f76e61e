"""A window of an image in another size, as Pillow's bilinear filter makes it, by OpenCV where that is installed.

Pillow weighs source pixels by a triangle that is as wide as a pixel of the result on either side. OpenCV has no such
filter: the image is blurred so that linear interpolation between two pixels then amounts to nearly the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from penstock.image import libraries
from penstock.image.geometry import Box, Image, Size
from penstock.image.kernels import antialiasing_taps

_KEPT_TO_BLUR = 3
"""Means of whole pixels come first as long as this many pixels for each of the result are left: they cost less."""


def resample(method: str, image: Image, box: Box, size: Size, antialias: bool, of_means: bool = False) -> Image:
    """`box` of a uint8 image, of shape (height, width, channels), as a new image of `size`.

    With `of_means`, pixels are means of several each of a larger image, which is meant.
    """
    pixels = box.pixels
    if pixels is not None and box.height == size[0] and box.width == size[1]:
        return np.ascontiguousarray(image[pixels])
    cv2 = libraries.opencv()
    if cv2 is not None:
        with libraries.one_thread(cv2):
            return _by_opencv(cv2, image, box, size, antialias, of_means)
    pillow = libraries.pillow()
    if pillow is None:
        raise libraries.missing(method, "OpenCV or Pillow")
    return _by_pillow(pillow, image, box, size, antialias)


def rows_looked_at(box: Box, size: Size) -> int:
    """How many of an image's first rows `resample` needs at most."""
    return math.ceil(box.top + box.height) + math.ceil(max(1, box.height / size[0], box.width / size[1])) + 1


def _by_pillow(pillow: Any, image: Image, box: Box, size: Size, antialias: bool) -> Image:
    shape = (*size, image.shape[2])
    edges = (box.left, box.top, box.left + box.width, box.top + box.height)
    if shape[2] == 4:
        # Channel by channel, as OpenCV does it: Pillow weighs the colours of RGBA by their alpha.
        each = (image[:, :, channel : channel + 1] for channel in range(4))
        return np.concatenate([_by_pillow(pillow, one, box, size, antialias) for one in each], axis=2)
    whole = pillow.fromarray(image[:, :, 0] if shape[2] == 1 else image)
    if antialias:
        return np.array(whole.resize(size[::-1], pillow.Resampling.BILINEAR, edges)).reshape(shape)
    rows, columns = box.height / size[0], box.width / size[1]
    # Pillow's transform takes where the centre of the first pixel lies, and adds half a step itself.
    step = (columns, 0, box.left, 0, rows, box.top)
    moved = whole.transform(size[::-1], pillow.Transform.AFFINE, step, pillow.Resampling.BILINEAR)
    return np.array(moved).reshape(shape)


def _by_opencv(cv2: Any, image: Image, box: Box, size: Size, antialias: bool, of_means: bool) -> Image:
    channels = image.shape[2]
    scales = (box.height / size[0], box.width / size[1])
    if antialias and max(scales) > 1:
        given = image
        image, box, scales = _reduced(cv2, image, box, size)
        down, right = (antialiasing_taps(scale, of_means or image is not given) for scale in scales)
        image, box = _region(image, box, margin=max(len(down), len(right)) // 2 + 1)
        image = cv2.sepFilter2D(image, -1, right, down, borderType=cv2.BORDER_REPLICATE)
    pixels = box.pixels
    # Where the image becomes larger, pixels at the window's edge lie between one within and one outside.
    if pixels is not None and (min(scales) >= 1 or image[pixels].shape == image.shape):
        resized: Image = cv2.resize(image[pixels], size[::-1], interpolation=cv2.INTER_LINEAR)
    else:
        resized = _interpolated(cv2, image, box, size)
    return resized.reshape(*size, channels)


def _interpolated(cv2: Any, image: Any, box: Box, size: Size) -> Image:
    """A window that begins or ends within a pixel."""
    image, box = _region(image, box, margin=1)
    rows, columns = box.height / size[0], box.width / size[1]
    shift = np.array([[columns, 0, box.left + columns / 2 - 0.5], [0, rows, box.top + rows / 2 - 0.5]])
    kind = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REPLICATE}
    if image.ndim == 2 or image.shape[2] != 3:
        return cv2.warpAffine(image, shift, size[::-1], **kind)  # type: ignore[no-any-return]
    # OpenCV does it in half the time for four channels, this included (bench_large_photos.py).
    image = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    return cv2.cvtColor(cv2.warpAffine(image, shift, size[::-1], **kind), cv2.COLOR_RGBA2RGB)  # type: ignore[no-any-return]


def _reduced(cv2: Any, image: Any, box: Box, size: Size) -> tuple[Any, Box, tuple[float, float]]:
    """The image after means of whole pixels; the window and the scales in it."""
    rows = max(1, int(box.height / size[0] / _KEPT_TO_BLUR))
    columns = max(1, int(box.width / size[1] / _KEPT_TO_BLUR))
    if rows > 1 or columns > 1:
        image, box = _region(image, box, margin=0)
        height, width = max(1, image.shape[0] // rows), max(1, image.shape[1] // columns)
        whole = image[: height * rows, : width * columns]
        rows, columns = whole.shape[0] // height, whole.shape[1] // width
        image = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA).reshape(height, width, -1)
        box = box.divided(rows, columns)
    return image, box, (box.height / size[0], box.width / size[1])


def _region(image: Any, box: Box, margin: int) -> tuple[Any, Box]:
    """The whole pixels around a window, as far as there are any, and the window in them."""
    top, left = max(0, math.floor(box.top) - margin), max(0, math.floor(box.left) - margin)
    bottom, right = math.ceil(box.top + box.height) + margin, math.ceil(box.left + box.width) + margin
    return image[top:bottom, left:right], box.moved(-top, -left)
