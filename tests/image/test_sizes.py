"""Resized images are like Pillow's; crops show what they should, and decode no more than they need."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import pytest
from PIL import Image

from penstock import image
from penstock.image import decoders
from penstock.image.kernels import antialiasing_taps
from tests.image.photographs import difference, encoded, only, photograph

PHOTO = photograph()
LIBRARIES = ("cv2", "PIL.Image")


def by_pillow(pixels: Any, size: tuple[int, int]) -> Any:
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BILINEAR)).astype(int)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "size", [(256, 341), (224, 224), (150, 200), (97, 61), (40, 53), (11, 300), (500, 700), (20, 15)]
)
def test_resized_within_a_grey_level_of_pillow(size: tuple[int, int], library: str) -> None:
    with only(library):
        assert difference(image.resize(PHOTO, size), by_pillow(PHOTO, size)) <= 1
        grey = image.resize(PHOTO[:, :, :1], size)
    assert grey.shape == (*size, 1)


@pytest.mark.parametrize("library", ["simplejpeg", *LIBRARIES])
@pytest.mark.parametrize("shorter_side", [200, 150, 149, 75, 60, 37, 18])
def test_decoding_to_a_size_is_like_decoding_and_resizing(shorter_side: int, library: str) -> None:
    data = encoded(photograph(301, 403), "JPEG", quality=90)
    whole = image.decode(data)
    size = (shorter_side, round(403 * shorter_side / 301))
    with only(library, "cv2" if library == "simplejpeg" else library):
        decoded = image.decode(data, shorter_side=shorter_side)
    assert difference(decoded, by_pillow(whole, size)) <= 1


@pytest.mark.parametrize(("antialias", "factors"), [(True, [1, 1, 2, 4, 8]), (False, [1, 2, 4, 8, 8])])
def test_jpeg_is_decoded_no_larger_than_needed(antialias: bool, factors: list[int]) -> None:
    data = encoded(PHOTO, "JPEG")
    used = []
    real = decoders.decode_stored

    def noted(encoded: Any, channels: int, factor: int = 1) -> Any:
        used.append(factor)
        return real(encoded, channels, factor)

    with patch.object(decoders, "decode_stored", noted):
        for shorter_side in (151, 150, 75, 37, 18):
            image.decode(data, shorter_side=shorter_side, antialias=antialias)
        image.random_resized_crop(data, 10, np.random.default_rng(0), scale=(1, 1), ratio=(4 / 3, 4 / 3))
    assert used == [*factors, 8]


@pytest.mark.parametrize("of_means", [False, True])
@pytest.mark.parametrize("ratio", [2, 3, 4])
def test_taps_blur_as_far_as_pixels_and_interpolation_have_not(ratio: float, of_means: bool) -> None:
    taps = antialiasing_taps(ratio, of_means)
    places = np.arange(len(taps)) - len(taps) // 2
    variance = (taps * places**2).sum() + 1 / 6 + (1 / 12 if of_means else 0)
    assert taps.sum() == pytest.approx(1)
    assert variance == pytest.approx(ratio**2 / 6, abs=0.07)


def test_without_antialiasing_pixels_are_those_of_opencv() -> None:
    expected = cv2.resize(PHOTO, (200, 150), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(image.resize(PHOTO, (150, 200), antialias=False), expected)
    with only("PIL.Image"):
        assert difference(image.resize(PHOTO, (150, 200), antialias=False), expected) <= 0.5


def test_ways_to_fit() -> None:
    padded = image.resize(PHOTO, 60, fit="pad", fill=(1, 2, 3))
    assert (padded[:7] == (1, 2, 3)).all()
    assert (padded[53:] == (1, 2, 3)).all()
    assert np.array_equal(padded[7:52], image.resize(PHOTO, (45, 60)))
    cropped = image.resize(PHOTO, 60, fit="crop")
    assert difference(cropped, image.resize(np.ascontiguousarray(PHOTO[:, 50:350]), 60)) < 0.5
    assert np.array_equal(image.resize(PHOTO, shorter_side=60), image.resize(PHOTO, (60, 80)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "either"),
        ({"size": 3, "shorter_side": 3}, "either"),
        ({"size": 3, "fit": "cover"}, "fit"),
        ({"shorter_side": 3, "fit": "pad"}, "fit"),
        ({"size": 0}, "at least 1"),
        ({"size": (1, 2, 3)}, "size"),
    ],
)
def test_what_cannot_be_is_said(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        image.resize(PHOTO, **arguments)


def test_arrays_that_are_no_images() -> None:
    with pytest.raises(TypeError, match="before normalize"):
        image.resize(PHOTO.astype(np.float32), 10)
    with pytest.raises(ValueError, match=r"image\[\.\.\., None\]"):
        image.resize(PHOTO[:, :, 0], 10)


def test_central_crop() -> None:
    assert np.array_equal(image.central_crop(PHOTO, (100, 51)), PHOTO[100:200, 174:225])
    for side, size in ((256, 224), (100, 64), (750, 450)):
        resized = image.resize(PHOTO, shorter_side=side)
        top, left = ((length - size) // 2 for length in resized.shape[:2])
        crop = image.central_crop(PHOTO, size, shorter_side=side)
        # Resizing the part alone rounds some pixels otherwise.
        assert np.abs(crop.astype(int) - resized[top : top + size, left : left + size]).max() <= 2
    floats = PHOTO.astype(np.float32)
    assert image.central_crop(floats, 10).dtype == np.float32
    with pytest.raises(ValueError, match=r"301 x 301 is larger than the image, of 300 x 400 .*shorter_side=301"):
        image.central_crop(PHOTO, 301)


def test_random_crops_reach_all_places_and_no_other() -> None:
    places = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    rng = np.random.default_rng(0)
    first = {int(image.random_crop(places, 2, rng)[0, 0, 0]) for _ in range(200)}
    assert first == {0, 1, 2, 4, 5, 6}


def test_a_random_crop_resizes_what_it_shows() -> None:
    whole = image.resize(PHOTO, shorter_side=256)
    for seed in range(20):
        crop = image.random_crop(PHOTO, 224, np.random.default_rng(seed), shorter_side=256)
        draws = np.random.default_rng(seed)
        top, left = int(draws.integers(33)), int(draws.integers(341 - 224 + 1))
        # The window begins between pixels of the source, so half a pixel beside.
        assert difference(crop, whole[top : top + 224, left : left + 224]) < 6


def test_random_resized_crops_have_the_areas_and_ratios_asked_for() -> None:
    rows, columns = np.mgrid[:300, :400]
    ramp = np.stack([rows // 2, columns // 2, np.zeros_like(rows)], axis=2).astype(np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(50):
        crop = image.random_resized_crop(ramp, 64, rng, scale=(0.2, 0.5), ratio=(0.5, 2)).astype(int)
        height, width = (np.ptp(crop[:, :, axis]) * 2 for axis in (0, 1))
        assert 0.15 < height * width / 120_000 < 0.53
        assert 0.45 < width / height < 2.2
    with pytest.raises(ValueError, match="scale"):
        image.random_resized_crop(PHOTO, 10, rng, scale=(0.5, 2))


def test_a_window_that_never_fits_is_the_largest_in_the_middle() -> None:
    strip = photograph()[:10]
    crop = image.random_resized_crop(strip, 10, np.random.default_rng(0), scale=(1, 1), ratio=(1, 1))
    assert np.array_equal(crop, strip[:, 195:205])


def test_the_same_generator_makes_the_same_crop_of_pixels_and_of_their_file() -> None:
    data = encoded(PHOTO, "PNG")
    for function in (image.random_crop, image.random_resized_crop):
        crops = [function(form, 100, np.random.default_rng(3)) for form in (PHOTO, data)]
        assert np.array_equal(*crops)
        with pytest.raises(TypeError, match="random_map"):
            function(PHOTO, 100, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_windows_of_turned_images_are_those_of_what_is_shown(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(PHOTO, "PNG", exif=exif)
    shown = image.decode(data)
    for seed in range(5):
        of_file, of_pixels = (
            image.random_resized_crop(form, (60, 80), np.random.default_rng(seed)) for form in (data, shown)
        )
        assert difference(of_file, of_pixels) < 0.5
