"""Three hundred per-element functions as people write them, with data to run each on.

`CASES` compute with arrays alone; `REFUSED` holds some fifty that must never run on blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

ROWS = 70

Columns = list[Any]


@dataclass(frozen=True)
class Case:
    """A function, and one column per component of its elements."""

    name: str
    function: Callable[..., Any]
    make: Callable[[np.random.Generator], Any]
    """Elements as a structure of columns, each with a leading axis of rows."""


CASES: list[Case] = []
REFUSED: list[Case] = []


def case(
    make: Callable[[np.random.Generator], Any], name: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a function that should run on blocks."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append(Case(name or getattr(function, "__name__", type(function).__name__), function, make))
        return function

    return add


def refused(
    make: Callable[[np.random.Generator], Any], name: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a function that must not run on blocks."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        REFUSED.append(Case(name or getattr(function, "__name__", type(function).__name__), function, make))
        return function

    return add


def lambdas(make: Callable[[np.random.Generator], Any], **functions: Callable[..., Any]) -> None:
    """Add several short functions over the same data."""
    for name, function in functions.items():
        CASES.append(Case(name, function, make))


# Data: one function for each kind of element that the corpus uses.


def gray(rng: np.random.Generator) -> Any:
    return rng.integers(0, 256, (ROWS, 28, 28), dtype=np.uint8)


def gray_label(rng: np.random.Generator) -> Any:
    return gray(rng), rng.integers(0, 10, ROWS)


def rgb(rng: np.random.Generator) -> Any:
    return rng.integers(0, 256, (ROWS, 16, 12, 3), dtype=np.uint8)


def rgb_label(rng: np.random.Generator) -> Any:
    return rgb(rng), rng.integers(0, 10, ROWS).astype(np.uint8)


def float_image(rng: np.random.Generator) -> Any:
    return rng.random((ROWS, 16, 12, 3)).astype(np.float32)


def pair_of_images(rng: np.random.Generator) -> Any:
    return float_image(rng), float_image(rng)


def image_dict(rng: np.random.Generator) -> Any:
    return {"image": rgb(rng), "label": rng.integers(0, 10, ROWS)}


def image_mask(rng: np.random.Generator) -> Any:
    return rgb(rng), rng.integers(0, 2, (ROWS, 16, 12)).astype(bool)


def image_box(rng: np.random.Generator) -> Any:
    corners = np.sort(rng.random((ROWS, 2, 2)).astype(np.float32), axis=1)
    return rgb(rng), corners.reshape(ROWS, 4)


def row_f32(rng: np.random.Generator) -> Any:
    return rng.normal(size=(ROWS, 13)).astype(np.float32)


def row_f64(rng: np.random.Generator) -> Any:
    return rng.normal(size=(ROWS, 8))


def row_target(rng: np.random.Generator) -> Any:
    return rng.normal(size=(ROWS, 13)).astype(np.float32), rng.normal(size=ROWS).astype(np.float32)


def integer(rng: np.random.Generator) -> Any:
    return np.arange(ROWS)


def number(rng: np.random.Generator) -> Any:
    return rng.normal(size=ROWS) * 10


def two_numbers(rng: np.random.Generator) -> Any:
    return rng.normal(size=ROWS), rng.normal(size=ROWS) + 3


def label(rng: np.random.Generator) -> Any:
    return rng.integers(0, 10, ROWS)


def house(rng: np.random.Generator) -> Any:
    return {
        "rooms": rng.integers(1, 9, ROWS),
        "area": rng.random(ROWS) * 200 + 20,
        "price": rng.integers(50_000, 900_000, ROWS),
        "lat": rng.random(ROWS) * 180 - 90,
        "lon": rng.random(ROWS) * 360 - 180,
        "new": rng.integers(0, 2, ROWS).astype(bool),
    }


def signal(rng: np.random.Generator) -> Any:
    return rng.normal(size=(ROWS, 64)).astype(np.float32)


def stereo(rng: np.random.Generator) -> Any:
    return rng.integers(-(2**15), 2**15, (ROWS, 2, 50)).astype(np.int16)


def tokens(rng: np.random.Generator) -> Any:
    ids = rng.integers(1, 100, (ROWS, 12))
    lengths = rng.integers(1, 13, ROWS)
    return ids * (np.arange(12) < lengths[:, None])


def tokens_label(rng: np.random.Generator) -> Any:
    return tokens(rng), rng.integers(0, 2, ROWS)


def window(rng: np.random.Generator) -> Any:
    return rng.normal(size=(ROWS, 24, 5))


def text(rng: np.random.Generator) -> Any:
    words = ["the", "Cat", "sat", "on", "a", "mat", "and", "Slept", "all", "day"]
    return [" ".join(words[place] for place in rng.integers(0, 10, 5)) for _ in range(ROWS)]


def text_label(rng: np.random.Generator) -> Any:
    return text(rng), rng.integers(0, 2, ROWS)


def points(rng: np.random.Generator) -> Any:
    return rng.normal(size=(ROWS, 20, 3)).astype(np.float32)
