"""What Keras is given by `to_keras`: every batch of every epoch, once, in the order of the dataset's passes."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest

from penstock import Dataset
from penstock.errors import CardinalityError, SpecError, StateError
from penstock.integrations.keras import KerasStream, to_keras

# `pytest.warns` hands on the warnings that it does not look for, and with them what torch does inside Keras.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROWS = 10


class Recorder(keras.callbacks.Callback):
    """Keeps what each step of training was given, as `Spy` reports it."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[list[float]] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append([])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.epochs[-1].append(round(float(logs["seen"])))


class Seen(keras.metrics.Metric):
    """The sum of the last batch's targets: with targets 2**k, it says which rows the batch held."""

    def __init__(self) -> None:
        super().__init__(name="seen")
        self.total = self.add_variable((), initializer="zeros", name="total")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.total.assign(keras.ops.cast(keras.ops.sum(y_true), "float32"))

    def result(self) -> Any:
        return keras.ops.convert_to_tensor(self.total)


def numbered(rows: int = ROWS) -> Dataset[Any]:
    return Dataset.from_tensor_slices((np.ones((rows, 2), np.float32), 2.0 ** np.arange(rows, dtype=np.float32)))


def fitted(data: Any, **options: Any) -> list[list[float]]:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse", metrics=[Seen()])
    recorder = Recorder()
    model.fit(data, callbacks=[recorder], verbose=0, **options)
    return recorder.epochs


def expected_sums(dataset: Dataset[Any], epoch: int) -> list[float]:
    with dataset.iterator(epoch=epoch) as batches:
        return [float(batch[1].sum()) for batch in batches]


def test_each_epoch_is_the_next_pass_whole() -> None:
    dataset = numbered().shuffle(ROWS, seed=5).batch(3)
    epochs = fitted(dataset.to_keras(), epochs=3)
    assert epochs == [expected_sums(dataset, epoch) for epoch in range(3)]
    assert epochs[0] != epochs[1]
    assert [sum(epoch) for epoch in epochs] == [2.0**ROWS - 1] * 3


def test_fits_that_follow_each_other_go_on_with_new_passes() -> None:
    dataset = numbered().shuffle(ROWS, seed=5).batch(3)
    data = dataset.to_keras()
    assert fitted(data) + fitted(data) == [expected_sums(dataset, 0), expected_sums(dataset, 1)]


def test_length_is_known() -> None:
    data = numbered().batch(3).to_keras()
    assert len(data) == data.num_batches == 4


def test_steps_per_epoch_cuts_an_endless_pass() -> None:
    dataset = numbered().shuffle(ROWS, seed=5).repeat().batch(4)
    epochs = fitted(dataset.to_keras(), steps_per_epoch=3, epochs=2)
    with dataset.iterator(epoch=0) as batches:
        expected = [float(next(batches)[1].sum()) for _ in range(6)]
    assert epochs == [expected[:3], expected[3:]]


def test_endless_data_has_no_length() -> None:
    data = numbered().repeat().batch(4).to_keras()
    assert data.num_batches is None
    assert data
    with pytest.raises(TypeError, match="steps_per_epoch"):
        len(data)


def test_steps_per_epoch_cuts_a_finite_pass_and_begins_the_next() -> None:
    dataset = numbered().shuffle(ROWS, seed=5).batch(2)
    epochs = fitted(dataset.to_keras(), steps_per_epoch=2, epochs=2)
    assert epochs == [expected_sums(dataset, 0)[:2], expected_sums(dataset, 0)[2:4]]


def test_unknown_length_ends_where_the_data_ends() -> None:
    dataset = numbered().filter(lambda features, target: target < 2.0**7).batch(3)
    data = dataset.to_keras()
    assert isinstance(data, KerasStream)
    with pytest.warns(UserWarning, match="ran out of data"):
        epochs = fitted(data, epochs=2)
    assert epochs == [expected_sums(dataset, 0)] * 2


def test_validation_data_is_read_whole_after_each_epoch() -> None:
    validation = numbered(4).batch(3)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    history = model.fit(
        numbered().batch(5).to_keras(), validation_data=validation.to_keras(), epochs=2, verbose=0
    ).history
    expected = float(np.mean((2.0 ** np.arange(4)) ** 2))
    np.testing.assert_allclose(history["val_loss"], [expected, expected], rtol=1e-5)


