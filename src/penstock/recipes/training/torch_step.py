"""The gradient step on torch: loss, `backward()`, and Keras' optimiser on the gradients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch

Array = np.ndarray[Any, Any]


class TorchStep:
    """Trains a compiled Keras model with torch's autograd; see `custom_loop.GradientStep`."""

    def __init__(self, model: keras.Model) -> None:
        model.optimizer.build(model.trainable_variables)
        self._model = model

    def __call__(self, inputs: Any, labels: Array) -> tuple[float, int]:
        model = self._model
        model.train()
        model.zero_grad()
        targets = keras.ops.convert_to_tensor(labels)
        logits = model(inputs, training=True)
        loss = model.loss(targets, logits)
        loss.backward()
        with torch.no_grad():
            model.optimizer.apply(
                [variable.value.grad for variable in model.trainable_variables], model.trainable_variables
            )
        return loss.item(), int((logits.argmax(dim=-1) == targets).sum())

    def predict(self, inputs: Any) -> Array:
        self._model.eval()
        with torch.no_grad():
            logits = self._model(inputs, training=False)
        values: Array = keras.ops.convert_to_numpy(logits)
        return values

    def synchronize(self) -> None:
        """Nothing to do: torch changes the variables themselves."""
