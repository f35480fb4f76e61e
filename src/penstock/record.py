"""Frozen classes of fields, as `dataclasses` makes them, without compiling code for each.

Compiling the methods of a frozen dataclass takes about a millisecond, and a program's first `Dataset` makes fifty kinds
of nodes (benchmarks/bench_start.py). Of each there are few, so that making one may take a little longer.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

C = TypeVar("C", bound=type)


@overload
def record(cls: C) -> C: ...
@overload
def record(*, eq: bool) -> Callable[[C], C]: ...
@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(dataclasses.field,))
def record(cls: C | None = None, *, eq: bool = False) -> C | Callable[[C], C]:
    """Make of a class what `dataclass(frozen=True, slots=True, eq=eq)` would; `dataclasses` knows its fields.

    >>> @record
    ... class Interval:
    ...     start: int
    ...     stop: int = 10
    >>> Interval(3)
    Interval(start=3, stop=10)
    >>> dataclasses.replace(Interval(3), stop=4)
    Interval(start=3, stop=4)
    """
    if cls is None:
        return functools.partial(_made, methods=_METHODS | _EQUALITY if eq else _METHODS)
    return _made(cls, _METHODS)


def _made(cls: C, methods: dict[str, Any]) -> C:
    made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    for name, method in methods.items():
        if name not in vars(made):
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


class _Signature:
    """What `help` shows of a record; computed when it is asked for."""

    def __get__(self, instance: Any, cls: type) -> Signature:
        return Signature([_parameter(field) for field in dataclasses.fields(cls)])


def _parameter(field: dataclasses.Field[Any]) -> Parameter:
    default = Parameter.empty if _is_required(field) else _default(field)
    return Parameter(field.name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=field.type)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


@functools.cache
def _form(cls: type) -> tuple[tuple[str, ...], dict[str, dataclasses.Field[Any]]]:
    """The names of all fields in order, and the fields that need not be given."""
    fields = dataclasses.fields(cls)
    return tuple(field.name for field in fields), {field.name: field for field in fields if not _is_required(field)}


def _initialise(self: Any, *values: Any, **named: Any) -> None:
    names, optional = _form(self.__class__)
    given = dict(zip(names, values, strict=False), **named)
    if len(given) < len(values) + len(named) or not given.keys() <= set(names):
        type(self).__signature__.bind(*values, **named)  # says what is wrong
    for name in names:
        if name in given:
            value = given[name]
        elif name in optional:
            value = _default(optional[name])
        else:
            raise TypeError(f"{type(self).__name__}() needs {name}=; it takes {', '.join(names)}")
        object.__setattr__(self, name, value)


def _show(self: Any) -> str:
    shown = [f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_change(self: Any, name: str, *_: Any) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"{type(self).__name__}.{name} cannot be changed; use dataclasses.replace()")


def _get_state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in _form(self.__class__)[0]]


def _set_state(self: Any, values: list[Any]) -> None:
    for name, value in zip(_form(self.__class__)[0], values, strict=True):
        object.__setattr__(self, name, value)


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, field.name) for field in dataclasses.fields(self) if field.compare])


def _is_equal(self: Any, other: Any) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


_METHODS = {
    "__init__": _initialise,
    "__repr__": _show,
    "__setattr__": _refuse_change,
    "__delattr__": _refuse_change,
    "__getstate__": _get_state,
    "__setstate__": _set_state,
    "__signature__": _Signature(),
}

_EQUALITY = {"__eq__": _is_equal, "__hash__": _hash}
