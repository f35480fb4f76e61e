"""What batching rules are made of: the table that they register in, and the few operations that most of them need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from penstock.vectorize.tape import Array, Handle, Tape

Rule = Callable[..., "int | tuple[int, ...]"]
RULES: dict[Any, Rule] = {}
"""From a function of NumPy to its rule: `rule(tape, sample, *args, **kwargs)` records steps and returns their place.

A rule that does not know its arguments raises TypeError, ValueError or `Mismatch`.
"""


def rule(*functions: Any) -> Callable[[Rule], Rule]:
    """Register a rule for `functions`."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, function))
        return function

    return register


def place_of(tape: Tape, value: Any) -> int:
    """The slot of an argument; a constant gets a new one."""
    if isinstance(value, Handle):
        return value.place
    if isinstance(value, (list, tuple)):
        value = np.asarray(value)
    return tape.constant(value)


def symbol_of(tape: Tape, value: Any) -> Handle:
    """`value`, which must be a traced array that differs from row to row."""
    if not isinstance(value, Handle) or not value.lifted:
        raise TypeError("not a traced array")
    return value


class Align:
    """Insert axes of one after the axis of rows, as broadcasting does for one element."""

    def __init__(self, count: int) -> None:
        self._ones = (1,) * count

    def __call__(self, block: Array) -> Array:
        return block.reshape(block.shape[:1] + self._ones + block.shape[1:])


def align(tape: Tape, place: int, rank: int) -> int:
    """The slot with at least `rank` axes for each element, so that rows stay rows when it is broadcast."""
    slot = tape.slots[place]
    missing = rank - np.ndim(slot.sample)
    if not slot.lifted or missing <= 0:
        return place
    sample = np.reshape(slot.sample, (1,) * missing + np.shape(slot.sample))
    return tape.record("align", Align(missing), [place], sample)


class Spread:
    """Give each row its own copy of a constant."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def __call__(self, rows: int, constant: Any, out: Array | None = None) -> Array:
        if out is None:
            out = np.empty((rows, *self._shape), np.asarray(constant).dtype)
        out[...] = constant
        return out


def lift(tape: Tape, place: int) -> int:
    """The slot with an axis of rows; a constant is spread over them."""
    slot = tape.slots[place]
    if slot.lifted:
        return place
    sample = np.array(slot.sample)
    return tape.record("spread", Spread(sample.shape), [0, place], sample, takes_out=True)


class Cast:
    """`astype`, into memory that is given if it is."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype

    def __call__(self, block: Array, out: Array | None = None) -> Array:
        if out is None:
            return block.astype(self._dtype)
        np.copyto(out, block, casting="unsafe")
        return out


def cast_place(tape: Tape, place: int, dtype: Any) -> int:
    """The slot in another dtype."""
    sample = tape.slots[place].sample
    wanted = np.dtype(dtype)
    if sample.dtype == wanted:
        return place
    with np.errstate(all="ignore"):
        changed = sample.astype(wanted)
    return tape.record(f"astype({wanted})", Cast(wanted), [place], changed, takes_out=True)


def fresh_copy(block: Array) -> Array:
    """A copy whose rows are contiguous."""
    return block.copy()


def axes_of(axis: Any, rank: int) -> tuple[int, ...]:
    """The axes of one element as axes of a block."""
    wanted: Sequence[int] = (axis,) if not isinstance(axis, (tuple, list)) else axis
    found = []
    for one in wanted:
        place = int(one)
        if not -rank <= place < rank:
            raise ValueError(f"axis {place} of {rank}")
        found.append(place % rank + 1)
    return tuple(found)


class Apply:
    """A function of NumPy with its other arguments fixed."""

    def __init__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._function = function
        self._args = args
        self._kwargs = kwargs

    def __call__(self, *blocks: Any) -> Any:
        return self._function(*blocks, *self._args, **self._kwargs)


def name_of(function: Any) -> str:
    """How a step is shown."""
    return str(getattr(function, "__name__", function))
