"""The pool of threads: whoever starts work finds a thread that does it, at whatever moment and in whatever process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from typing import Any

import pytest

from penstock.engine import threads

SECONDS = 30.0
"""Longer than anything takes, so that a test that would hang fails instead."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    program = """
    import os
    from penstock import Dataset

    ds = Dataset.range(5).map(lambda n: n + 1, num_parallel_calls=2, executor="thread")
    assert [int(n) for n in ds] == [1, 2, 3, 4, 5]
    child = os.fork()
    if not child:
        print([int(n) for n in ds], flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    """
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        try:
            told, _ = parent.communicate(timeout=SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):  # the child, if it hangs, too
                os.killpg(parent.pid, signal.SIGKILL)
    assert told == "[1, 2, 3, 4, 5]\n"


def test_ctrl_c_that_comes_while_a_thread_starts_tells_of_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threads, "_idle", [])
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt) as raised:
        threads.start(int, "penstock-test")
    assert raised.value.__context__ is None


def test_work_may_be_started_while_the_same_thread_starts_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    is_idle, done, ended = threading.Event(), threading.Event(), threading.Event()

    class Collecting(list[Any]):
        """As the garbage collector does, which may run anywhere, when it ends an iterator."""

        is_collected = False

        def pop(self, *at: Any) -> Any:
            if self and not self.is_collected:
                self.is_collected = True
                threads.start(ended.set, "penstock-close")
            return super().pop(*at)

    monkeypatch.setattr(threads, "_idle", Collecting())
    threads.start(int, "penstock-test", is_idle.set)
    assert is_idle.wait(SECONDS)
    starter = threading.Thread(target=threads.start, args=(done.set, "penstock-test"), daemon=True)
    starter.start()
    assert done.wait(SECONDS), "it waits for itself"
    assert ended.wait(SECONDS)
