"""From paths of photographs to batches for a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from penstock import AUTOTUNE, Dataset, image
from penstock.recipes.photos.folder import Photos

_CROP_SCALE = (0.6, 1.0)
"""Shares of the area: less would cut the thing itself out of small images."""

_MEAN, _STD = 0.5, 0.25
"""Of values in 0..1. They need not be those of the images: batch normalisation finds its own."""


def train_batches(photos: Photos, *, side: int, flip: bool, batch_size: int, seed: int) -> Dataset[Any]:
    """Batches (images, labels) in another order and with other random changes in each pass; float32, NHWC."""
    return (
        photos.dataset()
        .shuffle(len(photos), seed=seed)
        .random_map(augmenting(side, flip), seed=seed, num_parallel_calls=AUTOTUNE)
        .batch(batch_size)
        .prefetch(AUTOTUNE)
    )


def test_batches(photos: Photos, *, side: int, batch_size: int) -> Dataset[Any]:
    """Batches (images, labels) in the order of the files, without random changes."""
    return photos.dataset().map(reading(side), num_parallel_calls=AUTOTUNE).batch(batch_size).prefetch(AUTOTUNE)


def augmenting(side: int, flip: bool) -> Callable[[Any, Any, np.random.Generator], tuple[Any, Any]]:
    """What turns a path into an image to train on."""

    def augment(path: Any, label: Any, rng: np.random.Generator) -> tuple[Any, Any]:
        photo = image.random_resized_crop(path, side, rng, scale=_CROP_SCALE)
        if flip:
            photo = image.random_flip(photo, rng)
        return image.normalize(photo, mean=_MEAN, std=_STD), label

    return augment


def reading(side: int) -> Callable[[Any, Any], tuple[Any, Any]]:
    """What turns a path into an image to classify: the largest square in its middle."""

    def read(path: Any, label: Any) -> tuple[Any, Any]:
        return image.normalize(image.central_crop(path, side, shorter_side=side), mean=_MEAN, std=_STD), label

    return read


def as_pixels(images: Any) -> Any:
    """Images of a batch as they are looked at: uint8."""
    return np.clip(np.rint((images * _STD + _MEAN) * 255), 0, 255).astype(np.uint8)
