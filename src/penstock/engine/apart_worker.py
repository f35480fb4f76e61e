"""What a worker process does with a whole plan: it runs it in a thread, and sends on each block as it is there."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from penstock.block import Block
from penstock.engine.agreement import Learnt, Structures
from penstock.engine.apart_measures import MeasureCopy, copied, step_numbers
from penstock.engine.background import Found, Producer
from penstock.engine.block_form import Arrays, Form
from penstock.engine.error_form import PackedError, pack_error
from penstock.engine.measured import PlanMeasures
from penstock.engine.portable_plan import load_plan
from penstock.engine.process_worker import flush_output, pack_rows
from penstock.engine.run import Prepare, RunContext, open_node
from penstock.engine.surroundings import take_over
from penstock.engine.transport import Channel
from penstock.faults import FaultCounts
from penstock.memory import Allocator
from penstock.node import Node, State
from penstock.options import Options
from penstock.plan import walk
from penstock.policies import fault_counts

NAME = "prefetch(executor='process')"
"""What errors call a plan that runs in a process of its own."""

_SECONDS_BETWEEN_MEASURES = 0.2
_FAULTS = ("skipped", "retried", "substituted", "quarantined")


class PlanNeeds(NamedTuple):
    """What a plan runs with.

    Attributes:
        prepare: Makes the plans of datasets that user functions return ready to run.
        options: Budgets and defaults.
        epoch: The epoch to begin in.
        keeps_provenance: Whether the reader wants to know where rows were read from.
    """

    prepare: Prepare
    options: Options
    epoch: int
    keeps_provenance: bool


class News(NamedTuple):
    """What happened in the process since it last told.

    Attributes:
        faults: Further counts, each with the numbers of the step and of the counts among those of the step.
        structures: Those of results that functions were found to have.
        measures: Those of the plan so far; None where it is too early to tell them again.
    """

    faults: list[tuple[int, int, dict[str, int]]]
    structures: Structures
    measures: MeasureCopy | None


class Delivery(NamedTuple):
    """A message to the reader: a block, an error that ended the plan, its end, or (`is_last`) that no more will come.

    Attributes:
        before: The state before the block.
        after: The state after it.
        form: The block.
        error: The error.
        news: What else happened.
        rested_seconds: How long the thread has waited for the reader in all.
        is_last: Whether the process waits for other work now.
    """

    before: State = None
    after: State = None
    form: Form = None
    error: PackedError | None = None
    news: News | None = None
    rested_seconds: float = 0.0
    is_last: bool = False


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Run the plan that comes as arrays. Messages that follow say how many more rows to compute; 0 ends the run.

    Attributes:
        surroundings: Those of the parent, where they are new.
        told: What the parent knows about the structures of results.
        restored: A state to begin with, and how many rows after it to leave out.
    """

    surroundings: bytes | None
    told: Structures
    restored: tuple[State, int] | None

    def serve(self, channel: Channel, arrays: Sequence[NDArray[Any]]) -> None:
        """Run the plan until told to stop.

        Raises:
            EOFError: The parent is gone.
            OSError: So it is.
        """
        run = None
        try:
            if self.surroundings is not None:
                take_over(self.surroundings)
            run = _PlanRun(channel, self, arrays)
        except Exception as error:
            channel.send(Delivery(error=pack_error(error)))
        while rows := channel.receive()[0]:
            if run is not None:
                run.producer.allow(rows)
        if run is not None and not run.stop():
            os._exit(0)  # it would go on while other work is done
        channel.send(Delivery(is_last=True))
        # The operators hold one another, and the arrays of the plan, which may be most of the memory.
        del run
        gc.collect()


class _PlanRun:
    """A plan that runs, and what its thread does with what it computes."""

    def __init__(self, channel: Channel, request: PlanRequest, arrays: Sequence[NDArray[Any]]) -> None:
        plan, needs, functions = load_plan(arrays)
        self._channel = channel
        self._learnt = Learnt(functions)
        self._learnt.take_over(request.told)
        measures = PlanMeasures(plan)
        self._context = RunContext(needs.prepare, Allocator(), measures.reader, needs.options, needs.epoch)
        if needs.keeps_provenance:
            self._context = self._context.keeping_provenance()
        self._news = _NewsOfPlan(plan, self._learnt, measures)
        self._operator = open_node(plan, self._context)
        self.producer = Producer(self._operator, 0, request.restored, 0, self._put)

    def _put(self, found: Found) -> None:
        """Send what was found; called in the producer's thread, which alone sends as long as it runs."""
        try:
            self._deliver(*found)
        except BaseException as error:
            if found[2] is None:
                raise  # and that is delivered
            # The parent waits for something: that this process has ended, if there is nothing else.
            sys.excepthook(type(error), error, error.__traceback__)
            flush_output()
            os._exit(1)

    def _deliver(self, before: State, block: Block | None, error: BaseException | None) -> None:
        arrays: Arrays = []
        if error is not None:
            delivery = Delivery(error=pack_error(error))
        elif block is None:
            delivery = Delivery(before)
        else:
            after = self._operator.get_state()
            if not self._context.keeps_provenance:
                block = block.with_provenance(None)
            delivery = Delivery(before, after, pack_rows(block, arrays, _explain))
        flush_output()
        news = self._news.take(is_last=block is None)
        delivery = delivery._replace(news=news, rested_seconds=self.producer.rested_seconds)
        try:
            self._channel.send(delivery, arrays)
        except OSError:
            os._exit(0)  # the parent is gone

    def stop(self) -> bool:
        """End the thread; False if it does not return."""
        return self.producer.stop(self._context.interrupt)


class _NewsOfPlan:
    """Collects what the parent is to know."""

    def __init__(self, plan: Node, learnt: Learnt, measures: PlanMeasures) -> None:
        self._learnt = learnt
        self._measures = measures
        self._plan = plan
        self._numbers = step_numbers(plan)
        self._told_at = 0.0
        found: dict[int, tuple[int, int, FaultCounts]] = {}
        for number, step in enumerate(walk(plan)):
            for at, counts in enumerate(fault_counts(step)):
                found.setdefault(id(counts), (number, at, counts))
        self._counts = list(found.values())
        self._told = [(0,) * len(_FAULTS)] * len(self._counts)

    def take(self, is_last: bool) -> News | None:
        """What is new; None where that is nothing."""
        faults, structures = self._take_faults(), self._learnt.news()
        now = time.monotonic()
        measures = None
        if is_last or now - self._told_at >= _SECONDS_BETWEEN_MEASURES:
            self._told_at = now
            last = self._measures.reader.below(self._plan)
            measures = None if last is None else copied(last, self._numbers)
        if measures is None and not faults and not structures:
            return None
        return News(faults, structures, measures)

    def _take_faults(self) -> list[tuple[int, int, dict[str, int]]]:
        news = []
        for place, (number, at, counts) in enumerate(self._counts):
            now = tuple(getattr(counts, name) for name in _FAULTS)
            if now != self._told[place]:
                new = {name: now[n] - self._told[place][n] for n, name in enumerate(_FAULTS)}
                self._told[place] = now
                news.append((number, at, new))
        return news


def _explain(row: int, error: Exception) -> Exception:
    return TypeError(
        f"{NAME}: an element cannot be sent from the process that computes it ({error}); return "
        "arrays, numbers, text or what can be pickled, or write executor='thread'"
    )
