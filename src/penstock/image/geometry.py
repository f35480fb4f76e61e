"""Windows of an image, and how EXIF says that a stored image is turned before it is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penstock.image import libraries

Image = NDArray[np.uint8]
"""Of shape (height, width, channels)."""
Size = tuple[int, int]
"""Height and width in pixels."""

_UPSIDE_DOWN = frozenset([3, 4, 6, 7])
_MIRRORED = frozenset([2, 3, 7, 8])


@dataclass(frozen=True, slots=True)
class Box:
    """A window, in pixels that may be fractions; the first pixel reaches from 0 to 1."""

    top: float
    left: float
    height: float
    width: float

    @classmethod
    def whole(cls, size: Size) -> Box:
        """All of an image."""
        return cls(0, 0, *size)

    def divided(self, rows: float, columns: float | None = None) -> Box:
        """The same window in an image that is smaller by these factors."""
        columns = rows if columns is None else columns
        return Box(self.top / rows, self.left / columns, self.height / rows, self.width / columns)

    def moved(self, down: float, right: float) -> Box:
        """The window at another place."""
        return Box(self.top + down, self.left + right, self.height, self.width)

    @property
    def pixels(self) -> tuple[slice, slice] | None:
        """Rows and columns, if it begins and ends between pixels."""
        parts = (self.top, self.left, self.height, self.width)
        if any(part != round(part) for part in parts):
            return None
        top, left, height, width = (round(part) for part in parts)
        return slice(top, top + height), slice(left, left + width)


def swaps_sides(orientation: int) -> bool:
    """Whether rows of the stored image are columns of what is shown."""
    return orientation > 4


def shown_size(size: Size, orientation: int) -> Size:
    """The size after turning; or before, for it is its own opposite."""
    return (size[1], size[0]) if swaps_sides(orientation) else size


def stored_box(box: Box, size: Size, orientation: int) -> Box:
    """Where a window of what is shown lies in the stored image of that size.

    >>> stored_box(Box(0, 0, 2, 3), (10, 20), 6)
    Box(top=7, left=0, height=3, width=2)
    """
    top, left, height, width = box.top, box.left, box.height, box.width
    if swaps_sides(orientation):
        top, left, height, width = left, top, width, height
    if orientation in _UPSIDE_DOWN:
        top = size[0] - top - height
    if orientation in _MIRRORED:
        left = size[1] - left - width
    return Box(top, left, height, width)


def turned(image: Image, orientation: int) -> Image:
    """The stored image as it is shown: contiguous, and a new array unless nothing is to be turned."""
    if orientation == 1:
        return image
    down, right = orientation in _UPSIDE_DOWN, orientation in _MIRRORED
    cv2 = libraries.opencv()
    if cv2 is None:
        image = image[:: -1 if down else 1, :: -1 if right else 1]
        return np.ascontiguousarray(image.swapaxes(0, 1) if swaps_sides(orientation) else image)
    channels = image.shape[2]
    if down or right:
        image = cv2.flip(image, -1 if down and right else 0 if down else 1)
    if swaps_sides(orientation):
        image = cv2.transpose(image)
    return image.reshape(*image.shape[:2], channels)
