"""Judge what a user's function does beyond computing its result, from its bytecode and all that it captures."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from penstock.node import Purity
from penstock.vectorize import opcodes as _opcodes  # noqa: F401  fills bytecode.HANDLERS
from penstock.vectorize import opcodes_flow as _opcodes_flow  # noqa: F401
from penstock.vectorize.allowed import (
    ALIAS_METHODS,
    DATA_METHODS,
    GENERATOR_METHODS,
    MUTATING_METHODS,
    SETTLED_ATTRIBUTES,
    Effect,
    blame,
    effect_of,
    home_of,
    is_constant,
    is_known_library,
    is_random_generator,
    writes_by_name,
)
from penstock.vectorize.bytecode import (
    ARGUMENT,
    CAPTURED,
    FRESH,
    MADE,
    UNKNOWN,
    Frame,
    LocalFunction,
    Stateful,
    Value,
    join,
    parts,
)
from penstock.vectorize.own_form import has_own_form

_DEEPEST = 30
_CACHED = type(functools.cache(len))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a function, and why it is not pure ("" where it is)."""

    purity: Purity
    reason: str
    writes_argument: bool = True
    """It may change the element that it is given, which must then be its own copy."""
    lets_go_of_gil: bool = field(default=False, repr=False)
    """Most of its time is spent in functions that are known to compute without the GIL."""


def judge(function: Callable[..., object], draws: bool = False) -> Verdict:
    """Read `function`'s code, and that of the Python functions it calls, without running it.

    >>> judge(lambda x: x / 255)
    Verdict(purity=<Purity.PURE: 0>, reason='', writes_argument=False)
    >>> judge(lambda x: print(x)).reason
    'prints'

    Who gives a function a form of its own for many rows says that it is pure (`own_form.py`). Anything that is not
    understood counts as `Purity.STATEFUL`. With `draws`, an argument may be a random generator of
    the function's own: drawing from it is `Purity.STATELESS`.
    """
    if has_own_form(function):
        return Verdict(Purity.PURE, "", False, lets_go_of_gil=bool(getattr(function, "lets_go_of_gil", False)))
    search = _Search()
    search.draws = draws
    try:
        search.call(search.captured(function, "the function"), [Value(ARGUMENT)], {}, True)
    except Stateful as found:
        return Verdict(Purity.STATEFUL, " ".join(str(found).split()))
    except RecursionError:
        return Verdict(Purity.STATEFUL, "calls too deep to be followed")
    except Exception as error:  # a captured object may fail when it is looked at, in any way it likes
        return Verdict(Purity.STATEFUL, f"could not be read: {type(error).__name__}")
    if search.stores_captured and search.writes:
        return Verdict(Purity.STATEFUL, "keeps a captured object in a container and writes into one")
    if search.reads:
        return Verdict(Purity.STATELESS, search.reads, lets_go_of_gil=search.lets_go_of_gil)
    return Verdict(Purity.PURE, "", search.writes_argument or (search.stores_argument and search.writes))


