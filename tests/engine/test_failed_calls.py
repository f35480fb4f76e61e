"""Calls that took too long, or whose processes died: their errors know the element, so that it can be replayed."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penstock
from penstock import Dataset, Options
from penstock.block import Block, block_from_elements
from penstock.ends.run import prepare
from penstock.engine.crew import Run
from penstock.engine.failed_calls import failed_calls
from penstock.engine.patience import AtWork, Patience
from penstock.engine.run import RunContext
from penstock.errors import ElementTimeoutError, WorkerDied
from tests.engine.stopped_clock import StoppedClock

SECONDS = 60.0


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return tmp_path / "bad.jsonl"


def deadly_but_here(here: int, *bad: int) -> Any:
    def dies(n: Any, *more: Any) -> Any:
        if set(np.atleast_1d(n).tolist()) & set(bad) and os.getpid() != here:
            os._exit(3)
        return n >= 0 if not more else n + more[0].integers(1 << 40)

    return dies


@pytest.mark.parametrize("step", ["map", "filter", "random_map", "map_batches"])
def test_a_record_of_a_death_has_the_element(step: str, bad: Path) -> None:
    how: Any = {"random_map": {"seed": 1}, "map_batches": {"batch_size": 2}}.get(step, {})
    function = deadly_but_here(os.getpid(), 3)
    plain = getattr(Dataset.range(6), step)(function, **how)
    how |= {"num_parallel_calls": 1, "executor": "process", "on_error": penstock.quarantine(bad)}
    ds = getattr(Dataset.range(6), step)(function, **how)
    assert len(list(ds)) == (4 if step == "map_batches" else 5)
    (record,) = penstock.read_quarantine(bad)
    assert (record.transformation, record.error_type) == (step, "WorkerDied")
    assert record.function == function.__qualname__
    if step == "map_batches":
        assert (record.position, record.element().tolist()) == (2, [2, 3])
    else:
        assert (record.position, record.element()) == (3, 3)
    # It is not deadly here; and gives what it would have given, with the same random numbers.
    found = ds.replay(record)
    if step == "random_map":
        assert found == list(plain)[3]
    else:
        assert np.all(found)


def test_an_error_that_is_raised_can_be_replayed() -> None:
    ds = Dataset.range(4).map(deadly_but_here(os.getpid(), 2), num_parallel_calls=1, executor="process")
    with pytest.raises(WorkerDied) as raised:
        list(ds)
    assert ds.replay(raised.value)


def test_a_record_of_a_thread_that_took_too_long_has_the_element(monkeypatch: pytest.MonkeyPatch, bad: Path) -> None:
    began, gate = threading.Event(), threading.Event()

    def hangs(n: Any) -> Any:
        if n == 3:
            began.set()
            gate.wait(SECONDS)
        return n

    StoppedClock(monkeypatch, began.is_set, are_left=True)
    how: Any = {"num_parallel_calls": 2, "executor": "thread", "on_error": penstock.quarantine(bad)}
    elements = iter(Dataset.range(6).map(hangs, **how).with_options(Options(element_timeout_seconds=0.05)))
    found = [int(next(elements)) for _ in range(4)]
    gate.set()
    assert [*found, *map(int, elements)] == [0, 1, 2, 4, 5]
    (record,) = penstock.read_quarantine(bad)
    assert (record.position, record.error_type, record.element()) == (3, "ElementTimeoutError", 3)
    assert Dataset.range(6).map(hangs).replay(record) == 3


def test_each_thread_that_is_left_behind_tells_its_own_element() -> None:
    step: Any = Dataset.range(1).map(lambda n: n)._node
    patience = Patience(step, 1.0, context=RunContext(prepare))
    given: Any = block_from_elements([10, 11, 12, 13])
    run = Run(20, given, 4, {})
    run.began = -3600.0
    done = [given.slice(0, 1)]
    for hung in (1, 2):
        at = patience._at_work[run.thread] = AtWork(1)
        at.since = at.began = run.began
        at.block, at.done = given, done
        rest = patience.given_up(run)
        assert rest is not None
        given, (_, done) = rest.block, patience._begun[run.first]
        error: Any = done[hung].errors[0]
        assert isinstance(error, ElementTimeoutError)
        assert (error.penstock_replay.row.element(0), error.penstock_replay.index) == (10 + hung, 20 + hung)


def test_errors_of_earlier_steps_stay_what_they_are() -> None:
    step: Any = Dataset.range(1).map(lambda n: n)._node
    earlier = KeyError("earlier")
    rows = block_from_elements([1, 2, 3])
    given = Block(rows.treedef, rows.columns, 3, {1: earlier})
    found = failed_calls(WorkerDied("died", "SIGKILL"), given, step, 1, RunContext(prepare), 0, 7).errors
    assert found[1] is earlier
    assert not hasattr(earlier, "penstock_replay")
    assert [found[row].penstock_replay.index for row in (0, 2)] == [7, 9]


def test_no_call_is_told_where_several_functions_may_have_been_at_work() -> None:
    node: Any = Dataset.range(3).map(lambda n: n).map(lambda n: -n)._node.simplify()
    assert len(node.functions) == 2
    error = WorkerDied("died", "SIGKILL")
    found = failed_calls(error, block_from_elements([1]), node, 1, RunContext(prepare), 0, 0).errors[0]
    assert not hasattr(found, "penstock_replay")
