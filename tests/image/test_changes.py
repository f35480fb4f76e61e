"""Changes that keep the size do what their words say, the same with OpenCV and without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import image
from tests.image.photographs import difference, only, photograph

PHOTO = photograph(60, 80)
BOTH = ("cv2", "PIL.Image")


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("library", BOTH)
def test_flips(library: str) -> None:
    with only(library):
        for pixels in (PHOTO, PHOTO[:, :, :1], PHOTO / np.float32(255), np.arange(60, dtype=np.int64).reshape(3, 4, 5)):
            assert np.array_equal(image.random_flip(pixels, draws(), probability=1), pixels[:, ::-1])
            assert np.array_equal(image.random_flip(pixels, draws(), probability=1, vertical=True), pixels[::-1])
            assert image.random_flip(pixels, draws(), probability=0) is pixels
    rng = draws()
    flipped = sum(image.random_flip(PHOTO, rng) is not PHOTO for _ in range(400))
    assert 150 < flipped < 250


@pytest.mark.parametrize("library", BOTH)
def test_quarter_turns_are_exact_and_corners_are_filled(library: str) -> None:
    square = np.ascontiguousarray(PHOTO[:, :60])
    with only(library):
        for quarters in range(4):
            assert difference(image.rotate(square, 90.0 * quarters), np.rot90(square, quarters)) < 0.01
        turned = image.rotate(PHOTO, 30, fill=(9, 8, 7))
        assert tuple(turned[0, 0]) == (9, 8, 7)
        assert image.rotate(PHOTO[:, :, :1], 30).shape == (60, 80, 1)


def test_erased_rectangles() -> None:
    rng = draws()
    for _ in range(50):
        erased = image.random_erasing(PHOTO, rng, probability=1, scale=(0.1, 0.2), ratio=(0.5, 2), fill=(1, 2, 3))
        changed = (erased == (1, 2, 3)).all(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert 0.08 < changed.mean() < 0.22
        assert np.array_equal(erased[~changed], PHOTO[~changed])
    assert image.random_erasing(PHOTO, rng, probability=0) is PHOTO


@pytest.mark.parametrize("library", BOTH)
def test_colours_change_as_asked(library: str) -> None:
    bright = PHOTO // 4 + 50
    with only(library):
        light = image.color_jitter(bright, draws(), brightness=0.5) / bright
        assert np.allclose(light, light[0, 0, 0], atol=0.02)
        assert abs(light[0, 0, 0] - 1) > 0.05
        deeper = image.color_jitter(bright, draws(), contrast=0.5).astype(float)
        assert abs((deeper @ (0.299, 0.587, 0.114)).mean() - (bright @ (0.299, 0.587, 0.114)).mean()) < 0.5
        assert abs(deeper.std() - bright.std()) > 1
        paler = image.color_jitter(bright, draws(), saturation=0.9).astype(float)
        assert np.abs((paler - bright) @ (0.299, 0.587, 0.114)).max() < 1.5
        turned = image.color_jitter(bright, draws(), hue=0.5).astype(float)
        assert np.abs((turned - bright) @ (0.299, 0.587, 0.114)).max() < 2
        assert difference(turned, bright) > 1
        assert np.array_equal(image.color_jitter(bright, draws()), bright)


def test_colours_are_the_same_by_both_ways() -> None:
    results = []
    for library in BOTH:
        with only(library):
            results.append(image.color_jitter(PHOTO, draws(), brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1))
    assert difference(results[0], results[1].astype(int)) < 0.1
    grey = image.color_jitter(PHOTO[:, :, :1], draws(), brightness=0.4, contrast=0.4)
    assert grey.shape == (60, 80, 1)
    with pytest.raises(ValueError, match="hue"):
        image.color_jitter(PHOTO, draws(), hue=0.6)


@pytest.mark.parametrize(("mean", "std"), [(0, 1), (0.5, 0.5), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
def test_normalized(mean: Any, std: Any) -> None:
    expected = (PHOTO / 255.0 - mean) / std
    found = image.normalize(PHOTO, mean, std)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-6)
    planes = image.normalize(PHOTO, mean, std, layout="CHW")
    assert planes.flags.c_contiguous
    assert np.allclose(planes, expected.transpose(2, 0, 1), atol=1e-6)
    batch = np.stack([PHOTO, PHOTO[::-1]])
    assert np.array_equal(image.normalize(batch, mean, std)[0], found)
    assert np.array_equal(image.normalize(batch, mean, std, layout="CHW")[0], planes)


def test_normalized_values_end_at_one() -> None:
    assert image.normalize(np.full((1, 1, 3), 255, np.uint8)).max() == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((PHOTO, (1, 2)), ValueError),
        ((PHOTO, 0, 0), ValueError),
        ((PHOTO[0], 0, 1), ValueError),
        ((PHOTO.astype(float),), TypeError),
        (("photo.jpg",), TypeError),
    ],
)
def test_what_cannot_be_normalized(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"image\.normalize\(\)"):
        image.normalize(*arguments)


def test_nothing_is_written_into_the_image() -> None:
    before = PHOTO.copy()
    for change in (image.random_flip, image.random_erasing, image.color_jitter):
        change(PHOTO, draws())
    image.normalize(PHOTO)
    image.rotate(PHOTO, 3)
    assert np.array_equal(PHOTO, before)
    with pytest.raises(TypeError, match="decode"):
        image.random_flip(b"bytes", draws())
