"""Batches of images and labels: `one_hot`, `mixup` and `cutmix`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import calls
from penstock.image import asked
from penstock.image.picture import generator


def one_hot(labels: Any, num_classes: int) -> NDArray[np.float32]:
    """A vector for each whole number: 1 at its place, 0 elsewhere.

    >>> image.one_hot(np.array([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]

    Args:
        labels: A whole number, or an array of any shape s; the result has shape (*s, num_classes).
        num_classes: How many there are; at least 1.

    Raises:
        TypeError: The labels are no whole numbers.
        ValueError: A label is below 0 or not below `num_classes`.
    """
    classes = calls.count("image.one_hot", "num_classes", num_classes, minimum=1)
    numbers = np.asarray(labels)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"image.one_hot(): labels must be whole numbers, but are {numbers.dtype}")
    if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < classes:
        wrong = numbers.min() if numbers.min() < 0 else numbers.max()
        raise ValueError(
            f"image.one_hot(): labels must be 0 to {classes - 1}, but one is {wrong}; is num_classes right?"
        )
    vectors = np.zeros((*numbers.shape, classes), np.float32)
    np.put_along_axis(vectors, numbers[..., None].astype(np.intp), 1, axis=-1)
    return vectors


def mixup(
    images: NDArray[Any], labels: NDArray[Any], rng: np.random.Generator, *, alpha: float = 0.2
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Blend each image of a batch with another one, and their labels likewise (Zhang et al. 2017).

    >>> images, labels = np.eye(2, dtype=np.float32).reshape(2, 1, 2, 1), image.one_hot([0, 1], 2)
    >>> mixed, shares = image.mixup(images, labels, np.random.default_rng(1))
    >>> bool(np.allclose(mixed.reshape(2, 2), shares))
    True

    The share is drawn once a batch, from Beta(alpha, alpha); who is blended with whom is a random order of the batch.

    Args:
        images: Shape (batch, ...), floating or uint8; the result's dtype is the same.
        labels: Shape (batch, classes), floating; `one_hot` makes it.
        rng: The generator that `random_map` hands over.
        alpha: Above 0; the smaller, the nearer the share is to 0 or 1.

    Raises:
        TypeError: Images or labels are no array, the labels not floating, or `rng` is no generator.
        ValueError: Images and labels differ in number, or `alpha` is not above 0.
    """
    draws, order = _start("mixup", images, labels, rng, alpha)
    share = draws.beta(alpha, alpha)
    return _blended(images, order, share), _blended(labels, order, share)


def cutmix(
    images: NDArray[Any], labels: NDArray[Any], rng: np.random.Generator, *, alpha: float = 1.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Paste a rectangle of another image of the batch into each, and blend labels by area (Yun et al. 2019).

    >>> images, labels = np.zeros((2, 8, 8, 3), np.uint8), image.one_hot([0, 1], 2)
    >>> images[1] = 1
    >>> cut, shares = image.cutmix(images, labels, np.random.default_rng(1))
    >>> bool(np.allclose(cut.mean(axis=(1, 2, 3)), shares[:, 1]))
    True

    The rectangle is drawn once a batch: its area from Beta(alpha, alpha), its middle evenly, and what lies outside is
    cut off.

    Args:
        images: Shape (batch, height, width, channels), any dtype.
        labels: Shape (batch, classes), floating; `one_hot` makes it.
        rng: The generator that `random_map` hands over.
        alpha: Above 0.

    Raises:
        TypeError: Images or labels are no array, the labels not floating, or `rng` is no generator.
        ValueError: Images and labels differ in number, images have other axes, or `alpha` is not above 0.
    """
    draws, order = _start("cutmix", images, labels, rng, alpha)
    if images.ndim != 4:
        raise ValueError(f"image.cutmix(): images must have shape (batch, height, width, channels), not {images.shape}")
    height, width = images.shape[1:3]
    side = math.sqrt(1 - draws.beta(alpha, alpha))
    rows, columns = (_span(length, side, draws) for length in (height, width))
    cut = images.copy()
    cut[:, rows, columns] = images[order, rows, columns]
    pasted = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return cut, _blended(labels, order, 1 - pasted)


def _start(
    method: str, images: NDArray[Any], labels: NDArray[Any], rng: Any, alpha: float
) -> tuple[np.random.Generator, NDArray[np.intp]]:
    draws = generator(method, rng)
    for name, value in (("images", images), ("labels", labels)):
        array: Any = value  # whatever the caller's types say
        if not isinstance(array, np.ndarray) or not array.ndim:
            raise TypeError(f"image.{method}(): {name} must be an array of a batch, but is {array!r}")
    if labels.dtype.kind != "f":
        raise TypeError(
            f"image.{method}(): labels are blended, so they must be floating, but are {labels.dtype}; make them with "
            "one_hot(labels, num_classes)"
        )
    if len(images) != len(labels):
        raise ValueError(f"image.{method}(): there are {len(images)} images, but {len(labels)} labels")
    asked.positive(method, "alpha", alpha)
    return draws, draws.permutation(len(images))


def _span(length: int, part: float, draws: np.random.Generator) -> slice:
    middle, half = int(draws.integers(length)), round(length * part) / 2
    return slice(max(0, math.ceil(middle - half)), min(length, math.ceil(middle + half)))


def _blended(values: NDArray[Any], order: NDArray[np.intp], share: float) -> NDArray[Any]:
    """`share` of each row, and the rest of that which `order` puts in its place; row by row, to stay in the caches."""
    blended = np.empty_like(values)
    kind = values.dtype if values.dtype.kind == "f" else np.dtype(np.float32)
    own, other = kind.type(share), kind.type(1 - share)
    for row, partner in enumerate(order):
        mixed = values[row] * own + values[partner] * other
        blended[row] = mixed if values.dtype.kind == "f" else np.rint(mixed)
    return blended
