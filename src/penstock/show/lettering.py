"""Text in pictures: in Pillow's own font, cut to the room there is."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Any

from penstock.image import libraries

ELLIPSIS = "…"
_BREAKS = re.compile(r"(?<=.)(?: |(?<=[-/_])(?=.))")
"""Where a line may end: at a space, or after what joins the words of a path."""


class Pillow:
    """The parts of Pillow that draw.

    Raises:
        ImportError: It is not installed.
    """

    def __init__(self, method: str) -> None:
        self.image: Any = libraries.find("PIL.Image")
        self.draw: Any = libraries.find("PIL.ImageDraw")
        self.font: Any = libraries.find("PIL.ImageFont")
        if self.image is None or self.draw is None or self.font is None:
            raise ImportError(f'{method} needs Pillow, which is not installed; pip install "penstock[image]"')


@functools.cache
def _font(size: int) -> Any:
    return libraries.find("PIL.ImageFont").load_default(size)


class Lettering:
    """A font of one size."""

    def __init__(self, size: int) -> None:
        self.font = _font(size)
        self.line_height = round(size * 1.35)

    def width(self, text: str) -> float:
        """Pixels that a line takes."""
        return float(self.font.getlength(text))

    def line(self, text: str, room: float) -> str:
        """`text` in one line, cut with an ellipsis where it needs more than `room` pixels."""
        # No line needs more letters than it has pixels: a page of text is not measured as a whole.
        shown = _writable(text[: int(room) + 1])
        if len(text) <= len(shown) and self.width(shown) <= room:
            return shown
        low, high = 0, len(shown)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(shown[:middle].rstrip() + ELLIPSIS) <= room:
                low = middle
            else:
                high = middle - 1
        return shown[:low].rstrip() + ELLIPSIS

    def lines(self, text: str, room: float, most: int) -> list[str]:
        """`text` in at most `most` lines, broken between words where there are any, the last one cut."""
        found: list[str] = []
        waiting = text.split("\n")
        while waiting and len(found) < most:
            line = waiting.pop(0)
            if len(found) == most - 1:
                # What is left is said to be left, also where this line alone would fit.
                return [*found, self.line(line + (" " + " ".join(waiting) if waiting else ""), room)]
            fits = self._fitting(line, room)
            found.append(_writable(line[:fits].rstrip()))
            if fits < len(line):
                waiting.insert(0, line[fits:].lstrip())
        return found

    def _fitting(self, line: str, room: float) -> int:
        """How many letters of a line go into one, at least one."""
        shown = _writable(line[: int(room) + 1])
        low, high = min(1, len(shown)), len(shown)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.width(shown[:middle]) <= room else (low, middle - 1)
        if low == len(line):
            return low
        return max((found.end() for found in _BREAKS.finditer(line, 0, low + 1)), default=low)


def _writable(text: str) -> str:
    """The same number of letters, each of which can be drawn: no control characters, accents only where there are."""
    return "".join(map(_writable_letter, text))


@functools.cache
def _writable_letter(letter: str) -> str:
    if not letter.isprintable():
        return " "
    if letter.isascii() or not _is_missing(letter):
        return letter
    plain = unicodedata.normalize("NFKD", letter)[0]
    return letter if _is_missing(plain) else plain


def _is_missing(letter: str) -> bool:
    font = _font(16)
    return bytes(font.getmask(letter)) == bytes(font.getmask("\uffff"))
