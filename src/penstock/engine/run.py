"""From a plan to operators: nodes with access by index run as arithmetic on places, all others open themselves."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from penstock.block import Block
from penstock.depth import SHORT_PLAN_STEPS, too_deep
from penstock.engine import threads
from penstock.engine.background import BackgroundOperator
from penstock.engine.by_index import IndexOperator, parallel_below
from penstock.engine.measured import Measure, MeasuredOperator, is_by_index
from penstock.engine.pass_facts import pass_facts
from penstock.engine.remote import Remote
from penstock.memory import Allocator
from penstock.node import Epochs, Indices, Node, Operator, State, Step, advance
from penstock.options import Options
from penstock.parallel import Parallel, Tuning
from penstock.passes import ReadingPace

if TYPE_CHECKING:
    from penstock.engine.patience import Patience

M = TypeVar("M")

Prepare = Callable[[Node, Any | None], tuple[Node, Any]]
"""Binds a plan, newly or by the facts of an earlier run, and optimises it; gives the facts."""


class _Interruptible(Protocol):
    """An operator that has workers, or has others run in a thread that have."""

    def interrupt(self) -> None:
        """End the processes at work, from any thread: whoever waits for them gets an error."""


class RunContext:
    """What one run of a plan shares between its operators; implements `penstock.node.Context`.

    Args:
        prepare: Makes the plans of datasets that user functions return ready to run.
        allocator: Gives memory for batches.
        reader: Who reads what is opened here; None where nothing is measured.
        options: Budgets and defaults.
        epoch: That of the operators that are opened first.
    """

    def __init__(
        self,
        prepare: Prepare,
        allocator: Allocator | None = None,
        reader: Measure | None = None,
        options: Options | None = None,
        epoch: int = 0,
    ) -> None:
        self._prepare = prepare
        self.options = options or Options()
        self._allocator = allocator or Allocator()
        self._memos: dict[int, tuple[object, Any]] = {}
        self._epoch = epoch
        self._reader = reader
        self._joined_rows = 0
        self._keeps_provenance = False
        self._opened = [0]
        self._remotes: dict[int, Remote] | None = None
        self._patience: Patience | None = None
        self._with_workers: weakref.WeakValueDictionary[int, _Interruptible] = weakref.WeakValueDictionary()

    @property
    def epoch(self) -> int:
        return self._epoch

    @property
    def num_opened(self) -> int:
        """How many operators were opened in this run, for the epoch that it began with."""
        return self._opened[0]

    @property
    def joined_rows(self) -> int:
        """How many rows of the operator being opened its reader makes one of; 0 if that is not known."""
        return self._joined_rows

    @property
    def keeps_provenance(self) -> bool:
        return self._keeps_provenance

    def keeping_provenance(self) -> RunContext:
        found = copy.copy(self)
        found._keeps_provenance = True
        return found

    def open(self, node: Node, epoch: int | None = None, joined_rows: int = 0) -> Operator:
        self._opened[0] += 1
        context = self if epoch is None or epoch == self._epoch else self._at(epoch)
        measure = None if self._reader is None else self._reader.below(node)
        if measure is not None or joined_rows != context._joined_rows:
            # What the node opens, now or later and in whatever thread, is measured as its input.
            context = context._read_by(context._reader if measure is None else measure, joined_rows)
        # Not through a function of its own: each further frame per step shortens the longest plan that runs.
        operator = context._by_index(node) if is_by_index(node) else node.open(context)
        return operator if measure is None else MeasuredOperator(operator, measure)

    def _by_index(self, node: Node) -> Operator:
        step = parallel_below(node)
        if step is None:
            return IndexOperator(node, self)
        from penstock.engine.parallel_index import ParallelIndexOperator

        operator = ParallelIndexOperator(node, step, self)
        self._with_workers[id(operator)] = operator
        return operator

    def with_processes(self, patience: Patience) -> tuple[RunContext, dict[int, Remote]]:
        """This context for workers that hand steps on to processes, and those that they do."""
        context = copy.copy(self)
        remotes: dict[int, Remote] = {}
        context._remotes, context._patience = remotes, patience
        return context, remotes

    def apply(self, step: Step, block: Block, epochs: Epochs, indices: Indices | int) -> Block:
        settings = getattr(step, "settings", None)
        if self._remotes is None or settings is None or settings.pace.way != "process":
            return step.apply(block, self, epochs, indices)
        remote = self._remotes.get(id(step))
        if remote is None:
            pace = None if settings.executor == "process" else settings.pace
            made = Remote(step, patience=self._patience, in_order=settings.deterministic, pace=pace)
            remote = self._remotes.setdefault(id(step), made)
        # Nobody asked for processes in particular: until they have started, threads do what they can.
        meanwhile = None if settings.executor == "process" else partial(step.apply, block, self, epochs, indices)
        return remote.apply(block, epochs, indices, meanwhile)

    def open_nested(self, node: Node, pass_number: int, facts: Any | None = None) -> tuple[Operator, Any]:
        plan, facts = self._prepare(node, facts or pass_facts(node, pass_number, first=pass_number))
        nested = RunContext(self._prepare, self._allocator, None, self.options)
        nested._with_workers, nested._keeps_provenance = self._with_workers, self._keeps_provenance
        return open_node(plan, nested), facts

    def background(
        self,
        plan: Node,
        buffer_rows: int,
        pace: ReadingPace,
        is_shareable: Callable[[], bool],
    ) -> Operator:
        above, interrupt = self.for_threads()
        return BackgroundOperator(
            partial(above.open, plan),
            buffer_rows,
            pace,
            is_shareable,
            interrupt,
            self.options.memory_budget_bytes,
        )

    def for_threads(self) -> tuple[RunContext, Callable[[], None]]:
        # When a thread does not end, only what that may wait for is interrupted: the steps behind it go on.
        above = self._read_by(self._reader, self._joined_rows)
        above._with_workers = weakref.WeakValueDictionary()
        self._with_workers[id(above)] = above
        return above, above.interrupt

    def apart(self, plan: Node, buffer_rows: int) -> Operator:
        # Imported when first needed, as all that has to do with processes.
        from penstock.engine.apart import ApartOperator
        from penstock.engine.apart_worker import NAME, PlanNeeds
        from penstock.engine.portable_plan import PortablePlan

        needs = PlanNeeds(self._prepare, self.options, self._epoch, self._keeps_provenance)
        unmeasured = self._read_by(None)
        operator = ApartOperator(
            plan,
            lambda: PortablePlan(NAME, plan, needs),
            lambda: open_node(plan, unmeasured),
            buffer_rows,
            self.options.memory_budget_bytes,
            self._reader,
        )
        self._with_workers[id(operator)] = operator
        return operator

    def in_parallel(
        self, step: Step, source: Operator, settings: Parallel, *, is_row_by_row: bool = True, unit: int = 1
    ) -> Operator:
        # Imported when first needed: importing takes time, and most plans have no workers.
        from penstock.engine.ordered import OrderedOperator

        operator = OrderedOperator(
            *(step, source, settings, self, self.options),
            is_row_by_row=is_row_by_row,
            unit=unit,
            joined_rows=self._joined_rows,
        )
        self._with_workers[id(operator)] = operator
        return operator

    def tuning(self, settings: Parallel) -> Tuning:
        # Imported when first needed: importing takes time, and most plans have no workers.
        from penstock.engine.autotune import Tuner

        return Tuner(settings, self.options.cpu_budget)

    @property
    def memory_budget_bytes(self) -> int | None:
        return self.options.memory_budget_bytes

    def start_thread(self, work: Callable[[], None], name: str) -> None:
        threads.start(work, name)

    def interrupt(self) -> None:
        """End the processes that threads of what was opened here wait for."""
        # These are copied at once, while other threads may open further operators.
        for reference in self._with_workers.valuerefs():
            operator = reference()
            if operator is not None:
                operator.interrupt()

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        return self._allocator.allocate(shape, dtype)

    def memo(self, owner: object, make: Callable[[], M]) -> M:
        found = self._memos.get(id(owner))
        if found is None:
            # The owner is kept too, so that its id is not used again.
            found = self._memos[id(owner)] = (owner, make())
        return cast(M, found[1])

    def _read_by(self, reader: Measure | None, joined_rows: int = 0) -> RunContext:
        other = RunContext.__new__(RunContext)  # copy.copy() takes longer than opening an operator
        other.__dict__.update(self.__dict__)
        other._reader, other._joined_rows = reader, joined_rows
        return other

    def _at(self, epoch: int) -> RunContext:
        # Scratch is not shared: two epochs may run at the same time, in two threads.
        other = RunContext(self._prepare, self._allocator, self._reader, self.options, epoch)
        other._with_workers, other._keeps_provenance = self._with_workers, self._keeps_provenance
        return other


def open_node(node: Node, context: RunContext) -> Operator:
    """Start the operator that runs a whole plan, `node` and what is below it."""
    try:
        operator = context.open(node)
    except RecursionError:
        raise too_deep(node) from None
    return operator if context.num_opened <= SHORT_PLAN_STEPS else _LongPlanOperator(node, operator)


class _LongPlanOperator:
    """Runs a plan of many steps; where Python's recursion limit ends that, the error says what to do about it."""

    def __init__(self, node: Node, operator: Operator) -> None:
        self._node = node
        self._operator = operator

    def _run(self, step: Callable[..., M], *args: Any) -> M:
        try:
            return step(*args)
        except RecursionError:
            raise too_deep(self._node) from None

    def next_block(self, rows: int) -> Block | None:
        return self._run(self._operator.next_block, rows)

    def get_state(self) -> State:
        return self._run(self._operator.get_state)

    def set_state(self, state: State) -> None:
        self._run(self._operator.set_state, state)

    def advance(self, state: State, rows: int) -> State | None:
        return self._run(advance, self._operator, state, rows)

    def close(self) -> None:
        self._run(self._operator.close)
