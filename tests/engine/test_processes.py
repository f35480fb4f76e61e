"""Worker processes: how they are lent, live on, and what becomes of those that die."""

import contextlib
import errno
import gc
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import warnings

import numpy as np
import pytest

from penstock.block import block_from_elements
from penstock.engine import processes
from penstock.errors import WorkerDied
from tests.engine.calling_step import Step, crashed, killed, left, run
from tests.engine.platforms import on_linux, on_posix

pytestmark = on_posix


@pytest.fixture
def worker():
    borrowed = processes.borrow()
    yield borrowed
    processes.give_back(borrowed)


@pytest.fixture(scope="module", autouse=True)
def close_all():
    yield
    processes.close_all()


def children():
    with open(f"/proc/self/task/{threading.get_native_id()}/children") as file:
        return set(file.read().split())


def test_a_worker_lives_on_and_is_borrowed_again():
    worker = processes.borrow()
    pid = worker.pid
    processes.give_back(worker)
    again = processes.borrow()
    assert again.pid == pid
    assert run(again, lambda x: x + 1, [1]) == [2]
    processes.give_back(again)


def test_results_outlive_the_rest_of_their_worker():
    worker = processes.borrow()
    block = worker.call(Step(lambda block: block), block_from_elements([np.ones(50_000)] * 2), 0, 0)
    processes.give_back(worker)
    worker = processes.borrow()
    other = worker.call(Step(lambda block: block), block_from_elements([np.zeros(50_000)] * 2), 0, 0)
    assert block.columns[0].array.all()
    assert not other.columns[0].array.any()
    processes.close_all()
    assert block.columns[0].array.all()
    processes.give_back(worker)


def test_surroundings_are_those_of_this_process(monkeypatch, tmp_path):
    (tmp_path / "module_of_the_user.py").write_text("answer = 42\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PENSTOCK_TEST", "set")

    def look(x):
        import module_of_the_user

        with warnings.catch_warnings(record=True) as caught:
            warnings.warn("an odd one", FutureWarning, stacklevel=1)
            warnings.warn("another", UserWarning, stacklevel=1)
        return os.getcwd(), module_of_the_user.answer, os.environ["PENSTOCK_TEST"], len(caught)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", "an odd", FutureWarning)
        worker = processes.borrow()
        (found,) = run(worker, look, [1])
    assert found == (str(tmp_path), 42, "set", 1)
    processes.give_back(worker)


