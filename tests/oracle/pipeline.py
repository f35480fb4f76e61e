"""What the pipelines of the comparison are made of: their form, and the data that they begin with."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import attrs
import numpy as np

from tests.oracle.engines import Engine

Point = namedtuple("Point", ["x", "y"])


@attrs.frozen
class Box:
    """A structure with named fields."""

    low: Any
    high: Any


@dataclass(frozen=True)
class Pipeline:
    """One pipeline.

    Attributes:
        name: What it is about.
        build: Makes it with either engine.
        literals: It begins with Python's own numbers, whose width differs on purpose.
        has_spec: Penstock can tell the spec, which for datasets that a function makes takes an element.
    """

    name: str
    build: Callable[[Engine], Any]
    literals: bool = False
    has_spec: bool = True


IMAGES = np.arange(7 * 2 * 3, dtype=np.uint8).reshape(7, 2, 3)
LABELS = np.arange(7, dtype=np.int32) % 3
WEIGHTS = np.linspace(0, 1, 7, dtype=np.float32)


def labelled(e: Engine) -> Any:
    """Seven small images with a label each."""
    return e.Dataset.from_tensor_slices((IMAGES, LABELS))


def records(e: Engine) -> Any:
    """Seven dicts whose keys are not in the order of the alphabet."""
    return e.Dataset.from_tensor_slices({"weight": WEIGHTS, "image": IMAGES, "label": LABELS})


def numbers(e: Engine, stop: int = 10) -> Any:
    """0 to `stop`, which is left out."""
    return e.Dataset.range(stop)


def even(e: Engine, stop: int = 10) -> Any:
    """The even ones of them: a dataset of unknown cardinality."""
    return numbers(e, stop).filter(lambda n: n % 2 == 0)


def none(e: Engine) -> Any:
    """No element, which shows only when they are read."""
    return numbers(e, 3).filter(lambda n: n > 5)


def generated(e: Engine) -> Any:
    """Five numbers from a generator."""
    return e.Dataset.from_generator(lambda: iter(range(5)), output_signature=e.spec((), np.int64))


def rows(start: int, stop: int, *shape: int) -> Any:
    """`stop - start` float32 rows of a shape, all filled with their number."""
    return np.broadcast_to(
        np.arange(start, stop, dtype=np.float32).reshape(-1, *[1] * len(shape)), (stop - start, *shape)
    )
