"""Python's own numbers in a traced function: what `int(x)`, `float(x)`, `bool(x)` and the functions of `math` give.

Such a number is *weak*: beside an array it takes the array's dtype. Its block is int64, float64 or bool. Where Python's
arithmetic and NumPy's part ways (a sum beyond int64, a division by zero), the step raises, and the rows are run one by
one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from penstock.vectorize.rulebook import place_of
from penstock.vectorize.tape import Array, Handle, Tape

_EXACT = 2**53
"""Integers up to here are exact as float64."""
_SAFE = 2.0**62
"""Estimates of integer results up to here are certain to fit int64."""


def is_number(value: Any) -> bool:
    """Whether `value` is a number of Python, or stands for one."""
    return type(value.sample if isinstance(value, Handle) else value) in (int, float, bool)


def is_weak(value: Any) -> bool:
    """Whether `value` stands for a number of Python that differs from row to row."""
    return isinstance(value, Handle) and value.lifted and type(value.sample) in (int, float, bool)


class _ToInt:
    may_raise = True

    def __call__(self, block: Array) -> Array:
        if block.dtype.kind == "f":
            if not (np.abs(block) < 2.0**63).all():
                raise OverflowError("a float is no int64")
        elif block.dtype == np.uint64 and (block > np.uint64(2**63 - 1)).any():
            raise OverflowError("an integer is no int64")
        return block.astype(np.int64)


class _As:
    """Another dtype that holds each value."""

    def __init__(self, dtype: Any) -> None:
        self._dtype = np.dtype(dtype)

    def __call__(self, block: Array) -> Array:
        return block.astype(self._dtype)


def convert(tape: Tape, kind: type, value: Handle) -> Handle:
    """`int(value)`, `float(value)` or `bool(value)`, where `value` is a scalar."""
    found = value.sample
    if not isinstance(found, (np.generic, int, float)) or np.asarray(found).dtype.kind not in "biuf":
        raise tape.stop(f"calls {kind.__name__}() on an array")
    run: Any = _ToInt() if kind is int else _As(kind)
    return tape.symbol(tape, tape.record(kind.__name__, run, [value.place], kind(found)))


class _Settle:
    """Integers of Python in the dtype of the array that they meet."""

    may_raise = True

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype

    def __call__(self, block: Array) -> Array:
        if block.dtype.kind == "i" and self._dtype.kind in "iu" and self._dtype != block.dtype:
            bounds = np.iinfo(self._dtype)
            if block.min() < bounds.min or (self._dtype.itemsize < 8 and block.max() > bounds.max):
                raise OverflowError(f"an integer is out of bounds for {self._dtype}")
        elif block.dtype.kind == "i" and self._dtype.kind == "f":
            if _is_large(block):
                raise OverflowError("an integer is not exact as float64")
            block = block.astype(np.float64)  # as NumPy converts a number of Python
        return block.astype(self._dtype)


def settled(tape: Tape, values: Any) -> list[int]:
    """The slots of operands that meet in one operation, weak numbers in the dtype that NumPy gives them there."""
    places = [place_of(tape, value) for value in values]
    samples = [tape.slots[place].sample for place in places]
    strong = [sample for sample in samples if isinstance(sample, (np.ndarray, np.generic))]
    for number, value in enumerate(values):
        if is_weak(value):
            dtype = np.result_type(*strong, samples[number])
            if dtype != tape.slots[places[number]].block.dtype and type(samples[number]) is not bool:
                places[number] = tape.record("settle", _Settle(dtype), [places[number]], dtype.type(samples[number]))
    return places


def strong(tape: Tape, value: Any) -> Any:
    """The same number as a scalar of NumPy, as it counts where an index is wanted."""
    if not is_weak(value):
        return value
    dtype = np.asarray(value.sample).dtype
    return tape.symbol(tape, tape.record("settle", _As(dtype), [value.place], dtype.type(value.sample)))


class _Arithmetic:
    """One of Python's operations on numbers, with NumPy's arithmetic where both agree."""

    may_raise = True

    def __init__(self, function: np.ufunc, integers: bool) -> None:
        self._function = function
        self._integers = integers

    def __call__(self, *blocks: Any) -> Any:
        if self._function in _DIVISIONS and (np.asarray(blocks[1]) == 0).any():
            raise ZeroDivisionError("division by zero")
        if self._integers:
            if self._function in _GROWING and not (np.abs(self._estimate(*blocks)) < _SAFE).all():
                raise OverflowError("an integer may be no int64")
        elif any(_is_large(block) for block in blocks):
            raise OverflowError("an integer is not exact as float64")
        return self._function(*blocks)

    def _estimate(self, *blocks: Any) -> Any:
        return self._function(*(np.asarray(block, np.float64) for block in blocks))


def _is_large(block: Any) -> bool:
    array = np.asarray(block)
    return array.dtype.kind == "i" and bool((np.abs(array.astype(np.float64)) > _EXACT).any())


_COMPARISONS = (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal)
_GROWING = (np.add, np.subtract, np.multiply, np.negative, np.absolute)
_LOGIC = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.equal, np.not_equal)
_DIVISIONS = (np.divide, np.floor_divide, np.remainder)


def operate(tape: Tape, function: np.ufunc, operator: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
    """An operator between numbers of Python, whose result is one again."""
    samples = [value.sample if isinstance(value, Handle) else value for value in inputs]
    kinds = {type(sample) for sample in samples}
    integers = kinds == {int}
    known = _COMPARISONS + _GROWING + (_DIVISIONS if integers else (np.divide,))
    if kinds == {bool} and function in _LOGIC:
        return tape.symbol(
            tape, tape.record(function.__name__, function, [*map(partial(place_of, tape), inputs)], False)
        )
    if function not in known or bool in kinds:
        raise tape.stop(f"{function.__name__} between numbers of Python has no batching rule")
    safe = [type(sample)(1) if sample == 0 else sample for sample in samples]
    sample = operator(*safe)
    exact = integers and function is not np.divide
    run = _Arithmetic(function, exact)
    return tape.symbol(
        tape, tape.record(function.__name__, run, [place_of(tape, value) for value in inputs], type(sample)(0))
    )
