"""What runs in a worker process: steps on blocks that come over a socket, until that is closed."""

from __future__ import annotations

import contextlib
import copy
import faulthandler
import io
import os
import select
import signal
import socket
import sys
import threading
from functools import partial
from typing import Any, NoReturn

import numpy as np

from penstock.engine import block_form
from penstock.engine.error_form import pack_error
from penstock.engine.pickles import dumps_for_parent, loads_step, number_of
from penstock.engine.run import RunContext
from penstock.engine.surroundings import take_over
from penstock.engine.transport import Channel
from penstock.node import Node, Step
from penstock.vectorize.function import ElementFunction, Replay
from penstock.vectorize.retried import RetriedFunction

SECONDS_IDLE = 60.0
"""How long a worker that rests in the pool is kept."""


class GivenError(Exception):
    """Stands in a row for an error of an earlier step, which stays in the parent; its argument is the row there."""


def serve(handle: str) -> NoReturn:
    """Work for the process at the other end of a socket.

    Args:
        handle: The socket's descriptor; empty where it comes through standard input (Windows).
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle, which ends this process
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    with contextlib.suppress(AttributeError, OSError, io.UnsupportedOperation):
        faulthandler.enable()
    del sys.argv[1:]
    connection = _connection(handle)
    if hasattr(select, "poll"):
        threading.Thread(target=_end_with, args=(connection.fileno(),), daemon=True).start()
    _Server(Channel(connection)).serve()


def _connection(handle: str) -> socket.socket:
    if sys.platform == "win32":
        return socket.fromshare(sys.stdin.buffer.read())
    return socket.socket(fileno=int(handle))


def _end_with(descriptor: int) -> None:
    """End this process, whatever it is at, when the other end is closed: that process may have been killed."""
    poll = select.poll()
    poll.register(descriptor, 0)
    poll.poll()
    os._exit(0)


class _Server:
    """Holds the steps that were sent, and runs them."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._steps: dict[bytes, tuple[Step, RunContext, dict[int, ElementFunction]]] = {}

    def serve(self) -> NoReturn:
        """Answer one request after another."""
        try:
            while True:
                answer = self._answer()
                if answer is not None:
                    self._channel.send(*answer)
                    del answer  # what it holds of the last block goes before the next one comes
        except (EOFError, OSError):  # the parent is gone, or has had no work for too long
            os._exit(0)

    def _answer(self) -> tuple[Any, block_form.Arrays] | None:
        request, arrays = self._channel.receive()
        self._channel.wait_at_most(None)
        if request is None:
            self._channel.forget_memory()
            self._channel.wait_at_most(SECONDS_IDLE)
            return None
        surroundings, key, pickled, forgotten, form, epochs, indices = request
        results: block_form.Arrays = []
        try:
            for each in forgotten:
                del self._steps[each]
            if surroundings is not None:
                take_over(surroundings)
            if pickled is not None:
                step, functions = loads_step(arrays[pickled].data)
                self._steps[key] = step, RunContext(_prepare_nothing), functions
            step, context, _ = self._steps[key]
            block = block_form.unpack(form, arrays, GivenError)
            epochs, indices = (arrays[each[0]] if isinstance(each, list) else each for each in (epochs, indices))
            result = step.apply(block, context, epochs, indices)
            answer = block_form.pack(result, dumps_for_parent, results, _pack_row_error)
        except BaseException as error:
            # Not with the block: its frames would keep the memory that the block lies in.
            return (key in self._steps, pack_error(error), self._retried(key)), []
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(AttributeError, OSError, ValueError):
                    stream.flush()  # what is printed appears now, and is not lost when this process is ended
        return (None, answer, self._retried(key)), results

    def _retried(self, key: bytes) -> list[tuple[int, int]]:
        """The further calls in this request, for each function by its number that made any."""
        _, _, functions = self._steps.get(key, (None, None, {}))
        counts = [(n, each.faults.take_retried()) for n, each in functions.items() if isinstance(each, RetriedFunction)]
        return [(number, count) for number, count in counts if count]


def _pack_row_error(row: int, error: Exception) -> Any:
    if isinstance(error, GivenError):
        return error.args[0]
    replay = error.__dict__.pop("penstock_replay", None)
    return pack_error(error), _pack_replay(replay)


def _pack_replay(replay: Replay | None) -> tuple[int, bytes] | None:
    """The number of the function, and what else its replay is made of; None if that cannot travel."""
    number = None if replay is None else number_of(replay.function)
    if replay is None or number is None:
        return None
    try:
        # The last argument is made now: what makes it holds the rows of a whole block, and so does the row.
        last = None if replay.last is None else partial(copy.deepcopy, replay.last())
        return number, dumps_for_parent((replay.row.take(np.zeros(1, np.intp)), last, replay.index))
    except Exception:
        return None


def _prepare_nothing(plan: Node, facts: Any | None) -> tuple[Node, Any]:
    raise RuntimeError("a step in a worker process opens no plans")
