"""What whole pipelines do when their worker processes die, or the process that reads them ends, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penstock
from penstock import Dataset
from penstock.block import block_from_elements
from penstock.engine import processes, remote
from penstock.errors import WorkerDied
from tests.engine.calling_step import Step, killed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals of POSIX, and waits for processes of others")

SECONDS = 60.0
"""Longer than anything takes, so that a test that would hang fails instead."""


@pytest.fixture(scope="module", autouse=True)
def close_all() -> Iterator[None]:
    yield
    processes.close_all()


def is_first(path: Path) -> bool:
    """Whether nobody, in any process, has asked for this path before."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def is_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crashes() -> None:
    faulthandler.disable()  # its report is not for the output of a test
    ctypes.string_at(0)


def leaves() -> None:
    os._exit(3)


ENDS: dict[str, Callable[[], None]] = {"SIGKILL": is_killed, "SIGSEGV": crashes, "exit code 3": leaves}


def outcomes(ds: Dataset[Any]) -> list[Any]:
    found: list[Any] = []
    elements = iter(ds)
    while True:
        try:
            found.append(np.asarray(next(elements)).tolist())
        except StopIteration:
            return found
        except Exception as error:
            found.append(error)


@pytest.mark.parametrize(
    ("step", "cause"),
    [
        *((step, "SIGKILL") for step in ("map", "random_map", "filter", "map_batches")),
        *(("map", end) for end in ENDS if end != "SIGKILL"),
    ],
)
def test_a_worker_that_dies_leaves_no_trace_in_the_stream(step: str, cause: str, tmp_path: Path) -> None:
    end = ENDS[cause]

    def dies_once(n: Any, *more: Any) -> Any:
        if np.max(n) >= 20 and is_first(tmp_path / "died"):
            end()
        return n > 3 if step == "filter" else n * 3 + sum(int(rng.integers(100)) for rng in more)

    def ends_here(n: Any, *more: Any) -> Any:
        return dies_once(n, *more)

    how = {"random_map": {"seed": 1}, "map_batches": {"batch_size": 4}}.get(step, {})
    source = Dataset.range(40)
    found = outcomes(getattr(source, step)(dies_once, num_parallel_calls=2, executor="process", **how).batch(7))
    # Somebody has died there before, so that nobody does here.
    assert (tmp_path / "died").exists()
    assert found == outcomes(getattr(source, step)(ends_here, **how).batch(7))


@pytest.mark.parametrize("cause", ENDS)
def test_an_element_on_which_three_workers_die_is_an_error_in_its_place(cause: str) -> None:
    end = ENDS[cause]

    def deadly(n: Any) -> Any:
        if n == 3:
            end()
        return n * 2

    # The rows of a run were computed together, and only one of them is to blame.
    found = outcomes(Dataset.range(8).map(deadly, num_parallel_calls=1, executor="process"))
    error = found.pop(3)
    assert found == [0, 2, 4, 8, 10, 12, 14]
    assert isinstance(error, WorkerDied)
    assert error.cause == cause
    for word in ("deadly", "3 worker processes died at element 3", cause, "executor='thread'"):
        assert word in str(error)


def test_a_death_is_seen_while_a_child_of_the_worker_lives_on(tmp_path: Path) -> None:
    def leaves_a_child(n: Any) -> Any:
        if n == 5 and is_first(tmp_path / "died"):
            child = os.fork()
            if not child:
                signal.alarm(10)
                signal.signal(signal.SIGALRM, lambda *_: (tmp_path / "waited for").touch())
                signal.pause()
            (tmp_path / "child").write_text(str(child))
            is_killed()
        return n * 2

    found = outcomes(Dataset.range(8).map(leaves_a_child, num_parallel_calls=1, executor="process"))
    assert not (tmp_path / "waited for").exists()
    os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)
    assert found == [n * 2 for n in range(8)]


def test_a_run_whose_elements_are_all_deadly_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_MOST_DEATHS_OF_A_RUN", 6)
    workers = remote.Remote(Step(killed))
    found = workers.apply(block_from_elements(list(range(8))), 0, 100)
    workers.close()
    assert [type(error) for error in found.errors.values()] == [WorkerDied] * 8
    assert "3 worker processes died at element 100 (SIGKILL)" in str(found.errors[0])
    assert "6 worker processes died at elements 104 to 107" in str(found.errors[7])


@pytest.mark.parametrize("places", [7, np.arange(7, 17)], ids=["number", "array"])
def test_the_halves_of_a_run_keep_their_places_and_their_unit(places: Any, tmp_path: Path) -> None:
    class DiesOnce(Step):
        def apply(self, block: Any, context: Any, epochs: Any, indices: Any) -> Any:
            if is_first(tmp_path / "died"):
                is_killed()
            return block_from_elements([(int(np.min(indices)), block.rows)] * block.rows)

    workers = remote.Remote(DiesOnce(None), unit=4)
    found = workers.apply(block_from_elements(list(range(10))), 0, places)
    workers.close()
    assert [tuple(map(int, element)) for element in found.elements()] == [(7, 4)] * 4 + [(11, 6)] * 6


