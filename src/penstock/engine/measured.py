"""Measures every operator of a running plan: counts always, times of each block or, where they are quick, of some."""

from __future__ import annotations

from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING, cast

from penstock.block import Block
from penstock.depth import SHORT_PLAN_STEPS
from penstock.node import Access, IndexOnly, Node, Operator, Source, State
from penstock.plan import walk
from penstock.policies import fault_counts

if TYPE_CHECKING:
    # Imported when somebody asks: importing takes time, and few do.
    from penstock.engine.statistics import HasQueue, OperatorStatistics, QueueStatistics, Statistics

_LOOKING_SHARE = 1024
"""Counting the bytes of a block may take this part of the time that the step takes."""
_QUICK_SECONDS = 500e-6
_TIMED_ONE_IN = 17  # a prime, so that it does not keep step with what happens every so many blocks
_FAULTS = ("skipped", "retried", "substituted", "quarantined")


class Pace:
    """Which blocks are timed in one thread: all, or one in 17 where they follow one another within 500 microseconds.

    The last step of the thread decides for all steps that it calls, so that their times fit together. A block that is
    timed stands for itself and those before it that were not.
    """

    __slots__ = ("is_timed", "left", "timed_at", "weight")

    def __init__(self) -> None:
        self.is_timed = True
        self.left = 1
        self.weight = 1
        self.timed_at = -1.0

    def timed(self, now: float) -> None:
        """A block was timed; when is the next to be?"""
        is_quick = (now - self.timed_at) < _QUICK_SECONDS * self.weight and self.timed_at >= 0
        self.left = self.weight = _TIMED_ONE_IN if is_quick else 1
        self.timed_at = now


class Measure:
    """The counts of one place in a plan; all operators that are opened there, one after another, add to them.

    Attributes:
        node: The step; None stands for the reader of the plan.
        depth: How many steps follow, this one included.
        pace: That of the thread that it runs in; `sets_pace` says whether it is the last step there.
        seconds: In `next_block`, inputs included.
        restoring_seconds: In `set_state`, inputs included: some operators read again what they held.
        began_at: When the first `next_block` began, None before that.
        ended_at: When the last one ended.
        counted_bytes: In those `counted_elements` that were looked at, which took `counting_seconds`.
    """

    __slots__ = (
        *("node", "depth", "elements", "blocks", "errors", "seconds", "restoring_seconds", "began_at", "ended_at"),
        *("counted_bytes", "counted_elements", "counting_seconds", "_inputs", "_queues", "_closed_queue"),
        "_faults_before",
        "pace",
        "sets_pace",
    )

    def __init__(self, node: Node | None, depth: int = 0, pace: Pace | None = None) -> None:
        self.node = node
        self.depth = depth
        self.sets_pace = pace is None
        self.pace = pace or Pace()
        self.elements = self.blocks = self.errors = 0
        self.seconds = self.restoring_seconds = self.ended_at = 0.0
        self.began_at: float | None = None
        self.counted_bytes = self.counted_elements = 0
        self.counting_seconds = 0.0
        self._inputs: dict[int, Measure] = {}
        self._queues: list[HasQueue] = []
        self._closed_queue: QueueStatistics | None = None
        self._faults_before = _fault_counts(node)

    def below(self, node: Node) -> Measure | None:
        """The measure of an input; None where the plan is so long that frames of Python's stack are scarce."""
        if self.depth >= SHORT_PLAN_STEPS:
            return None
        found = self._inputs.get(id(node))
        if found is None:
            # Keyed by identity; a measure keeps its node, so that the id is not used again.
            begins_thread = self.node is None or any(q.queue_statistics().input_has_thread for q in self._queues)
            pace = None if begins_thread else self.pace
            found = self._inputs.setdefault(id(node), Measure(node, self.depth + 1, pace))
        return found

    def all_seconds(self) -> float:
        """In the operator and its inputs."""
        return self.seconds + self.restoring_seconds

    def num_bytes(self) -> int:
        """Bytes of all elements, by those that were looked at."""
        if self.counted_elements in (0, self.elements):
            return self.counted_bytes
        return round(self.counted_bytes * (self.elements / self.counted_elements))

    def faults(self) -> dict[str, int]:
        """What the step's `on_error` counted since this was made."""
        return dict(_fault_counts(self.node) - self._faults_before)

    def inputs(self) -> list[Measure]:
        """The measures below, in the order of the node's inputs; of those too that were not opened yet."""
        assert self.node is not None
        if is_by_index(self.node):
            return list(self._inputs.values())  # opened to fill a cache
        found = {id(node): self.below(node) for node in self.node.inputs}
        return [measure for measure in {**found, **self._inputs}.values() if measure is not None]

    def watch(self, queue: HasQueue) -> None:
        """From now on the operator's queue is part of this place."""
        self._queues.append(queue)

    def leave(self, queue: HasQueue) -> None:
        """The operator was closed: its numbers stay, it goes."""
        if queue in self._queues:
            self._queues.remove(queue)
            last = queue.queue_statistics()
            self._closed_queue = last if self._closed_queue is None else last.after(self._closed_queue)

    def queue(self) -> QueueStatistics | None:
        """The queue of the operator that runs here, with the times of those before it."""
        found = self._closed_queue
        for queue in list(self._queues):
            now = queue.queue_statistics()
            found = now if found is None else now.after(found)
        return found


