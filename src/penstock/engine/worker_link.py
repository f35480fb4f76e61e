"""One worker process, from the side of the process that it works for: calls, and what becomes of it."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from penstock.block import Block, all_errors
from penstock.engine import block_form
from penstock.engine.agreement import Structures, disagreements, known
from penstock.engine.error_form import unpack_error, unpack_row_error
from penstock.engine.pickles import dumps_for_worker
from penstock.engine.portable import Portable, portable
from penstock.engine.process_worker import SECONDS_IDLE
from penstock.engine.surroundings import Surroundings, own_surroundings
from penstock.engine.transport import Channel
from penstock.engine.worker_start import start
from penstock.errors import WorkerDied
from penstock.node import Epochs, Indices, Step
from penstock.vectorize.retried import RetriedFunction

_MOST_STEPS = 4
SECONDS_TO_END = 0.5
"""How long a process that was asked to end may take."""
_HINTS = {
    "SIGKILL": "; perhaps the system had no memory left",
    "SIGSEGV": "; compiled code that it called has crashed",
    "SIGBUS": "; compiled code that it called has crashed, or memory ran out",
    "SIGABRT": "; compiled code that it called gave up",
}


class ProcessWorker:
    """One process; `call` is for one thread at a time, `kill` for any.

    Args:
        forget: Called with it when it has died.

    Attributes:
        pid: The process's number.
    """

    def __init__(self, forget: Callable[[ProcessWorker], object] | None = None) -> None:
        self._forget = forget
        self._surroundings = own_surroundings()
        self._process, connection = start(self._surroundings)
        self.pid = self._process.pid
        self._channel = Channel(connection)
        self._told: Surroundings | None = None
        self._portable: Portable | None = None
        self._known: dict[bytes, None] = {}
        self._is_busy = False
        self._is_ready = False
        self.idle_since = time.monotonic()

    def is_ready(self) -> bool:
        """Whether it has started, and a call would begin at once; or is dead, so that one would fail at once."""
        return self._is_ready or self._channel.has_message_within(0)

    def is_starting(self) -> bool:
        """Whether it will be ready; asked from any thread."""
        try:
            return not self.is_ready()
        except (OSError, ValueError):  # closed in this moment
            return False

    def begin(self) -> None:
        """Wait until it has started.

        Raises:
            WorkerDied: It ended before.
        """
        try:
            self._await_start()
        except (EOFError, OSError):
            raise self.death("no worker process can be started") from None

    def load(self, step: Step) -> None:
        """Let the process have `step`, so that a call takes no longer than what it calls.

        Raises:
            WorkerDied: The process ended.
            TypeError: The step cannot be pickled.
            BaseException: It cannot be loaded there.
        """
        travelling = self._travelling(step)
        if travelling.key not in self._known:
            arrays: block_form.Arrays = []
            self._exchange(travelling, self._request(travelling, None, 0, 0, {}, arrays), arrays)

    def call(
        self,
        step: Step,
        block: Block,
        epochs: Epochs,
        indices: Indices | int,
        before_agreeing: Callable[[], object] | None = None,
    ) -> Block:
        """What `step` makes of `block`, in memory of its own; waits for it.

        Args:
            before_agreeing: Called when a function has given its first result, before that counts for all others.

        Raises:
            WorkerDied: The process ended.
            TypeError: The step, or an element, cannot be pickled.
            BaseException: What `step.apply` raised, with the process's traceback as a note.
        """
        travelling = self._travelling(step)
        told: Structures = {}
        while True:
            arrays: block_form.Arrays = []
            try:
                form = block_form.pack(block, dumps_for_worker, arrays, lambda row, _: row)
            except Exception as error:
                raise TypeError(
                    f"{travelling.name}: an element cannot be sent to a worker process ({error}); write "
                    "executor='thread'"
                ) from error
            request = self._request(travelling, form, epochs, indices, told, arrays)
            answer, found, arrays = self._exchange(travelling, request, arrays)
            if found and before_agreeing is not None:
                before_agreeing()
            told = disagreements(travelling.functions, found)
            if not told:
                return _unpack(answer, arrays, block, travelling)

    def _travelling(self, step: Step) -> Portable:
        if self._portable is None or self._portable.step is not step:
            self._portable = portable(step)
        return self._portable

    def _exchange(
        self, travelling: Portable, request: Any, arrays: block_form.Arrays
    ) -> tuple[Any, Structures, block_form.Arrays]:
        """What the process answers, and what it has learnt."""
        self._is_busy = True
        try:
            self._await_start()
            self._channel.send(request, arrays)
            (failed, answer, retried, found), arrays = self._channel.receive()
        except (EOFError, OSError):
            raise self.death(travelling.name) from None
        self._is_busy = False
        for number, count in retried:
            function = travelling.functions[number]
            assert isinstance(function, RetriedFunction)
            function.faults.add(retried=count)
        if failed is not None:
            if not failed:
                del self._known[travelling.key]  # it could not be loaded
            raise unpack_error(answer)
        return answer, found, arrays

    def _request(
        self,
        travelling: Portable,
        form: block_form.Form,
        epochs: Epochs,
        indices: Indices | int,
        told: Structures,
        arrays: block_form.Arrays,
    ) -> Any:
        places: list[int | list[int]] = []
        for each in (epochs, indices):
            if isinstance(each, int):
                places.append(each)
            else:
                places.append([len(arrays)])
                arrays.append(each)
        surroundings = self._new_surroundings()
        number, forgotten = self._step(travelling, arrays)
        if number is not None:
            told = known(travelling.functions)
        return surroundings, travelling.key, number, forgotten, told, form, *places

    def _new_surroundings(self) -> bytes | None:
        """Those of this process, where the other one does not know them."""
        surroundings = None if self._told == self._surroundings else self._surroundings.pickled()
        self._told = self._surroundings
        return surroundings

    def _await_start(self) -> None:
        if not self._is_ready:
            self._channel.receive()
            self._is_ready = True

    def begin_conversation(self) -> tuple[Channel, bytes | None]:
        """The connection, for other messages than calls until `end_conversation`, and surroundings to take over.

        Raises:
            EOFError: The process ended, and `death` says how.
            OSError: So it did.
        """
        self._is_busy = True
        self._await_start()
        return self._channel, self._new_surroundings()

    def end_conversation(self) -> None:
        """Make ready for calls again; the process waits for one."""
        self._is_busy = False

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

    def death(self, name: str) -> WorkerDied:
        """The error that says how the process ended; waits for that."""
        self.end(time.monotonic() + SECONDS_TO_END)
        self._channel.close()
        if self._forget is not None:
            self._forget(self)
        code = self._process.returncode
        try:
            cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        except ValueError:
            cause = f"signal {-code}"
        return WorkerDied(
            f"{name}: worker process {self.pid} was ended by {cause} while it "
            f"{'computed' if self._is_ready else 'started'}{_HINTS.get(cause, '')}",
            cause,
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
        self.end(time.monotonic() + (0 if self._is_busy else SECONDS_TO_END))

    def leave(self) -> None:
        """Let go of the process without ending it: it is the parent's of this one, which was forked."""
        self._channel.leave()
        self._process.returncode = 0  # this process cannot wait for it


def _unpack(answer: Any, arrays: block_form.Arrays, block: Block, travelling: Portable) -> Block:
    given: set[int] = set()

    def unpack_given(form: Any) -> Exception:
        if isinstance(form, int):
            error = block.errors[form]
            if form in given:
                return all_errors(error, 2).errors[1]
            given.add(form)
            return error
        return unpack_row_error(form, travelling.functions)

    try:
        return block_form.unpack(answer, arrays, unpack_given)
    except Exception as error:
        failure = TypeError(
            f"{travelling.name}: results from a worker process cannot be read ({type(error).__name__}: {error}); "
            "return what pickle can put together in this process too, or write executor='thread'"
        )
        failure.__cause__ = error
        return all_errors(failure, block.rows)
