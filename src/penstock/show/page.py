"""A look at a dataset as one HTML page that needs nothing else: images stand in it as data."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from penstock.seen import Look
from penstock.show.cards import Card, Cards
from penstock.show.lettering import Pillow
from penstock.show.parts import Numbers, Part, Picture, Table, Words
from penstock.show.sheet import fitted

_SIDE = 320
_SHORT = 32
"""Letters that fit beside a name."""
_MOST_IN_A_ROW = 10
"""Numbers in one row of a table; more are written as text, which the card breaks into lines."""
_SMALL = 128
"""Up to here an image is kept to the last bit, as PNG; larger ones as JPEG."""

_STYLE = """
:root { color-scheme: light dark; --faint: #6a6f76; --line: #dcdfe3; --card: #fff; --back: #f5f6f7; --alarm: #b02020; }
@media (prefers-color-scheme: dark) {
  :root { --faint: #a0a6ad; --line: #3c4046; --card: #202327; --back: #16181b; --alarm: #ff8080; }
}
body { font: 14px/1.45 system-ui, sans-serif; margin: 24px; background: var(--back); }
h1 { font-size: 20px; margin: 0 0 4px; } h2 { font-size: 14px; margin: 0 0 8px; }
p { margin: 4px 0; } .faint, figcaption, summary { color: var(--faint); }
pre { font: 12px/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: 4px 0; }
details { margin: 8px 0; } summary { cursor: pointer; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 12px; margin-top: 16px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 12px; min-width: 0; }
section.failed { border-color: var(--alarm); } .failed h2, .failed > pre, tr.failed { color: var(--alarm); }
figure { margin: 0 0 8px; } figcaption { font-size: 12px; }
figcaption i { font-style: normal; font-weight: 600; margin-right: 8px; }
figcaption b { color: CanvasText; font: 12px ui-monospace, monospace; overflow-wrap: anywhere; }
figure > pre { max-height: 260px; overflow-y: auto; }
img { width: 100%; max-width: 320px; max-height: 320px; object-fit: contain; object-position: left; display: block; }
img.small { image-rendering: pixelated; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .scroll { overflow-x: auto; }
td, th { padding: 2px 8px; border: 1px solid var(--line); text-align: left; vertical-align: top; font-weight: normal; }
th { color: var(--faint); } table.numbers td { text-align: right; font-size: 12px; padding: 1px 5px; }
svg { display: block; width: 100%; max-width: 320px; height: 48px; fill: #4a7fb5; }
"""


def page(title: str, look: Look, cards: Cards) -> str:
    """The whole page.

    Args:
        title: What is shown.
        look: The dataset in words.
        cards: Its first elements.

    Raises:
        ImportError: There are images, and Pillow is not installed.
    """
    notes = "".join(f"<p class=faint>{escape(note)}</p>" for note in cards.notes)
    return (
        f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>\n"
        f"<h1>{escape(title)}</h1><p>{escape(look.summary)}</p>\n"
        f"<details open><summary>elements</summary><pre>{escape(look.spec)}</pre></details>\n"
        f"<details open><summary>plan</summary><pre>{escape(look.plan)}</pre></details>\n"
        f"{notes}{_body(cards)}</html>\n"
    )


def _body(cards: Cards) -> str:
    if all(card.is_short for card in cards.cards):
        return f"<section class=scroll>{table_of(cards)}</section>"
    return f"<main>{''.join(map(_card, cards.cards))}</main>"


def table_of(cards: Cards) -> str:
    """A table with a row for each element and a column for each component, as notebooks show it."""
    header = "".join(f"<th>{escape(name)}</th>" for name in cards.names)
    return f"<table><tr><th></th>{header}</tr>{''.join(_row(card, cards.names) for card in cards.cards)}</table>"


def _row(card: Card, names: Sequence[str]) -> str:
    place = f"<th>{escape(card.place)}</th>"
    if card.error:
        return f"<tr class=failed>{place}<td colspan={max(1, len(names))}>{_lines(card.error)}</td></tr>"
    cells = (_cell(card.parts[name]) if name in card.parts else "" for name in names)
    return f"<tr>{place}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _cell(part: Part) -> str:
    """A part in little room."""
    if not isinstance(part, Picture):
        return escape(part.brief)
    try:
        return _picture(part, 96)
    except ImportError:
        return escape(part.brief)


def _card(card: Card) -> str:
    head = f"<h2>{escape(card.place)}</h2>"
    if card.error:
        trace = f"<details><summary>raised at</summary><pre>{escape(card.trace)}</pre></details>" if card.trace else ""
        return f"<section class=failed>{head}<pre>{escape(card.error)}</pre>{trace}</section>"
    # What is looked at first stands first, whatever the order of components.
    parts = sorted(card.parts.items(), key=lambda named: not isinstance(named[1], Picture))
    return f"<section>{head}{''.join(_figure(name, part) for name, part in parts)}</section>"


def _figure(name: str, part: Part) -> str:
    said, shown = escape(part.brief), ""
    if isinstance(part, Picture):
        shown = _picture(part, _SIDE)
    elif isinstance(part, Words) and part.is_short and len(part.text) <= _SHORT:
        said = f"<b>{said}</b>"
    elif isinstance(part, Words):
        said, shown = escape(part.remark), f"<pre>{escape(part.text)}</pre>"
    elif isinstance(part, Table):
        said, shown = "", _numbers(part)
    elif part.counts:
        shown = _histogram(part)
    return f"<figure><figcaption><i>{escape(name)}</i>{said}</figcaption>{shown}</figure>"


def _numbers(part: Table) -> str:
    if len(part.rows) == 1 and len(part.rows[0]) > _MOST_IN_A_ROW:
        return f"<pre>{escape(' '.join(part.rows[0]))}</pre>"
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in part.rows)
    return f"<div class=scroll><table class=numbers>{''.join(f'<tr>{row}</tr>' for row in rows)}</table></div>"


def _histogram(part: Numbers) -> str:
    most = max(part.counts)
    bars = "".join(
        f"<rect x={at} y={48 - 48 * count / most:.1f} width=.9 height={48 * count / most:.1f} />"
        for at, count in enumerate(part.counts)
        if count
    )
    return f'<svg viewBox="0 0 {len(part.counts)} 48" preserveAspectRatio=none>{bars}</svg>'


def _picture(part: Picture, side: int) -> str:
    small = max(part.array.shape[:2]) <= _SMALL
    style = "class=small " if small else ""
    width = f"width={side} " if side < _SIDE else ""
    return f'<img {style}{width}alt="{escape(part.brief)}" src="{_data(part.array, side, small)}">'


def _data(pixels: NDArray[np.uint8], side: int, small: bool) -> str:
    pillow = Pillow("showing images")
    file = io.BytesIO()
    if small:
        pillow.image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    else:
        # Twice the points that it takes on the page, for screens that have as many.
        fitted(pillow, pixels, min(2 * side, max(pixels.shape[:2]))).save(file, "JPEG", quality=88)
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def _lines(text: str) -> str:
    return "<br>".join(map(escape, text.split("\n")))