class _Search:
    """The meaning of calls and writes, gathered over all functions that are followed."""

    def __init__(self) -> None:
        self.reads = ""
        self.draws = False
        self.writes_argument = False
        self.writes = False
        self.stores_argument = False
        self.stores_captured = False
        self.lets_go_of_gil = False
        self._active: list[tuple[Any, ...]] = []

    def captured(self, value: Any, name: str) -> Value:
        """The abstract value of an object from outside the function."""
        if is_constant(value):
            return Value(FRESH, value)
        if isinstance(value, np.ndarray):
            if value.dtype.hasobject:
                raise Stateful(f"reads `{name}`, an array of objects")
            return Value(CAPTURED, value)
        if isinstance(value, tuple):
            for item in value:
                self.captured(item, name)
            return Value(CAPTURED, value)
        if isinstance(value, (list, dict, set, bytearray)):
            kind = type(value).__name__
            raise Stateful(f"reads `{name}`, a {kind} that could change; make it a tuple or an array")
        if isinstance(value, re.Pattern):
            return Value(FRESH, library=True)
        if isinstance(value, (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType, np.ufunc)):
            return Value(FRESH, value)
        if callable(value):
            return Value(CAPTURED, value)
        return Value(CAPTURED, value, "object")

    def attribute(self, owner: Value, name: str) -> Value:
        """The value of `owner.name`."""
        known = owner.known
        if owner.kind == "object" or (known is not UNKNOWN and not _is_data(known)):
            return self._captured_attribute(known, name)
        if owner.kind == "unclear":
            raise Stateful(f"reads .{name} of a value that is not known")
        if name in SETTLED_ATTRIBUTES and not owner.library:
            return MADE
        return Value(owner.origin, library=owner.library)

    def method(self, owner: Value, name: str) -> Value:
        """The value of `owner.name` where it is called next."""
        if owner.kind in ("object", "unclear") or (owner.known is not UNKNOWN and not _is_data(owner.known)):
            return self.attribute(owner, name)
        return Value(owner.origin, (owner, name), "method")

    def operand(self, value: Value) -> None:
        """Take part in arithmetic, comparison or indexing: only data may."""
        if value.kind == "object":
            raise Stateful(f"uses a captured {type(value.known).__name__} whose operations are not known")

    def write(self, target: Value, how: str) -> None:
        """Change `target` itself."""
        if target.known is not UNKNOWN and is_constant(target.known):
            return
        if (
            target.origin == CAPTURED
            or target.known is not UNKNOWN
            or target.kind in ("object", "unclear")
            or target.library
        ):
            raise Stateful(f"{how} of an object that lives outside the function")
        self.writes = True
        self.writes_argument |= target.origin == ARGUMENT

    def store(self, target: Value, stored: list[Value], how: str) -> None:
        """Put `stored` into `target`, where they may be reached again."""
        kept = [value.origin for value in stored if value.known is UNKNOWN or not is_constant(value.known)]
        if CAPTURED in kept:
            self.stores_captured = True
            before = self.writes
            self.write(target, how)
            self.writes = before
            return
        self.stores_argument |= ARGUMENT in kept
        self.write(target, how)

    def call(self, function: Value, positional: list[Value], named: dict[str, Value], spread: bool) -> Value:
        """The result of a call; with `spread`, `positional[0]` and `named["**"]` stand for any number of arguments."""
        arguments = [*positional, *named.values()]
        if function.kind == "method":
            owner, name = function.known
            return self._call_method(owner, name, positional, named)
        if function.kind == "function":
            return self._follow_local(function.known, positional, named, spread)
        if function.library:
            self._note(function, "a library")
            return Value(parts(*arguments).origin, library=True)
        if function.known is UNKNOWN:
            raise Stateful("calls a function that is not known before it runs")
        return self._call_known(function.known, positional, named, spread)

    def _call_known(self, function: Any, positional: list[Value], named: dict[str, Value], spread: bool) -> Value:
        if isinstance(function, functools.partial):
            bound = [self.captured(value, "an argument of partial") for value in function.args]
            keywords = {name: self.captured(value, name) for name, value in function.keywords.items()}
            inner = self.captured(function.func, "partial")
            return self.call(inner, [*bound, *positional], {**keywords, **named}, spread)
        if isinstance(function, types.MethodType) and effect_of(function) is not Effect.TEXT:
            owner = self._instance(function.__self__)
            return self._call_known(function.__func__, [owner, *positional], named, spread)
        wrapped = _behind(function)
        if wrapped is not None:
            return self._call_known(wrapped, positional, named, spread)
        effect = effect_of(function)
        if isinstance(function, types.FunctionType) and effect is None:
            return self._follow(function, positional, named, spread)
        if effect is None and _is_ufunc_method(function):
            effect = None if function.__name__ == "at" else Effect.FRESH
        if function is open:
            return self._open(positional, named)
        if effect is None:
            own = inspect.getattr_static(type(function), "__call__", None)
            if isinstance(own, types.FunctionType) and not isinstance(function, type):
                return self._follow(own, [self._instance(function), *positional], named, spread)
            raise Stateful(blame(function))
        return self._apply(function, effect, positional, named)

    def _apply(self, function: Any, effect: Effect, positional: list[Value], named: dict[str, Value]) -> Value:
        arguments = [*positional, *named.values()]
        self._call_arguments(arguments)
        if getattr(function, "__name__", "") == "next" and any(value.origin == CAPTURED for value in arguments):
            raise Stateful("advances an iterator that lives outside the function")
        if "out" in named:
            self.write(named["out"], "writes into the out= argument")
        if isinstance(function, np.ufunc):
            for target in positional[function.nin :]:
                self.write(target, "writes into the out argument")
        if effect is Effect.WRITES_FIRST:
            self.store(positional[0] if positional else named["**"], positional[1:], "changes the contents")
            return MADE
        if effect is Effect.READS:
            self._note(Value(known=function), f"{home_of(function)[0]}.{home_of(function)[1]}")
            return Value(parts(*arguments).origin, library=True)
        if effect is Effect.IMAGES and not self.lets_go_of_gil:
            from penstock.image import libraries  # imported by the function's module already

            self.lets_go_of_gil = True
            self.reads = f"calls image.{function.__name__}() (installed: {libraries.in_use()})"
        if effect in (Effect.ALIAS, Effect.IMAGES, Effect.TEXT):
            return parts(*arguments)
        return MADE

    def _call_method(self, owner: Value, name: str, positional: list[Value], named: dict[str, Value]) -> Value:
        arguments = [*positional, *named.values()]
        if owner.library:
            if writes_by_name(name):
                raise Stateful(f"calls .{name}(), which sounds as if it wrote something")
            self._note(owner, f".{name}()")
            return Value(owner.origin, library=True)
        if self.draws and name in GENERATOR_METHODS and not owner.library:
            self._call_arguments(arguments)
            self.reads = self.reads or "draws from its generator"
            return MADE
        if name not in DATA_METHODS and name not in MUTATING_METHODS:
            raise Stateful(f"calls the method .{name}(), which is not known to be free of effects")
        self._call_arguments(arguments)
        if "out" in named:
            self.write(named["out"], "writes into the out= argument")
        if name in MUTATING_METHODS:
            self.store(owner, arguments, f"calls .{name}()")
        if name in ALIAS_METHODS or name in MUTATING_METHODS:
            return parts(owner, *arguments)
        return MADE

    def _call_arguments(self, arguments: list[Value]) -> None:
        """Follow functions that are handed over, as `sorted(key=)` and `map` call them."""
        data = parts(*(value for value in arguments if value.kind != "function"))
        for value in arguments:
            self.operand(value)
            if value.kind in ("function", "method") or isinstance(
                value.known, (types.FunctionType, types.BuiltinFunctionType, types.MethodType, functools.partial)
            ):
                self.call(value, [Value(data.origin)], {}, True)

    def _open(self, positional: list[Value], named: dict[str, Value]) -> Value:
        mode = positional[1] if len(positional) > 1 else named.get("mode", Value(known="r"))
        if not isinstance(mode.known, str) or set(mode.known) & set("wax+"):
            raise Stateful("opens a file for writing")
        self._note(MADE, "open")
        return Value(library=True)

    def _note(self, function: Value, what: str) -> None:
        self.reads = self.reads or f"calls {what}, which reads or computes outside NumPy"

    def _follow(
        self, function: types.FunctionType, positional: list[Value], named: dict[str, Value], spread: bool
    ) -> Value:
        code = function.__code__
        if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
            raise Stateful(f"{function.__qualname__} is a generator or coroutine")
        closure = function.__closure__ or ()
        free: dict[str, Value] = {}
        for name, cell in zip(code.co_freevars, closure, strict=True):
            if name in code.co_names or _loads(code, name):
                free[name] = self._cell(cell, name)
        optional = code.co_varnames[code.co_argcount - len(function.__defaults__ or ()) : code.co_argcount]
        defaults = dict(zip(optional, function.__defaults__ or (), strict=True)) | (function.__kwdefaults__ or {})
        given = {name: self.captured(value, name) for name, value in defaults.items()}
        return self._enter(code, bind(code, positional, named, given, spread), free, function.__globals__)

    def _follow_local(
        self, made: LocalFunction, positional: list[Value], named: dict[str, Value], spread: bool
    ) -> Value:
        free = {name: made.frame.load_cell(name) for name in made.code.co_freevars}
        given = dict.fromkeys(made.code.co_varnames, made.defaults)
        return self._enter(made.code, bind(made.code, positional, named, given, spread), free, made.frame.scope)

    def _enter(
        self, code: types.CodeType, local: dict[str, Value], free: dict[str, Value], scope: dict[str, Any]
    ) -> Value:
        if any(active is code for (active,) in self._active):
            return parts(*local.values())
        if len(self._active) > _DEEPEST:
            raise Stateful("calls too deep to be followed")
        self._active.append((code,))
        try:
            frame = Frame(code, local, free, scope, self)
            for name in code.co_cellvars:
                if name in local:
                    frame.cells[name] = local[name]
            return frame.follow()
        finally:
            self._active.pop()

    def _cell(self, cell: types.CellType, name: str) -> Value:
        try:
            return self.captured(cell.cell_contents, name)
        except ValueError:
            raise Stateful(f"uses the variable {name}, which has no value yet") from None

    def _instance(self, owner: Any) -> Value:
        return self.captured(owner, "the class") if isinstance(owner, type) else Value(CAPTURED, owner, "object")

    def _captured_attribute(self, owner: Any, name: str) -> Value:
        if isinstance(owner, (types.ModuleType, type, np.ufunc)):
            if not hasattr(owner, name):
                raise Stateful(f"reads .{name}, which is not there")
            return self.captured(getattr(owner, name), name)
        if name in getattr(owner, "__dict__", ()) or isinstance(owner, tuple):
            return self.captured(getattr(owner, name), name)
        found = inspect.getattr_static(type(owner), name, None)
        if isinstance(found, types.FunctionType):
            return Value(CAPTURED, types.MethodType(found, owner))
        if isinstance(found, (types.MemberDescriptorType, staticmethod, classmethod)) or is_constant(found):
            return self.captured(getattr(owner, name), name)
        if is_random_generator(owner):
            raise Stateful(f"draws random numbers with .{name}()")
        if is_known_library(type(owner).__module__):
            return Value(CAPTURED, library=True)
        bound = getattr(owner, name, None) if isinstance(found, types.MethodDescriptorType) else None
        raise Stateful(blame(bound) if bound is not None else f"reads .{name} of a {type(owner).__name__}")


