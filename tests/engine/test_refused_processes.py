"""Processes that cannot be started: "auto" goes on in threads and says why, "process" is an error."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import pytest

from penstock import Dataset
from penstock.engine import processes, worker_start
from penstock.errors import WorkerDied
from tests.corners import values
from tests.engine.platforms import on_posix

N = 50


def no_interpreter(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "executable", "")
    return "sys.executable names none"


def no_room(monkeypatch: pytest.MonkeyPatch) -> str:
    def refused(*_: Any, **__: Any) -> None:
        raise BlockingIOError

    monkeypatch.setattr(worker_start.subprocess, "Popen", refused)
    return "a worker process cannot be started"


def another_program(monkeypatch: pytest.MonkeyPatch) -> str:
    started = worker_start._started

    def started_and_dead(surroundings: Any) -> Any:
        process, connection = started(surroundings)
        process.wait()
        return process, connection

    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    monkeypatch.setattr(worker_start, "_started", started_and_dead)
    return "no worker process can be started: .* was ended by exit code 1 while it started"


@pytest.fixture(params=[no_interpreter, no_room, pytest.param(another_program, marks=on_posix)])
def reason(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is said of processes, none of which can be started from now on."""
    processes.close_all()
    yield request.param(monkeypatch)
    processes.close_all()


SOURCES: dict[str, Any] = {
    "by index": lambda: Dataset.range(N),
    "as a stream": lambda: Dataset.from_generator(lambda: iter(range(N))),
}


def build(source: str, executor: str) -> Dataset[Any]:
    ds = SOURCES[source]().map(lambda n: n * 2, num_parallel_calls=2, executor=executor, purity="stateless")
    ds._node.settings.pace.way = "process"  # as if it had been measured
    return ds


@pytest.mark.parametrize("source", SOURCES)
def test_auto_goes_on_in_threads_and_says_why(source: str, reason: str) -> None:
    ds = build(source, "auto")
    with pytest.warns(RuntimeWarning, match=rf"map\(.*calls go on in threads.*{reason}"):
        assert values(ds) == list(range(0, 2 * N, 2))
    assert "in threads: no worker process could be started" in ds.explain()
    assert values(ds) == list(range(0, 2 * N, 2)), "a later pass tries no more, and has nothing to say"


@pytest.mark.parametrize("source", SOURCES)
def test_what_was_asked_for_by_name_is_an_error(source: str, reason: str) -> None:
    with pytest.raises((RuntimeError, WorkerDied), match=r"executor='thread'"):
        values(build(source, "process"))
