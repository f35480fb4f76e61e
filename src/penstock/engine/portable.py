"""A step as it travels to worker processes: without its input, pickled once for all of them."""

from __future__ import annotations

import hashlib
import inspect
import itertools
import threading
from collections.abc import Iterator
from functools import partial
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from penstock.engine.pickles import dumps_for_worker
from penstock.node import UNKNOWN, Context, Node, Operator, Step
from penstock.record import record
from penstock.spec import Spec
from penstock.vectorize.function import ElementFunction

_lock = threading.RLock()
_numbers = itertools.count()
_numbers_given: WeakKeyDictionary[ElementFunction, int] = WeakKeyDictionary()


class Portable:
    """One step, pickled.

    Attributes:
        step: What was pickled; kept, so that its identity stays its own.
        name: The step in a line.
        pickled: What travels.
        key: By which a worker that has it already knows it again.
        functions: The user functions in it, by the numbers that the worker calls them by.
    """

    __slots__ = ("__weakref__", "functions", "key", "name", "pickled", "step")

    def __init__(self, step: Step) -> None:
        self.step = step
        self.name = step.signature()
        self.functions: list[ElementFunction] = []
        try:
            self.pickled = dumps_for_worker(detached(step), functions=self.functions)
        except Exception as error:
            raise _cannot_travel(self.name, self.functions, error) from error
        # Functions learn from what they are run on: two that are alike are not one.
        numbers = str([_number_of(function) for function in self.functions])
        self.key = hashlib.blake2b(numbers.encode() + self.pickled, digest_size=16).digest()


def _number_of(function: ElementFunction) -> int:
    number = _numbers_given.get(function)
    if number is None:
        number = _numbers_given[function] = next(_numbers)
    return number


_portables: WeakValueDictionary[int, Portable] = WeakValueDictionary()
"""By the identity of the step; those that some worker runs just now."""


def portable(step: Step) -> Portable:
    """`step` as it travels; the same object for all who ask while one of them keeps it.

    Raises:
        TypeError: It cannot be pickled; names the function, what in it cannot, and what to write instead.
    """
    with _lock:
        found = _portables.get(id(step))
        if found is None:
            found = _portables[id(step)] = Portable(step)
        return found


def detached(step: Any) -> Any:
    """`step` without what it reads from and how it is run, so that no data of a source travels with it."""
    if not isinstance(step, Node):
        return step
    alone = step.sequential()
    return alone.with_inputs([Elsewhere()] * len(alone.inputs))


@record
class Elsewhere(Node):
    """Stands for the input of a step whose rows come from another process."""

    def known_spec(self) -> Spec | None:
        return None

    def cardinality(self) -> int:
        return UNKNOWN

    def open(self, context: Context) -> Operator:
        raise RuntimeError("the input of this step is in another process")


def _cannot_travel(name: str, functions: list[ElementFunction], error: Exception) -> TypeError:
    culprit = next((found for function in functions if (found := culprit_of(function.function))), "")
    told = f"{name}: the function cannot be sent to a worker process, since {culprit or 'it'} cannot be pickled"
    return TypeError(
        f"{told} ({error}); write executor='thread', or make what cannot be pickled inside the function, when it is "
        "first called"
    )


def culprit_of(function: Any, readers: tuple[Any, ...] = ()) -> str:
    """The first variable that `function`, or what it calls, reads and that cannot be pickled.

    Args:
        function: Whose variables.
        readers: Those that read it: functions may call one another.
    """
    readers = *readers, function
    for kind, name, value in _variables(function):
        if any(value is reader for reader in readers):
            continue
        try:
            dumps_for_worker(value)
        except Exception:
            within = culprit_of(value, readers)
            if within:
                return f"{within} of {name!r}"
            if not isinstance(value, FunctionType):  # which would be kept by what it reads, such as one of the readers
                return f"{kind} {name!r} (a {type(value).__qualname__})"
    return ""


def _variables(function: Any) -> Iterator[tuple[str, str, Any]]:
    """What `function` reads that travels with it: kind, name and value of each."""
    if isinstance(function, partial):
        named = {str(number): value for number, value in enumerate(function.args)} | function.keywords
        yield from (("the argument", name, value) for name, value in named.items())
        yield from _variables(function.func)
        return
    owner = getattr(function, "__self__", None)
    if owner is not None:
        for name, value in getattr(owner, "__dict__", {}).items():
            yield "the attribute", name, value
    try:
        plain = inspect.unwrap(getattr(function, "__func__", function))
        found = inspect.getclosurevars(plain)
    except (TypeError, ValueError):  # not written in Python
        for name, value in getattr(function, "__dict__", {}).items():
            yield "the attribute", name, value
        return
    for name, parameter in inspect.signature(plain).parameters.items():
        if parameter.default is not parameter.empty:
            yield "the default of", name, parameter.default
    for name, value in [*found.nonlocals.items(), *found.globals.items()]:
        yield "the variable", name, value