def test_mathematics_libraries_have_one_thread(worker, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    fresh = processes.ProcessWorker()
    assert run(fresh, lambda x: os.environ["OMP_NUM_THREADS"], [1]) == ["1"]
    fresh.close()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    fresh = processes.ProcessWorker()
    assert run(fresh, lambda x: os.environ["OMP_NUM_THREADS"], [1]) == ["3"]
    fresh.close()


@pytest.mark.parametrize(("function", "cause"), [(killed, "SIGKILL"), (crashed, "SIGSEGV"), (left, "exit code 7")])
def test_a_death_is_an_error_that_says_how(function, cause):
    worker = processes.borrow()
    with pytest.raises(WorkerDied, match=f"step: worker process {worker.pid} was ended by {cause}") as death:
        worker.call(Step(function), block_from_elements([1]), 0, 0)
    assert death.value.cause == cause
    with pytest.raises(WorkerDied):
        worker.call(Step(function), block_from_elements([1]), 0, 0)
    processes.give_back(worker)
    other = processes.borrow()
    assert other is not worker
    processes.give_back(other)


@on_linux
def test_a_worker_can_be_killed_from_another_thread():
    worker = processes.borrow()
    reader, writer = os.pipe()
    name = f"/proc/{os.getpid()}/fd/{writer}"

    def hangs(block):
        with open(name, "w") as file:
            file.write("x")
        threading.Event().wait()

    def kill():
        os.read(reader, 1)
        worker.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(WorkerDied) as death:
        worker.call(Step(hangs), block_from_elements([1]), 0, 0)
    thread.join()
    os.close(reader)
    os.close(writer)
    assert death.value.cause == "SIGKILL"


def test_a_worker_that_died_while_it_rested_is_not_lent():
    worker = processes.borrow()
    processes.give_back(worker)
    worker.kill()
    worker._process.wait()
    other = processes.borrow()
    assert other.pid != worker.pid
    processes.give_back(other)


def test_a_worker_whose_call_was_broken_off_is_not_lent(monkeypatch):
    worker = processes.borrow()

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(worker._channel, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(worker, lambda x: x, [1])
    processes.give_back(worker)
    assert worker._process.returncode is not None


@on_linux
def test_deaths_leave_nothing_behind():
    def count():
        gc.collect()
        return len(os.listdir("/proc/self/fd")), children(), mappings()

    def mappings():
        with open("/proc/self/maps") as file:
            return sum("memfd:penstock" in line for line in file)

    processes.close_all()
    before = count()
    large = block_from_elements([np.ones(50_000)] * 2)
    for _ in range(10):
        worker = processes.borrow()
        worker.call(Step(lambda block: block), large, 0, 0)
        with pytest.raises(WorkerDied):
            worker.call(Step(killed), large, 0, 0)
        processes.give_back(worker)
    del worker
    assert count() == before


@on_linux
def test_close_all_ends_the_idle_the_busy_and_the_deaf():
    def deaf(block):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return block

    busy, deaf_one, idle = (processes.borrow() for _ in range(3))
    deaf_one.call(Step(deaf), block_from_elements([1]), 0, 0)
    processes.give_back(idle)
    deaths = []

    def hang():
        try:
            busy.call(Step(lambda block: threading.Event().wait()), block_from_elements([1]), 0, 0)
        except WorkerDied as death:
            deaths.append(death)

    thread = threading.Thread(target=hang)
    thread.start()
    os.kill(deaf_one.pid, signal.SIGSTOP)
    processes.close_all()
    thread.join()
    assert len(deaths) == 1
    assert all(each._process.returncode is not None for each in (busy, deaf_one, idle))
    processes.give_back(deaf_one)
    assert not children()


def test_workers_are_lent_to_many_threads_at_once():
    found = []

    def work(number):
        worker = processes.borrow()
        try:
            found.append((number, run(worker, lambda x, n=number: x * n, [1, 2, 3])))
        finally:
            processes.give_back(worker)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(n, [n, 2 * n, 3 * n]) for n in range(6)]


PROGRAM = textwrap.dedent(
    """
    import sys
    from penstock import Dataset
    from penstock.block import block_from_elements
    from penstock.engine import processes

    class Mine(Exception):
        pass

    offset = 5

    def work(x):
        if x == 2:
            raise Mine(x)
        return helper(x)

    def helper(x):
        return x + offset

    worker = processes.borrow()
    block = worker.call(Dataset.range(3).map(work)._node, block_from_elements([1, 2, 3]), 0, 0)
    assert type(block.errors[1]) is Mine
    print(block.element(0), block.element(2), flush=True)
    """
)


@pytest.mark.parametrize("way", ["script", "-c", "stdin"])
def test_it_works_without_a_guarded_main_module(way, tmp_path):
    (tmp_path / "script.py").write_text(PROGRAM)
    arguments = {"script": [str(tmp_path / "script.py")], "-c": ["-c", PROGRAM], "stdin": []}[way]
    found = subprocess.run(
        [sys.executable, *arguments],
        input=PROGRAM if way == "stdin" else "",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (found.stdout, found.stderr, found.returncode) == ("6 8\n", "", 0)


@on_linux
def test_workers_end_when_their_parent_is_killed():
    program = PROGRAM + textwrap.dedent(
        """
        import os, signal, threading
        class Hang:
            purity = is_vectorised = 0
            def signature(self): return "hang"
            def apply(self, block, context, epochs, indices):
                os.write(1, b"hangs\\n")
                threading.Event().wait()
        idle = processes.borrow()
        processes.give_back(idle)
        print(worker.pid, idle.pid, flush=True)
        worker.call(Hang(), block_from_elements([1]), 0, 0)
        """
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        pids = parent.stdout.readline().split()
        assert len(pids) == 2
        assert parent.stdout.readline() == "hangs\n"
        parent.kill()
        # Its workers hold the other end of this pipe: it ends when they do.
        assert parent.stdout.read() == ""
    for pid in pids:
        # Killed, it lets go of the pipe a moment before it shows as ended.
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ChildProcessError):
            ends = os.pidfd_open(int(pid))
            assert select.select([ends], [], [], 30)[0]
            os.close(ends)


def test_ctrl_c_does_not_reach_a_worker(worker):
    def interrupt(x):
        os.kill(os.getpid(), signal.SIGINT)
        return x + 1

    assert run(worker, interrupt, [1], purity="stateful") == [2]


def test_a_forked_child_does_not_use_or_hold_the_workers_of_its_parent():
    worker = processes.borrow()
    processes.give_back(worker)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            other = processes.borrow()
            status = 0 if other.pid != worker.pid and run(other, lambda x: x + 1, [1]) == [2] else 2
            processes.close_all()
        os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    again = processes.borrow()
    assert again.pid == worker.pid
    assert run(again, lambda x: x + 1, [1]) == [2]
    processes.give_back(again)


@pytest.mark.parametrize("place", ["penstock.engine.worker_start.subprocess.Popen", "socket.socketpair"])
def test_a_process_that_cannot_be_started_says_what_to_write(monkeypatch, place):
    def refused(*_, **__):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    processes.close_all()
    monkeypatch.setattr(place, refused)
    with pytest.raises(RuntimeError, match=r"cannot be started \(.*temporarily unavailable\); write executor='thread'"):
        processes.borrow()
