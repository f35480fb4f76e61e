"""What stands in for functions and types that would want the value of a symbol, or make arrays that it should see.

`np.zeros`, `np.array`, `np.float32`, Python's `int` and `max`, and the functions of `math`.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from penstock.vectorize import dispatch, rules_join
from penstock.vectorize.pythonic import convert as number_of
from penstock.vectorize.pythonic import is_weak
from penstock.vectorize.rows import collect, substitute
from penstock.vectorize.tape import Handle, Mismatch, Tape

_CREATION = "arange empty eye identity linspace logspace ones tri zeros".split()
_CONVERSION = "array asanyarray asarray ascontiguousarray".split()
_SCALARS = (
    "bool_ float16 float32 float64 double single half int8 int16 int32 int64 intp uint8 uint16 uint32 uint64 "
    "uintp int_ uint longlong ulonglong short ushort byte ubyte intc uintc"
).split()


_DISPATCHER: Any = type(np.sum)
_OF_SEQUENCES = frozenset(
    getattr(np, name)
    for name in "block broadcast_arrays choose column_stack concatenate dstack einsum hstack ix_ lexsort meshgrid "
    "piecewise ravel_multi_index select stack vstack".split()
)
"""Functions that take a list or tuple of arrays and see the symbols in it."""


class ScalarType:
    """Stands for `np.float32` and its like: converts symbols, and is a dtype wherever one is wanted."""

    def __init__(self, tape: Tape, kind: type[np.generic]) -> None:
        self._tape = tape
        self._kind = kind
        self.dtype = np.dtype(kind)
        self.__name__ = kind.__name__

    def __call__(self, value: Any = 0) -> Any:
        if is_weak(value):
            sample = self._kind(value.sample)
            made = dispatch.by_rows(self._tape, self.__name__, self._kind, (value,), {}, sample)
            return dispatch.wrap(self._tape, made)
        if isinstance(value, Handle):
            return dispatch.cast(value, self.dtype, "K", "unsafe")
        if collect(value):
            return convert(self._tape, np.asarray, (value, self.dtype), {})
        return self._kind(value)

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, self._kind)

    def __subclasscheck__(self, cls: type) -> bool:
        return issubclass(cls, self._kind)

    def __eq__(self, other: object) -> bool:
        return self._kind == (other._kind if isinstance(other, ScalarType) else other)

    def __hash__(self) -> int:
        return hash(self._kind)


class NumberType(ScalarType):
    """Stands for Python's `int`, `float` or `bool`."""

    def __init__(self, tape: Tape, kind: Any) -> None:
        super().__init__(tape, kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], Handle) and args[0].lifted:
            dispatch.live_handles(self._tape, args[0])
            return number_of(self._tape, self._kind, args[0])
        return self._kind(*args, **kwargs)


