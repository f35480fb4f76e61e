"""What `keras.Model.fit`, `evaluate` and `predict` take, made from a dataset of batches; the same on every backend."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras.src.trainers.data_adapters import data_adapter_utils

# Keras has no public class for data whose length is unknown, but its `fit` takes an instance of this one.
from keras.src.trainers.data_adapters.data_adapter import DataAdapter

from penstock.errors import CardinalityError, SpecError, StateError
from penstock.node import UNKNOWN

if TYPE_CHECKING:
    from penstock.dataset import Dataset

State = dict[str, Any]
ClassWeight = Mapping[int, float]

_STATE_VERSION = 1
_KEPT_STATES = 1024
"""States kept for `state_dict(batch)`; Keras reads one batch ahead on accelerators, TensorFlow a few more."""

_LOOK_AHEAD = 2
"""Batches that Keras takes of a pass, at most, only to learn their shapes, before it begins the pass again."""


def to_keras(
    self: Dataset[Any],
    *,
    class_weight: ClassWeight | None = None,
    first_epoch: int = 0,
    resumable: bool = False,
) -> KerasData | KerasStream:
    """Make what `fit`, `evaluate` and `predict` of a Keras model accept, as `x` or as `validation_data`.

    >>> images, labels = np.zeros((10, 28, 28, 1), np.float32), np.arange(10)
    >>> data = Dataset.from_tensor_slices((images, labels)).shuffle(10).batch(4).to_keras()
    >>> len(data)
    3
    >>> model.fit(data, epochs=5, class_weight={0: 2.0})  # doctest: +SKIP

    Elements are batches: `inputs`, `(inputs, targets)` or `(inputs, targets, sample_weights)`; inputs and targets may
    be nested. Every epoch is a new pass, so that it reshuffles: the k-th is `iterator(epoch=k)`. An endless dataset
    needs `steps_per_epoch`, which then cuts one long pass into epochs. No thread is started beyond the dataset's own.

    Args:
        class_weight: Weight of the loss per class, for labels of shape (n,) or (n, 1) or one-hot of shape (n, classes).
            `fit(class_weight=)` does the same where the dataset's length is known; Keras ignores it where it is not.
        first_epoch: Number of the first pass; give it what you give `fit(initial_epoch=)`.
        resumable: Keep the state after each batch, for `state_dict`.

    Returns:
        A `KerasData` where `cardinality()` is known or infinite: progress bars know their length. Else a `KerasStream`;
        Keras then learns the length from the first epoch, and warns when the data ends.

    The model is trained and evaluated on passes of their own: give `validation_data` a `to_keras()` of its own.

    Raises:
        TypeError: `class_weight` is no mapping of whole numbers to numbers.
        ValueError: `resumable` with a dataset of unknown length.
        CardinalityError: A pass has no batch; raised when it begins.

    See also: as_numpy_iterator, iterator.
    """
    _check_class_weight(class_weight)
    feed = _Feed(self, class_weight, first_epoch, resumable)
    if self.cardinality() != UNKNOWN:
        return KerasData(feed)
    if resumable:
        raise ValueError(
            "to_keras(): resumable=True needs a dataset of known or infinite length, as `repeat` makes one"
        )
    return KerasStream(feed)


class KerasData(keras.utils.PyDataset):
    """A dataset of known or infinite length as Keras reads it: whatever index is asked for, the next batch comes.

    That keeps `fit(shuffle=True)`, its default, from permuting an order that the dataset has decided.

    After `load_state_dict` the first epoch has only the batches that were left; `num_batches` says how many. Keras
    believes that number for all epochs of one call, so finish that epoch by a call of `fit` of its own.
    """

    def __init__(self, feed: _Feed) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._feed = feed
        self._length: int = feed.dataset.cardinality()
        self._pass_is_new = True

    def __len__(self) -> int:
        if self._length < 0:
            raise TypeError("len(): the dataset is infinite; pass steps_per_epoch to fit()")
        return self._length - self._feed.first_batch

    def __bool__(self) -> bool:
        return True

    @property
    def num_batches(self) -> int | None:
        """Batches in the next pass; None for an endless dataset.

        Keras reads this when, and only when, it is about to begin a pass; there is no other sign of it, as
        `on_epoch_begin` also comes in the middle of a pass that `steps_per_epoch` cuts.
        """
        self._feed.prepare()
        if not self._feed.is_inside_epoch:
            self._feed.is_reset_due = True
        self._pass_is_new = True
        if not self._length:
            raise self._feed.no_batch()
        return None if self._length < 0 else len(self)

    def __getitem__(self, index: int) -> Any:
        if self._pass_is_new:
            self._feed.begin()
            self._pass_is_new = False
        batch = self._feed.next()
        if batch is None:
            raise CardinalityError(
                f"to_keras(): cardinality() is {self._length}, but pass {self._feed.epoch} ended after "
                f"{self._feed.batch} batches; mend the source, or have it say an unknown length"
            )
        if self._feed.batch == self._length:
            self._feed.finish()
        return batch

    def on_epoch_begin(self) -> None:
        self._feed.is_inside_epoch = True

    def on_epoch_end(self) -> None:
        self._feed.is_inside_epoch = self._feed.is_reset_due = False

    @property
    def seconds_waited(self) -> float:
        """Time that Keras has spent waiting for batches."""
        return self._feed.seconds_waited

    def state_dict(self, batch: int) -> State:
        """The state after `batch` batches of this pass, as JSON; see `load_state_dict`.

        Args:
            batch: Batches of this pass that the model was trained on, those before a `load_state_dict` included.

        Raises:
            ValueError: No state is kept of that place; see `to_keras(resumable=True)`.
        """
        state = self._feed.state_after(batch)
        if batch == self._length:
            return {**state, "epoch": state["epoch"] + 1, "batch": 0, "iterator": None}
        return state

    def load_state_dict(self, state: State) -> None:
        """Go on after the place where `state` was taken; the next call of `fit` begins there.

        Raises:
            StateError: It is no state of `to_keras`, or of a newer version.
        """
        self._feed.load(state)
        self._pass_is_new = True

    def close(self) -> None:
        """End the pass that is running, and with it the dataset's threads."""
        self._feed.close()


