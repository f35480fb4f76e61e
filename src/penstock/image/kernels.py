"""Taps that make linear interpolation an antialiased one."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

_STEPS = 32
"""Kernels are made for ratios in steps of a 32nd, so that few are made."""


def antialiasing_taps(ratio: float) -> NDArray[np.float32]:
    """Weights to blur pixels with, before one for each `ratio` of them is interpolated linearly.

    An antialiased bilinear resize weighs source pixels by a triangle as wide as two target pixels. Blurring with a few
    taps and then interpolating between two neighbours weighs them by a function that is linear between whole pixels;
    these taps make it the nearest one to the triangle, by least squares, and the same for whole ratios.

    >>> antialiasing_taps(2).tolist()
    [0.25, 0.5, 0.25]
    """
    return _taps(max(_STEPS, round(_STEPS * ratio)))


@functools.lru_cache(maxsize=512)
def _taps(steps: int) -> NDArray[np.float32]:
    ratio = steps / _STEPS
    reach = int(np.ceil(ratio)) - 1
    places = np.arange(-reach, reach + 1)
    apart = np.abs(places[:, None] - places)
    overlaps = np.where(apart == 0, 2 / 3, np.where(apart == 1, 1 / 6, 0))
    # OpenCV computes in whole numbers, several times as fast, only where no weight is below 0.
    taps = np.clip(np.linalg.solve(overlaps, _triangle_overlaps(ratio, places)), 0, None)
    weights: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    weights.flags.writeable = False
    return weights


def _triangle_overlaps(ratio: float, places: NDArray[np.int_]) -> NDArray[np.float64]:
    """The integrals of the triangle of half width `ratio`, times that of half width 1 about each place."""
    ends = [(1, -1), (-2, 0), (1, 1)]
    cubes = [a * b * np.clip(places + ratio * x + y, 0, None) ** 3 for a, x in ends for b, y in ends]
    return np.asarray(np.sum(cubes, 0) / (6 * ratio * ratio))
