"""The gradient step on JAX: one compiled function from state and batch to the next state."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

Array = np.ndarray[Any, Any]
State = tuple[list[Any], list[Any], list[Any]]
"""Values of the trainable, the other and the optimiser's variables."""


class JaxStep:
    """Trains a compiled Keras model with `jax.value_and_grad`; see `custom_loop.GradientStep`."""

    def __init__(self, model: keras.Model) -> None:
        model.optimizer.build(model.trainable_variables)
        self._model = model
        self._state: State = (
            [variable.value for variable in model.trainable_variables],
            [variable.value for variable in model.non_trainable_variables],
            [variable.value for variable in model.optimizer.variables],
        )
        # The old state is given away, so that each step writes the new one into its memory.
        self._step = jax.jit(self._compute_step, donate_argnums=0)
        self._predict = jax.jit(self._compute_logits)

    def __call__(self, inputs: Any, labels: Array) -> tuple[float, int]:
        self._state, loss, num_right = self._step(self._state, inputs, labels)
        return float(loss), int(num_right)

    def predict(self, inputs: Any) -> Array:
        return np.asarray(self._predict(self._state[0], self._state[1], inputs))

    def synchronize(self) -> None:
        model = self._model
        groups = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
        for variables, values in zip(groups, self._state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                # A copy, as the next step gives the original away.
                variable.assign(jnp.copy(value))

    def _compute_step(self, state: State, inputs: Any, labels: Any) -> tuple[State, Any, Any]:
        trainable, other, optimizer = state
        loss_of = jax.value_and_grad(self._compute_loss, has_aux=True)
        (loss, (num_right, other)), gradients = loss_of(trainable, other, inputs, labels)
        trainable, optimizer = self._model.optimizer.stateless_apply(optimizer, gradients, trainable)
        return (trainable, other, optimizer), loss, num_right

    def _compute_loss(self, trainable: Any, other: Any, inputs: Any, labels: Any) -> tuple[Any, tuple[Any, Any]]:
        logits, other = self._model.stateless_call(trainable, other, inputs, training=True)
        num_right = (jnp.argmax(logits, axis=-1) == labels).sum()
        return self._model.loss(labels, logits), (num_right, other)

    def _compute_logits(self, trainable: Any, other: Any, inputs: Any) -> Any:
        return self._model.stateless_call(trainable, other, inputs, training=False)[0]