class KerasStream(DataAdapter):
    """A dataset of unknown length as Keras reads it: a pass ends where the data ends."""

    def __init__(self, feed: _Feed) -> None:
        self._feed = feed
        self._tensorflow_spec: Any = None

    def _batches(self) -> Iterator[Any]:
        self._feed.prepare()
        self._feed.begin()
        while (batch := self._feed.next()) is not None:
            yield batch if isinstance(batch, (tuple, dict)) else (batch,)
        self._feed.finish()

    def get_numpy_iterator(self) -> Any:
        return data_adapter_utils.get_numpy_iterator(self._batches())

    def get_jax_iterator(self) -> Any:
        return data_adapter_utils.get_jax_iterator(self._batches())

    def get_torch_dataloader(self) -> Any:
        return data_adapter_utils.get_torch_dataloader(self._batches())

    def get_tf_dataset(self) -> Any:
        import tensorflow

        if self._tensorflow_spec is None:
            first = next(self._batches(), None)
            if first is None:
                raise ValueError("to_keras(): the dataset is empty; TensorFlow needs one batch to learn its shapes")
            self._tensorflow_spec = data_adapter_utils.get_tensor_spec([first])
        return tensorflow.data.Dataset.from_generator(self._batches, output_signature=self._tensorflow_spec)

    @property
    def num_batches(self) -> int | None:
        return None

    @property
    def batch_size(self) -> int | None:
        return None

    @property
    def has_partial_batch(self) -> bool | None:
        return None

    @property
    def partial_batch_size(self) -> int | None:
        return None

    @property
    def seconds_waited(self) -> float:
        """Time that Keras has spent waiting for batches."""
        return self._feed.seconds_waited

    def close(self) -> None:
        """End the pass that is running, and with it the dataset's threads."""
        self._feed.close()


