"""Measures every operator of a running plan: counts always, times of each block or, where they are quick, of some.

Nothing stands between an operator and its reader while a block is not timed, but for operators that do not count by
themselves, and for the last step of each thread, which decides when the next is.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, cast

from penstock.block import Block
from penstock.depth import SHORT_PLAN_STEPS
from penstock.node import Access, IndexOnly, Node, Operator, Source, State
from penstock.plan import walk
from penstock.policies import fault_counts
from penstock.tally import Tally

if TYPE_CHECKING:
    # Imported when somebody asks: importing takes time, and few do.
    from penstock.engine.statistics import HasQueue, OperatorStatistics, QueueStatistics, Statistics

_LOOKING_SHARE = 1024
"""Counting the bytes of a block may take this part of the time that the step takes."""
_QUICK_SECONDS = 500e-6
_TIMED_EVERY_SECONDS = 0.01
_MOST_WEIGHT = 127
"""Blocks that one may stand for: when they become slow all at once, it takes so many of them to see it."""
_FAULTS = ("skipped", "retried", "substituted", "quarantined")

NextBlock = Callable[[int], Block | None]


class Pace:
    """Which blocks are timed in one thread: all, or one each 10 ms where they follow one another within 0.5 ms.

    The last step of the thread decides for all steps that it calls, so that their times fit together. A block that is
    timed stands for itself and those before it that were not. The last step itself is always timed, and what the others
    took is corrected by how far the estimate is from that.
    """

    __slots__ = ("_operators", "_timed_at", "estimated_seconds", "is_timed", "left", "seconds", "weight")

    def __init__(self) -> None:
        self.seconds = 0.0  # in the last step: of all blocks
        self.estimated_seconds = 0.0  # by those that were timed in all steps
        self.is_timed = True
        self.left = 0  # blocks before the next one that is timed
        self.weight = 1
        self._timed_at = -1.0
        # Not a WeakSet: going through one takes longer than all else that a timed block costs.
        self._operators: list[weakref.ref[MeasuredOperator]] = []

    def add(self, operator: MeasuredOperator) -> None:
        """From now on tell an operator of this thread whether the next block is timed."""
        self._operators.append(weakref.ref(operator))
        operator.next_block = operator.timed if self.is_timed else operator.untimed

    def remove(self, operator: MeasuredOperator) -> None:
        """The operator was closed."""
        self._operators = [other for other in self._operators if other() not in (operator, None)]

    def take_time(self) -> None:
        """Time the next block in all steps of the thread."""
        if not self.is_timed:
            self.is_timed = True
            for found in self._operators:
                operator = found()
                if operator is not None:
                    operator.next_block = operator.timed

    def correction(self) -> float:
        """By how much estimated times are to be multiplied."""
        return self.seconds / self.estimated_seconds if self.estimated_seconds else 1.0

    def timed(self, now: float) -> None:
        """A block was timed; when is the next to be?"""
        apart = (now - self._timed_at) / self.weight
        if apart >= _QUICK_SECONDS or self._timed_at < 0:
            self.weight = 1
        else:
            # Odd, and seldom the same, so that it does not keep step with what happens every so many blocks.
            self.weight = min(_MOST_WEIGHT, int(_TIMED_EVERY_SECONDS / (apart + 1e-6)) | 1)
            self.is_timed = False
            for found in self._operators:
                operator = found()
                if operator is not None:
                    operator.next_block = operator.untimed
        self.left = self.weight - 1
        self._timed_at = now


class Measure:
    """The counts of one place in a plan; all operators that are opened there, one after another, add to them.

    Attributes:
        node: The step; None stands for the reader of the plan.
        depth: How many steps follow, this one included.
        tally: What was handed over.
        pace: That of the thread that it runs in; `sets_pace` says whether it is the last step there.
        seconds: In `next_block`, inputs included.
        restoring_seconds: In `set_state`, inputs included: some operators read again what they held.
        began_at: When the first `next_block` began, None before that.
        ended_at: When the last one ended.
        counted_bytes: In those `counted_elements` that were looked at, which took `counting_seconds`.
    """

    __slots__ = (
        *("node", "depth", "tally", "seconds", "restoring_seconds", "began_at", "ended_at", "pace", "sets_pace"),
        *("counted_bytes", "counted_elements", "counting_seconds", "_inputs", "_queues", "_closed_queue"),
        "_faults_before",
    )

    def __init__(self, node: Node | None, depth: int = 0, pace: Pace | None = None) -> None:
        self.node = node
        self.depth = depth
        self.sets_pace = pace is None
        self.pace = pace or Pace()
        self.tally = Tally()
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
        return self.seconds * self.pace.correction() + self.restoring_seconds

    def num_bytes(self) -> int:
        """Bytes of all elements, by those that were looked at."""
        elements = self.tally.elements
        if self.counted_elements in (0, elements):
            return self.counted_bytes
        return round(self.counted_bytes * (elements / self.counted_elements))

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


class _Timer:
    """The `next_block` of an operator when it is timed; holds no `MeasuredOperator`, whose `next_block` it may be."""

    __slots__ = ("_measure", "_next_block", "_pace")

    def __init__(self, next_block: NextBlock, measure: Measure) -> None:
        self._next_block = next_block
        self._measure = measure
        self._pace = measure.pace

    def timed(self, rows: int) -> Block | None:
        """The operator's next block, timed, and its bytes counted where that costs little."""
        measure = self._measure
        began = perf_counter()
        if measure.began_at is None:
            measure.began_at = began
        try:
            block = self._next_block(rows)
        finally:
            ended = measure.ended_at = perf_counter()
            measure.seconds += (ended - began) * self._pace.weight
        if block is not None and measure.counting_seconds * _LOOKING_SHARE <= measure.seconds:
            measure.counted_bytes += block.num_bytes
            measure.counted_elements += block.rows
            measure.counting_seconds += perf_counter() - ended
        return block

    def timed_with_all(self, rows: int) -> Block | None:
        """That of a thread's last step: always timed, and when it is time so are all others."""
        pace = self._pace
        began = perf_counter()
        if pace.left:
            pace.left -= 1
            try:
                return self._next_block(rows)
            finally:
                ended = self._measure.ended_at = perf_counter()
                pace.seconds += ended - began
                if ended - began >= _QUICK_SECONDS:
                    pace.weight -= pace.left  # those that the next one stands for, which is timed: it may be slow too
                    pace.left = 0
        pace.take_time()
        try:
            return self.timed(rows)
        finally:
            seconds = self._measure.ended_at - began
            pace.seconds += seconds
            pace.estimated_seconds += seconds * pace.weight
            pace.timed(self._measure.ended_at)


