"""`prefetch(n, executor="process")`: what travels there, and what becomes of processes that die."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock import AUTOTUNE, Dataset
from penstock.engine import processes
from penstock.engine.apart_link import PlanLink
from penstock.errors import WorkerDied
from penstock.transforms.prefetch import Prefetch
from tests.corners import outcomes, values
from tests.engine.apart_datasets import apart, resumed
from tests.engine.platforms import on_linux, on_posix

pytestmark = on_posix


@pytest.fixture(scope="module", autouse=True)
def close_all() -> Iterator[None]:
    yield
    processes.close_all()


class Once:
    """Calls `act` for one element, in the first process that comes to it, and for no other."""

    def __init__(self, folder: Path, at: int, act: Callable[[], object]) -> None:
        self.path, self.at, self.act = str(folder / "acted"), at, act

    def __call__(self, n: Any) -> Any:
        if n == self.at:
            with contextlib.suppress(FileExistsError), open(self.path, "x"):
                self.act()
        return n


class Telling:
    """Writes a line into a pipe that this process reads, with the number of the process that it is called in."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)
        self._path = f"/proc/{os.getpid()}/fd/{self._writer}"

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path}

    def __call__(self, n: Any) -> Any:
        with open(self._path, "w") as file:
            file.write(f"{os.getpid()}\n")
        return n

    def told(self) -> int:
        assert select.select([self.reader], [], [], 30)[0]
        return int(self._line())

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(self.reader, 1)
        return line

    def tells_more(self) -> bool:
        return bool(select.select([self.reader], [], [], 0)[0])


@pytest.fixture
def telling() -> Iterator[Telling]:
    made = Telling()
    yield made
    os.close(made.reader)
    os.close(made._writer)


