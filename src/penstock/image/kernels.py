"""Taps that make linear interpolation an antialiased one."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STEPS = 32
"""Kernels are made for ratios in steps of a 32nd, so that few are made."""


def antialiasing_taps(ratio: float, of_means: bool = False) -> NDArray[np.float32]:
    """Weights to blur pixels with, before one for each `ratio` of them is interpolated linearly.

    An antialiased bilinear resize weighs source pixels by a triangle as wide as two target pixels. Blurring with a few
    taps and then interpolating between two neighbours weighs them by a function that is linear between whole pixels;
    these taps make it the nearest one to the triangle, by least squares, and the same for whole ratios.

    >>> antialiasing_taps(2).tolist()
    [0.25, 0.5, 0.25]

    Args:
        ratio: How many pixels there are for one of the result; at least 1.
        of_means: The pixels are themselves means of several each, as a JPEG decoder makes them at 1/2, 1/4 or 1/8: that
            blurs too, so the taps do it less.
    """
    return _taps(max(_STEPS, round(_STEPS * ratio)), _MEAN_AND_LINE if of_means else _LINE)


@functools.lru_cache(maxsize=1024)
def _taps(steps: int, spline: Spline) -> NDArray[np.float32]:
    ratio = steps / _STEPS
    reach = int(np.ceil(ratio)) - 1
    places = np.arange(-reach, reach + 1)
    overlaps = _overlaps(places[:, None] - places, spline, spline)
    # OpenCV computes in whole numbers, several times as fast, only where no weight is below 0.
    taps = np.clip(np.linalg.solve(overlaps, _overlaps(places, spline, _scaled(_LINE, ratio))), 0, None)
    weights: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    weights.flags.writeable = False
    return weights


Spline = tuple[tuple[float, float], ...]
"""A piecewise polynomial: how much its last derivative that is not 0 jumps, and where. The number of jumps less one is
how often it has been integrated."""
_LINE: Spline = ((1, -1), (-2, 0), (1, 1))
"""What linear interpolation weighs a pixel by: a triangle."""
_MEAN_AND_LINE: Spline = ((1, -1.5), (-3, -0.5), (3, 0.5), (-1, 1.5))
"""The same after a mean over the width of a pixel."""


def _scaled(spline: Spline, width: float) -> Spline:
    return tuple((jump / width ** (len(spline) - 1), place * width) for jump, place in spline)


def _overlaps(places: NDArray[Any], one: Spline, other: Spline) -> NDArray[np.float64]:
    """The integrals of `one` times `other`, moved apart by each place; both are symmetric."""
    power = len(one) + len(other) - 3
    parts = [a * b * np.clip(places - x - y, 0, None) ** power for a, x in one for b, y in other]
    return np.asarray(np.sum(parts, 0) / math.factorial(power))
