"""The gradient step on TensorFlow: a `tf.function` around a `tf.GradientTape`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

Array = np.ndarray[Any, Any]


class TensorflowStep:
    """Trains a compiled Keras model with a gradient tape; see `custom_loop.GradientStep`."""

    def __init__(self, model: keras.Model) -> None:
        model.optimizer.build(model.trainable_variables)
        self._model = model
        # Shapes are left open, or the shorter last batch of an epoch would be traced anew.
        self._step = tf.function(self._compute_step, reduce_retracing=True)
        self._predict = tf.function(self._compute_logits, reduce_retracing=True)

    def __call__(self, inputs: Any, labels: Array) -> tuple[float, int]:
        loss, num_right = self._step(tf.convert_to_tensor(inputs), tf.convert_to_tensor(labels))
        return float(loss), int(num_right)

    def predict(self, inputs: Any) -> Array:
        logits: Array = self._predict(tf.convert_to_tensor(inputs)).numpy()
        return logits

    def synchronize(self) -> None:
        """Nothing to do: TensorFlow changes the variables themselves."""

    def _compute_step(self, inputs: Any, labels: Any) -> tuple[Any, Any]:
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            logits = self._model(inputs, training=True)
            loss = self._model.loss(labels, logits)
        self._model.optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        right = tf.equal(tf.argmax(logits, axis=-1), tf.cast(labels, tf.int64))
        return loss, tf.reduce_sum(tf.cast(right, tf.int32))

    def _compute_logits(self, inputs: Any) -> Any:
        return self._model(inputs, training=False)