def kill_this_process() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def ends(pid: int) -> None:
    """Wait until a process has ended."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        assert select.select([descriptor], [], [], 30)[0]
        os.close(descriptor)


def test_all_steps_run_in_one_other_process() -> None:
    ds = Dataset.range(5).map(lambda n: os.getpid()).filter(lambda pid: pid == os.getpid())
    assert len({os.getpid(), *values(apart(ds))}) == 2


def test_an_unknown_executor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"prefetch\(\): executor must be 'thread' or 'process', but is 'auto'"):
        Dataset.range(3).prefetch(1, executor="auto")


def test_people_are_told_of_the_process_and_states_are_not() -> None:
    node = apart(Dataset.range(3))._node
    assert isinstance(node, Prefetch)
    assert (node.label(), node.signature()) == ("prefetch(2, executor='process')", "prefetch()")
    assert apart(Dataset.range(3), -1)._node.label() == "prefetch(AUTOTUNE, executor='process')"


@on_linux
@pytest.mark.parametrize("buffer_size", [1, 4])
def test_it_reads_just_so_far_ahead(telling: Telling, buffer_size: int) -> None:
    with iter(apart(Dataset.range(100).map(telling), buffer_size)) as iterator:
        assert not telling.tells_more()
        assert next(iterator) == 0
        assert len({telling.told() for _ in range(buffer_size + 1)} - {os.getpid()}) == 1
        assert next(iterator) == 1
        telling.told()
    assert not telling.tells_more()


@pytest.mark.parametrize("buffer_size", [1, 3, AUTOTUNE])
def test_a_buffer_of_any_size_changes_no_element(buffer_size: int) -> None:
    assert values(apart(Dataset.range(150).batch(4), buffer_size)) == values(Dataset.range(150).batch(4))


def test_what_cannot_travel_is_named_when_the_first_element_is_asked_for() -> None:
    lock, generator = threading.Lock(), (n for n in range(3))

    def guarded(n: Any) -> Any:
        with lock:
            return n

    iterator = iter(apart(Dataset.range(3).map(guarded).batch(2)))
    with pytest.raises(TypeError, match=r"process'\): map\(.*guarded\) cannot be .* the variable 'lock' \(a lock\)"):
        next(iterator)
    iterator = iter(apart(Dataset.from_generator(lambda: generator)))
    with pytest.raises(TypeError, match=r"from_generator.* the variable 'generator' \(a generator\) cannot be pickled"):
        next(iterator)


@on_linux
def test_arrays_of_the_source_are_in_shared_memory_and_nowhere_else() -> None:
    data = np.ones((64, 1 << 18))

    def own_bytes(row: Any) -> int:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon"))

    assert max(apart(Dataset.from_tensor_slices(data).map(own_bytes))) < data.nbytes


def test_errors_stand_in_their_places_with_all_that_is_known_of_them() -> None:
    class Odd(Exception):
        pass

    def fails(n: Any) -> Any:
        if n == 3:
            raise Odd("three")
        return n

    ds = apart(Dataset.range(5).map(fails))
    assert outcomes(ds) == [0, 1, 2, Odd, 4]
    iterator = iter(ds)
    values(iterator, 3)
    with pytest.raises(Odd, match="three") as caught:
        next(iterator)
    notes = "\n".join(caught.value.__notes__)
    assert "in map(" in notes
    assert "traceback in worker process" in notes
    assert 'raise Odd("three")' in notes
    with pytest.raises(Odd):
        ds.replay(caught.value)
    assert next(iterator) == 4


def test_an_error_without_words_is_one_and_what_cannot_be_told_ends_the_process() -> None:
    class Unsayable(Exception):
        def __str__(self) -> str:
            raise TypeError("there are no words")

    class Unpackable(BaseException):
        def __getattribute__(self, name: str) -> Any:
            raise TypeError("nor anything else")

    def fails(n: Any) -> Any:
        if n > 1:
            raise Unsayable if n == 2 else Unpackable
        return n

    iterator = iter(apart(Dataset.range(5).map(fails)))
    values(iterator, 2)
    with pytest.raises(Unsayable):
        next(iterator)
    with pytest.raises(WorkerDied, match="exit code 1"):
        next(iterator)


def test_an_element_that_cannot_be_sent_is_an_error_in_its_place() -> None:
    def odd(n: Any) -> Any:
        return threading.Lock() if n == 1 else n

    iterator = iter(apart(Dataset.from_list(["a", "b", "c"]).enumerate().map(lambda n, text: odd(n)).batch(1)))
    values(iterator, 1)
    with pytest.raises(TypeError):
        next(iterator)
    assert values(iterator) == [[2]]
    with pytest.raises(TypeError, match=r"executor='process'\): an element cannot be sent from the process"):
        next(iter(apart(Dataset.range(1).map(lambda n: {"lock": threading.Lock()}))))


def test_a_process_that_is_killed_gives_way_to_one_that_goes_on_where_it_was(tmp_path: Path) -> None:
    def built(function: Callable[[Any], Any]) -> Dataset[Any]:
        return Dataset.range(60).shuffle(7, seed=1).repeat(2).map(function).batch(3)

    killed = built(Once(tmp_path, 33, kill_this_process))
    expected = values(built(lambda n: n))
    iterator = iter(apart(killed, 3))
    found, states = [], []
    for batch in iterator:
        found.append(batch.tolist())
        states.append(iterator.state_dict())
    assert os.path.exists(tmp_path / "acted")
    assert found == expected
    assert all(resumed(killed.prefetch(1), state) == expected[n + 1 :] for n, state in list(enumerate(states))[::5])


def test_three_deaths_without_an_element_between_them_are_an_error() -> None:
    def deadly(n: Any) -> Any:
        if n == 5:
            os._exit(7)
        return n

    iterator = iter(apart(Dataset.range(20).map(deadly)))
    assert values(iterator, 5) == [0, 1, 2, 3, 4]
    with pytest.raises(WorkerDied, match=r"3 processes .* died one after another \(exit code 7\), 5 elements") as death:
        next(iterator)
    assert death.value.cause == "exit code 7"
    harmless = iter(Dataset.range(20).map(abs).prefetch(2))
    harmless.load_state_dict(iterator.state_dict(), strict=False)
    assert values(harmless) == list(range(5, 20))


@on_linux
def test_closing_ends_a_process_that_does_not_return(telling: Telling) -> None:
    def hangs(n: Any) -> Any:
        telling(n)
        if n == 2:
            threading.Event().wait()
        return n

    iterator = iter(apart(Dataset.range(9).map(hangs), 3))
    assert next(iterator) == 0
    pid = {telling.told() for _ in range(3)}.pop()
    iterator.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_iterator_that_is_dropped_gives_its_process_back() -> None:
    processes.close_all()
    iterator = iter(apart(Dataset.range(1000).map(lambda n: os.getpid())))
    pid = next(iterator)
    del iterator
    gc.collect()
    worker = processes.borrow()
    assert worker.pid == pid
    processes.give_back(worker)


def test_a_process_is_not_collected_before_the_iterator_that_it_works_for() -> None:
    assert values(apart(Dataset.range(2))) == [0, 1]
    gc.collect()  # so that the process that rests is older than the iterator that borrows it next
    iterator = iter(apart(Dataset.range(1000)))
    assert next(iterator) == 0
    cycle: list[Any] = [iterator]
    cycle.append(cycle)
    del iterator, cycle
    processes.close_all()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(warning.message) for warning in found] == []


def test_it_goes_on_after_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    iterator = iter(apart(Dataset.range(6).map(lambda n: n + 1), 1))
    assert values(iterator, 2) == [1, 2]
    receive = PlanLink.receive

    def interrupted(link: PlanLink) -> Any:
        monkeypatch.setattr(PlanLink, "receive", receive)
        raise KeyboardInterrupt

    monkeypatch.setattr(PlanLink, "receive", interrupted)
    found: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        found.extend(map(int, iterator))
    assert found + values(iterator) == [3, 4, 5, 6]


PROGRAM = textwrap.dedent(
    """
    import os, threading
    from penstock import Dataset

    def tell(n):
        os.write(1, b"%d\\n" % os.getpid())
        return n

    def work(n):
        if tell(n) == 4:
            threading.Event().wait()
        return n

    # The inner process alone blocks: a thread that is inside `tell` hands out no results.
    ds = Dataset.range(9).map(tell).map(work, num_parallel_calls=1, executor="process")
    iterator = iter(ds.prefetch(9, executor="process"))
    """
)


@on_linux
@pytest.mark.parametrize("end", ["killed", "exits"])
def test_it_ends_with_this_process_and_so_do_its_own_processes(end: str) -> None:
    program = PROGRAM + ("list(iterator)" if end == "killed" else "next(iterator)")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = set()
        while len(pids) < 2:
            pids.add(int(parent.stdout.readline()))
        if end == "killed":
            parent.kill()
        # Its processes hold the other end of this pipe: it ends when they do.
        parent.stdout.read()
    for pid in pids:
        ends(pid)


@on_linux
def test_processes_of_its_own_end_with_it(telling: Telling) -> None:
    inner = Dataset.range(60).map(telling, num_parallel_calls=1, executor="process")
    iterator = iter(apart(inner.map(lambda n: os.getpid())))
    outer_pid, inner_pid = next(iterator), telling.told()
    assert outer_pid != inner_pid
    os.kill(int(outer_pid), signal.SIGKILL)
    ends(inner_pid)
    assert len(values(iterator)) == 59


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_parallel_calls_and_another_prefetch_run_inside_of_it(executor: str) -> None:
    def built(end: Callable[[Dataset[Any]], Dataset[Any]], executor: Any) -> Dataset[Any]:
        inner = Dataset.range(40).map(lambda n: n * 3 % 7, num_parallel_calls=2, executor=executor)
        return end(inner.prefetch(2, executor=executor).batch(4))

    expected = values(built(lambda ds: ds, "thread"))
    assert values(built(apart, executor)) == expected
    iterator = iter(built(apart, executor))
    first = values(iterator, 3)
    assert first + resumed(built(lambda ds: ds.prefetch(1), "thread"), iterator.state_dict()) == expected