def bind(
    code: types.CodeType, positional: list[Value], named: dict[str, Value], defaults: dict[str, Value], spread: bool
) -> dict[str, Value]:
    """The parameters of `code` for a call; with `spread`, any parameter may be any of the arguments."""
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[:count]
    rest = code.co_varnames[count : count + bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & 8)]
    everything = join(*positional, *named.values()) if positional or named else MADE
    local: dict[str, Value] = {}
    fixed, spare = (positional[:-1], positional[-1:]) if spread else (positional, [])
    for place, name in enumerate(names):
        if place < len(fixed) and place < code.co_argcount:
            local[name] = fixed[place]
        elif name in named:
            local[name] = named[name]
        elif spread and (spare or "**" in named):
            candidates = [*spare, *([named["**"]] if "**" in named else [])]
            local[name] = parts(*candidates)
            if name in defaults:
                local[name] = join(local[name], defaults[name])
        else:
            local[name] = defaults.get(name, MADE)
    for name in rest:
        local[name] = parts(everything)
    return local


def _is_data(value: Any) -> bool:
    return is_constant(value) or isinstance(value, (np.ndarray, tuple))


def _loads(code: types.CodeType, name: str) -> bool:
    return name in code.co_freevars


def _is_ufunc_method(function: Any) -> bool:
    return isinstance(function, types.BuiltinMethodType) and isinstance(function.__self__, np.ufunc)


def _behind(function: Any) -> Any:
    """The function that `np.vectorize` or `functools.cache` wraps."""
    if isinstance(function, np.vectorize):
        return function.pyfunc
    return function.__wrapped__ if isinstance(function, _CACHED) else None
