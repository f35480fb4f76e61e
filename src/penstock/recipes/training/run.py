"""One training run from its settings to a tested and saved model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from penstock.dataset import Dataset
from penstock.errors import StateError
from penstock.recipes.datasets import ImageData
from penstock.recipes.models import build_model
from penstock.recipes.training import custom_loop, fit_loop
from penstock.recipes.training.checkpoint import Checkpoint, read_checkpoint, replacing
from penstock.recipes.training.session import OnStep, Session, checkpoint_path
from penstock.recipes.training.settings import Settings
from penstock.recipes.training.variables import restore_model

_SHUFFLE_BUFFER = 10_000
_TEST_ROWS = 500
_LEARNING_RATE = 4e-3
_LEARNING_RATE_DECAY = 0.5
"""Per epoch; it does not depend on the number of epochs, so that a run may be resumed with more of them."""


@dataclass(frozen=True)
class Result:
    """What came of a run.

    Attributes:
        test_accuracy: Share of the test images that are classified right.
        waiting_share: Waiting for input as a share of step time; steps that compiled are left out of both.
        model_path: The trained model, as `keras.saving.load_model` reads it.
        history: Mean loss and accuracy of each epoch.
        num_steps: Steps of all epochs.
    """

    test_accuracy: float
    waiting_share: float
    model_path: Path
    history: list[dict[str, float]]
    num_steps: int


def train(
    settings: Settings,
    data: ImageData,
    *,
    resume: bool = False,
    progress: bool = True,
    on_step: OnStep | None = None,
) -> Result:
    """Train, test and save a model; a run that was stopped goes on where it was last saved.

    State of pipeline, model and optimiser are saved together every `settings.save_every` steps, at the end of each
    epoch and on Ctrl-C. A resumed run sees the same batches as one that was never stopped and, on a CPU, has the same
    losses to the last bit.

    Args:
        settings: What to train.
        data: The images, loaded.
        resume: Go on with the run saved in `settings.save_dir`; where there is none yet, begin it.
        progress: Show progress bars on stderr.
        on_step: Called after each step with its number, from 1, and its loss.

    Raises:
        ValueError: `data` is another data set than `settings.dataset`.
        StateError: `settings` are not those of the saved run, or Keras runs on another backend.
        DataLossError: What is saved is corrupt.
        TrainingStopped: Ctrl-C was pressed; the run is saved.
        OSError: The run cannot be saved; what was saved before is whole.
    """
    if keras.backend.backend() != settings.backend:
        raise StateError(
            f"train(): backend is {settings.backend!r}, but Keras runs on {keras.backend.backend()!r}; set "
            f"KERAS_BACKEND={settings.backend} before Keras is imported"
        )
    if data.name != settings.dataset:
        raise ValueError(
            f"train(): the images are {data.name}, but settings.dataset is {settings.dataset}; load the same"
        )
    start = _starting_point(settings, resume)
    train_batches = training_pipeline(data, settings)
    model = _compiled_model(settings, data, len(train_batches))
    if start.variables:
        restore_model(model, start.variables)
    session = Session(settings, len(train_batches), start, on_step, progress)
    test_batches = data.test().map(_scale).batch(_TEST_ROWS).prefetch(2)
    with session.running():
        test_accuracy = _train_and_test(model, train_batches, test_batches, session)
    return Result(
        test_accuracy, session.clock.waiting_share, _save_model(model, settings), session.history, session.step
    )


def training_pipeline(data: ImageData, settings: Settings) -> Dataset[Any]:
    """Batches (images, labels), shuffled anew in each pass; images are float32 in 0..1 with a channel axis."""
    images = data.train().shuffle(_SHUFFLE_BUFFER, seed=settings.seed)
    return images.map(_scale).batch(settings.rows).prefetch(2)


def _scale(image: Any, label: Any) -> tuple[Any, Any]:
    return image[..., None] / np.float32(255), label


def _train_and_test(
    model: keras.Model, train_batches: Dataset[Any], test_batches: Dataset[Any], session: Session
) -> float:
    if session.settings.loop == "fit":
        fit_loop.fit(model, train_batches, session)
        return fit_loop.evaluate(model, test_batches)
    step = custom_loop.gradient_step(model)
    custom_loop.train(step, model, train_batches, session)
    return custom_loop.evaluate(step, test_batches)


def _compiled_model(settings: Settings, data: ImageData, num_batches: int) -> keras.Model:
    model = build_model(settings.style, (*data.train_images.shape[1:], 1), len(data.class_names), settings.seed)
    rate = keras.optimizers.schedules.ExponentialDecay(_LEARNING_RATE, num_batches, _LEARNING_RATE_DECAY)
    model.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=fit_loop.metrics(),
    )
    return model


def _starting_point(settings: Settings, resume: bool) -> Checkpoint:
    path = checkpoint_path(settings.save_dir)
    if not resume:
        if path.exists():
            # Out of the way: were the new run killed before its first save, it would be resumed from here.
            kept = path.with_name("checkpoint.previous.npz")
            path.replace(kept)
            print(f"training from the beginning; the state that was there is kept as {kept}", flush=True)
        return Checkpoint()
    if not path.exists():
        print(f"nothing is saved in {settings.save_dir} yet: training from the beginning", flush=True)
        return Checkpoint()
    start = read_checkpoint(path, settings.identity())
    print(f"going on from {path}: epoch {start.epoch + 1}, after {start.step} steps", flush=True)
    return start


def _save_model(model: keras.Model, settings: Settings) -> Path:
    # Without what measured the run, so that the model can be loaded without it too.
    model.compile(optimizer=model.optimizer, loss=model.loss, metrics=["accuracy"])
    path = settings.save_dir / "model.keras"
    with replacing(path) as file:
        keras.saving.save_model(model, file.name)
    return path
