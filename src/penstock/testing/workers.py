"""The laws with workers: all of them again, with calls in threads or processes, and for plans in their own process."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.dataset import Dataset
from penstock.node import Node
from penstock.parallel import Parallel
from penstock.plan import rebuild
from penstock.testing.case import Calls, Chain
from penstock.testing.laws import LAWS, Law
from penstock.testing.laziness import laziness

Workers = Sequence[tuple[int, str] | None]
"""How many, and "thread" or "process"; None for one call after another."""

THREADS: Workers = ((4, "thread"), None, (2, "thread"))
PROCESSES: Workers = ((2, "process"), (3, "thread"), None)

Executor = Literal["thread", "process"]


@dataclass(frozen=True, repr=False)
class WorkingChain(Chain):
    """A chain each of whose steps has some of `workers` whenever it is built: what some leave, others go on with."""

    workers: Workers = (None,)
    choose: Callable[[int, int], int] = field(default=lambda low, high: low, compare=False)

    @property
    def has_one_form(self) -> bool:
        return False  # some count elements that were handed over by themselves, some leave that to who reads them

    def build(self, calls: Calls | None = None, place: str = "", **changes: Any) -> Dataset[Any]:
        dataset = super().build(calls, place, **changes)
        return type(dataset)(rebuild(dataset._node, self._with_workers))

    def _with_workers(self, step: Node) -> Node:
        if not any(part.name == "settings" for part in dataclasses.fields(step)):
            return step
        chosen = self.workers[self.choose(0, len(self.workers) - 1)]
        changes: Any = {"settings": None if chosen is None else Parallel(chosen[0], executor=chosen[1])}
        return dataclasses.replace(step, **changes)


def laws_with(workers: Workers, laws: Sequence[Law] = LAWS) -> list[Law]:
    """The laws on chains that run with `workers`; but laziness, which parallel calls give up."""
    return [_with(workers, law) for law in laws if law is not laziness]


def _with(workers: Workers, law: Law) -> Law:
    def working_law(chain: Chain, choose: Callable[[int, int], int]) -> None:
        law(WorkingChain(chain.steps, workers, choose), choose)

    working_law.__name__ = law.__name__
    working_law.__doc__ = law.__doc__
    return working_law


@dataclass(frozen=True, repr=False)
class PrefetchedChain(Chain):
    """A chain whose datasets end with each of `prefetches` in turn: what some leave, others go on with."""

    prefetches: Iterator[tuple[int, Executor]] = field(default_factory=lambda: iter(()), compare=False)

    def build(self, calls: Calls | None = None, place: str = "", **changes: Any) -> Dataset[Any]:
        buffer_size, executor = next(self.prefetches)
        return super().build(calls, place, **changes).prefetch(buffer_size, executor=executor)


def laws_apart(laws: Sequence[Law] = LAWS) -> list[Law]:
    """The laws on chains that run in a process and in a thread by turns; but laziness, which is that of the buffer."""
    return [_apart(law) for law in laws if law is not laziness]


def _apart(law: Law) -> Law:
    def law_apart(chain: Chain, choose: Callable[[int, int], int]) -> None:
        prefetches: tuple[tuple[int, Executor], ...] = ((2, "process"), (2, "thread"))
        law(PrefetchedChain(chain.steps, itertools.cycle(prefetches)), choose)

    law_apart.__name__ = law.__name__
    law_apart.__doc__ = law.__doc__
    return law_apart
