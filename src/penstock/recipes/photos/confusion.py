"""Which classes are taken for which: counted, told and drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.show.lettering import Lettering, Pillow

if TYPE_CHECKING:
    import PIL.Image

Counts = np.ndarray[Any, np.dtype[np.int64]]

_PAPER, _INK, _FAINT, _GRID = (255, 255, 255), (32, 33, 36), (110, 114, 120), (222, 224, 228)
_RIGHT, _WRONG = (24, 106, 76), (186, 66, 32)
_MARGIN = 20
_LARGEST_CELL, _SMALLEST_CELL = 52, 8
_LONGEST_EDGE = 1_800
"""Pixels of the cells together; more classes have smaller ones."""
_LONGEST_NAME = 180
"""Pixels."""


@dataclass(frozen=True, eq=False)
class Confusion:
    """How often images of one class were given another.

    Attributes:
        counts: int64 of shape (classes, classes): row the class of the images, column what they were taken for.
        class_names: One per row and column.
    """

    counts: Counts
    class_names: tuple[str, ...]

    @property
    def num_images(self) -> int:
        """All of them."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """Share of all images that were given their own class."""
        return int(np.trace(self.counts)) / self.num_images

    @property
    def commonest(self) -> tuple[str, float]:
        """The class with most images, and the accuracy that always naming it would have."""
        sizes = self.counts.sum(axis=1)
        return self.class_names[sizes.argmax()], int(sizes.max()) / self.num_images

    def told(self, most: int = 40) -> Iterator[str]:
        """A line for each class, the worst `most` of them if there are more: its accuracy, and what it is taken for."""
        sizes, right = self.counts.sum(axis=1), np.diagonal(self.counts)
        shares = right / np.maximum(sizes, 1)
        shown: Sequence[int] = range(len(sizes))
        if len(sizes) > most:
            shown = sorted(np.argsort(np.where(sizes > 0, shares, np.inf), kind="stable")[:most].tolist())
            yield f"the {most} worst of {len(sizes)} classes:"
        width = max(len(self.class_names[label]) for label in shown)
        for label in shown:
            name = f"{self.class_names[label]:{width}}"
            if not sizes[label]:
                yield f"{name}  no image to test on"
                continue
            line = f"{name}  {shares[label]:7.2%} of {sizes[label]:,}"
            wrong = self.counts[label] * (np.arange(len(sizes)) != label)
            if wrong.any():
                line += f"; most often taken for {self.class_names[wrong.argmax()]} ({wrong.max():,})"
            yield line


def count_confusion(labels: Counts, predicted: Counts, class_names: Sequence[str]) -> Confusion:
    """Count pairs of true and predicted class.

    >>> count_confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), ["cat", "dog"]).counts.tolist()
    [[1, 1], [0, 1]]
    """
    size = len(class_names)
    counts = np.bincount(labels * size + predicted, minlength=size * size).reshape(size, size)
    return Confusion(counts, tuple(class_names))


def draw_confusion(confusion: Confusion, title: str) -> PIL.Image.Image:
    """Draw a square of cells, a row for each class: green what is right, red what is not, darker where it is more."""
    return _Drawing(confusion, title).drawn()


class _Drawing:
    def __init__(self, confusion: Confusion, title: str) -> None:
        self._pillow = Pillow("draw_confusion()")
        self._confusion = confusion
        self._title = title
        size = len(confusion.class_names)
        self._cell = max(_SMALLEST_CELL, min(_LARGEST_CELL, _LONGEST_EDGE // size))
        self._edge = self._cell * size
        self._small, self._large = Lettering(13), Lettering(17)
        self._has_names = self._cell >= self._small.line_height
        widest = max(self._small.width(name) for name in confusion.class_names)
        self._name_room = round(min(widest, _LONGEST_NAME)) + 8 if self._has_names else 0
        self._left = _MARGIN + self._small.line_height + 6 + self._name_room

    def drawn(self) -> PIL.Image.Image:
        are_level = self._names_lie_level()
        above = (self._small.line_height if are_level else self._name_room) if self._has_names else 0
        top = _MARGIN + self._large.line_height + 14 + self._small.line_height + 6 + above
        title_width = round(self._large.width(self._title))
        width = max(self._left + self._edge, _MARGIN + title_width) + _MARGIN
        image = self._pillow.image.new("RGB", (width, top + self._edge + _MARGIN), _PAPER)
        pen = self._pillow.draw.Draw(image)
        pen.text((_MARGIN, _MARGIN), self._title, _INK, self._large.font)
        head = "taken for"
        middle = self._left + (self._edge - self._small.width(head)) / 2
        pen.text((max(self._left, middle), _MARGIN + self._large.line_height + 14), head, _FAINT, self._small.font)
        self._put_upright(image, "class", _MARGIN, top + self._edge // 2, centred=True)
        for at, name in enumerate(self._confusion.class_names if self._has_names else ()):
            self._put_names(image, pen, at, name, top, are_level)
        self._put_cells(pen, top)
        return image

    def _names_lie_level(self) -> bool:
        return all(self._small.width(name) <= self._cell - 6 for name in self._confusion.class_names)

    def _put_names(self, image: Any, pen: Any, at: int, name: str, top: int, are_level: bool) -> None:
        middle = at * self._cell + self._cell / 2
        shown = self._small.line(name, _LONGEST_NAME)
        left = self._left - 8 - self._small.width(shown)
        pen.text((left, top + middle - self._small.line_height / 2), shown, _INK, self._small.font)
        if are_level:
            place = self._left + middle - self._small.width(shown) / 2, top - self._small.line_height - 2
            pen.text(place, shown, _INK, self._small.font)
        else:
            self._put_upright(image, shown, round(self._left + middle - self._small.line_height / 2), top - 6)

    def _put_upright(self, image: Any, text: str, left: int, bottom: int, centred: bool = False) -> None:
        """Write from below upwards, from `bottom` on or around it."""
        line = self._pillow.image.new("RGB", (round(self._small.width(text)) + 2, self._small.line_height), _PAPER)
        self._pillow.draw.Draw(line).text((0, 0), text, _FAINT if centred else _INK, self._small.font)
        upright = line.transpose(self._pillow.image.Transpose.ROTATE_90)
        image.paste(upright, (left, bottom - upright.height // (2 if centred else 1)))

    def _put_cells(self, pen: Any, top: int) -> None:
        counts = self._confusion.counts
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        numbers = self._lettering(str(counts.max()))
        for row, column in np.ndindex(*counts.shape):
            left, upper = self._left + column * self._cell, top + row * self._cell
            count, share = int(counts[row, column]), float(shares[row, column])
            colour = _blend(_RIGHT if row == column else _WRONG, share) if count else _PAPER
            pen.rectangle((left, upper, left + self._cell, upper + self._cell), colour, _GRID)
            if count and numbers is not None:
                ink = _PAPER if sum(colour) < 390 else _INK
                place = left + self._cell / 2 + 0.5, upper + self._cell / 2 + 0.5
                pen.text(place, str(count), ink, numbers.font, anchor="mm")

    def _lettering(self, longest: str) -> Lettering | None:
        """The largest in which the longest number fits a cell; None where it would be too small to read."""
        for size in (14, 12, 10, 9):
            if Lettering(size).width(longest) <= self._cell - 4:
                return Lettering(size)
        return None


def _blend(colour: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    """From nearly paper to the full colour; a single mistake among many can still be seen."""
    weight = 0.12 + 0.88 * share
    red, green, blue = (round(255 + (value - 255) * weight) for value in colour)
    return red, green, blue