class TestWeights:
    """With zero weights the prediction is 0, so that the loss is the weighted mean of the squared targets."""

    @staticmethod
    def loss(data: Any, **options: Any) -> float:
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
        return float(model.fit(data, verbose=0, **options).history["loss"][0])

    FEATURES = np.ones((6, 2), np.float32)
    LABELS = np.array([0, 1, 2, 1, 1, 2], np.int32)  # JAX warns of int64, which it has not

    def test_class_weight_of_fit(self) -> None:
        data = Dataset.from_tensor_slices((self.FEATURES, self.LABELS)).batch(6).to_keras()
        assert self.loss(data, class_weight={1: 3.0}) == pytest.approx((3 * 3 + 2 * 4) / 6)

    def test_class_weight_of_to_keras(self) -> None:
        data = Dataset.from_tensor_slices((self.FEATURES, self.LABELS)).batch(6).to_keras(class_weight={1: 3.0})
        assert self.loss(data) == pytest.approx((3 * 3 + 2 * 4) / 6)

    def test_class_weight_where_the_length_is_unknown(self) -> None:
        dataset = Dataset.from_tensor_slices((self.FEATURES, self.LABELS)).filter(lambda features, label: label < 2)
        with pytest.warns(UserWarning, match="ran out of data"):
            assert self.loss(dataset.batch(6).to_keras(class_weight={1: 3.0})) == pytest.approx(3 * 3 / 4)

    def test_class_weight_of_one_hot_labels(self) -> None:
        batch = to_keras(
            Dataset.from_tensor_slices((self.FEATURES, np.eye(3, dtype=np.float32)[self.LABELS])).batch(6),
            class_weight={0: 0.5, 2: 2.0},
        )[0]
        assert batch[2].tolist() == [0.5, 1, 2, 1, 1, 2]

    def test_sample_weights_are_the_third_component(self) -> None:
        weights = np.array([0, 0, 0, 0, 0, 1.5], np.float32)
        data = Dataset.from_tensor_slices((self.FEATURES, self.LABELS, weights)).batch(6).to_keras()
        assert self.loss(data) == pytest.approx(1.5 * 4 / 6)

    def test_both_kinds_of_weight_are_refused(self) -> None:
        weights = np.ones(6, np.float32)
        data = Dataset.from_tensor_slices((self.FEATURES, self.LABELS, weights)).batch(6)
        with pytest.raises(SpecError, match="class_weight"):
            to_keras(data, class_weight={1: 2.0})[0]

    @pytest.mark.parametrize("weights", [[1.0, 2.0], {"0": 1.0}, {1.5: 1.0}], ids=str)
    def test_what_is_no_class_weight_is_refused_at_the_call(self, weights: Any) -> None:
        with pytest.raises(TypeError, match="class_weight"):
            numbered().batch(3).to_keras(class_weight=weights)

    def test_class_weight_needs_one_array_of_targets(self) -> None:
        targets = {"left": self.LABELS, "right": self.LABELS}
        data = Dataset.from_tensor_slices((self.FEATURES, targets)).batch(6).to_keras(class_weight={1: 2.0})
        with pytest.raises(SpecError, match="targets that are one array"):
            data[0]


@pytest.mark.parametrize(
    "empty", [numbered(0), numbered().filter(lambda features, target: target < 0)], ids=["known", "unknown"]
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
def test_a_pass_without_a_batch_is_told(empty: Dataset[Any], method: str) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(CardinalityError, match="pass 0 of the dataset has no batch"):
        getattr(model, method)(empty.batch(3).to_keras(), verbose=0)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_resumes_in_the_middle_of_an_epoch(cut: int) -> None:
    dataset = numbered().shuffle(ROWS, seed=5).batch(3)
    first = dataset.to_keras(resumable=True, first_epoch=1)
    for _ in range(cut + 1):  # On accelerators, Keras reads one batch ahead of what it trains on.
        first[0]
    state = json.loads(json.dumps(first.state_dict(cut)))
    again = dataset.to_keras()
    again.load_state_dict(state)
    assert len(again) == 4 - cut
    assert fitted(again) + fitted(again, epochs=2) == [
        expected_sums(dataset, 1)[cut:],
        expected_sums(dataset, 2),
        expected_sums(dataset, 3),
    ]


def test_state_after_the_last_batch_begins_the_next_epoch() -> None:
    dataset = numbered().shuffle(ROWS, seed=5).batch(3)
    first = dataset.to_keras(resumable=True)
    assert [float(batch[1].sum()) for batch in first] == expected_sums(dataset, 0)
    again = dataset.to_keras()
    again.load_state_dict(first.state_dict(4))
    assert fitted(again) == [expected_sums(dataset, 1)]


def test_unknown_length_is_not_resumable() -> None:
    with pytest.raises(ValueError, match="known or infinite length"):
        numbered().filter(lambda features, target: target < 9).batch(3).to_keras(resumable=True)


def test_state_that_was_not_kept_is_refused() -> None:
    data = numbered().batch(3).to_keras()
    data[0]
    with pytest.raises(ValueError, match="resumable=True"):
        data.state_dict(1)


@pytest.mark.parametrize("state", [{}, {"version": 99, "batch": 1}, {"version": 1}])
def test_state_of_something_else_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(StateError, match="version 1"):
        numbered().batch(3).to_keras().load_state_dict(state)


def test_elements_that_fit_does_not_take_are_refused() -> None:
    data = Dataset.from_tensor_slices((np.ones(4), np.ones(4), np.ones(4), np.ones(4))).batch(2).to_keras()
    with pytest.raises(SpecError, match="a tuple of 4"):
        data[0]


def test_predict_takes_inputs_alone() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    data = Dataset.from_tensor_slices(np.ones((5, 2), np.float32)).batch(2).to_keras()
    assert model.predict(data, verbose=0).shape == (5, 1)


def test_nested_inputs_reach_the_model_by_name() -> None:
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="right")
    total = keras.layers.Subtract()([left, right])
    model = keras.Model({"left": left, "right": right}, total)
    inputs = {"right": np.ones((4, 2), np.float32), "left": np.full((4, 2), 5, np.float32)}
    data = Dataset.from_tensor_slices((inputs, np.ones((4, 2), np.float32))).batch(2).to_keras()
    np.testing.assert_array_equal(model.predict(data, verbose=0), np.full((4, 2), 4, np.float32))


def test_wrong_length_is_an_error_and_loses_nothing_silently() -> None:
    class Liar:
        def cardinality(self) -> int:
            return 4

        def iterator(self, epoch: int) -> Any:
            return numbered(6).batch(3).iterator(epoch=epoch)

    data = to_keras(Liar())
    with pytest.raises(CardinalityError, match="is 4, but pass 0 ended after 2 batches"):
        list(data)


def test_time_waited_is_counted() -> None:
    data = numbered().batch(3).to_keras()
    assert data.seconds_waited == 0
    data[0]
    assert data.seconds_waited > 0