class _Feed:
    """Hands over the batches of a dataset, pass after pass.

    Attributes:
        epoch: Number of the pass that runs, or that ran last.
        batch: Batches of it handed over.
        is_inside_epoch: Whether Keras has said that an epoch began and not yet that it ended.
        is_reset_due: Whether a call of `fit` has begun that has not yet said that an epoch ended. Each says so once
            before it trains, and what it took until then was only to learn shapes.
        seconds_waited: Time spent in the dataset.
    """

    def __init__(
        self, dataset: Dataset[Any], class_weight: ClassWeight | None, first_epoch: int, resumable: bool
    ) -> None:
        self.dataset = dataset
        self.epoch = first_epoch
        self.batch = 0
        self.is_inside_epoch = False
        self.is_reset_due = False
        self.seconds_waited = 0.0
        self._class_weight = class_weight
        self._resumable = resumable
        self._iterator: Any = None
        self._finished = False
        self._start: State | None = None
        self._states: deque[State] = deque(maxlen=_KEPT_STATES)

    @property
    def first_batch(self) -> int:
        """Where the pass begins: not at 0 if it goes on after a state that was loaded."""
        return 0 if self._start is None else int(self._start["batch"])

    def prepare(self) -> None:
        """Go to the next pass, or back to the first batch of this one where Keras only looked at its first batches."""
        self.close()
        is_short = self.batch - self.first_batch <= _LOOK_AHEAD
        if not is_short or (self._finished and not self.is_reset_due):
            self.epoch += 1
            self._start = None
        self._finished = False
        self.batch = self.first_batch

    def begin(self) -> None:
        """Open the pass that was prepared."""
        self._iterator = self.dataset.iterator(epoch=self.epoch)
        self._states.clear()
        if self._start is not None and self._start["iterator"] is not None:
            self._iterator.load_state_dict(self._start["iterator"])
        self._keep_state()

    def next(self) -> Any | None:
        """The next batch; None at the end of the pass."""
        if self._iterator is None:
            return None
        asked = time.perf_counter()
        batch = next(self._iterator, None)
        self.seconds_waited += time.perf_counter() - asked
        if batch is None:
            if not self.batch:
                raise self.no_batch()
            return None
        self.batch += 1
        self._keep_state()
        if isinstance(batch, tuple) and not 1 <= len(batch) <= 3:
            raise SpecError(
                f"to_keras(): an element is a tuple of {len(batch)}; Keras takes (inputs, targets) or "
                "(inputs, targets, sample_weights); put several inputs into a dict or a tuple inside the tuple"
            )
        return batch if self._class_weight is None else _weighted(batch, self._class_weight)

    def no_batch(self) -> CardinalityError:
        """What to say of a pass over nothing, of which Keras would say `StopIteration`."""
        return CardinalityError(f"to_keras(): pass {self.epoch} of the dataset has no batch, and Keras needs one")

    def finish(self) -> None:
        """Close the pass, all of which was handed over."""
        self.close()
        self._finished = True

    def close(self) -> None:
        if self._iterator is not None:
            self._iterator.close()
            self._iterator = None

    def state_after(self, batch: int) -> State:
        for state in reversed(self._states):
            if state["batch"] == batch:
                return state
        raise ValueError(
            f"state_dict(): no state is kept of the place after {batch} batches; make the data with "
            f"to_keras(resumable=True) and ask within {_KEPT_STATES} batches"
        )

    def load(self, state: State) -> None:
        if state.get("version") != _STATE_VERSION or "batch" not in state:
            raise StateError(
                f"load_state_dict(): wanted a state of to_keras() in version {_STATE_VERSION}, found a dict with "
                f"{', '.join(state) or 'nothing'} in version {state.get('version')}"
            )
        self.close()
        self._finished = False
        self.epoch = int(state["epoch"])
        self.batch = int(state["batch"])
        self._start = state

    def _keep_state(self) -> None:
        if self._resumable:
            place = {"version": _STATE_VERSION, "epoch": self.epoch, "batch": self.batch}
            self._states.append({**place, "iterator": self._iterator.state_dict()})


def _check_class_weight(class_weight: ClassWeight | None) -> None:
    if class_weight is None:
        return
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"to_keras(): class_weight must be a dict such as {{0: 1.0, 1: 2.5}}, but is {class_weight!r}")
    for label in class_weight:
        if not isinstance(label, (int, np.integer)):
            # As JSON makes of numbers that are keys: it would be no class, and all would weigh 1.
            raise TypeError(f"to_keras(): class_weight has the class {label!r}; classes are whole numbers, such as 0")


def _weighted(batch: Any, class_weight: ClassWeight) -> tuple[Any, Any, np.ndarray[Any, Any]]:
    """(inputs, targets) with the weight of each row's class; a class that is not named weighs 1."""
    if not isinstance(batch, tuple) or len(batch) != 2:
        raise SpecError("to_keras(): class_weight= needs elements (inputs, targets), without weights of their own")
    if isinstance(batch[1], (dict, tuple)):
        raise SpecError(
            "to_keras(): class_weight= needs targets that are one array; give (inputs, targets, weights) instead"
        )
    targets = np.asarray(batch[1])
    classes = targets.argmax(axis=-1) if targets.ndim > 1 and targets.shape[-1] > 1 else targets.reshape(-1)
    found, places = np.unique(classes, return_inverse=True)
    weights = np.array([class_weight.get(int(label), 1.0) for label in found], np.float32)
    return (*batch, weights[places])
