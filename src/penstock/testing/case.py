"""A transformation with its reference, and chains of them: the same steps as a dataset and as plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from penstock.dataset import Dataset
from penstock.node import INFINITE
from penstock.testing.reference import CallLog, Recording, Stream

Calls = dict[str, CallLog]
"""What the recording functions of a run were called with, by their place in the chain."""


def kept(size: int, *_: int, **__: Any) -> int:
    """The cardinality of a transformation that keeps that of its input."""
    return size


@dataclass(frozen=True)
class Case:
    """One transformation as the laws see it.

    Attributes:
        name: Its public name.
        build: Adds it to a dataset: (dataset, *other datasets, **arguments); a source gets the class.
        reference: What it yields: (elements, *other elements, **arguments), all of them `Stream`; made lazily, with a
            `Failure` in the place of each element that is an error. A source gets a stream of nothing.
        arguments: A hypothesis strategy of keyword arguments that fit the first elements of the input, or None where
            there are none; a `Recording` among them becomes a function.
        cardinality: From the inputs' cardinalities and the arguments; None where only the elements tell.
        inputs: How many datasets it reads; 0 for a source.
        may_drop: Whether it may read any number of elements without yielding one, so that it is not laid over endless
            ones.
        needs_end: Whether it needs an input that ends.
        reads_itself: Whether its other inputs are to be the chain that it stands in, because elements must be alike.
    """

    name: str
    build: Callable[..., Any]
    reference: Callable[..., Iterable[Any]]
    arguments: Callable[[list[Any]], Any] | None = None
    cardinality: Callable[..., int | None] = kept
    inputs: int = 1
    may_drop: bool = False
    needs_end: bool = False
    reads_itself: bool = False


@dataclass(frozen=True)
class Step:
    """A case with its arguments, and the chains that it reads beside the one that it stands in."""

    case: Case
    arguments: dict[str, Any] = field(default_factory=dict)
    others: tuple[Chain, ...] = ()

    def __repr__(self) -> str:
        shown = [repr(other) for other in self.others]
        shown += [f"{name}={_show(value)}" for name, value in self.arguments.items()]
        return f"{self.case.name}({', '.join(shown)})"


@dataclass(frozen=True)
class Chain:
    """A source and the transformations after it, buildable any number of times."""

    steps: tuple[Step, ...]

    @property
    def has_one_form(self) -> bool:
        """Whether all datasets that it builds give states of the same form, rather than ones that mean the same."""
        return True

    def __repr__(self) -> str:
        return ".".join(map(repr, self.steps))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # Hypothesis shows a chain that breaks a law as the code that builds it.
        printer.text(repr(self))

    def then(self, step: Step) -> Chain:
        """This chain and one more step."""
        return Chain((*self.steps, step))

    def build(self, calls: Calls | None = None, place: str = "", **changes: Any) -> Dataset[Any]:
        """A new dataset, which shares nothing with those built before.

        Args:
            calls: Where the recording functions write.
            place: Where this chain stands in another one.
            changes: Arguments that replace those of the same name in all steps.
        """
        found: Any = Dataset
        for step, here, arguments in self._started(calls, place):
            arguments.update({name: value for name, value in changes.items() if name in arguments})
            others = [other.build(calls, f"{here}/{at}:", **changes) for at, other in enumerate(step.others)]
            found = step.case.build(found, *others, **arguments)
        return found  # type: ignore[no-any-return]

    def elements(self, number: int = 0, epoch: int = 0, first: int | None = None, calls: Calls | None = None) -> Any:
        """What the references yield in a pass.

        Args:
            number: The number of the pass.
            epoch: The epoch, which keys draws.
            first: The number of the first pass over the same dataset; that of this pass if not given.
            calls: Where the recording functions write.
        """
        return iter(self.stream(number, number if first is None else first, calls).at(epoch))

    def stream(self, number: int, first: int, calls: Calls | None = None, place: str = "") -> Stream:
        """The references, one over the other."""
        found = Stream(lambda epoch, number: iter(()), number=number, first=first)
        for step, here, arguments in self._started(calls, place):
            others = [other.stream(number, first, calls, f"{here}/{at}:") for at, other in enumerate(step.others)]
            found = _over(step.case, [found, *others], arguments)
        return found

    def _started(self, calls: Calls | None, place: str) -> Iterator[tuple[Step, str, dict[str, Any]]]:
        for at, step in enumerate(self.steps):
            here = f"{place}{at}"
            arguments = {}
            for name, value in step.arguments.items():
                if isinstance(value, Recording):
                    log = CallLog()
                    value = value.start(log if calls is None else calls.setdefault(here, log))
                arguments[name] = value
            yield step, here, arguments

    def cardinality(self) -> int | None:
        """What the cases say of the cardinality; None where one of them cannot tell."""
        size: int | None = INFINITE
        for step in self.steps:
            others = [other.cardinality() for other in step.others]
            if size is None or None in others:
                return None
            size = step.case.cardinality(size, *others, **step.arguments)
        return size

    def walk(self) -> Iterator[Step]:
        """Every step, those of chains that are read beside this one included."""
        for step in self.steps:
            yield step
            for other in step.others:
                yield from other.walk()

    @property
    def names(self) -> set[str]:
        """The transformations in it."""
        return {step.case.name for step in self.walk()}


def _over(case: Case, below: list[Stream], arguments: dict[str, Any]) -> Stream:
    def open_at(epoch: int, number: int) -> Iterator[Any]:
        return iter(case.reference(*(stream.at(epoch, number) for stream in below), **arguments))

    return Stream(open_at, number=below[0].number, first=below[0].first)


def _show(value: Any) -> str:
    if isinstance(value, Recording):
        return f"Recording({_show(value.function)})"
    code = getattr(value, "__code__", None)
    return repr(value) if code is None else f"{value.__name__}@{Path(code.co_filename).name}:{code.co_firstlineno}"
