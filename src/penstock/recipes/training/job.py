"""What `run.train` needs to know of a training: the protocol that every recipe fulfils."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import keras
import numpy as np

from penstock.dataset import Dataset
from penstock.recipes.training.settings import Settings

Array = np.ndarray[Any, Any]

Predict = Callable[[Any], Array]
"""From the inputs of a batch to their logits, by the trained model and without changing it."""

Outcome_co = TypeVar("Outcome_co", covariant=True)


class Job(Protocol[Outcome_co]):
    """One training: a model that gives logits, and batches (inputs, labels) to train it on.

    Labels are numbers of classes and have the shape of the logits without their last axis, so a class for each image
    and the next token for each place of a text are the same to the loops. The loss is the mean cross-entropy.
    """

    @property
    def settings(self) -> Settings:
        """How to train, and where."""

    def train_batches(self) -> Dataset[Any]:
        """Batches (inputs, labels) of one epoch, in another order in each pass.

        Their number must be known (`len`), and they must resume exactly; both are so unless a step says otherwise.
        """

    def model(self) -> keras.Model:
        """The model, built, with initial weights that depend on the settings' seed alone."""

    def optimizer(self, num_batches: int) -> keras.optimizers.Optimizer:
        """What trains the model, in epochs of `num_batches` steps.

        Nothing in it may depend on the number of epochs, or a run could not go on with more of them.
        """

    def told_of_epoch(self, metrics: dict[str, float]) -> str:
        """What to print of an epoch that is done, given its mean "loss" and its "accuracy"."""

    def test(self, predict: Predict) -> Outcome_co:
        """What the trained model can do, measured on data that it was not trained on."""


def loss_and_accuracy(metrics: dict[str, float]) -> str:
    """What most jobs tell of an epoch.

    >>> loss_and_accuracy({"loss": 0.25, "accuracy": 0.97})
    'loss 0.2500, accuracy 97.00%'
    """
    return f"loss {metrics['loss']:.4f}, accuracy {metrics['accuracy']:.2%}"


def accuracy(predict: Predict, dataset: Dataset[Any]) -> float:
    """Share of the labels in batches (inputs, labels) that `predict` gives the highest logit."""
    num_right = num_labels = 0
    with dataset.iterator() as batches:
        for inputs, labels in batches:
            num_right += int((predict(inputs).argmax(axis=-1) == labels).sum())
            num_labels += labels.size
    return num_right / num_labels
