"""Of a JPEG image no more rows are decoded than a window shows: the same to the bit, and checked as carefully."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from penstock import image
from penstock.errors import DataLossError
from penstock.image import first_rows
from penstock.image.content import MAX_PIXELS, Encoded, read_encoded
from penstock.image.decoders import decode_stored
from penstock.image.first_rows import decode_first_rows
from tests.image.photographs import difference, encoded, only, photograph

PHOTO = photograph(131, 97)


def read(data: bytes) -> Encoded:
    return read_encoded("decode", data, MAX_PIXELS)


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_rows_are_those_of_the_whole_image(channels: int, options: dict[str, int], factor: int) -> None:
    for mode in ("RGB", "L"):
        one = read(encoded(PHOTO, "JPEG", mode, **options))
        whole = decode_stored(one, channels, factor)
        shortened = False
        for rows in range(1, len(whole) + 1, 3):
            first = decode_first_rows(one, channels, factor, rows)
            assert np.array_equal(first[:rows], whole[:rows])
            shortened |= len(first) < len(whole)
        assert shortened


def test_what_is_not_stored_in_one_piece_is_decoded_as_a_whole() -> None:
    for data in (
        encoded(PHOTO, "JPEG", progressive=True),
        encoded(PHOTO, "JPEG", "CMYK"),
        encoded(PHOTO, "JPEG", restart_marker_rows=1),
        encoded(PHOTO, "PNG"),
    ):
        assert len(decode_first_rows(read(data), 3, 1, 5)) == 131
    with only("cv2"):
        assert len(decode_first_rows(read(encoded(PHOTO, "JPEG")), 3, 1, 5)) == 131


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_data_that_end_too_early_are_an_error_whatever_is_shown(kept: float) -> None:
    data = encoded(PHOTO, "JPEG")
    cut = read(data[: max(int(len(data) * kept), 650)])
    with pytest.raises(DataLossError, match="simplejpeg cannot decode"):
        decode_first_rows(cut, 3, 1, 5)


def test_what_is_broken_among_the_rows_is_an_error() -> None:
    data = encoded(PHOTO, "JPEG")
    scan = data.index(b"\xff\xda") + 20
    broken = read(data[:scan] + b"\xff\xd9" + data[scan:])
    with pytest.raises(DataLossError):
        decode_first_rows(broken, 3, 1, 40)


def test_crops_decode_down_to_their_lowest_row_and_show_what_they_did() -> None:
    heights: list[int] = []
    real = first_rows._first_rows

    def noted(simplejpeg: Any, encoded: Any, channels: int, factor: int, height: int) -> Any:
        heights.append(height)
        return real(simplejpeg, encoded, channels, factor, height)

    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(photograph(), "JPEG", exif=exif)
        shown = image.decode(data)
        for seed in range(4):
            with patch.object(first_rows, "_first_rows", noted):
                of_file = image.random_resized_crop(data, 90, np.random.default_rng(seed), scale=(0.1, 0.12))
            of_pixels = image.random_resized_crop(shown, 90, np.random.default_rng(seed), scale=(0.1, 0.12))
            assert difference(of_file, of_pixels) < 0.5
    assert len(heights) > 20
    assert min(heights) < 150
