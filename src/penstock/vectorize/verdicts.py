"""What a predicate says of the rows of a block, as a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.block import Block, Dense
from penstock.errors import SpecError
from penstock.node import Context, Indices
from penstock.vectorize.function import ElementFunction

Mask = NDArray[np.bool_]


def verdicts(
    predicate: ElementFunction, block: Block, context: Context, indices: Indices | int
) -> tuple[Mask, dict[int, Exception]]:
    """Whether `predicate` is true of each row, and the errors by row: the rows' own, and those of the calls.

    What stands in the mask for an error means nothing. A result that is no bool is an error.
    """
    found = predicate.apply(block, context, indices)
    errors = dict(found.errors)
    column = found.columns[0] if found.treedef == tree.LEAF else None
    if isinstance(column, Dense) and column.dtype == np.bool_ and column.array.ndim == 1:
        return column.array, errors
    return _judge_each(predicate, found, errors, indices), errors


def _judge_each(predicate: ElementFunction, found: Block, errors: dict[int, Exception], indices: Indices | int) -> Mask:
    """The mask where not every verdict is a bool; the others become errors."""
    mask = np.zeros(found.rows, np.bool_)
    for row, verdict in enumerate(found.elements()):
        if row in errors:
            continue
        if _is_bool(verdict):
            mask[row] = bool(verdict)
            continue
        index = indices + row if isinstance(indices, int) else int(indices[row])
        errors[row] = SpecError(
            f"{predicate.transformation}(): {predicate.name} returned {verdict!r} ({type(verdict).__name__}) for "
            f"element {index}; return one bool, such as x > 0 or np.any(x)"
        )
    return mask


def _is_bool(verdict: Any) -> bool:
    if isinstance(verdict, (bool, np.bool_)):
        return True
    return isinstance(verdict, np.ndarray) and verdict.shape == () and verdict.dtype == bool
