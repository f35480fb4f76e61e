"""Variables of a Keras model and its optimiser, to arrays and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from penstock.errors import StateError

Array = np.ndarray[Any, Any]


def export(model: keras.Model) -> dict[str, list[Array]]:
    """Copies of all that training changes: weights, running statistics, seeds of dropout, the optimiser's state."""
    return {group: copies(variables) for group, variables in _groups(model).items()}


def restore_model(model: keras.Model, saved: dict[str, list[Array]]) -> None:
    """Put what `export` gave into a model of the same structure.

    Raises:
        StateError: The structure is another.
    """
    for group, variables in _groups(model).items():
        restore(variables, saved.get(group, []))


def copies(variables: Sequence[Any]) -> list[Array]:
    """The values of `variables`, on the host; they do not change with them."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def restore(variables: Sequence[Any], values: Sequence[Array]) -> None:
    """Assign each of `values` to its variable.

    Raises:
        StateError: Their number or a shape differs.
    """
    shapes, found = [tuple(variable.shape) for variable in variables], [value.shape for value in values]
    if shapes != found:
        raise StateError(f"the model has variables of shapes {shapes}, the checkpoint has {found}; train it anew")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _groups(model: keras.Model) -> dict[str, list[Any]]:
    model.optimizer.build(model.trainable_variables)
    return {
        "trainable": model.trainable_variables,
        "non_trainable": model.non_trainable_variables,
        "optimizer": model.optimizer.variables,
    }
