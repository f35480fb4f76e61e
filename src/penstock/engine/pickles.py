"""Pickles to and from worker processes: functions and classes of `__main__` and local ones travel by their code.

A class that a worker was sent by its code comes back from there as the class that it is in this process, so that
`except` and `isinstance` go on to know it.
"""

from __future__ import annotations

import io
import itertools
import pickle
import sys
from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import cloudpickle

from penstock.vectorize.function import ElementFunction

BufferCallback = Callable[[pickle.PickleBuffer], bool]
Dumps = Callable[[Any, BufferCallback | None], bytes]

_numbers = itertools.count()
_numbers_sent: WeakKeyDictionary[type, int] = WeakKeyDictionary()
_classes_sent: WeakValueDictionary[int, type] = WeakValueDictionary()
_classes_received: WeakKeyDictionary[type, int] = WeakKeyDictionary()
_functions_received: WeakKeyDictionary[ElementFunction, int] = WeakKeyDictionary()


def dumps_for_worker(
    value: Any, buffer_callback: BufferCallback | None = None, functions: list[ElementFunction] | None = None
) -> bytes:
    """`value` for a worker of this process; what it holds of `ElementFunction`s is appended to `functions`."""
    return _dumps(_ForWorker, value, buffer_callback, functions)


def dumps_for_parent(value: Any, buffer_callback: BufferCallback | None = None) -> bytes:
    """`value` for the process that this one works for."""
    return _dumps(_ForParent, value, buffer_callback, None)


def loads_as_parent(pickled: bytes) -> Any:
    """What the parent will read in a pickle for it, as far as this process can tell."""
    return _AsParent(io.BytesIO(pickled)).load()


def loads_step(pickled: Any, buffers: Iterable[Any] = ()) -> tuple[Any, dict[int, ElementFunction]]:
    """A step that came from the parent, and the functions in it by their numbers in its pickle."""
    unpickler = _StepUnpickler(io.BytesIO(pickled), buffers)
    return unpickler.load(), unpickler.functions


def number_of(function: Any) -> int | None:
    """Which of the functions of its pickle this was that came from the parent; None if it did not."""
    return _functions_received.get(function)


def _dumps(kind: Any, value: Any, buffer_callback: BufferCallback | None, functions: Any) -> bytes:
    with io.BytesIO() as file:
        pickler = kind(file, protocol=5, buffer_callback=buffer_callback)
        pickler.functions = functions
        pickler.dump(value)
        return file.getvalue()


class _ForWorker(cloudpickle.Pickler):  # type: ignore[misc]
    functions: list[ElementFunction] | None

    def reducer_override(self, value: Any) -> Any:
        if self.functions is not None and isinstance(value, ElementFunction):
            kind, arguments = value.__reduce__()
            self.functions.append(value)
            return _learn_function, (len(self.functions) - 1, kind, arguments)
        if isinstance(value, io.TextIOWrapper) and value not in (sys.stdout, sys.stderr):
            # Cloudpickle would send what is left to read, so that each process reads all of it once more.
            raise TypeError("cannot pickle an open file")
        reduced = super().reducer_override(value)
        if not isinstance(value, type) or reduced is NotImplemented:
            return reduced
        number = _numbers_sent.get(value)
        if number is None:
            number = _numbers_sent[value] = next(_numbers)
            _classes_sent[number] = value
        make, arguments, *rest = reduced
        return _learn_class, (number, make, arguments), *rest


class _ForParent(cloudpickle.Pickler):  # type: ignore[misc]
    def reducer_override(self, value: Any) -> Any:
        number = _classes_received.get(value) if isinstance(value, type) else None
        return super().reducer_override(value) if number is None else (_class_sent, (number,))


def _learn_function(number: int, kind: type[ElementFunction], arguments: tuple[Any, ...]) -> ElementFunction:
    function = kind(*arguments)
    _functions_received[function] = number
    return function


def _learn_class(number: int, make: Callable[..., type], arguments: tuple[Any, ...]) -> type:
    found = make(*arguments)
    _classes_received[found] = number
    return found


def _class_sent(number: int) -> type:
    return _classes_sent[number]


def _class_received(number: int) -> type:
    return next(found for found, own in _classes_received.items() if own == number)


class _StepUnpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, buffers: Iterable[Any]) -> None:
        super().__init__(file, buffers=buffers)
        self.functions: dict[int, ElementFunction] = {}

    def find_class(self, module: str, name: str) -> Any:
        return (
            self._learn if (module, name) == (__name__, _learn_function.__name__) else super().find_class(module, name)
        )

    def _learn(self, number: int, kind: type[ElementFunction], arguments: tuple[Any, ...]) -> ElementFunction:
        function = self.functions[number] = _learn_function(number, kind, arguments)
        return function


class _AsParent(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (__name__, _class_sent.__name__):
            return _class_received
        return super().find_class(module, name)
