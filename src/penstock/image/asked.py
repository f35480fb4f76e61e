"""Numbers that functions of images are asked for, checked at each call."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST = 1e9


def number(method: str, name: str, value: Any, least: float, most: float = _LARGEST) -> float:
    """`value` if it lies between the two.

    Raises:
        TypeError: It is no number.
        ValueError: It is smaller or larger, or not finite.
    """
    found = _real(method, name, value, "a number")
    if not least <= found <= most:
        wanted = f"from {least:g} to {most:g}" if most < _LARGEST else f"of at least {least:g}, and finite"
        raise ValueError(f"image.{method}(): {name} must be {wanted}, but is {value!r}")
    return found


def positive(method: str, name: str, value: Any) -> float:
    """`value` if it is finite and above 0.

    Raises:
        TypeError: It is no number.
        ValueError: It is 0 or less, or not finite.
    """
    found = _real(method, name, value, "a number")
    if not 0 < found < math.inf:
        raise ValueError(f"image.{method}(): {name} must be above 0, and finite, but is {value!r}")
    return found


def span(method: str, name: str, value: Any, most: float = math.inf) -> tuple[float, float]:
    """`value` as two numbers above 0, the first no larger than the second.

    Raises:
        TypeError: It is no pair of numbers.
        ValueError: The first is larger than the second, or one is 0 or less, larger than `most`, or not finite.
    """
    wanted = "(least, greatest), two numbers"
    is_pair = isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim == 1)
    if not is_pair or len(value) != 2:
        raise TypeError(f"image.{method}(): {name} must be {wanted}, but is {value!r}")
    least, greatest = (_real(method, name, part, wanted) for part in value)
    if not (0 < least <= greatest <= most and greatest < math.inf):
        limit = f" <= {most:g}" if most < math.inf else ""
        raise ValueError(
            f"image.{method}(): {name} must be (least, greatest) with 0 < least <= greatest{limit}, but is {value!r}"
        )
    return least, greatest


def for_channels(
    method: str, name: str, value: Any, channels: int, least: float = -math.inf, most: float = math.inf
) -> NDArray[np.float64]:
    """One number for each channel, where `value` is one for all or such a sequence.

    Raises:
        ValueError: It is neither, or a number is smaller than `least`, larger than `most` or not finite.
    """
    if type(value) in (int, float) and math.isfinite(value) and least <= value <= most:
        return np.full(channels, value, np.float64)
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        numbers = np.array(math.nan)
    if numbers.shape not in ((), (channels,)) or not np.isfinite(numbers).all():
        raise ValueError(
            f"image.{method}(): {name} must be a number or one for each of the {channels} channels, but is {value!r}"
        )
    if not least <= numbers.min() <= numbers.max() <= most:
        raise ValueError(f"image.{method}(): {name} must be from {least:g} to {most:g}, but is {value!r}")
    return np.broadcast_to(numbers, (channels,))


def _real(method: str, name: str, value: Any, wanted: str) -> float:
    if type(value) is float:
        return value
    if isinstance(value, (bool, str, bytes)):
        raise TypeError(f"image.{method}(): {name} must be {wanted}, but is {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"image.{method}(): {name} must be {wanted}, but is {value!r}") from None
