"""Functions that give the lengths of elements, for the chains of all steps that batch by length."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np

from penstock.errors import SpecError
from penstock.testing import Failure, Recording
from penstock.testing.reference import call


def whole_or_fails(n: Any) -> Any:
    if n % 5 == 4:
        raise ValueError(f"no {n}")
    return n % 3


def size_of_first(*parts: Any) -> Any:
    return np.size(parts[0]) % 4


LENGTHS: dict[str, list[Any]] = {
    "integer": [lambda n: n, lambda n: n % 4, lambda n: 2, whole_or_fails, Recording(lambda n: n % 3)],
    "array": [lambda a: len(a), lambda a: a.shape[0] + 1, lambda a: a.sum(), Recording(lambda a: len(a))],
    "text": [lambda text: len(text)],
    "integers": [lambda x, y: x % 3, Recording(lambda x, y: abs(x - y) % 4)],
    "tuple": [lambda *parts: len(parts[0])],
    "any": [size_of_first, Recording(size_of_first)],
}


def length_of(function: Any, element: Any, method: str, longest: int | None = None) -> Any:
    """What the function gives for an element; a failure where that is no length."""
    found = call(function, element, method)
    if isinstance(found, Failure):
        return found
    is_whole = isinstance(found, (int, np.integer)) and not isinstance(found, bool)
    if not is_whole or found < 0 or (longest is not None and found > longest):
        return Failure(SpecError)
    return int(found)


def bucket_of(boundaries: list[int], length: int) -> int:
    """The bucket of elements of this length."""
    return bisect_right(boundaries, length)
