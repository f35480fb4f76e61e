"""One training run from its job to a tested and saved model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import keras

from penstock.dataset import Dataset
from penstock.errors import StateError
from penstock.recipes.training import custom_loop, fit_loop
from penstock.recipes.training.checkpoint import Checkpoint, read_checkpoint, replacing
from penstock.recipes.training.job import Job, Predict
from penstock.recipes.training.session import OnStep, Session, checkpoint_path
from penstock.recipes.training.settings import Settings
from penstock.recipes.training.variables import restore_model

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Result(Generic[Outcome]):
    """What came of a run.

    Attributes:
        outcome: What the job's test gave.
        waiting_share: Waiting for input as a share of step time; steps that compiled are left out of both.
        model_path: The trained model, as `keras.saving.load_model` reads it.
        history: Mean loss and accuracy of each epoch.
        num_steps: Steps of all epochs.
    """

    outcome: Outcome
    waiting_share: float
    model_path: Path
    history: list[dict[str, float]]
    num_steps: int


def train(
    job: Job[Outcome],
    *,
    resume: bool = False,
    progress: bool = True,
    on_step: OnStep | None = None,
) -> Result[Outcome]:
    """Train, test and save a model; a run that was stopped goes on where it was last saved.

    State of pipeline, model and optimiser are saved together every `save_every` steps, at the end of each epoch and on
    Ctrl-C. A resumed run sees the same batches as one that was never stopped and, on a CPU, has the same losses to the
    last bit.

    Args:
        job: What to train, on what, and with which settings.
        resume: Go on with the run saved in `save_dir`; where there is none yet, begin it.
        progress: Show progress bars on stderr.
        on_step: Called after each step with its number, from 1, and its loss.

    Raises:
        StateError: The settings are not those of the saved run, or Keras runs on another backend.
        DataLossError: What is saved is corrupt.
        TrainingStopped: Ctrl-C was pressed; the run is saved.
        OSError: The run cannot be saved; what was saved before is whole.
    """
    settings = job.settings
    if keras.backend.backend() != settings.backend:
        raise StateError(
            f"train(): backend is {settings.backend!r}, but Keras runs on {keras.backend.backend()!r}; set "
            f"KERAS_BACKEND={settings.backend} before Keras is imported"
        )
    start = _starting_point(settings, resume)
    train_batches = job.train_batches()
    model = job.model()
    _compile(model, job.optimizer(len(train_batches)))
    if start.variables:
        restore_model(model, start.variables)
    session = Session(job, len(train_batches), start, on_step, progress)
    with session.running():
        predict = _trained(model, train_batches, session)
        model_path = _save_model(model, settings)  # Before the test, whatever becomes of that.
        outcome = job.test(predict)
    return Result(outcome, session.clock.waiting_share, model_path, session.history, session.step)


def _compile(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=fit_loop.metrics())


def _trained(model: keras.Model, train_batches: Dataset[Any], session: Session) -> Predict:
    """Train `model`; what it predicts then, computed in the manner of the loop that trained it."""
    if session.settings.loop == "fit":
        fit_loop.fit(model, train_batches, session)
        return fit_loop.predictor(model)
    step = custom_loop.gradient_step(model)
    custom_loop.train(step, model, train_batches, session)
    return step.predict


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
