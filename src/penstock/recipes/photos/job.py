"""Training on a folder of photographs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from penstock import Dataset
from penstock.recipes.photos import pipeline
from penstock.recipes.photos.confusion import Confusion, count_confusion, draw_confusion
from penstock.recipes.photos.folder import PhotoFolder
from penstock.recipes.photos.residual import ResidualClassifier
from penstock.recipes.photos.settings import PhotoSettings
from penstock.recipes.training.checkpoint import replacing
from penstock.recipes.training.job import Predict, loss_and_accuracy
from penstock.show import contact_sheet

_LEARNING_RATE = 2e-3
_LEARNING_RATE_DECAY = 0.75
"""Per epoch."""
_MOST_TILES = 64
_SMALLEST_TILE, _LARGEST_TILE = 96, 256
"""Pixels."""
_TEST_ROWS = 100


@dataclass(frozen=True)
class PhotoOutcome:
    """What the test of a training on photographs gave.

    Attributes:
        confusion: Which classes were taken for which.
        confusion_path: Where it is drawn.
    """

    confusion: Confusion
    confusion_path: Path


class PhotoJob:
    """A small residual network on the images of a folder.

    Args:
        settings: What to train.
        folder: The images.
    """

    def __init__(self, settings: PhotoSettings, folder: PhotoFolder) -> None:
        self.settings = replace(settings, images=folder.fingerprint)
        self.folder = folder

    def train_batches(self) -> Dataset[Any]:
        """Batches (images, labels), shuffled, cropped and perhaps mirrored anew in each pass."""
        settings = self.settings
        return pipeline.train_batches(
            self.folder.train,
            side=settings.side,
            flip=settings.flip,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )

    def model(self) -> keras.Model:
        """The residual network, for images of the settings' size."""
        model = ResidualClassifier(self.settings.side, self.folder.class_names, self.settings.seed)
        model.build((None, self.settings.side, self.settings.side, 3))
        return model

    def optimizer(self, num_batches: int) -> keras.optimizers.Optimizer:
        """Adam, with a rate that falls by a quarter from epoch to epoch."""
        rate = keras.optimizers.schedules.ExponentialDecay(_LEARNING_RATE, num_batches, _LEARNING_RATE_DECAY)
        return keras.optimizers.Adam(rate)

    def told_of_epoch(self, metrics: dict[str, float]) -> str:
        """Loss and accuracy."""
        return loss_and_accuracy(metrics)

    def test(self, predict: Predict) -> PhotoOutcome:
        """Classify the test images, and draw which classes were taken for which."""
        labels, predicted = [], []
        batches = pipeline.test_batches(self.folder.test, side=self.settings.side, batch_size=_TEST_ROWS)
        with batches.iterator() as drawn:
            for images, batch_labels in drawn:
                labels.append(batch_labels)
                predicted.append(predict(images).argmax(axis=-1))
        confusion = count_confusion(np.concatenate(labels), np.concatenate(predicted), self.folder.class_names)
        title = f"{confusion.accuracy:.2%} of {confusion.num_images:,} test images are right"
        return PhotoOutcome(confusion, self._save_drawing(draw_confusion(confusion, title), "confusion.png"))

    def draw_augmented(self) -> Path:
        """Draw the first batch that will be trained on as a contact sheet, to be looked at before; where it is."""
        with self.train_batches().iterator(epoch=0) as batches:
            images, labels = next(batches)
        captions = [self.folder.class_names[label] for label in labels[:_MOST_TILES]]
        side = self.settings.side
        sheet = contact_sheet(
            pipeline.as_pixels(images[:_MOST_TILES]),
            captions,
            tile=min(side * -(-_SMALLEST_TILE // side), _LARGEST_TILE),  # so that a whole factor fills it
            title="The first batch, as it is trained on",
        )
        return self._save_drawing(sheet, "augmented.png")

    def _save_drawing(self, drawing: Any, name: str) -> Path:
        path = self.settings.save_dir / name
        with replacing(path) as file:
            drawing.save(file, "PNG")
        return path