class StandIns:
    """Makes the stand-ins of one trace, each when it is first wanted."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._made: dict[int, Any] = {}

    def of(self, original: Any) -> Any:
        """What stands in for `original`; itself if nothing has to."""
        make = _MAKERS.get(id(original))
        if make is None:
            return functools.partial(self._listed, original) if type(original) is _DISPATCHER else original
        if id(original) not in self._made:
            self._made[id(original)] = make(self, original)
        return self._made[id(original)]

    def scalar_type(self, kind: Any) -> ScalarType:
        """For a scalar type of NumPy."""
        return ScalarType(self._tape, kind)

    def number_type(self, kind: Any) -> NumberType:
        """For a number type of Python."""
        return NumberType(self._tape, kind)

    def creation(self, function: Any) -> Any:
        """For a function that makes an array of nothing."""
        return functools.partial(self._create, function)

    def conversion(self, function: Any) -> Any:
        """For a function that makes an array of anything."""
        return functools.partial(self._convert, function)

    def full(self, function: Any) -> Any:
        """For `np.full`."""
        return self._full

    def extreme(self, function: Any) -> Any:
        """For `max` and `min`."""
        return functools.partial(self._extreme, function)

    def rounding(self, function: Any) -> Any:
        """For `round`."""
        return self._round

    def mathematics(self, function: Any) -> Any:
        """For a function of `math`."""
        return functools.partial(self._by_rows, function, f"math.{function.__name__}")

    def _listed(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A function of NumPy, which never asks symbols in a list: `np.mean([a, b])`."""
        if args and type(args[0]) in (list, tuple) and function not in _OF_SEQUENCES and collect(args[0]):
            args = (convert(self._tape, np.asarray, (args[0],), {}), *args[1:])
        return function(*args, **kwargs)

    def _create(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        made = function(*_settled(args), **{name: _settled(value) for name, value in kwargs.items()})
        return self._tape.symbol(self._tape, self._tape.constant(np.zeros_like(made) if function is np.empty else made))

    def _convert(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return convert(self._tape, function, args, kwargs)

    def _by_rows(self, function: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
        """A function of Python's numbers, called for one row after the other."""
        handles = dispatch.live_handles(self._tape, (args, kwargs))
        if any(isinstance(handle.sample, np.ndarray) and handle.lifted for handle in handles):
            raise self._tape.stop(f"{name}() of an array has no batching rule")
        for value in (0, 1, 0.5):
            plain = substitute((args, kwargs), functools.partial(dispatch.filled, value=value))
            try:
                sample = function(*plain[0], **plain[1])
            except (ValueError, ArithmeticError):
                continue  # such as the logarithm of zero
            if not any(handle.lifted for handle in handles):
                return sample
            return dispatch.wrap(self._tape, dispatch.by_rows(self._tape, name, function, args, kwargs, sample))
        raise self._tape.stop(f"{name}() cannot be tried on one element")

    def _extreme(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not any(handle.lifted for handle in collect(args)) or kwargs:
            return function(*args, **kwargs)
        values = args if len(args) > 1 else tuple(args[0])
        kinds = {type(value.sample if isinstance(value, Handle) else value) for value in values}
        if len(kinds) != 1 or np.ndarray in kinds:
            raise self._tape.stop(f"{function.__name__}() of numbers of different types branches on a value")
        return self._by_rows(function, function.__name__, *values)

    def _round(self, number: Any, ndigits: Any = None) -> Any:
        if isinstance(number, Handle) and (ndigits is None or is_weak(number)):
            return self._by_rows(round, "round", number, *([] if ndigits is None else [ndigits]))
        return round(number, ndigits)

    def _full(self, shape: Any, fill_value: Any, dtype: Any = None) -> Any:
        if isinstance(fill_value, Handle) and fill_value.lifted:
            made = self._create(np.zeros, shape, dtype=fill_value.sample.dtype if dtype is None else dtype)
            made[...] = fill_value
            return made
        return self._create(np.full, shape, fill_value, dtype)


def convert(tape: Tape, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`np.array`, `np.asarray` and their like on anything that may hold symbols."""
    value = args[0]
    handles = dispatch.live_handles(tape, value)
    dtype = args[1] if len(args) > 1 else kwargs.get("dtype")
    if len(args) > 2 or set(kwargs) - {"dtype", "copy"}:
        raise tape.stop(f"numpy.{function.__name__} with these arguments has no batching rule")
    if not handles:
        made = function(*args, **kwargs)
        return tape.symbol(tape, tape.constant(made)) if made.dtype.kind in "biufc" else made
    if not isinstance(value, Handle):
        try:
            found = tape.symbol(tape, rules_join.stacked(tape, value))
        except (Mismatch, TypeError, ValueError):
            raise tape.stop(f"numpy.{function.__name__} of parts that cannot be stacked") from None
        return found if dtype is None else dispatch.cast(found, dtype, "K", "unsafe")
    if isinstance(value.sample, np.generic):
        wide = np.ascontiguousarray(value.sample) if function is np.ascontiguousarray else np.asarray(value.sample)
        if function is np.ascontiguousarray:
            value = dispatch.call(tape, np.atleast_1d, (value,), {})
        else:
            value = tape.symbol(tape, tape.record("asarray", _same, [value.place], wide))
    elif function is np.array and kwargs.get("copy", True):
        value = dispatch.copy(value, "K")
    elif function is np.ascontiguousarray and not value.sample.flags.c_contiguous:
        value = dispatch.copy(value, "C")
    if dtype is None or np.dtype(getattr(dtype, "dtype", dtype)) == value.sample.dtype:
        return value
    return dispatch.cast(value, dtype, "K", "unsafe")


def _same(block: Any) -> Any:
    return block[...]


def _settled(value: Any) -> Any:
    """Constants of the trace as the values that they are; sizes may be such."""
    if isinstance(value, Handle) and not value.lifted:
        return value.sample
    if type(value) in (tuple, list):
        return type(value)(map(_settled, value))
    return value


def _makers() -> dict[int, Callable[[StandIns, Any], Any]]:
    made: dict[int, Callable[[StandIns, Any], Any]] = {id(np.full): StandIns.full, id(round): StandIns.rounding}
    made |= dict.fromkeys([id(getattr(np, name)) for name in _CREATION], StandIns.creation)
    made |= dict.fromkeys([id(getattr(np, name)) for name in _CONVERSION], StandIns.conversion)
    made |= dict.fromkeys([id(getattr(np, name)) for name in _SCALARS], StandIns.scalar_type)
    made |= dict.fromkeys([id(kind) for kind in (int, float, bool)], StandIns.number_type)
    made |= dict.fromkeys([id(function) for function in (max, min)], StandIns.extreme)
    functions = [value for value in vars(math).values() if isinstance(value, types.BuiltinFunctionType)]
    return made | dict.fromkeys(map(id, functions), StandIns.mathematics)


_MAKERS = _makers()
"""How to make each stand-in, by the identity of what it stands in for; all of that lives as long as the process."""
