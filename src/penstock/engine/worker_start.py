"""How a worker process is started: the same interpreter anew, with a socket as its only link; never by a fork."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

from penstock.engine.surroundings import Surroundings

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; from penstock.engine.process_worker import serve; serve(sys.argv[1])"
)


def start(surroundings: Surroundings) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A new process in `surroundings`, and the socket that it listens to.

    Raises:
        RuntimeError: There is no interpreter to run, or the system has no room for another process or descriptor.
    """
    if not sys.executable:
        raise RuntimeError(
            "worker processes need a Python interpreter, and sys.executable names none; write executor='thread'"
        )
    try:
        return _started(surroundings)
    except OSError as error:  # not as it is: from a worker it would mean that the process is gone
        raise RuntimeError(
            f"a worker process cannot be started ({error}); write executor='thread' or a smaller num_parallel_calls, "
            "or raise the limit of processes (ulimit -u) or open files (ulimit -n)"
        ) from error


def _started(surroundings: Surroundings) -> tuple[subprocess.Popen[bytes], socket.socket]:
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
