"""Worker processes: started anew, never forked, and kept from one iterator to the next."""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from penstock.block import Block, all_errors
from penstock.engine import block_form
from penstock.engine.error_form import unpack_error
from penstock.engine.pickles import dumps_for_worker
from penstock.engine.portable import Portable, portable
from penstock.engine.process_worker import SECONDS_IDLE
from penstock.engine.surroundings import Surroundings, own_surroundings
from penstock.engine.transport import Channel
from penstock.errors import WorkerDied
from penstock.node import Epochs, Indices, Step
from penstock.vectorize.function import Replay
from penstock.vectorize.retried import RetriedFunction

_MOST_STEPS = 4
_MOST_IDLE = max(4, os.cpu_count() or 1)
_SECONDS_TO_END = 0.5
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; from penstock.engine.process_worker import serve; serve(sys.argv[1])"
)
_HINTS = {
    "SIGKILL": "; perhaps the system had no memory left",
    "SIGSEGV": "; compiled code that it called has crashed",
    "SIGBUS": "; compiled code that it called has crashed, or memory ran out",
    "SIGABRT": "; compiled code that it called gave up",
}


class ProcessWorker:
    """One process; `call` is for one thread at a time, `kill` for any.

    Attributes:
        pid: The process's number.
    """

    def __init__(self) -> None:
        self._surroundings = own_surroundings()
        self._process, connection = _start(self._surroundings)
        self.pid = self._process.pid
        self._channel = Channel(connection)
        self._told: Surroundings | None = None
        self._portable: Portable | None = None
        self._known: dict[bytes, None] = {}
        self._is_busy = False
        self.idle_since = 0.0

    def call(self, step: Step, block: Block, epochs: Epochs, indices: Indices | int) -> Block:
        """What `step` makes of `block`, in memory of its own; waits for it.

        Raises:
            WorkerDied: The process ended.
            TypeError: The step, or an element, cannot be pickled.
            BaseException: What `step.apply` raised, with the process's traceback as a note.
        """
        if self._portable is None or self._portable.step is not step:
            self._portable = portable(step)
        travelling = self._portable
        arrays: block_form.Arrays = []
        request = self._request(travelling, block, epochs, indices, arrays)
        self._is_busy = True
        try:
            self._channel.send(request, arrays)
            (failed, answer, retried), arrays = self._channel.receive()
        except (EOFError, OSError):
            raise self._death(travelling.name) from None
        self._is_busy = False
        for number, count in retried:
            function = travelling.functions[number]
            assert isinstance(function, RetriedFunction)
            function.faults.add(retried=count)
        if failed is not None:
            if not failed:
                del self._known[travelling.key]  # it could not be loaded
            raise unpack_error(answer)
        return _unpack(answer, arrays, block, travelling)

    def _request(
        self, travelling: Portable, block: Block, epochs: Epochs, indices: Indices | int, arrays: block_form.Arrays
    ) -> Any:
        try:
            form = block_form.pack(block, dumps_for_worker, arrays, lambda row, _: row)
        except Exception as error:
            raise TypeError(
                f"{travelling.name}: an element cannot be sent to a worker process ({error}); write executor='thread'"
            ) from error
        places: list[int | list[int]] = []
        for each in (epochs, indices):
            if isinstance(each, int):
                places.append(each)
            else:
                places.append([len(arrays)])
                arrays.append(each)
        surroundings = None if self._told == self._surroundings else self._surroundings.pickled()
        self._told = self._surroundings
        return surroundings, travelling.key, *self._step(travelling, arrays), form, *places

    def _step(self, travelling: Portable, arrays: block_form.Arrays) -> tuple[int | None, list[bytes]]:
        """The number of the array that holds the step, where it is new to the process, and the steps to forget."""
        if travelling.key in self._known:
            self._known[travelling.key] = self._known.pop(travelling.key)
            return None, []
        forgotten = list(self._known)[: len(self._known) + 1 - _MOST_STEPS] if len(self._known) >= _MOST_STEPS else []
        for key in forgotten:
            del self._known[key]
        self._known[travelling.key] = None
        arrays.append(np.frombuffer(travelling.pickled, np.uint8))
        return len(arrays) - 1, forgotten

    def _death(self, name: str) -> WorkerDied:
        """The error that says how the process ended; waits for that."""
        self.end(time.monotonic() + _SECONDS_TO_END)
        self._channel.close()
        _pool.forget(self)
        code = self._process.returncode
        try:
            cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        except ValueError:
            cause = f"signal {-code}"
        return WorkerDied(
            f"{name}: worker process {self.pid} was ended by {cause} while it computed{_HINTS.get(cause, '')}", cause
        )

    def rest(self) -> bool:
        """Give up memory and the step that was run last; False if the process cannot go on."""
        self._portable = None
        if self._is_busy or self._process.poll() is not None:
            return False
        try:
            self._channel.send(None)
        except OSError:
            return False
        self._channel.forget_memory()
        self.idle_since = time.monotonic()
        return True

    def wake(self) -> bool:
        """Make ready for calls after a rest; False if the process has rested for so long that it may have ended."""
        self._surroundings = own_surroundings()
        return time.monotonic() - self.idle_since < 0.75 * SECONDS_IDLE and self._process.poll() is None

    def kill(self) -> None:
        """End the process at once, whatever it is at; a `call` in another thread raises `WorkerDied`."""
        self._process.kill()

    def shut(self) -> None:
        """Ask the process to end, from any thread."""
        self._channel.shut()

    def end(self, deadline: float) -> None:
        """Wait for the process to end, and kill it if it has not by `deadline`."""
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """End the process and give up its memory."""
        self._channel.close()
        self.end(time.monotonic() + (0 if self._is_busy else _SECONDS_TO_END))

    def leave(self) -> None:
        """Let go of the process without ending it: it is the parent's of this one, which was forked."""
        self._channel.leave()
        self._process.returncode = 0  # this process cannot wait for it


