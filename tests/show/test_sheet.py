"""Contact sheets: what is drawn where, in which shades, and what is said of it."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from penstock.image import libraries
from penstock.show import contact_sheet
from penstock.show.lettering import ELLIPSIS, Lettering
from penstock.show.pixels import draw, scales
from penstock.show.sheet import drawn

RAMP = np.linspace(0, 1, 64).reshape(8, 8)


def shades(*images: np.ndarray[Any, Any]) -> tuple[list[int], str]:
    """The least and the greatest grey of the first picture, and what is said of all."""
    pictures, notes = drawn(list(images))
    return [int(pictures[0].min()), int(pictures[0].max())], " · ".join(notes)


@pytest.mark.parametrize(
    ("image", "expected", "said"),
    [
        (np.array([[3, 250]], np.uint8), [3, 250], "uint8, 0 to 255"),
        (RAMP.astype(np.float32), [0, 255], "float32, 0 to 1 drawn"),
        (RAMP * 0.5, [0, 128], "float64, 0 to 1 drawn"),
        (RAMP * 1.04, [0, 255], "float64, 0 to 1 drawn"),
        (RAMP * 2 - 1, [0, 255], "float64, -1 to 1 drawn"),
        (RAMP - 0.5, [64, 191], "float64, -1 to 1 drawn"),
        (RAMP * 4.76 - 2.12, [0, 255], "-2.12 to 2.64 (least and greatest) drawn"),
        (RAMP * 200, [0, 200], "float64, 0 to 255 drawn"),
        ((RAMP * 200).astype(np.int32), [0, 200], "int32, 0 to 255 drawn"),
        ((RAMP * 12).astype(np.int64), [0, 255], "int64, 0 to 12 (least and greatest) drawn"),
        (RAMP > 0.5, [0, 255], "bool, False drawn black"),
        (np.full((2, 2), 7.0), [128, 128], "all values 7, drawn grey"),
        (np.array([[-1e308, 1e308]]), [0, 255], "-1e+308 to 1e+308"),
    ],
)
def test_values_are_scaled_as_they_suggest_and_that_is_said(
    image: np.ndarray[Any, Any], expected: list[int], said: str
) -> None:
    found, note = shades(image)
    assert found == expected
    assert said in note


def test_images_of_one_dtype_share_a_scale_so_that_darker_looks_darker() -> None:
    bright, dark = RAMP * 6 - 3, RAMP - 3
    pictures, _ = drawn([bright, dark])
    assert pictures[0].max() == 255
    assert pictures[1].max() < 60


def test_what_is_not_finite_is_magenta_and_counted() -> None:
    image = np.zeros((4, 4, 3), np.float32)
    image[0, 0, 1], image[1, 1], image[2, 2] = np.nan, np.inf, -np.inf
    pictures, notes = drawn([image])
    assert [tuple(pictures[0][at, at]) for at in range(4)] == [(255, 0, 255)] * 3 + [(0, 0, 0)]
    assert notes[-1] == "NaN and infinity drawn magenta: 3 pixels"
    assert "0 to 1 drawn" in notes[1]


@pytest.mark.parametrize(
    ("shape", "size", "said"),
    [
        ((5, 9), (5, 9), ""),
        ((5, 9, 1), (5, 9), ""),
        ((5, 9, 3), (5, 9), ""),
        ((3, 5, 9), (5, 9), ""),
        ((1, 5, 9), (5, 9), ""),
        ((3, 9, 2), (9, 2), ""),
        ((5, 9, 2), (5, 9), "the first channel is drawn, of 2"),
        ((5, 9, 4), (5, 9), "the first three channels are drawn, of 4"),
        ((20, 30, 12), (20, 30), "the first three channels are drawn, of 12"),
        ((12, 20, 30), (20, 30), "the first three channels are drawn, of 12"),
        ((1, 1), (1, 1), ""),
        ((1, 1, 1), (1, 1), ""),
    ],
)
def test_channels_are_found_at_either_end(shape: tuple[int, ...], size: tuple[int, int], said: str) -> None:
    pictures, notes = drawn([np.zeros(shape, np.uint8)])
    assert pictures[0].shape == (*size, 3)
    assert notes[2:] == ([said] if said else [])


def test_channels_first_and_last_are_the_same_picture() -> None:
    image = np.random.default_rng(0).random((8, 6, 3))
    pictures, _ = drawn([image, image.transpose(2, 0, 1)])
    assert np.array_equal(*pictures)


def test_each_image_stands_in_its_tile() -> None:
    images = [np.full((2, 2, 3), shade, np.uint8) for shade in (0, 50, 100, 150, 200)]
    sheet = contact_sheet(images, columns=2, tile=40, captions="abcde")
    centres = [(16 + column * 50 + 20, 16 + row * (40 + 4 + 16 + 10) + 20) for row in range(3) for column in range(2)]
    assert [sheet.getpixel(centre)[0] for centre in centres] == [0, 50, 100, 150, 200, 255]


def test_small_images_grow_by_whole_factors_and_large_ones_shrink_with_their_shape() -> None:
    board = np.array([[0, 255], [255, 0]], np.uint8)
    small = contact_sheet([board], tile=41)
    assert small.getpixel((17, 17)) == (0, 0, 0)
    assert small.getpixel((17 + 38, 17)) == (255, 255, 255)
    tall = np.asarray(contact_sheet([np.zeros((4, 2), np.uint8)], tile=40))
    assert np.ptp(np.argwhere(tall[: 16 + 40, : 16 + 40, 0] == 0), axis=0).tolist() == [39, 19]
    wide = contact_sheet([np.zeros((100, 4000), np.uint8)], tile=80)
    dark = np.argwhere(np.asarray(wide)[: 16 + 80, : 16 + 80, 0] < 20)
    assert np.ptp(dark, axis=0).tolist() == [1, 79]


@pytest.mark.parametrize(("number", "columns"), [(1, 1), (3, 3), (4, 4), (7, 4), (8, 4), (9, 3), (16, 4), (32, 8)])
def test_tiles_are_laid_out_about_square_with_few_places_empty(number: int, columns: int) -> None:
    sheet = contact_sheet(np.zeros((number, 3, 3), np.uint8), tile=100)
    assert sheet.width == max(400, 2 * 16 + columns * 110 - 10)


def test_captions_are_cut_to_their_tile_and_three_lines() -> None:
    lettering = Lettering(12)
    words = "a caption that goes on " * 2_000
    lines = lettering.lines(words, 150, 3)
    assert len(lines) == 3
    assert lines[-1].endswith(ELLIPSIS)
    assert all(lettering.width(line) <= 150 for line in lines)
    assert lettering.lines("7", 150, 3) == ["7"]
    assert lettering.lines("one\ntwo", 150, 3) == ["one", "two"]
    assert lettering.lines("one\ntwo\nthree", 150, 2) == ["one", "two three"]
    assert lettering.lines("/data/photographs/training/cat.jpg", 120, 3) == ["/data/photographs/", "training/cat.jpg"]
    assert len(lettering.lines("W" * 10_000, 150, 3)) == 3
    assert contact_sheet(np.zeros((1, 8, 8)), [words]).width == contact_sheet(np.zeros((1, 8, 8)), ["7"]).width


@given(st.text(max_size=60), st.integers(8, 120), st.integers(1, 4))
def test_any_text_is_broken_into_lines_that_fit(text: str, room: int, most: int) -> None:
    lettering = Lettering(12)
    lines = lettering.lines(text, room, most)
    assert 1 <= len(lines) <= most
    # One letter may be wider than the room there is.
    assert all(lettering.width(line) <= max(room, 24) for line in lines)
    if not lines[-1].endswith(ELLIPSIS):
        assert sum(map(len, "".join(lines).split())) == sum(map(len, "".join(_seen(text)).split()))


def _seen(text: str) -> list[str]:
    lettering = Lettering(12)
    return [lettering.line(letter, 1000) for letter in text if letter != "\n"]


def test_accents_that_the_font_lacks_are_left_out() -> None:
    assert Lettering(12).line("Café\tmüde", 500) == "Cafe mude"


@given(
    st.lists(
        arrays.arrays(
            st.sampled_from(
                [np.uint8, np.int8, np.uint16, np.int64, np.uint64, np.float16, np.float32, np.float64, np.bool_]
            ),
            arrays.array_shapes(min_dims=2, max_dims=3, max_side=6),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_numbers_are_drawn_between_black_and_white(images: list[np.ndarray[Any, Any]]) -> None:
    for image, scale in zip(images, scales(images), strict=True):
        picture = draw(image, scale).pixels
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
    assert contact_sheet(images).mode == "RGB"


def test_a_title_takes_a_line_above() -> None:
    images = np.zeros((4, 8, 8), np.uint8)
    assert contact_sheet(images, title="batch 0").height > contact_sheet(images).height


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        ([], {}, ValueError, "images is empty"),
        ([np.zeros(3)], {}, ValueError, r"images\[0\] has shape \(3,\)"),
        ([RAMP, np.zeros((0, 4))], {}, ValueError, r"images\[1\] has shape \(0, 4\)"),
        ([np.zeros((2, 8, 8, 3))], {}, ValueError, r"has shape \(2, 8, 8, 3\)"),
        (["photo.jpg"], {}, TypeError, r"images\[0\] has 'photo.jpg'"),
        ([RAMP * 1j], {}, TypeError, "has dtype complex128"),
        ([RAMP], {"captions": [1, 2]}, ValueError, "2 captions for 1 images"),
        ([RAMP], {"columns": 0}, ValueError, "columns must be at least 1"),
        ([RAMP], {"tile": 2}, ValueError, "tile must be at least 8"),
    ],
)
def test_what_is_no_image_is_refused(images: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=r"^contact_sheet\(\): .*" + message):
        contact_sheet(images, **options)


def test_without_pillow_it_says_what_to_install() -> None:
    with (
        patch.object(libraries, "find", lambda name: None),
        pytest.raises(ImportError, match=r'needs Pillow.*pip install "penstock\[image\]"'),
    ):
        contact_sheet([RAMP])
