"""Statistics in a sentence: which of loader and training step is the bottleneck, and what to write."""

from __future__ import annotations

from collections import Counter

from penstock.engine.statistics import OperatorStatistics, Statistics
from penstock.node import Access, Node
from penstock.parallel import AUTOTUNE, Parallel

_WAITS_LITTLE = 0.05
"""Up to this share of its time, a training step that waits has nothing to win."""
_IS_BUSY = 0.9
"""Workers that are busy for less than this share of the time have rests."""
_GO_ON = "write prefetch(AUTOTUNE) as the last step, so that its workers go on during the training step"


def verdict(statistics: Statistics, nodes: list[Node]) -> str:
    """What `DatasetIterator.report` says.

    The *loader* is every thread of the pipeline; the *training step* is what the loop does between two `next` calls.
    The step is the bottleneck if the loop waits for at most 5 % of its time. It is too if the rows are computed in the
    loop's own thread, so that both take turns, and the loader takes the smaller part. Else the loader is: of its
    threads the busiest is found, steps with workers by themselves and their time divided by the workers, and in it the
    step that is busy longest. Workers that rest during the training step, since the loop's own thread hands them their
    work, are first of all to go on meanwhile.

    Args:
        statistics: Those of the run.
        nodes: The node of each operator.
    """
    seconds = statistics.waited_seconds + statistics.step_seconds
    if statistics.elements < 2 or not statistics.step_seconds:
        return "nothing to report yet: the loop has not asked for a second element"
    waiting = statistics.waited_seconds / seconds
    if waiting <= _WAITS_LITTLE:
        return f"the training step is the bottleneck: it waits for the loader only {waiting:.1%} of the time"
    at = _slowest(statistics)
    slowest = statistics[at]
    takes_turns = not slowest.thread and not slowest.workers
    if takes_turns and waiting < 0.5:
        return (
            "the training step is the bottleneck, but the loader works in the same thread and takes "
            f"{waiting:.0%} of the time; write prefetch(AUTOTUNE) as the last step, so that both go on at once"
        )
    rests = (
        slowest.workers and not slowest.thread and _load(slowest) < _IS_BUSY * seconds and waiting < 1 - _WAITS_LITTLE
    )
    workers = f" in each of {slowest.workers} workers" if slowest.workers > 1 else ""
    told = (
        f"the loader is the bottleneck: the training step waits for it {waiting:.0%} of the time, most of all for "
        f"{slowest.label}, which is busy {_load(slowest) / seconds:.0%} of the time{workers}; "
        f"{_advice(slowest, nodes[at]) if not rests else _GO_ON}"
    )
    if takes_turns and waiting < 1 - _WAITS_LITTLE:
        told += ", and prefetch(AUTOTUNE) as the last step"
    return told


def _load(operator: OperatorStatistics) -> float:
    """How long each of those that run this step was busy, in seconds."""
    return operator.busy_seconds / max(1, operator.workers)


def _slowest(statistics: Statistics) -> int:
    """The number of the operator that holds up all others."""
    loads: Counter[int] = Counter()
    for operator in statistics:
        if not operator.workers:
            loads[operator.thread] += operator.busy_seconds  # type: ignore[assignment]
    numbers = range(len(statistics))

    def weight(at: int) -> tuple[float, float]:
        operator = statistics[at]
        return (_load(operator) if operator.workers else loads[operator.thread]), _load(operator)

    return max(numbers, key=weight)


def _advice(slowest: OperatorStatistics, node: Node) -> str:
    """What to write instead of the slowest step."""
    can_be_parallel, settings = _settings(node)
    if can_be_parallel and not node.inputs:  # a source over files
        more = "num_parallel_reads=AUTOTUNE there if it reads several files, or " if settings is None else ""
        return f"write {more}cache() after it if each pass gives the same"
    if can_be_parallel and settings is None:
        return f"write num_parallel_calls=AUTOTUNE in {slowest.label}"
    if settings is not None and settings.calls != AUTOTUNE:
        return f"write num_parallel_calls=AUTOTUNE instead of {settings.calls} there"
    if settings is not None and settings.executor == "thread":
        return "its AUTOTUNE uses threads alone: write executor='auto' there, or make its function faster"
    if settings is not None:
        return "it has as many workers as help: make its function faster, or write cache() after it"
    if node.access is not Access.STREAM:
        return "write cache() after it if it is read more than once"
    if not node.inputs:
        return "read several such sources at once, with interleave(..., num_parallel_calls=AUTOTUNE)"
    return "give it less to do, or write cache() after it if each pass gives the same"


def _settings(node: Node) -> tuple[bool, Parallel | None]:
    """Whether a step can make several calls at once, and how it was told to."""
    # By what they have: the engine knows no transformation by name.
    for name in ("settings", "parallel"):
        if hasattr(node, name):
            found = getattr(node, name)
            return True, found if isinstance(found, Parallel) else None
    return False, None
