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

from penstock.vectorize.stand_ins import StandIns
from penstock.vectorize.tape import Tape

Watch = Callable[[], bool]
"""Whether a captured name still means what it meant when the function was traced."""


class Rewriter:
    """Rebinds the names of one function and of the Python functions that it calls."""

    def __init__(self, tape: Tape) -> None:
        self.watched: list[Watch] = []
        self._tape = tape
        self._stand_ins = StandIns(tape)
        self._done: dict[int, Any] = {}
        self._kept: list[Any] = []

    def _replace(self, original: Any, stand_in: Any) -> None:
        self._kept.append(original)
        self._done[id(original)] = stand_in

    def value(self, original: Any) -> Any:
        """What the rewritten function finds in place of a captured object."""
        if id(original) in self._done:
            return self._done[id(original)]
        stand_in = self._stand_ins.of(original)
        if stand_in is not original:
            return stand_in
        if isinstance(original, np.ndarray):
            place = self._tape.constant(original, live=True)
            self._replace(original, self._tape.symbol(self._tape, place))
        elif isinstance(original, types.FunctionType):
            if str(original.__module__).partition(".")[0] == "numpy":
                return original
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
        space: dict[str, Any] = {"__builtins__": builtins, "__name__": original.__globals__.get("__name__")}
        cells = tuple(types.CellType() for _ in original.__closure__ or ())
        made = types.FunctionType(code, space, original.__name__, None, cells)
        made.__qualname__ = original.__qualname__
        self._replace(original, made)
        names = _names(code)
        for name in names:
            if name in original.__globals__:
                space[name] = self._captured(original.__globals__, name, names)
            elif hasattr(builtins, name):
                space[name] = self._stand_ins.of(getattr(builtins, name))
        for old, new in zip(original.__closure__ or (), cells, strict=True):
            content = old.cell_contents
            self.watched.append(functools.partial(_holds, old, content))
            new.cell_contents = (
                self._module(content, names) if isinstance(content, types.ModuleType) else self.value(content)
            )
        made.__defaults__ = None if original.__defaults__ is None else tuple(map(self.value, original.__defaults__))
        made.__kwdefaults__ = {name: self.value(item) for name, item in (original.__kwdefaults__ or {}).items()}

    def _captured(self, space: dict[str, Any], name: str, names: set[str]) -> Any:
        """The value of a global name or an attribute, which is watched from now on."""
        found = space[name]
        if isinstance(found, types.ModuleType):
            return self._module(found, names)
        self.watched.append(functools.partial(_is_bound, space, name, found))
        return self.value(found)

    def _module(self, module: types.ModuleType, names: set[str]) -> types.ModuleType:
        """NumPy and math with stand-ins for those of their functions that are named; other modules as they are."""
        if module is not np and module is not math:
            return module
        if id(module) not in self._done:
            made = types.ModuleType(module.__name__)
            made.__getattr__ = functools.partial(getattr, module)  # type: ignore[method-assign]
            self._replace(module, made)
        made = self._done[id(module)]
        for name in names & vars(module).keys():
            vars(made)[name] = self._stand_ins.of(vars(module)[name])
        return made  # type: ignore[no-any-return]

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
        for name in vars(original):
            object.__setattr__(made, name, self._captured(vars(original), name, set()))


def _names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _is_bound(space: dict[str, Any], name: str, value: Any) -> bool:
    return space.get(name) is value


def _holds(cell: types.CellType, value: Any) -> bool:
    return cell.cell_contents is value


def _is_plain_instance(value: Any) -> bool:
    """An object of a class written in Python that keeps what it knows in its `__dict__` alone."""
    cls = type(value)
    if isinstance(value, (type, types.ModuleType, tuple)) or not isinstance(getattr(value, "__dict__", None), dict):
        return False
    if cls.__module__.partition(".")[0] in ("builtins", "numpy", "penstock"):
        return False
    return all(base.__flags__ & (1 << 9) and "__slots__" not in vars(base) for base in cls.__mro__[:-1])
