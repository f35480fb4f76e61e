"""`one_hot`, `mixup` and `cutmix` of whole batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import Dataset, image

COLOURS = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.full((1, 20, 30, 3), 40, np.uint8)
LABELS = image.one_hot(np.arange(6), 6)


def test_one_hot() -> None:
    assert np.array_equal(LABELS, np.eye(6, dtype=np.float32))
    assert image.one_hot(2, 3).tolist() == [0, 0, 1]
    assert image.one_hot(np.zeros((2, 3), np.uint8), 4).shape == (2, 3, 4)
    for wrong in ([0, 6], [-1, 0]):
        with pytest.raises(ValueError, match="0 to 5"):
            image.one_hot(wrong, 6)
    with pytest.raises(TypeError, match="whole"):
        image.one_hot([0.5], 6)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_and_labels_are_blended_alike(dtype: Any) -> None:
    images = COLOURS.astype(dtype)
    for seed in range(10):
        mixed, shares = image.mixup(images, LABELS, np.random.default_rng(seed), alpha=1)
        assert mixed.dtype == dtype
        expected = shares @ np.arange(6) * 40
        assert np.allclose(mixed, expected[:, None, None, None], atol=0.51 if dtype == np.uint8 else 1e-3)
        assert np.allclose(shares.sum(axis=1), 1)
        assert len({tuple(sorted(row[row > 0])) for row in shares}) <= 2


def test_rectangles_and_labels_have_the_same_area() -> None:
    partial = 0
    for seed in range(30):
        cut, shares = image.cutmix(COLOURS, LABELS, np.random.default_rng(seed))
        own = (cut == COLOURS).all(axis=3).mean(axis=(1, 2))
        assert np.allclose(own, np.diag(shares), atol=1e-6)
        assert np.allclose(shares.sum(axis=1), 1)
        partial += bool(((own > 0) & (own < 1)).any())
    assert partial > 20


def test_wrong_arguments() -> None:
    rng = np.random.default_rng(0)
    for function in (image.mixup, image.cutmix):
        with pytest.raises(TypeError, match="one_hot"):
            function(COLOURS, np.arange(6), rng)
        with pytest.raises(ValueError, match="6 images, but 5 labels"):
            function(COLOURS, LABELS[:5], rng)
        with pytest.raises(ValueError, match="alpha"):
            function(COLOURS, LABELS, rng, alpha=0)
    with pytest.raises(ValueError, match="batch"):
        image.cutmix(COLOURS[:, 0], LABELS, rng)


def test_in_a_pipeline() -> None:
    ds = Dataset.from_tensor_slices((COLOURS, np.arange(6)))
    ds = ds.map(lambda photo, label: (photo, image.one_hot(label, 6))).batch(3).random_map(image.mixup, seed=0)
    assert [(images.shape, labels.shape) for images, labels in ds] == [((3, 20, 30, 3), (3, 6))] * 2
