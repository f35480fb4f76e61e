"""What is known of a run: how much each operator handed over, and where the time went."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from penstock.queues import QueueStatistics as QueueStatistics


class HasQueue(Protocol):
    """An operator with a queue between it and its reader."""

    def queue_statistics(self) -> QueueStatistics:
        """How the queue did since the operator was opened; may be called from another thread."""


@dataclass(frozen=True, slots=True)
class OperatorStatistics:
    """What one operator did so far; what a `flat_map` opens anew for an element counts as its own work.

    Counts are exact. Times are of every block, unless blocks follow one another within 500 microseconds in a thread:
    then one in 17 is timed, and stands for those between.

    Attributes:
        label: The step, as `explain` writes it; several joined by " > " where they run as one, by index.
        elements: How many it handed over, errors included: elements as they are at this step, so batches after `batch`.
        blocks: In how many blocks.
        bytes: How many they held in all; objects count by their pointers. Exact where blocks are large or slow. Looking
            is allowed a thousandth of the step's time; blocks that it leaves out are taken to be like the others.
        busy_seconds: Time inside this operator without its inputs; the workers' time, summed, where it has workers.
        waited_for_input_seconds: Time from asking its inputs to having their rows, whether they were computed
            meanwhile in the same thread or waited for. Of a step with a queue: how long its reader found that empty.
        waited_for_output_seconds: Of a step with a queue: how long its thread or workers rested because it was full.
        thread: Which thread it runs in, by number; 0 is that of the loop over the iterator.
        workers: How many threads or processes compute its rows beside that thread.
        queue_capacity: Elements that may be ready or in work; None without a queue.
        queue_filled: Elements that are ready at this moment; None without a queue.
        errors: Elements handed over that are errors, which the loop raises at their place.
        faults: What its `on_error` counted since the iterator began, "skipped", "retried", "substituted" and
            "quarantined", those that are not 0; counts of other runs of the step at the same time are among them.
        reader_busy_seconds: Of a step with workers: how long the thread that it runs in was itself busy inside it, as
            it handed work out and rows on, without its inputs and without waiting.
    """

    label: str
    elements: int = 0
    blocks: int = 0
    bytes: int = 0
    busy_seconds: float = 0.0
    waited_for_input_seconds: float = 0.0
    waited_for_output_seconds: float = 0.0
    thread: int = 0
    workers: int = 0
    queue_capacity: int | None = None
    queue_filled: int | None = None
    errors: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    reader_busy_seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The fields by their names, as a JSON tree."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What an iterator did so far: its operators in the order of the plan, sources first, and its reader.

    A sequence of `OperatorStatistics`; a table when printed. All times are wall-clock time, in seconds.

    Attributes:
        operators: One for each step that runs; the optimiser may have joined or removed some of those that were
            written. Steps more than 50 before the last one have no entry: their time is that of the 50th.
        elements: How many elements the last step handed over to the iterator.
        waited_seconds: How long the reader's `next` calls took together: its waiting for the loader.
        step_seconds: The reader's own time, from getting a block of elements to asking for the next one. Where elements
            come in large blocks, taking them out of the block is part of it. The time after the last `next` call that
            needed a new block is not counted.
    """

    operators: tuple[OperatorStatistics, ...]
    elements: int = 0
    waited_seconds: float = 0.0
    step_seconds: float = 0.0

    def __len__(self) -> int:
        return len(self.operators)

    def __getitem__(self, at: int) -> OperatorStatistics:
        return self.operators[at]

    def __iter__(self) -> Iterator[OperatorStatistics]:
        return iter(self.operators)

    def as_dict(self) -> dict[str, Any]:
        """Everything as a JSON tree."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        columns = ["step", "elements", "blocks", "bytes", "busy s", "input s", "output s", "thread", "workers", "queue"]
        rows = [columns, *(_cells(operator) for operator in self.operators)]
        if any(operator.workers for operator in self.operators):
            columns.append("reader s")
            for cells, operator in zip(rows[1:], self.operators, strict=True):
                cells.append(f"{operator.reader_busy_seconds:.3f}" if operator.workers else "")
        found = [operator for operator in self.operators if operator.errors or operator.faults]
        if found:
            columns.append("errors")
            for cells, operator in zip(rows[1:], self.operators, strict=True):
                cells.append(_faults(operator))
        lines = _aligned(rows)
        lines.append(
            f"the loop got {self.elements:,} elements, waited {self.waited_seconds:.3f} s for them "
            f"and took {self.step_seconds:.3f} s of its own"
        )
        return "\n".join(lines)


_LONGEST_LABEL = 60


def _cells(operator: OperatorStatistics) -> list[str]:
    label = operator.label
    has_queue = operator.queue_capacity is not None
    return [
        label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 3]}...",
        f"{operator.elements:,}",
        f"{operator.blocks:,}",
        f"{operator.bytes:,}",
        f"{operator.busy_seconds:.3f}",
        f"{operator.waited_for_input_seconds:.3f}",
        f"{operator.waited_for_output_seconds:.3f}" if has_queue else "",
        str(operator.thread),
        str(operator.workers or ""),
        f"{operator.queue_filled}/{operator.queue_capacity}" if has_queue else "",
    ]


def _faults(operator: OperatorStatistics) -> str:
    told = [f"{operator.errors} errors"] if operator.errors else []
    return ", ".join([*told, *(f"{count} {name}" for name, count in operator.faults.items())])


def _aligned(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines; the first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        numbers = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *numbers]).rstrip())
    return lines
