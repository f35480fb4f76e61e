"""Training on images that are arrays in memory."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from penstock.dataset import Dataset
from penstock.recipes.datasets import ImageData
from penstock.recipes.models import build_model
from penstock.recipes.small_images.settings import SmallImageSettings
from penstock.recipes.training.job import Predict, accuracy, loss_and_accuracy

_SHUFFLE_BUFFER = 10_000
_TEST_ROWS = 500
_LEARNING_RATE = 4e-3
_LEARNING_RATE_DECAY = 0.5
"""Per epoch."""


class SmallImageJob:
    """A small convolutional network on one of the small sets of images; its outcome is the accuracy on test images.

    Args:
        settings: What to train.
        data: The images, loaded.

    Raises:
        ValueError: `data` is another data set than `settings.dataset`.
    """

    def __init__(self, settings: SmallImageSettings, data: ImageData) -> None:
        if data.name != settings.dataset:
            raise ValueError(
                f"train(): the images are {data.name}, but settings.dataset is {settings.dataset}; load the same"
            )
        self.settings = settings
        self.data = data

    def train_batches(self) -> Dataset[Any]:
        """Batches (images, labels), shuffled anew in each pass; images are float32 in 0..1 with a channel axis."""
        images = self.data.train().shuffle(_SHUFFLE_BUFFER, seed=self.settings.seed)
        return images.map(_scale).batch(self.settings.batch_size).prefetch(2)

    def model(self) -> keras.Model:
        """The network in the style that is asked for."""
        shape = (*self.data.train_images.shape[1:], 1)
        return build_model(self.settings.style, shape, len(self.data.class_names), self.settings.seed)

    def optimizer(self, num_batches: int) -> keras.optimizers.Optimizer:
        """Adam, with a rate that halves from epoch to epoch."""
        rate = keras.optimizers.schedules.ExponentialDecay(_LEARNING_RATE, num_batches, _LEARNING_RATE_DECAY)
        return keras.optimizers.Adam(rate)

    def told_of_epoch(self, metrics: dict[str, float]) -> str:
        """Loss and accuracy."""
        return loss_and_accuracy(metrics)

    def test(self, predict: Predict) -> float:
        """Share of the test images that are classified right."""
        return accuracy(predict, self.data.test().map(_scale).batch(_TEST_ROWS).prefetch(2))


def _scale(image: Any, label: Any) -> tuple[Any, Any]:
    return image[..., None] / np.float32(255), label
