"""Training by `keras.Model.fit`, resumable in the middle of an epoch."""

from __future__ import annotations

from typing import Any

import keras

from penstock.dataset import Dataset
from penstock.integrations.keras import KerasData, to_keras
from penstock.recipes.training.checkpoint import Checkpoint
from penstock.recipes.training.job import Array, Predict
from penstock.recipes.training.session import Session
from penstock.recipes.training.variables import copies, export, restore


def fit(model: keras.Model, dataset: Dataset[Any], session: Session) -> None:
    """Train `model`, compiled here, on batches (inputs, labels), from where `session` starts to its last epoch."""
    settings, start = session.settings, session.start
    data = to_keras(dataset, first_epoch=start.epoch, resumable=True)
    assert isinstance(data, KerasData)
    if start.pipeline is not None:
        data.load_state_dict(start.pipeline)
    course = _Course(session, data)

    def train_through(first: int, end: int) -> None:
        model.fit(data, initial_epoch=first, epochs=end, callbacks=[course], verbose=0, shuffle=False)

    try:
        if start.batch:  # Keras reads the length once a call, and this epoch is shorter than the others.
            if keras.backend.backend() == "tensorflow":
                _build_metrics(model, dataset)
            train_through(start.epoch, start.epoch + 1)
        train_through(start.epoch + bool(start.batch), settings.epochs)
    finally:
        data.close()


def _build_metrics(model: keras.Model, dataset: Dataset[Any]) -> None:
    """Have `model` make the variables of its metrics; on TensorFlow it else does so in the first step only."""
    with dataset.iterator(epoch=0) as batches:
        model.test_on_batch(*next(batches))


def metrics() -> list[keras.metrics.Metric]:
    """What `fit` measures of the epoch so far, and the loss of each batch by itself."""
    return [keras.metrics.SparseCategoricalAccuracy(name="accuracy"), BatchLoss()]


def predictor(model: keras.Model) -> Predict:
    """What `model`, compiled, predicts for the inputs of a batch."""

    def predict(inputs: Any) -> Array:
        logits: Array = model.predict_on_batch(inputs)
        return logits

    return predict


class BatchLoss(keras.metrics.Metric):
    """The loss of the last batch alone; Keras itself only tells the mean since the epoch began."""

    def __init__(self, name: str = "batch_loss", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.last = self.add_variable((), initializer="zeros", name="last")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        losses = keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)
        self.last.assign(keras.ops.mean(losses))

    def result(self) -> Any:
        return keras.ops.convert_to_tensor(self.last)


class _Course(keras.callbacks.Callback):
    """Tells the session what `fit` does, and `fit` where it was when the run was saved."""

    def __init__(self, session: Session, data: KerasData) -> None:
        super().__init__()
        self._session = session
        self._data = data
        self._resumes = bool(session.start.batch)
        self._batch = 0
        self._waited = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._batch = 0
        if self._resumes:
            # Here, as `fit` has just set its metrics to zero.
            restore(self.model.metrics_variables, self._session.start.variables["metrics"])
            self._batch = self._session.start.batch
            self._resumes = False
        self._waited = self._data.seconds_waited
        self._session.begin_epoch(epoch, self._batch)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        self._batch += 1
        waited, self._waited = self._data.seconds_waited - self._waited, self._data.seconds_waited
        shown = {name: float(logs[name]) for name in ("loss", "accuracy")}
        self._session.end_step(float(logs["batch_loss"]), shown, waited, self._snapshot)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        self._session.end_epoch({name: float(logs[name]) for name in ("loss", "accuracy")}, self._snapshot)

    def _snapshot(self) -> Checkpoint:
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()  # On JAX, `fit` keeps the variables to itself between steps.
        return Checkpoint(
            identity={},
            pipeline=self._data.state_dict(self._batch),
            variables={**export(self.model), "metrics": copies(self.model.metrics_variables)},
        )
