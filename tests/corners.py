"""What the tests of odd corners look at: everything that a pass gives, with the errors in their places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

LIMIT = 200


def plain(element: Any) -> Any:
    """An element with Python's own numbers and lists in place of NumPy's, to be compared with `==`."""
    if isinstance(element, (np.ndarray, np.generic)):
        return element.tolist()
    if type(element) is tuple:
        return tuple(plain(part) for part in element)
    if type(element) is dict:
        return {key: plain(part) for key, part in element.items()}
    return element


def values(elements: Iterable[Any], limit: int = LIMIT) -> list[Any]:
    """The first elements; an error is raised."""
    return [plain(element) for element in islice(elements, limit)]


def outcomes(elements: Iterable[Any], limit: int = LIMIT) -> list[Any]:
    """The first elements, and the class of the error where one is raised."""
    found: list[Any] = []
    iterator = iter(elements)
    while len(found) < limit:
        try:
            found.append(plain(next(iterator)))
        except StopIteration:
            break
        except Exception as error:
            found.append(type(error))
    return found


def failing_at(*places: int) -> Callable[[Any], Any]:
    """A function that gives ten times its argument, and raises KeyError for some."""

    bad = frozenset(places)

    def tenfold(number: Any) -> Any:
        if int(number) in bad:
            raise KeyError("bad number", int(number))
        return number * 10

    return tenfold


class Counting:
    """A function whose calls are counted; it writes to itself, so nobody takes it for pure."""

    def __init__(self, function: Callable[[Any], Any] = lambda element: element) -> None:
        self.function = function
        self.seen: list[Any] = []

    def __call__(self, element: Any) -> Any:
        self.seen.append(plain(element))
        return self.function(element)


class Yielding:
    """A generator function that notes how often it was called and whether its generators were ended."""

    def __init__(self, *elements: Any) -> None:
        self.elements = elements
        self.calls = 0
        self.given = 0
        self.ended = 0

    def __call__(self) -> Iterator[Any]:
        self.calls += 1
        try:
            for element in self.elements:
                self.given += 1
                yield element
        finally:
            self.ended += 1
