"""User functions of many kinds for generated chains, by the kind of element that they take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from penstock.testing import Failure, Recording


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Sized:
    value: Any
    size: Any


# No function overflows: NumPy warns of that for scalars, and in arrays it does not.


def kind(sample: list[Any]) -> str:
    """What the first element that is no error is."""
    element = next((item for item in sample if not isinstance(item, Failure)), None)
    if type(element) is tuple:
        numbers = all(isinstance(part, np.integer) for part in element)
        return "integers" if numbers and len(element) == 2 else "tuple"
    if isinstance(element, dict):
        return "numbers by name" if set(element) == {"a", "b"} and not isinstance(element["b"], str) else "any"
    if isinstance(element, np.ndarray):
        return "array" if element.dtype.kind in "iuf" else "any"
    if isinstance(element, (np.integer, int)):
        return "integer"
    if isinstance(element, (np.floating, float)):
        return "float"
    return "text" if isinstance(element, str) else "any"


def negates_odd(n: Any) -> Any:
    if n % 2:
        return -n
    return n


def adds_in_place(a: Any) -> Any:
    a += 1
    return a


def fails_at_threes(n: Any) -> Any:
    if n % 4 == 3:
        raise ValueError(f"no {n}")
    return n + 1


def fails_long(a: Any) -> Any:
    if len(a) > 2:
        raise LookupError("too long")
    return a


def scaled(a: Any) -> Any:
    return a.astype(np.float32) / np.float32(255)


TABLE = np.arange(7) * 11

MAPS: dict[str, list[Callable[..., Any] | Recording]] = {
    "integer": [
        lambda n: n * 2 + 1,
        lambda n: n / 4,
        lambda n: np.float32(n),
        lambda n: TABLE[n % 7],
        lambda n: (n, n % 3),
        lambda n: {"b": n, "a": n * 3},
        lambda n: [n, str(n)],
        lambda n: Point(n, (n + 1, None)),
        lambda n: Sized(np.full(2, n), n),
        lambda n: np.where(n > 3, n, -n),
        lambda n: np.arange(n % 4),
        lambda n: str(n),
        lambda n: np.array([n, n + 1], np.float32),
        lambda n: 42,
        negates_odd,
        fails_at_threes,
        Recording(lambda n: n + 1),
        Recording(fails_at_threes),
    ],
    "float": [
        lambda x: x + 0.5,
        lambda x: np.sqrt(np.abs(x)),
        lambda x: (x, np.float32(x)),
        lambda x: int(x) if np.isfinite(x) else 0,
        Recording(lambda x: x * 2),
    ],
    "array": [
        lambda a: a * 2,
        lambda a: a.sum(),
        lambda a: a[:1],
        lambda a: a.reshape(-1),
        lambda a: (a, len(a)),
        lambda a: len(a),
        scaled,
        adds_in_place,
        fails_long,
        Recording(lambda a: a + 1),
        Recording(adds_in_place),
    ],
    "text": [
        lambda text: text.upper(),
        lambda text: len(text),
        lambda text: (text, text[:1]),
        Recording(lambda text: text + "!"),
    ],
    "integers": [
        lambda x, y: x + y,
        lambda x, y: (y, x),
        lambda x, y: {"a": x, "b": y},
        lambda x, y: x if y > 1 else y,
        lambda x, y: np.stack([x, y]),
        Recording(lambda x, y: x),
    ],
    "tuple": [
        lambda *parts: parts[0],
        lambda *parts: parts[::-1],
        lambda *parts: (parts[0],),
        lambda *parts: {"b": parts[0], "a": parts[-1]},
        Recording(lambda *parts: parts[-1]),
    ],
    "numbers by name": [
        lambda d: d["a"],
        lambda d: {**d, "c": d["b"]},
        lambda d: (d["a"], d["b"]),
        Recording(lambda d: d["b"]),
    ],
    "any": [lambda element: element, lambda *element: 1, lambda *element: (element[0], 2)],
}

PREDICATES: dict[str, list[Callable[..., Any] | Recording]] = {
    "integer": [
        lambda n: n % 3 == 0,
        lambda n: n > 4,
        lambda n: bool(n % 2) or n > 8,
        lambda n: n % 2,
        lambda n: fails_at_threes(n) > 5,
        Recording(lambda n: n % 3 != 0),
    ],
    "array": [lambda a: a.sum() > 5, lambda a: len(a) > 1, lambda a: fails_long(a).size > 0],
    "integers": [lambda x, y: x > y, Recording(lambda x, y: x != y)],
    "text": [lambda text: len(text) > 1],
    "any": [lambda *element: True, lambda *element: False, Recording(lambda *element: True)],
}


def functions(table: dict[str, list[Any]], sample: list[Any]) -> Any:
    """A strategy of the functions for such elements."""
    return st.sampled_from(table.get(kind(sample), []) + table["any"][: None if table is PREDICATES else 1])
