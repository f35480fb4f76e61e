"""The page and the picture that elements are shown on."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from penstock import Dataset
from penstock.ends import look
from penstock.image import libraries
from penstock.show.cards import Cards, cards_of
from penstock.show.element_sheet import element_sheet
from penstock.show.page import page

VOID = {"meta", "img", "br", "rect"}


class Outline(HTMLParser):
    """Which tags are open at the end, what each one says, and which addresses are named."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag in {*self.open}:
            self.texts[tag][-1] += data


def shown(ds: Dataset[Any], count: int = 8) -> tuple[str, Cards]:
    found = look(ds, count)
    cards = cards_of(found.seen)
    return page("my <pipeline>", found, cards), cards


def mixed(n: Any) -> Any:
    if n == 1:
        raise ValueError("no <sound>")
    return {"text": "<b>one</b>\ntwo", "picture": np.full((8, 8, 3), n * 40, np.uint8), "wave": np.arange(100) * 0.5}


def test_a_page_shows_the_dataset_in_words_and_a_card_for_each_element() -> None:
    text, _ = shown(Dataset.range(4).map(mixed))
    outline = Outline(text)
    assert outline.texts["h1"] == ["my <pipeline>"]
    assert outline.texts["h2"] == ["element 0", "element 1", "element 2", "element 3"]
    first, second = outline.texts["section"][:2]
    assert "text<b>one</b>\ntwo" in first
    assert text.index("<img") < text.index("<i>text</i>"), "the picture comes first"
    assert "wavefloat64 array of shape (100,): 0 to 49.5, mean 24.75" in first
    assert "ValueError: no <sound>" in second
    assert "element 1" in second
    assert "in mixed" in second
    said = outline.texts["details"]
    assert "picture: TensorSpec((8, 8, 3), uint8)" in said[0]
    assert "range(start=0, step=1, 4 numbers, int64)\n  map(mixed)" in said[1]
    assert "<p class=faint>picture: 8 x 8 pixels · uint8, 0 to 255</p>" in text
    assert text.count("<svg") == 3
    assert outline.open in ([], ["html"])


def test_a_page_needs_nothing_else_and_its_images_are_the_elements() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), np.uint8)
    outline = Outline(shown(Dataset.from_tensor_slices(pixels))[0])
    assert len(outline.addresses) == 2
    for address, image in zip(outline.addresses, pixels, strict=True):
        kind, data = address.split(",")
        assert kind == "data:image/png;base64"
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), image)


def test_large_images_are_made_smaller() -> None:
    outline = Outline(shown(Dataset.from_tensors(np.zeros((1000, 2000), np.uint8)))[0])
    kind, data = outline.addresses[0].split(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (640, 320)


def test_short_elements_become_one_table() -> None:
    ds = Dataset.range(5).map(lambda n: {"n": n, "word": "<w>" if n < 3 else {}[n]})
    text, _ = shown(ds)
    outline = Outline(text)
    assert outline.texts["th"] == ["", "n", "word", *(f"element {n}" for n in range(5))]
    assert outline.texts["td"][:2] == ["0", "<w>"]
    assert outline.texts["td"][6].startswith("KeyError: np.int64(3)")
    assert "<main>" not in text


def test_small_arrays_are_tables_and_long_rows_text() -> None:
    outline = Outline(shown(Dataset.from_tensors((np.array([[1, 2], [3, 4]]), np.arange(20))))[0])
    assert outline.texts["td"] == ["1", "2", "3", "4"]
    assert " ".join(map(str, range(20))) in outline.texts["pre"][-1]


def test_text_needs_no_pillow_but_images_do() -> None:
    with patch.object(libraries, "find", lambda name: None):
        assert "one line" in shown(Dataset.from_list(["one line"]))[0]
        with pytest.raises(ImportError, match=r"needs Pillow"):
            shown(Dataset.from_tensors(np.zeros((8, 8), np.uint8)))
        html = Dataset.from_tensors(np.zeros((8, 8), np.uint8))._repr_html_()
    assert "<td>uint8 array of shape (8, 8)</td>" in html


def greys(sheet: Any) -> set[int]:
    """Shades of the sheet that are neither paper nor ink: those of pictures."""
    counts = np.bincount(np.asarray(sheet.convert("L")).ravel(), minlength=256)
    return {int(shade) for shade in np.flatnonzero(counts > 2000)}


def test_elements_with_images_are_a_contact_sheet_with_errors_in_their_places() -> None:
    _, cards = shown(Dataset.range(4).map(mixed))
    sheet = element_sheet("title", cards)
    assert {0, 80, 120} <= greys(sheet)
    assert 40 not in greys(sheet)
    red = np.argwhere(np.all(np.asarray(sheet) == (176, 32, 32), axis=2))
    assert len(red)
    assert [red[:, 1].min(), red[:, 1].max()] == [16 + 122, 16 + 122 + 111], "a frame around the second tile"


def test_two_images_of_an_element_are_two_tiles() -> None:
    def both(n: Any) -> Any:
        return {"left": np.full((8, 8), 40, np.uint8), "right": np.full((8, 8), 90, np.uint8), "n": n}

    sheet = element_sheet("title", shown(Dataset.range(2).map(both))[1])
    assert {40, 90} <= greys(sheet)
    assert sheet.width == 2 * 16 + 4 * 112 + 3 * 10


def test_elements_without_images_are_a_table() -> None:
    def row(n: Any) -> Any:
        return {"n": n, "text": "word " * int(n), "m": np.ones((2, 3)), "error": [][0] if n == 3 else 0}

    few = element_sheet("title", shown(Dataset.range(4).map(row))[1])
    more = element_sheet("title", shown(Dataset.range(8).map(row))[1])
    assert more.height > few.height
    assert np.any(np.all(np.asarray(few) == (176, 32, 32), axis=2))


@pytest.mark.parametrize(("num_columns", "least", "most"), [(1, 1100, 1240), (3, 1100, 1240), (20, 1200, 2200)])
def test_a_table_is_no_wider_than_its_columns_need_to_be_read(num_columns: int, least: int, most: int) -> None:
    element = {f"column {at}": "a long line of text " * 40 for at in range(num_columns)}
    sheet = element_sheet("title", shown(Dataset.from_tensors(element))[1])
    assert least < sheet.width < most


def test_errors_alone_are_shown_too() -> None:
    text, cards = shown(Dataset.range(2).map(lambda n: {}[n]))
    assert re.findall(r"KeyError: np.int64\(([01])\)", text) == ["0", "1"]
    assert element_sheet("title", cards).height > 50
