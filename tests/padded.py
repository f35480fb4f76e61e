"""Padding one element after another, for the references of all steps that pad."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock import tree
from penstock.building import component
from penstock.errors import SpecError
from penstock.testing import Failure

FILLERS: dict[type, Any] = {str: "", bytes: b""}


def padded(elements: list[Any]) -> Any:
    """The elements as one, filled up with zeros to the largest size of each axis; a failure where that cannot be."""
    for element in elements:
        if isinstance(element, Failure):
            return element
    flat = [tree.flatten(element) for element in elements]
    columns = zip(*(leaves for leaves, _ in flat), strict=True)
    made = [_padded([component(leaf) for leaf in column]) for column in columns]
    failures = [column for column in made if isinstance(column, Failure)]
    return failures[0] if failures else tree.unflatten(flat[0][1], made)


def _padded(column: list[Any]) -> Any:
    kinds = {_kind(value) for value in column} - {None}
    ranks = {np.ndim(value) for value in column}
    if len(ranks) > 1 or len(kinds) > 1 or not all(isinstance(v, (np.ndarray, np.generic, str, bytes)) for v in column):
        return Failure(SpecError)
    shape = [max(sizes) for sizes in zip(*map(np.shape, column), strict=True)]
    kind = kinds.pop() if kinds else object
    batch = np.full((len(column), *shape), FILLERS.get(kind), object) if isinstance(kind, type) else None
    if batch is None:
        batch = np.zeros((len(column), *shape), kind)
    for row, value in zip(batch if shape else [batch[at : at + 1] for at in range(len(column))], column, strict=True):
        row[tuple(map(slice, np.shape(value)))] = value
    return batch


def _kind(value: Any) -> Any:
    """The dtype, or the class of what is in an array of objects; None where an empty one does not tell."""
    if isinstance(value, (str, bytes)):
        return type(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        kinds = set(map(type, value.flat))
        return kinds.pop() if kinds in ({str}, {bytes}) else object if kinds else None
    return getattr(value, "dtype", None)
