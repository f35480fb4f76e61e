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
_FEWER_ROWS = "more workers would not help: let them hand on fewer and larger elements, such as batches"
_GO_ON = "write prefetch(AUTOTUNE) as the last step, so that its workers go on during the training step"


def verdict(statistics: Statistics, nodes: list[Node]) -> str:
    """What `DatasetIterator.report` says.

    The *loader* is every thread of the pipeline; the *training step* is what the loop does between two `next` calls.
    The step is the bottleneck if the loop waits for at most 5 % of its time. It is too if the rows are computed in the
    loop's own thread, so that both take turns, and the loader takes the smaller part. Else the loader is: of its
    threads the busiest is found, workers by themselves and their time divided by their number, and in it the step that
    is busy longest. Workers that rest during the training step, since the loop's own thread hands them their work, are
    first of all to go on meanwhile; where that thread is busier with what they have done than they are, more of them
    are no help.

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
    at, busy_seconds = _slowest(statistics)
    slowest = statistics[at]
    by_workers = slowest.workers > 0 and _load(slowest) == busy_seconds
    takes_turns = not slowest.thread and not by_workers
    if takes_turns and waiting < 0.5:
        return (
            "the training step is the bottleneck, but the loader works in the same thread and takes "
            f"{waiting:.0%} of the time; write prefetch(AUTOTUNE) as the last step, so that both go on at once"
        )
    rests = by_workers and not slowest.thread and busy_seconds < _IS_BUSY * seconds and waiting < 1 - _WAITS_LITTLE
    where = f" in each of {slowest.workers} workers" if slowest.workers > 1 else ""
    if slowest.workers and not by_workers:
        where = " in the thread that takes rows from its workers"
    advice = _FEWER_ROWS if slowest.workers and not by_workers else _advice(slowest, nodes[at])
    told = (
        f"the loader is the bottleneck: the training step waits for it {waiting:.0%} of the time, most of all for "
        f"{slowest.label}, which is busy {busy_seconds / seconds:.0%} of the time{where}; "
        f"{_GO_ON if rests else advice}"
    )
    if takes_turns and waiting < 1 - _WAITS_LITTLE:
        told += ", and prefetch(AUTOTUNE) as the last step"
    return told


def _load(operator: OperatorStatistics) -> float:
    """How long each of its workers, or else its thread, was busy with this step, in seconds."""
    return operator.busy_seconds / max(1, operator.workers)


def _slowest(statistics: Statistics) -> tuple[int, float]:
    """The number of the operator that holds up all others, and how long it is busy in each thread that does so."""
    loads: Counter[int] = Counter()
    for operator in statistics:
        loads[operator.thread] += _load_of_thread(operator)  # type: ignore[assignment]
    found: list[tuple[float, float, int]] = []
    for at, operator in enumerate(statistics):
        found.append((loads[operator.thread], _load_of_thread(operator), -at))
        if operator.workers:
            found.append((_load(operator), _load(operator), -at))
    _, seconds, at = max(found)
    return -at, seconds


def _load_of_thread(operator: OperatorStatistics) -> float:
    """How long the thread that this step runs in was busy with it, in seconds."""
    return operator.reader_busy_seconds if operator.workers else operator.busy_seconds


def _advice(slowest: OperatorStatistics, node: Node) -> str:
    """What to write instead of the slowest step."""
    can_be_parallel, settings = _settings(node)
    if can_be_parallel and not node.inputs:  # a source over files
        more = "num_parallel_reads=AUTOTUNE there if it reads several files, or " if settings is None else ""
        return f"write {more}cache() after it if each pass gives the same"
    if can_be_parallel and settings is None:
        return f"write num_parallel_calls=AUTOTUNE in {slowest.label}"
    is_spread = settings is not None and settings.pace.way != "inline"
    if settings is not None and is_spread and settings.calls != AUTOTUNE:
        return f"write num_parallel_calls=AUTOTUNE instead of {settings.calls} there"
    if settings is not None and is_spread and settings.executor == "thread":
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
