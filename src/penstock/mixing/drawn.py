"""Picks that are drawn: by weights that stay, or by weights of each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import random, tree
from penstock.block import Block, Dense
from penstock.mixing.picks import ERROR, NONE_LEFT, Open, Picks
from penstock.node import Context, Purity
from penstock.vectorize.function import ElementFunction

Weights = NDArray[np.float64]

_UNIT = 2.0**-53


def uniform(key: random.Key, start: int, count: int) -> Weights:
    """Draws from `start` to `start + count`, uniform in [0, 1), of 53 bits each."""
    draws: Weights = (random.raw(key, start, count) >> np.uint64(11)).astype(np.float64)
    draws *= _UNIT
    return draws


class Drawn:
    """Draw t picks the input whose share of [0, 1) it lies in.

    Args:
        key: What draws depend on.
        weights: One for each input, all above 0.
    """

    run_steps = 16384
    purity = Purity.PURE

    def __init__(self, key: random.Key, weights: Sequence[float]) -> None:
        self._key = key
        bounds = np.cumsum(np.asarray(weights, np.float64))
        self._bounds = (bounds[:-1] / bounds[-1]).tolist()

    def pick(self, start: int, count: int, given: Block | None, is_open: Open, context: Context) -> Picks:
        if not is_open.any():
            return NONE_LEFT
        draws = uniform(self._key, start, count)
        which = np.zeros(count, np.int64)
        for bound in self._bounds:  # mixtures have few inputs: a pass for each is quicker than a search for each draw
            which += draws >= bound
        return Picks(which)


class DrawnByStep:
    """Draw t picks by the weights of step t: those that a function gives for it, or an element of another dataset.

    Args:
        key: What draws depend on.
        inputs: How many inputs there are.
        function: From step to weights; None where they are given.
    """

    def __init__(self, key: random.Key, inputs: int, function: ElementFunction | None) -> None:
        self._key = key
        self._inputs = inputs
        self._function = function

    @property
    def run_steps(self) -> int:
        return 4096 if self._function is None or self._function.is_vectorised else 256

    @property
    def purity(self) -> Purity:
        return Purity.PURE if self._function is None else self._function.purity

    def pick(self, start: int, count: int, given: Block | None, is_open: Open, context: Context) -> Picks:
        if not is_open.any():
            return NONE_LEFT
        if given is None:
            assert self._function is not None
            steps = np.arange(start, start + count, dtype=np.int64)
            given = self._function.apply(Block(tree.LEAF, [Dense(steps)], count), context, start)
        weights, errors = self._weights(given, start)
        bounds = np.cumsum(weights, axis=1)
        totals = bounds[:, -1]
        # Below the sum, which rounding might else reach.
        draws = np.minimum(uniform(self._key, start, count) * totals, np.nextafter(totals, 0))
        which = (draws[:, None] >= bounds).sum(axis=1, dtype=np.int64)
        which[list(errors)] = ERROR
        left = weights[:, is_open].sum(axis=1)
        left[list(errors)] = 1
        if left.all():
            return Picks(which, errors)
        end = int(np.flatnonzero(left == 0)[0])
        return Picks(which[:end], {row: error for row, error in errors.items() if row < end}, is_last=True)

    def _weights(self, given: Block, start: int) -> tuple[Weights, dict[int, Exception]]:
        """A row of weights for each step, ones where the step is an error."""
        errors = dict(given.errors)
        table = _table(given)
        if table is None or table.shape[1] != self._inputs:
            for row, element in enumerate(given.elements()):
                errors.setdefault(row, self._wrong(element, start + row))
            return np.ones((given.rows, self._inputs)), errors
        is_wrong = ~np.isfinite(table).all(axis=1) | (table < 0).any(axis=1) | ~table.any(axis=1)
        for row in np.flatnonzero(is_wrong).tolist():
            errors.setdefault(row, self._wrong(table[row], start + row))
        table[list(errors)] = 1
        return table, errors

    def _wrong(self, weights: Any, step: int) -> Exception:
        return ValueError(
            f"sample_from_datasets(): the weights of step {step} are {str(weights)[:80]}; give {self._inputs} numbers "
            "of at least 0, not all of them 0"
        )


def _table(given: Block) -> Weights | None:
    """The rows of numbers as one array; None where they are none."""
    columns = [c.array for c in given.columns if isinstance(c, Dense) and not c.has_scalars and _is_number(c)]
    scalars = [c for c in given.columns if isinstance(c, Dense) and c.has_scalars]
    if len(columns) + len(scalars) != len(given.columns) or not given.columns:
        return None
    if len(given.columns) == 1 and columns and columns[0].ndim == 2:
        return columns[0].astype(np.float64)
    arrays = [c.array for c in given.columns if isinstance(c, Dense)]
    if any(array.ndim != 1 for array in arrays):
        return None
    return np.stack(arrays, axis=1).astype(np.float64)


def _is_number(column: Dense) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf"
