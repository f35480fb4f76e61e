"""What references are written with: lazy streams of elements, failures that stand in their places, stacked elements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from penstock import tree
from penstock.building import component
from penstock.errors import SpecError

EPOCHS = 2**64
"""Epochs are unsigned 64-bit numbers, and wrap."""


@dataclass(frozen=True)
class Failure:
    """An element that is an error.

    Attributes:
        kind: The error's class.
        text: Its message; "" where the reference does not say.
        method: The transformation whose function raised it; "" for an error of penstock's own.
    """

    kind: type[Exception]
    text: str = ""
    method: str = ""


@dataclass(frozen=True)
class Stream:
    """What a reference reads: the elements of its input, made anew each time that it is iterated over.

    Attributes:
        open_at: The elements of an epoch in a pass.
        epoch: The epoch that is read.
        number: The number of the pass, from 0.
        first: The number of the first pass over the same dataset.
        memory: A place for what outlives an epoch, as a cache does; the same for all epochs of a pass.
    """

    open_at: Callable[[int, int], Iterator[Any]]
    epoch: int = 0
    number: int = 0
    first: int = 0
    memory: dict[str, Any] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Any]:
        return self.open_at(self.epoch, self.number)

    def at(self, epoch: int, number: int | None = None) -> Stream:
        """The same input in another epoch, and in another pass if given."""
        return replace(self, epoch=epoch % EPOCHS, number=self.number if number is None else number)


class CallLog:
    """What a function was called with."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def add(self, arguments: str) -> None:
        self.calls.append(arguments)


@dataclass(frozen=True)
class Recording:
    """A function whose calls are counted: the engine may make no more and no other ones than the reference.

    Attributes:
        function: What it does; gets what a function of `map` gets.
    """

    function: Callable[..., Any]

    def start(self, calls: CallLog) -> Callable[..., Any]:
        """The function, writing down each call: so it is taken for a function with effects."""
        function = self.function

        def recorded(*arguments: Any) -> Any:
            calls.add(repr([value for value in arguments if not hasattr(value, "bit_generator")]))
            return function(*arguments)

        return recorded


def call(function: Callable[..., Any], element: Any, method: str, *more: Any) -> Any:
    """What `function` makes of an element, as `map` calls it: the result, or the failure in its place.

    A result without a component, such as None, is a failure too.

    Args:
        function: Gets the components of a tuple as several arguments.
        element: What it gets; handed back as it is where it is a failure.
        method: The transformation that calls it.
        more: Further arguments behind the element's.
    """
    if isinstance(element, Failure):
        return element
    arguments = copied(element)
    try:
        result = function(*arguments, *more) if type(element) is tuple else function(arguments, *more)
    except Exception as error:
        return Failure(type(error), str(error), method)
    result = tuple(result) if type(result) is list else result
    return result if tree.flatten(result)[0] else Failure(SpecError)


def copied(element: Any) -> Any:
    """The element in memory of its own, with components as users see them."""
    leaves, treedef = tree.flatten(element)
    own = [leaf.copy() if isinstance(leaf, np.ndarray) and leaf.ndim else component(leaf) for leaf in leaves]
    own = [leaf[()] if isinstance(leaf, np.ndarray) and not leaf.ndim else leaf for leaf in own]
    return tree.unflatten(treedef, own)


def stack(elements: list[Any]) -> Any:
    """The elements as one, each component with a new first axis; a failure where one is one, or where they differ."""
    for element in elements:
        if isinstance(element, Failure):
            return element
    flat = [tree.flatten(element) for element in elements]
    columns = [[component(leaves[at]) for leaves, _ in flat] for at in range(len(flat[0][0]))]
    stacked = []
    for column in columns:
        if all(isinstance(value, (np.ndarray, np.generic)) for value in column):
            if len({(value.shape, value.dtype) for value in column}) > 1:
                return Failure(SpecError)
            stacked.append(np.stack(column))
        else:
            array = np.empty(len(column), object)
            array[:] = column
            stacked.append(array)
    return tree.unflatten(flat[0][1], stacked)


def rows_of(element: Any) -> list[Any]:
    """The elements that `stack` would make `element` of; one failure where it is one, or cannot be taken apart."""
    if isinstance(element, Failure):
        return [element]
    leaves, treedef = tree.flatten(element)
    if not leaves or any(not isinstance(leaf, np.ndarray) or not leaf.ndim for leaf in leaves):
        return [Failure(SpecError)]
    if len({len(leaf) for leaf in leaves}) > 1:
        return [Failure(SpecError)]
    return [tree.unflatten(treedef, row) for row in zip(*leaves, strict=True)]


def in_groups(elements: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Each `size` consecutive elements; fewer at the end."""
    group: list[Any] = []
    for element in elements:
        group.append(element)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