class MeasuredOperator:
    """Any operator, with what it does added to a `Measure`."""

    __slots__ = (
        "get_state",
        "advance",
        "_operator",
        "_next_block",
        "_measure",
        "_queue",
        "_pace",
        "_sets_pace",
        "__weakref__",
    )

    def __init__(self, operator: Operator, measure: Measure) -> None:
        # The operator's own methods: what is asked for before every block should not cost a call more.
        self.get_state = operator.get_state
        self.advance = getattr(operator, "advance", None)
        self._next_block = operator.next_block
        self._operator = operator
        self._measure = measure
        self._pace, self._sets_pace = measure.pace, measure.sets_pace
        # Not `isinstance`: for a protocol it takes longer than opening an operator.
        self._queue = cast("HasQueue", operator) if hasattr(operator, "queue_statistics") else None
        if self._queue is not None:
            measure.watch(self._queue)

    def next_block(self, rows: int) -> Block | None:
        pace = self._pace
        if self._sets_pace:
            pace.left -= 1
            pace.is_timed = pace.left <= 0
        if not pace.is_timed:
            block = self._next_block(rows)
            if block is not None:
                measure = self._measure
                measure.blocks += 1
                measure.elements += block.rows
                if block.errors:
                    measure.errors += len(block.errors)
            return block
        return self._timed_block(rows)

    def _timed_block(self, rows: int) -> Block | None:
        measure, pace = self._measure, self._pace
        began = perf_counter()
        if measure.began_at is None:
            measure.began_at = began
        try:
            block = self._next_block(rows)
        finally:
            ended = measure.ended_at = perf_counter()
            measure.seconds += (ended - began) * pace.weight
            if self._sets_pace:
                pace.timed(ended)
        if block is not None:
            measure.blocks += 1
            measure.elements += block.rows
            if block.errors:
                measure.errors += len(block.errors)
            if measure.counting_seconds * _LOOKING_SHARE <= measure.seconds:
                measure.counted_bytes += block.num_bytes
                measure.counted_elements += block.rows
                measure.counting_seconds += perf_counter() - ended
        return block

    def set_state(self, state: State) -> None:
        began = perf_counter()
        try:
            self._operator.set_state(state)
        finally:
            self._measure.restoring_seconds += perf_counter() - began

    def close(self) -> None:
        self._operator.close()
        if self._queue is not None:
            self._measure.leave(self._queue)


class PlanMeasures:
    """The measures of a whole plan: a tree, since a step that stands in a plan twice does two things."""

    def __init__(self, plan: Node) -> None:
        self._plan = plan
        self.reader = Measure(None)

    def statistics(self) -> tuple[Statistics, list[Node]]:
        """What is known so far, and the node of each operator."""
        from penstock.engine.statistics import Statistics

        last = self.reader.below(self._plan)
        assert last is not None
        found: list[OperatorStatistics] = []
        nodes: list[Node] = []
        _collect(last, 0, _Threads(), found, nodes)
        step_seconds = 0.0 if last.began_at is None else last.ended_at - last.began_at - last.seconds
        return Statistics(tuple(found), last.elements, last.seconds, max(0.0, step_seconds)), nodes


class _Threads:
    """Numbers the threads of a plan."""

    def __init__(self) -> None:
        self._count = 0

    def another(self) -> int:
        self._count += 1
        return self._count


def _collect(
    measure: Measure, thread: int, threads: _Threads, found: list[OperatorStatistics], nodes: list[Node]
) -> None:
    """Add what is known of a step, after all that is below it."""
    from penstock.engine.statistics import OperatorStatistics

    queue = measure.queue()
    inputs = measure.inputs()
    thread_below = threads.another() if queue is not None and queue.input_has_thread else thread
    for below in inputs:
        _collect(below, thread_below, threads, found, nodes)
    assert measure.node is not None
    in_inputs = sum(below.all_seconds() for below in inputs)
    found.append(
        OperatorStatistics(
            label(measure.node),
            elements=measure.elements,
            blocks=measure.blocks,
            bytes=measure.num_bytes(),
            busy_seconds=max(0.0, measure.all_seconds() - in_inputs) if queue is None else queue.busy_seconds,
            waited_for_input_seconds=in_inputs if queue is None else queue.waited_for_input_seconds,
            waited_for_output_seconds=0.0 if queue is None else queue.waited_for_output_seconds,
            thread=thread,
            workers=0 if queue is None else queue.workers,
            queue_capacity=None if queue is None else queue.capacity,
            queue_filled=None if queue is None else queue.filled,
            errors=measure.errors,
            faults=measure.faults(),
        )
    )
    nodes.append(measure.node)


def is_by_index(node: Node) -> bool:
    """Whether a node and all below it run as one operator, as arithmetic on places."""
    return isinstance(node, (Source, IndexOnly)) and node.access is not Access.STREAM


def label(node: Node) -> str:
    """The step, or the steps that run as one, in a line."""
    return " > ".join(step.signature() for step in (reversed(walk(node)) if is_by_index(node) else [node]))


def _fault_counts(node: Node | None) -> Counter[str]:
    """What the node's `on_error` has counted in all runs so far; nothing where it has none."""
    found: Counter[str] = Counter()
    for faults in fault_counts(node):
        found.update({name: getattr(faults, name) for name in _FAULTS})
    return found
