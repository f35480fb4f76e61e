"""What to show of one component: a picture, words, a table, or what many numbers have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import image
from penstock.columns import SparseTensor
from penstock.errors import DataLossError
from penstock.image.header import BrokenHeader, read_header
from penstock.show.pixels import is_drawable
from penstock.spec import array_of_list

Decode = Callable[[NDArray[Any]], str]
"""Token ids, an array of one axis, to text."""

_SHORT = 80
_LONG = 4_000
_CELLS = 64
"""An array of more numbers than this is no table."""
_SMALLEST_SIDE = 8
"""A small matrix is more likely numbers to read than a picture."""
_FRAMES = 8
_BINS = 32


@dataclass(frozen=True, slots=True)
class Picture:
    """An image, as the numbers that it came as."""

    array: NDArray[Any]
    brief: str


@dataclass(frozen=True, slots=True)
class Words:
    """Text, a number, or anything else in words."""

    text: str
    brief: str
    remark: str = ""

    @property
    def is_short(self) -> bool:
        """Whether the few words are all there is."""
        return self.text == self.brief and not self.remark


@dataclass(frozen=True, slots=True)
class Table:
    """A few numbers in rows."""

    rows: list[list[str]]
    brief: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """Many numbers: how they are spread from the least to the greatest."""

    brief: str
    counts: list[int]


Part = Picture | Words | Table | Numbers


def part_of(value: Any, decode: Decode | None = None) -> Part:
    """How a component is shown.

    Args:
        value: The component.
        decode: What makes text of token ids; arrays of integers are shown as numbers without it.
    """
    if isinstance(value, (str, bytes)):
        return _of_text(value)
    array = _array_of(value)
    if array is None:
        return _words(str(value))
    if not array.ndim:
        item = array.item()
        return _of_text(item) if isinstance(item, (str, bytes)) else _words(str(array))
    if decode is not None and array.ndim == 1 and array.dtype.kind in "iu" and array.size:
        ids = " ".join(map(str, array[:_CELLS].tolist())) + (" …" if array.size > _CELLS else "")
        return Words(*_cut(decode(array)), f"{array.size:,} tokens: {ids}")
    if _is_picture(array):
        return Picture(array, brief(array))
    if array.ndim == 4 and array.size and _is_picture(array[0]):
        return Picture(_side_by_side(array[:_FRAMES]), f"{brief(array)}, the first {min(len(array), _FRAMES)} drawn")
    if array.size <= _CELLS and array.ndim <= 2:
        return Table([[_number(cell) for cell in row] for row in np.atleast_2d(array)], brief(array))
    return _summary(array)


def brief(value: Any) -> str:
    """A component in a few words."""
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"{value.dtype} array of shape {value.shape}"
    text = " ".join(str(value).split())
    return text if len(text) <= _SHORT else text[: _SHORT - 3] + "..."


def _array_of(value: Any) -> NDArray[Any] | None:
    """The array that a component is, or None."""
    if isinstance(value, SparseTensor):
        return value.to_dense() if np.prod(value.shape) <= _CELLS else None
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value)
    try:
        return array_of_list(value) if isinstance(value, list) else None
    except ValueError:
        return None


def _words(text: str) -> Words:
    return Words(*_cut(text))


def _cut(text: str) -> tuple[str, str]:
    """As much of a text as is shown, and a few words of it."""
    shown = text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text):,} characters)"
    return shown, brief(text[: 2 * _SHORT])


def _of_text(value: str | bytes) -> Part:
    if isinstance(value, str):
        return _words(value)
    try:
        header = read_header(memoryview(value))
        return Picture(image.decode(value), f"{header.format}, {len(value):,} bytes")
    except (BrokenHeader, DataLossError, ValueError, ImportError) as error:
        why = str(error)
    try:
        # A text may well begin as images do: BM is enough for a bitmap.
        return _words(value.decode())
    except UnicodeDecodeError:
        text = f"{len(value):,} bytes: {value[:32].hex(' ')}{' …' if len(value) > 32 else ''}"
        return Words(text, brief(text), f"no image: {why}")


def _is_picture(array: NDArray[Any]) -> bool:
    """Whether an array is more likely an image than anything else."""
    if not is_drawable(array) or array.dtype.kind not in "buf" or (array.dtype.kind == "u" and array.itemsize > 2):
        return False
    sides = array.shape
    if array.ndim == 3:
        sides = sides[:2] if sides[2] in (1, 3, 4) else sides[1:] if sides[0] in (1, 3, 4) else (0,)
    return all(side >= _SMALLEST_SIDE for side in sides)


def _side_by_side(frames: NDArray[Any]) -> NDArray[Any]:
    channels_first = frames.shape[3] not in (1, 3, 4)
    return np.concatenate(list(frames), axis=2 if channels_first else 1)


def _number(cell: Any) -> str:
    if isinstance(cell, (float, np.floating)):
        return f"{cell:.4g}"
    return cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)


def _summary(array: NDArray[Any]) -> Part:
    """Least, greatest and mean, and a histogram, where they have any."""
    if array.dtype.kind not in "buif":
        return Words(str(array), brief(array))
    values = array.astype(np.float64).ravel()
    finite = values[np.isfinite(values)]
    missing = "" if len(finite) == len(values) else f", {len(values) - len(finite):,} NaN or infinite"
    if not len(finite):
        return Numbers(brief(array) + (missing or ", empty"), [])
    # Scaled to at most 1, so that neither sum nor distance is more than a double holds.
    peak = float(np.abs(finite).max()) or 1.0
    counts, _ = np.histogram(finite / peak, bins=_BINS)
    mean = float((finite / peak).mean()) * peak
    spread = f"{_number(finite.min())} to {_number(finite.max())}, mean {_number(mean)}"
    return Numbers(f"{brief(array)}: {spread}{missing}", counts.tolist())
