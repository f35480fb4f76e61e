"""A copy of the user's function that sees traced stand-ins for what NumPy would make or read without asking.

`np.zeros(3)`, `np.array([a, b])`, `np.float32(x)` and `table[label]` on a captured array never reach a symbol. In the
copy the names of NumPy are bound to functions that make symbols, and captured arrays are constants of the trace. What
is not reached this way still behaves, and stops the trace where it needs a value.
"""

from __future__ import annotations

import builtins
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

_CREATION = ("arange", "empty", "eye", "identity", "linspace", "logspace", "ones", "tri", "zeros")
_CONVERSION = ("array", "asanyarray", "asarray", "ascontiguousarray")
_SCALARS = (
    "bool_ float16 float32 float64 double single half int8 int16 int32 int64 intp uint8 uint16 uint32 uint64 "
    "uintp int_ uint longlong ulonglong short ushort byte ubyte intc uintc"
).split()


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


class Rewriter:
    """Rebinds the names of one function and of the Python functions that it calls."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._done: dict[int, Any] = {}
        self._kept: list[Any] = []
        for name in _CREATION:
            self._replace(getattr(np, name), functools.partial(self._create, getattr(np, name)))
        for name in _CONVERSION:
            self._replace(getattr(np, name), functools.partial(self._convert, getattr(np, name)))
        self._replace(np.full, self._full)
        for name in ("int", "float", "bool"):
            self._replace(getattr(builtins, name), NumberType(tape, getattr(builtins, name)))
        for function in (max, min):
            self._replace(function, functools.partial(self._extreme, function))
        self._replace(round, self._round)
        self._replace(math, _module_like(math, {name: self._math(value) for name, value in vars(math).items()}))
        for kind in {getattr(np, name) for name in _SCALARS}:
            self._replace(kind, ScalarType(tape, kind))
        self._replace(
            np, _module_like(np, {name: self._done.get(id(value), value) for name, value in vars(np).items()})
        )

    def _replace(self, original: Any, stand_in: Any) -> None:
        self._kept.append(original)
        self._done[id(original)] = stand_in

    def value(self, original: Any) -> Any:
        """What the rewritten function finds in place of a captured object."""
        if id(original) in self._done:
            return self._done[id(original)]
        if isinstance(original, np.ndarray):
            place = self._tape.constant(original, live=True)
            self._replace(original, self._tape.symbol(self._tape, place))
        elif isinstance(original, types.FunctionType):
            self._function(original)
        elif isinstance(original, types.MethodType):
            made = types.MethodType(self.value(original.__func__), self.value(original.__self__))
            self._replace(original, made)
        elif isinstance(original, functools.partial):
            keywords = {name: self.value(value) for name, value in original.keywords.items()}
            made_partial = functools.partial(self.value(original.func), *map(self.value, original.args), **keywords)
            self._replace(original, made_partial)
        elif type(original) is tuple:
            self._replace(original, tuple(map(self.value, original)))
        elif _is_plain_instance(original):
            self._instance(original)
        else:
            return original
        return self._done[id(original)]

    def _function(self, original: types.FunctionType) -> None:
        code = original.__code__
        space: dict[str, Any] = {
            "__builtins__": builtins,
            "__name__": original.__globals__.get("__name__"),
        }
        cells = tuple(types.CellType() for _ in original.__closure__ or ())
        made = types.FunctionType(code, space, original.__name__, None, cells)
        made.__qualname__ = original.__qualname__
        self._replace(original, made)
        for name in _names(code):
            if name in original.__globals__:
                space[name] = self.value(original.__globals__[name])
            elif id(getattr(builtins, name, self)) in self._done:
                space[name] = self._done[id(getattr(builtins, name))]
        for old, new in zip(original.__closure__ or (), cells, strict=True):
            new.cell_contents = self.value(old.cell_contents)
        made.__defaults__ = None if original.__defaults__ is None else tuple(map(self.value, original.__defaults__))
        made.__kwdefaults__ = {name: self.value(item) for name, item in (original.__kwdefaults__ or {}).items()}

    def _instance(self, original: Any) -> None:
        """A copy of an object of the user's own class, with its arrays and methods rewritten."""
        cls = type(original)
        space = {
            name: self.value(item) if isinstance(item, types.FunctionType) else item
            for name, item in vars(cls).items()
            if name not in ("__dict__", "__weakref__")
        }
        made: Any = object.__new__(
            type(cls.__name__, (cls,), {k: v for k, v in space.items() if isinstance(v, types.FunctionType)})
        )
        self._replace(original, made)
        for name, item in vars(original).items():
            object.__setattr__(made, name, self.value(item))

    def _create(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        made = function(*_settled(args), **{name: _settled(value) for name, value in kwargs.items()})
        return self._tape.symbol(self._tape, self._tape.constant(np.zeros_like(made) if function is np.empty else made))

    def _convert(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return convert(self._tape, function, args, kwargs)

    def _math(self, function: Any) -> Any:
        if not isinstance(function, types.BuiltinFunctionType):
            return function
        stand_in = functools.partial(self._by_rows, function, f"math.{function.__name__}")
        self._replace(function, stand_in)
        return stand_in

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


class NumberType(ScalarType):
    """Stands for Python's `int`, `float` or `bool`."""

    def __init__(self, tape: Tape, kind: Any) -> None:
        super().__init__(tape, kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], Handle) and args[0].lifted:
            dispatch.live_handles(self._tape, args[0])
            return number_of(self._tape, self._kind, args[0])
        return self._kind(*args, **kwargs)


def _module_like(module: types.ModuleType, names: dict[str, Any]) -> types.ModuleType:
    made = types.ModuleType(module.__name__)
    vars(made).update(names)
    return made


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


def _names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _is_plain_instance(value: Any) -> bool:
    """An object of a class written in Python that keeps what it knows in its `__dict__` alone."""
    cls = type(value)
    if isinstance(value, (type, types.ModuleType, tuple)) or not isinstance(getattr(value, "__dict__", None), dict):
        return False
    if cls.__module__.partition(".")[0] in ("builtins", "numpy", "penstock"):
        return False
    return all(base.__flags__ & (1 << 9) and "__slots__" not in vars(base) for base in cls.__mro__[:-1])
