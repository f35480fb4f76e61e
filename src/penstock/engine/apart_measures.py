"""The measures of a plan that runs in another process: taken there, added to those of its steps here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from penstock.engine.measured import Measure
from penstock.node import Node
from penstock.plan import walk

if TYPE_CHECKING:
    from penstock.engine.statistics import QueueStatistics

Counts = tuple[int, int, int, float, float, int, int, float]


class MeasureCopy(NamedTuple):
    """What one measure says at a moment.

    Attributes:
        number: That of its step among the steps of the plan.
        counts: Its numbers, which only grow.
        queue: The queue of its operator, where it has one.
        inputs: The measures below it.
    """

    number: int
    counts: Counts
    queue: QueueStatistics | None
    inputs: tuple[MeasureCopy, ...]


def step_numbers(plan: Node) -> dict[int, int]:
    """The number of each step by its identity; one that stands in the plan twice has the first of its numbers."""
    found: dict[int, int] = {}
    for number, step in enumerate(walk(plan)):
        found.setdefault(id(step), number)
    return found


def copied(measure: Measure, numbers: dict[int, int]) -> MeasureCopy:
    """A copy of a measure and of those below it."""
    inputs = (copied(below, numbers) for below in measure.inputs() if id(below.node) in numbers)
    return MeasureCopy(numbers[id(measure.node)], _counts(measure), measure.queue(), tuple(inputs))


def _counts(measure: Measure) -> Counts:
    tally = measure.tally
    return (
        *(tally.blocks, tally.further_rows, tally.errors),
        *(measure.all_seconds() - measure.restoring_seconds, measure.restoring_seconds),
        *(measure.counted_bytes, measure.counted_elements, measure.counting_seconds),
    )


class ApartMeasures:
    """Adds copies that come one after another to the measures of the same steps here.

    Args:
        reader: The measure of the step that reads the plan.
        plan: The plan as it is here.
    """

    def __init__(self, reader: Measure, plan: Node) -> None:
        self._reader = reader
        self._steps = walk(plan)
        self._before: dict[int, Counts] = {}
        self._queues: dict[int, _Queue] = {}

    def add(self, copy: MeasureCopy) -> None:
        """Add what has happened since the last copy."""
        self._add(copy, self._reader)

    def _add(self, copy: MeasureCopy, reader: Measure) -> None:
        measure = reader.below(self._steps[copy.number])
        if measure is None:
            return
        before = self._before.get(id(measure), (0,) * len(copy.counts))
        new = [now - then for now, then in zip(copy.counts, before, strict=True)]
        self._before[id(measure)] = copy.counts
        measure.tally.blocks += int(new[0])
        measure.tally.further_rows += int(new[1])
        measure.tally.errors += int(new[2])
        measure.seconds += new[3]
        measure.restoring_seconds += new[4]
        measure.counted_bytes += int(new[5])
        measure.counted_elements += int(new[6])
        measure.counting_seconds += new[7]
        if copy.queue is not None:
            self._watch(measure, copy.queue)
        for below in copy.inputs:
            self._add(below, measure)

    def _watch(self, measure: Measure, told: QueueStatistics) -> None:
        queue = self._queues.get(id(measure))
        if queue is None:
            queue = self._queues[id(measure)] = _Queue(measure, told)
            measure.watch(queue)
        queue.told = told

    def end(self) -> None:
        """That process has ended, or runs the plan no more; what another one says is counted from zero."""
        for queue in self._queues.values():
            queue.measure.leave(queue)
        self._before, self._queues = {}, {}


class _Queue:
    """A queue in the other process, as it was when that told of it."""

    def __init__(self, measure: Measure, told: QueueStatistics) -> None:
        self.measure = measure
        self.told = told

    def queue_statistics(self) -> QueueStatistics:
        return self.told