def _unpack(answer: Any, arrays: block_form.Arrays, block: Block, travelling: Portable) -> Block:
    given: set[int] = set()

    def unpack_row_error(form: Any) -> Exception:
        if isinstance(form, int):
            error = block.errors[form]
            if form in given:
                return all_errors(error, 2).errors[1]
            given.add(form)
            return error
        packed, replay = form
        found = unpack_error(packed)
        assert isinstance(found, Exception)
        if replay is not None:
            with contextlib.suppress(Exception):  # of classes that are not to be found here
                call = pickle.loads(replay[1])
                found.penstock_replay = Replay(travelling.functions[replay[0]], *call)  # type: ignore[attr-defined]
        return found

    return block_form.unpack(answer, arrays, unpack_row_error)


def _start(surroundings: Surroundings) -> tuple[subprocess.Popen[bytes], socket.socket]:
    if not sys.executable:
        raise RuntimeError("worker processes need a Python interpreter, and sys.executable names none; use threads")
    ours, theirs = socket.socketpair()
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # as multiprocessing does
    command = [sys.executable, *flags, "-c", _PROGRAM]
    try:
        with theirs:
            if sys.platform == "win32":
                process = subprocess.Popen(
                    [*command, "", *surroundings.path], env=surroundings.environment, stdin=subprocess.PIPE
                )
                assert process.stdin is not None
                with process.stdin:
                    process.stdin.write(theirs.share(process.pid))
                return process, ours
            number = theirs.fileno()
            with _sigint_blocked():
                process = subprocess.Popen(
                    [*command, str(number), *surroundings.path],
                    env=surroundings.environment,
                    stdin=subprocess.DEVNULL,
                    close_fds=True,
                    pass_fds=(number,),
                )
            return process, ours
    except BaseException:
        ours.close()
        raise


@contextlib.contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Let a process that is started begin with Ctrl-C blocked, until it has said that it ignores it."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Pool:
    """All workers of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[ProcessWorker] = []
        self._all: set[ProcessWorker] = set()
        self._is_exiting = False

    def borrow(self) -> ProcessWorker:
        while True:
            with self._lock:
                if self._is_exiting:
                    raise RuntimeError("no worker process can be started: the interpreter is exiting")
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                worker = ProcessWorker()
                with self._lock:
                    self._all.add(worker)
                return worker
            if worker.wake():
                return worker
            self._discard(worker)

    def give_back(self, worker: ProcessWorker) -> None:
        is_usable = worker.rest()
        with self._lock:
            is_kept = is_usable and worker in self._all
            if is_kept:
                self._idle.append(worker)
            surplus = self._idle.pop(0) if len(self._idle) > _MOST_IDLE else None
        if not is_kept:
            self._discard(worker)
        if surplus is not None:
            self._discard(surplus)

    def forget(self, worker: ProcessWorker) -> None:
        with self._lock:
            self._all.discard(worker)

    def _discard(self, worker: ProcessWorker) -> None:
        self.forget(worker)
        worker.close()

    def close_all(self) -> None:
        with self._lock:
            workers, idle = self._all, self._idle
            self._all, self._idle = set(), []
        for worker in workers:
            worker.shut()
        deadline = time.monotonic() + _SECONDS_TO_END
        for worker in workers:
            worker.end(deadline)
        # Threads that use the others close them.
        for worker in idle:
            worker.close()

    def exit(self) -> None:
        with self._lock:
            self._is_exiting = True
        self.close_all()

    def leave(self) -> None:
        for worker in self._all:
            worker.leave()
        self.__init__()  # type: ignore[misc]  # the lock may be another thread's, which is not in this process


_pool = _Pool()
atexit.register(_pool.exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.leave)


def borrow() -> ProcessWorker:
    """A worker for one thread's use: one that rests, or a new one."""
    return _pool.borrow()


def give_back(worker: ProcessWorker) -> None:
    """Let others borrow `worker`, dead or alive."""
    _pool.give_back(worker)


def close_all() -> None:
    """End all workers, those at work too, within a second."""
    _pool.close_all()
