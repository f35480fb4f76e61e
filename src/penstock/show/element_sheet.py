"""A look at a dataset as one image: a contact sheet where elements hold images, else a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.show.cards import Card, Cards
from penstock.show.lettering import Lettering, Pillow
from penstock.show.parts import Part, Picture, Table, Words
from penstock.show.sheet import ALARM, FAINT, INK, MARGIN, PAPER, Tile, arrange, write

if TYPE_CHECKING:
    import PIL.Image

_WIDEST = 1200
_NARROWEST_COLUMN = 48
_WIDEST_COLUMN = 480
_CELL_LINES = 6
_PAD = 8
_LINE = (220, 223, 227)


def element_sheet(title: str, cards: Cards) -> PIL.Image.Image:
    """Draw the elements.

    Args:
        title: What is shown.
        cards: The elements.

    Raises:
        ImportError: Pillow is not installed.
    """
    pillow = Pillow("a sheet of elements")
    if any(isinstance(part, Picture) for card in cards.cards for part in card.parts.values()):
        tiles = [tile for card in cards.cards for tile in _tiles(card)]
        return arrange(pillow, tiles, title=title, notes=cards.notes)
    return _table(pillow, title, cards)


def _tiles(card: Card) -> list[Tile]:
    """One for each picture of an element, with all else that it holds as caption."""
    if card.error:
        return [Tile(None, card.place, card.error, failed=True)]
    others = {name: part.brief for name, part in card.parts.items() if not isinstance(part, Picture)}
    caption = ", ".join(others.values()) if len(others) <= 1 else "\n".join(map(": ".join, others.items()))
    pictures = [part for part in card.parts.values() if isinstance(part, Picture)]
    if not pictures:
        return [Tile(None, card.place, caption)]
    return [Tile(part.array, caption) for part in pictures]


def _table(pillow: Pillow, title: str, cards: Cards) -> PIL.Image.Image:
    """A row for each element, a column for each component."""
    small, large = Lettering(13), Lettering(16)
    names = cards.names or [""]
    rows = [["", *names]] + [[card.place, *_cells(card, names)] for card in cards.cards]
    widths = _widths(small, [row for row, card in zip(rows[1:], cards.cards, strict=True) if not card.error], rows[0])
    whole = sum(widths[1:])
    lines = [[small.lines(cell, width - 2 * _PAD, _CELL_LINES) for cell, width in zip(rows[0], widths, strict=True)]]
    for row, card in zip(rows[1:], cards.cards, strict=True):
        rooms = [widths[0], whole] if card.error else widths
        lines.append([small.lines(cell, room - 2 * _PAD, _CELL_LINES) for cell, room in zip(row, rooms, strict=False)])
    heights = [max(1, *map(len, row)) * small.line_height + _PAD for row in lines]
    top = MARGIN + large.line_height + 8
    width = 2 * MARGIN + sum(widths)
    sheet = pillow.image.new("RGB", (width, top + sum(heights) + MARGIN), PAPER)
    pen = pillow.draw.Draw(sheet)
    pen.text((MARGIN, MARGIN), large.line(title, width - 2 * MARGIN), INK, large.font)
    for number, (row_lines, height) in enumerate(zip(lines, heights, strict=True)):
        failed = number > 0 and bool(cards.cards[number - 1].error)
        pen.line((MARGIN, top + height - 1, width - MARGIN, top + height - 1), _LINE)
        left = MARGIN
        for column, (cell, room) in enumerate(zip(row_lines, widths, strict=False)):
            ink = ALARM if failed else FAINT if number == 0 or column == 0 else INK
            write(pen, small, cell, left + (_PAD if column else 0), top + _PAD // 2, ink)
            left += room
        top += height
    return sheet


def _cells(card: Card, names: Sequence[str]) -> list[str]:
    if card.error:
        return [card.error]
    return [_cell(card.parts.get(name)) for name in names]


def _cell(part: Part | None) -> str:
    if isinstance(part, Words):
        return part.text
    if isinstance(part, Table):
        return "\n".join("  ".join(row) for row in part.rows)
    return "" if part is None else part.brief


def _widths(lettering: Lettering, rows: Sequence[Sequence[str]], header: Sequence[str]) -> list[int]:
    """What columns need, those that need most cut where all together need too much."""
    lines = [[line for row in (header, *rows) for line in row[at].split("\n")] for at in range(len(header))]
    wanted = [max(round(lettering.width(line[:200])) for line in column) + 2 * _PAD + 1 for column in lines]
    most = _WIDEST_COLUMN if len(header) > 2 else _WIDEST - wanted[0]
    widths: list[Any] = [max(_NARROWEST_COLUMN, min(width, most)) for width in wanted]
    while sum(widths) > _WIDEST and max(widths) > 2 * _NARROWEST_COLUMN:
        widths[widths.index(max(widths))] -= 16
    return widths
