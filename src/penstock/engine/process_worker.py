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
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn

import numpy as np

from penstock.block import Block
from penstock.engine import block_form
from penstock.engine.agreement import Learnt
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
    if hasattr(os, "register_at_fork"):
        # A child of user code that outlived this process would keep the end of the connection from the parent.
        os.register_at_fork(after_in_child=connection.close)
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
        self._steps: dict[bytes, tuple[Step, RunContext, Learnt]] = {}

    def serve(self) -> NoReturn:
        """Answer one request after another."""
        try:
            self._channel.send(None)  # it has started
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
        if not isinstance(request, tuple):
            request.serve(self._channel, arrays)
            return None
        surroundings, key, pickled, forgotten, told, form, epochs, indices = request
        results: block_form.Arrays = []
        try:
            for each in forgotten:
                del self._steps[each]
            if surroundings is not None:
                take_over(surroundings)
            if pickled is not None:
                step, functions = loads_step(arrays[pickled].data)
                self._steps[key] = step, RunContext(_prepare_nothing), Learnt(functions)
            step, context, learnt = self._steps[key]
            learnt.take_over(told)
            if form is None:
                return (None, None, [], {}), []
            block = block_form.unpack(form, arrays, GivenError)
            epochs, indices = (arrays[each[0]] if isinstance(each, list) else each for each in (epochs, indices))
            result = step.apply(block, context, epochs, indices)
            answer = _pack(result, step, learnt.functions, indices, results)
        except BaseException as error:
            # Not with the block: its frames would keep the memory that the block lies in.
            return (key in self._steps, pack_error(error), self._retried(key), {}), []
        finally:
            flush_output()
        return (None, answer, self._retried(key), learnt.news()), results

    def _retried(self, key: bytes) -> list[tuple[int, int]]:
        """The further calls in this request, for each function by its number that made any."""
        if key not in self._steps:
            return []
        functions = self._steps[key][2].functions
        counts = [(n, each.faults.take_retried()) for n, each in functions.items() if isinstance(each, RetriedFunction)]
        return [(number, count) for number, count in counts if count]


def flush_output() -> None:
    """Let what was printed appear now, so that it is not lost when this process is ended."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()


def _pack(
    result: Block, step: Step, functions: Mapping[int, ElementFunction], indices: Any, arrays: block_form.Arrays
) -> block_form.Form:
    """The form of a result; with errors in the rows that cannot be pickled."""

    def explain(row: int, error: Exception) -> Exception:
        index = indices + row if isinstance(indices, int) else int(indices[min(row, len(indices) - 1)])
        failure = TypeError(
            f"{step.signature()}: the result for element {index} cannot be sent from a worker process ({error}); "
            "return arrays, numbers, text or what can be pickled, or write executor='thread'"
        )
        if functions:
            failure.add_note(functions[max(functions)].note(index))
        return failure

    return pack_rows(result, arrays, explain)


def pack_rows(result: Block, arrays: block_form.Arrays, explain: Callable[[int, Exception], Exception]) -> Any:
    """The form of a block for the parent; `explain` makes the errors in the rows that cannot be pickled."""
    try:
        return block_form.pack(result, dumps_for_parent, arrays, _pack_row_error)
    except Exception:
        arrays.clear()
    errors: dict[int, Exception] = {}
    for row in range(result.rows):
        try:
            block_form.pack(result.slice(row, row + 1), dumps_for_parent, [], lambda _, error: None)
        except Exception as error:
            errors[row] = explain(row, error)
            errors[row].__cause__ = error
    return block_form.pack(_with_errors(result, errors), dumps_for_parent, arrays, _pack_row_error)


def _with_errors(block: Block, errors: dict[int, Exception]) -> Block:
    """`block` without the rows of `errors`, which stand in their places."""
    rows = [row for row in range(block.rows) if row not in errors and row not in block.errors]
    if not rows:
        return Block(None, (), block.rows, block.errors | errors, provenance=block.provenance)
    source = np.full(block.rows, rows[0])
    source[rows] = rows
    kept = block.take(source)
    return Block(kept.treedef, kept.columns, kept.rows, block.errors | errors, kept.fresh, block.provenance)


def _pack_row_error(row: int, error: Exception) -> Any:
    if isinstance(error, GivenError):
        return error.args[0]
    replay = error.__dict__.pop("penstock_replay", None)
    packed = pack_error(error)
    if replay is not None:
        error.penstock_replay = replay  # type: ignore[attr-defined]  # its function may raise this object again
    return packed, _pack_replay(replay)


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
