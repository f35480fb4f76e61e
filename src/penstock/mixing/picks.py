"""Which input each element comes from: what pickers have in common, and picks that another dataset's elements tell."""

from __future__ import annotations

from dataclasses import field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.block import Block, Dense
from penstock.node import Context, Purity
from penstock.record import record

ERROR = -1
"""In place of an input's number where there is an error."""

Open = NDArray[np.bool_]
"""For each input, whether it has not ended."""


@record(eq=True)
class Picks:
    """The inputs of some steps.

    Attributes:
        which: The number of an input for each step, or ERROR.
        errors: The errors by step, counted from the first one here.
        is_last: Whether no step after these can give an element.
    """

    which: NDArray[np.int64]
    errors: dict[int, Exception] = field(default_factory=dict)
    is_last: bool = False


NONE_LEFT = Picks(np.empty(0, np.int64), is_last=True)


class Picker(Protocol):
    """Picks an input for each step; the same one for a step whenever it is asked."""

    @property
    def run_steps(self) -> int:
        """How many steps to pick at a time when looking ahead."""

    @property
    def purity(self) -> Purity:
        """What is known of the user function that it calls."""

    def pick(self, start: int, count: int, given: Block | None, is_open: Open, context: Context) -> Picks:
        """The inputs of `count` steps from `start` on, those that have ended too.

        Args:
            start: The first step.
            count: How many steps; fewer are picked only where `is_last` is said.
            given: The elements for these steps of the dataset that tells the picks; None where there is none.
            is_open: Which inputs have not ended.
            context: That of the run.
        """


class Told:
    """Picks that are the elements of a dataset.

    Args:
        method: The public function, for messages.
        inputs: How many inputs there are.
    """

    run_steps = 4096
    purity = Purity.PURE

    def __init__(self, method: str, inputs: int) -> None:
        self._method = method
        self._inputs = inputs

    def pick(self, start: int, count: int, given: Block | None, is_open: Open, context: Context) -> Picks:
        assert given is not None
        if not is_open.any():
            return NONE_LEFT
        errors = dict(given.errors)
        column = given.columns[0] if given.treedef == tree.LEAF else None
        if not (isinstance(column, Dense) and not column.row_shape and _is_integer(column.dtype)):
            for row, element in enumerate(given.elements()):
                errors.setdefault(row, self._no_number(element, start + row))
            return Picks(np.full(given.rows, ERROR), errors)
        which = column.array.astype(np.int64)
        for row in np.flatnonzero((which < 0) | (which >= self._inputs)).tolist():
            errors.setdefault(row, self._out_of_range(int(which[row]), start + row))
        which[list(errors)] = ERROR
        return Picks(which, errors)

    def _no_number(self, element: Any, step: int) -> Exception:
        return TypeError(
            f"{self._method}(): choice {step} is {str(element)[:80]}; choice_dataset must give whole numbers, such as "
            "np.int64(0)"
        )

    def _out_of_range(self, choice: int, step: int) -> Exception:
        return IndexError(
            f"{self._method}(): choice {step} is {choice}, which is out of range: there are {self._inputs} datasets, "
            "counted from 0"
        )


def _is_integer(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "iu"