def _counted(next_block: NextBlock, tally: Tally) -> NextBlock:
    """`next_block` of an operator that does not count what it hands over."""

    def counted(rows: int) -> Block | None:
        block = next_block(rows)
        if block is not None:
            tally.blocks += 1
            if block.rows != 1 or block.errors:
                tally.add(block)
        return block

    return counted


class MeasuredOperator:
    """Any operator, with what it does added to a `Measure`."""

    __slots__ = (
        "__weakref__",
        "_measure",
        "_operator",
        "_queue",
        "advance",
        "get_state",
        "next_block",
        "timed",
        "untimed",
    )

    def __init__(self, operator: Operator, measure: Measure) -> None:
        # The operator's own methods: what is asked for at every block should not cost a call more.
        self.get_state = operator.get_state
        self.advance = getattr(operator, "advance", None)
        self._operator = operator
        self._measure = measure
        self.untimed: NextBlock = operator.next_block
        if hasattr(operator, "tally"):
            operator.tally = measure.tally
        else:
            self.untimed = _counted(operator.next_block, measure.tally)
        timer = _Timer(self.untimed, measure)
        self.timed: NextBlock = timer.timed
        self.next_block: NextBlock = timer.timed_with_all
        if not measure.sets_pace:
            measure.pace.add(self)
        # Not `isinstance`: for a protocol it takes longer than opening an operator.
        self._queue = cast("HasQueue", operator) if hasattr(operator, "queue_statistics") else None
        if self._queue is not None:
            measure.watch(self._queue)

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
        if not self._measure.sets_pace:
            self._measure.pace.remove(self)


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
        waited_seconds = last.pace.seconds
        step_seconds = 0.0 if last.began_at is None else last.ended_at - last.began_at - waited_seconds
        return Statistics(tuple(found), last.tally.elements, waited_seconds, max(0.0, step_seconds)), nodes


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
    in_thread = _seconds_in_thread(measure, queue, in_inputs)
    workers, by_workers = (0, 0.0) if queue is None else (queue.workers, queue.busy_seconds)
    found.append(
        OperatorStatistics(
            label(measure.node),
            elements=measure.tally.elements,
            blocks=measure.tally.blocks,
            bytes=measure.num_bytes(),
            busy_seconds=by_workers if workers else by_workers + in_thread,
            waited_for_input_seconds=in_inputs if queue is None else queue.waited_for_input_seconds,
            waited_for_output_seconds=0.0 if queue is None else queue.waited_for_output_seconds,
            thread=thread,
            workers=workers,
            queue_capacity=None if queue is None else queue.capacity,
            queue_filled=None if queue is None else queue.filled,
            errors=measure.tally.errors,
            faults=measure.faults(),
            reader_busy_seconds=in_thread if workers else 0.0,
        )
    )
    nodes.append(measure.node)


def _seconds_in_thread(measure: Measure, queue: QueueStatistics | None, in_inputs: float) -> float:
    """How long the thread that reads a step was busy in it, beside its workers."""
    if queue is None:
        return max(0.0, measure.all_seconds() - in_inputs)
    if queue.input_has_thread:
        return 0.0  # what its inputs took is another thread's
    return max(0.0, measure.all_seconds() - in_inputs - queue.waited_for_input_seconds)


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