def test_further_calls_in_worker_processes_count(tmp_path: Path) -> None:
    def flaky(n: Any) -> Any:
        if n % 2 and is_first(tmp_path / str(int(n))):
            raise ValueError(int(n))
        return n

    how: dict[str, Any] = {"num_parallel_calls": 2, "executor": "process", "on_error": penstock.retry(2, 0)}
    elements = iter(Dataset.range(11).map(flaky, **how))
    assert [int(n) for n in elements] == list(range(11))
    assert [step.faults for step in elements.stats().operators][-1] == {"retried": 5}


# Two steps at work, one in processes and one in threads, neither of which lets go by itself. The sleeps are what the
# user's functions do, a hang and a wait; no test waits by sleeping.
AT_WORK = textwrap.dedent(
    """
    import os, signal, time
    from penstock import Dataset

    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started the tests may have had it ignored
    stuck = 5

    def in_process(n):
        if n == stuck:
            os.write(1, f"{os.getpid()}\\n".encode())
            time.sleep(1000)
        return n

    def in_thread(n):
        time.sleep(0.001)
        return n

    ds = Dataset.range(100).map(in_process, num_parallel_calls=2, executor="process")
    ds = ds.map(in_thread, num_parallel_calls=2, executor="thread")
    """
)


def wait_for_end(pid: int) -> bool:
    """Whether a process that is not this one's child ends."""
    try:
        ends = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with contextlib.closing(os.fdopen(ends)):
        return bool(select.select([ends], [], [], SECONDS)[0])


def started(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", AT_WORK + textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_ends_a_pipeline_and_its_workers_without_noise() -> None:
    with started("list(ds)") as child:
        assert child.stdout is not None
        worker = int(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        _, told = child.communicate(timeout=SECONDS)
    assert child.returncode == -signal.SIGINT
    assert told.count("Traceback") == 1
    assert told.endswith("KeyboardInterrupt\n")
    assert "Warning" not in told
    assert wait_for_end(worker)


def test_ctrl_c_can_be_caught_and_the_pipeline_read_on() -> None:
    program = """
    elements = iter(ds)
    try:
        list(elements)
    except KeyboardInterrupt:
        print("caught", flush=True)
    elements.close()
    print([int(n) for n in Dataset.range(3).map(in_process, num_parallel_calls=2, executor="process")])
    """
    with started(program) as child:
        assert child.stdout is not None
        worker = int(child.stdout.readline())
        child.send_signal(signal.SIGINT)
        found = child.communicate(timeout=SECONDS)
    assert (*found, child.returncode) == ("caught\n[0, 1, 2]\n", "", 0)
    assert wait_for_end(worker)


def test_workers_of_a_pipeline_end_when_its_process_is_killed() -> None:
    with started("list(ds)") as child:
        assert child.stdout is not None
        worker = int(child.stdout.readline())
        child.kill()
        # Workers hold the other ends of these pipes: they end when those do.
        assert child.communicate(timeout=SECONDS) == ("", "")
    assert wait_for_end(worker)


def test_an_interpreter_with_an_open_iterator_ends_and_leaves_nothing() -> None:
    program = """
    import sys
    stuck = 2
    elements = iter(Dataset.range(100).map(in_process, num_parallel_calls=2, executor="process"))
    os.write(1, f"first {int(next(elements))}\\n".encode())  # whole, as the worker writes to the same pipe
    sys.stdin.readline()
    """
    with started(program) as child:
        assert child.stdout is not None
        lines = {child.stdout.readline(), child.stdout.readline()}
        assert "first 0\n" in lines
        assert child.communicate("end\n", timeout=SECONDS) == ("", "")
    assert child.returncode == 0
    assert wait_for_end(int(max(lines - {"first 0\n"})))


NOTEBOOK = textwrap.dedent(
    """
    from penstock import Dataset

    class Scale:
        def __init__(self, by):
            self.by = by

        def __call__(self, n):
            return n * self.by

    def adder(offset):
        return lambda n: n + offset

    how = {"num_parallel_calls": 2, "executor": "process"}
    ds = Dataset.range(6).map(Scale(10), **how).map(adder(1), **how).filter(lambda n: n > TOO_SMALL, **how)
    TOO_SMALL = 15
    print([int(n) for n in ds])
    """
)


@pytest.mark.parametrize("way", ["script", "-c", "stdin"])
def test_lambdas_closures_and_classes_of_an_unguarded_main_module_run_in_processes(way: str, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(NOTEBOOK)
    arguments = {"script": [str(tmp_path / "script.py")], "-c": ["-c", NOTEBOOK], "stdin": ["-"]}[way]
    child = subprocess.run(
        [sys.executable, *arguments],
        input=NOTEBOOK if way == "stdin" else "",
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert (child.stdout, child.stderr, child.returncode) == ("[21, 31, 41, 51]\n", "", 0)
