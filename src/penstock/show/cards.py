"""Elements as cards: the parts of each, with images drawn alike, or the error that stands there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.seen import Seen, components
from penstock.show.parts import Decode, Part, Picture, Words, part_of
from penstock.show.sheet import drawn
from penstock.show.user_frames import user_traceback

_NO_TEXT = re.compile(r"mask|segment|position|length|label_id|offset", re.IGNORECASE)
"""Names of integers that go with tokens and are none."""


@dataclass(frozen=True, slots=True)
class Card:
    """One element: its parts by name, or what its error says."""

    place: str
    parts: dict[str, Part]
    error: str = ""
    trace: str = ""
    """Where the error was raised, as far as that is the user's code."""

    @property
    def is_short(self) -> bool:
        """Whether it fits one line of a table."""
        return all(
            isinstance(part, Words) and part.text == part.brief and not part.remark for part in self.parts.values()
        )


@dataclass(frozen=True, slots=True)
class Cards:
    """All of them, and how the images were drawn."""

    cards: list[Card]
    notes: list[str]

    @property
    def names(self) -> list[str]:
        """Names of all components, in order."""
        return list(dict.fromkeys(name for card in self.cards for name in card.parts))


def cards_of(seen: Sequence[Seen], decode: Decode | None = None) -> Cards:
    """The cards of what was seen.

    Args:
        seen: Elements and errors.
        decode: What makes text of token ids.
    """
    found = [_card(one, decode) for one in seen]
    notes: list[str] = []
    for name in Cards(found, []).names:
        pictures = [part for card in found if isinstance(part := card.parts.get(name), Picture)]
        if pictures:
            # All of one component, so that what is darker looks darker.
            pixels, said = drawn([picture.array for picture in pictures])
            _replace(found, name, pixels)
            notes.append(f"{name}: {' · '.join(said)}")
    return Cards(found, notes)


def _replace(cards: list[Card], name: str, pixels: list[NDArray[np.uint8]]) -> None:
    left = iter(pixels)
    for card in cards:
        part = card.parts.get(name)
        if isinstance(part, Picture):
            card.parts[name] = Picture(next(left), part.brief)


def _card(one: Seen, decode: Decode | None) -> Card:
    if one.error is not None:
        return Card(one.place, {}, described(one.error), "".join(user_traceback(one.error).stack.format()))
    parts = components(one.element).items()
    return Card(one.place, {name: _part(name, value, decode) for name, value in parts})


def _part(name: str, value: Any, decode: Decode | None) -> Part:
    return part_of(value, None if _NO_TEXT.search(name) else decode)


def described(error: BaseException) -> str:
    """Type, message and notes of an error."""
    text = str(error)
    first = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return "\n".join([first, *getattr(error, "__notes__", [])])
