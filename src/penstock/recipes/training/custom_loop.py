"""Training by a loop of our own: it draws batches, takes gradient steps and keeps its metrics itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import keras

from penstock.dataset import Dataset
from penstock.recipes.training.checkpoint import Checkpoint
from penstock.recipes.training.job import Array
from penstock.recipes.training.session import Session
from penstock.recipes.training.variables import export


class GradientStep(Protocol):
    """One backend's way to train a model on one batch."""

    def __call__(self, inputs: Any, labels: Array) -> tuple[float, int]:
        """Change the model by one batch; the loss, and how many labels it gave right before the change."""

    def predict(self, inputs: Any) -> Array:
        """Logits, without changing anything."""

    def synchronize(self) -> None:
        """Have the model's and the optimiser's variables hold what training made of them."""


def gradient_step(model: keras.Model) -> GradientStep:
    """The step for the backend that Keras runs on; `model` is compiled, for its optimiser and loss."""
    backend = keras.backend.backend()
    if backend == "jax":
        from penstock.recipes.training.jax_step import JaxStep

        return JaxStep(model)
    if backend == "torch":
        from penstock.recipes.training.torch_step import TorchStep

        return TorchStep(model)
    if backend == "tensorflow":
        from penstock.recipes.training.tensorflow_step import TensorflowStep

        return TensorflowStep(model)
    raise ValueError(f"gradient_step(): Keras runs on {backend!r}; there is a step for jax, torch and tensorflow")


@dataclass
class RunningMetrics:
    """Mean loss and accuracy over the labels seen since the epoch began."""

    loss_sum: float = 0.0
    num_right: float = 0
    num_labels: float = 0

    def update(self, loss: float, num_right: int, num_labels: int) -> None:
        """Add one batch with mean loss `loss`."""
        self.loss_sum += loss * num_labels
        self.num_right += num_right
        self.num_labels += num_labels

    def result(self) -> dict[str, float]:
        """The means; there must be a label."""
        return {"loss": self.loss_sum / self.num_labels, "accuracy": self.num_right / self.num_labels}

    def state(self) -> list[float]:
        """What the constructor takes."""
        return [self.loss_sum, self.num_right, self.num_labels]


def train(step: GradientStep, model: keras.Model, dataset: Dataset[Any], session: Session) -> None:
    """Train `model` by `step` on batches (inputs, labels), from where `session` starts to its last epoch."""
    start = session.start
    for epoch in range(start.epoch, session.settings.epochs):
        interrupted = start if start.batch and epoch == start.epoch else None
        _train_epoch(step, model, dataset, session, epoch, interrupted)
    step.synchronize()


def _train_epoch(
    step: GradientStep,
    model: keras.Model,
    dataset: Dataset[Any],
    session: Session,
    epoch: int,
    interrupted: Checkpoint | None,
) -> None:
    """Train one epoch, or what is left of it where it was `interrupted`."""
    metrics = RunningMetrics(*interrupted.metrics) if interrupted else RunningMetrics()
    with dataset.iterator(epoch=epoch) as batches:
        if interrupted and interrupted.pipeline is not None:
            batches.load_state_dict(interrupted.pipeline)

        def snapshot() -> Checkpoint:
            step.synchronize()
            return Checkpoint(pipeline=batches.state_dict(), metrics=metrics.state(), variables=export(model))

        session.begin_epoch(epoch, interrupted.batch if interrupted else 0)
        for (inputs, labels), waited_seconds in _timed(batches):
            loss, num_right = step(inputs, labels)
            metrics.update(loss, num_right, labels.size)
            session.end_step(loss, metrics.result(), waited_seconds, snapshot)
        session.end_epoch(metrics.result(), snapshot)


def _timed(batches: Iterator[Any]) -> Iterator[tuple[Any, float]]:
    """Each batch with the seconds that it was waited for."""
    asked = time.perf_counter()
    for batch in batches:
        yield batch, time.perf_counter() - asked
        asked = time.perf_counter()
