"""The threads of parallel steps: daemons that live on from one iterator to the next."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue

from penstock.parallel import IDLE

_SECONDS_IDLE = 30.0
"""How long a thread without work is kept."""

_Inbox = SimpleQueue[tuple[Callable[[], None], str, Callable[[], None] | None]]
# Appended to and taken from without a lock: both are atomic, and the garbage collector, which ends iterators and so
# starts threads, may run in the middle of either.
_idle: list[_Inbox] = []
if hasattr(os, "register_at_fork"):
    # A forked process has none of these threads: what they were given would never be done.
    os.register_at_fork(after_in_child=_idle.clear)
_here = threading.local()
"""`is_of_pool` is set in the threads of the pool."""


def start(work: Callable[[], None], name: str, then: Callable[[], None] | None = None) -> None:
    """Run `work` in an idle thread, or in a new one; whoever starts it ends it, by a queue or a flag of its own.

    Args:
        work: Must not raise.
        name: What the thread is called meanwhile.
        then: Called in the thread when it is idle again, so that whoever starts another after that gets this one.
    """
    inbox = None
    with contextlib.suppress(IndexError):
        inbox = _idle.pop()
    # Not where the error is handled: Ctrl-C that comes here would tell of it.
    if inbox is None:
        inbox = SimpleQueue()
        inbox.put((work, name, then))
        threading.Thread(target=_serve, args=(inbox,), name=name, daemon=True).start()
    else:
        inbox.put((work, name, then))


def outside(work: Callable[[], None], name: str) -> None:
    """Run what may wait for threads of the pool: now, or, called in one of them, in another.

    The garbage collector runs in whatever thread needs memory, and so may end an iterator in a thread that the iterator
    would wait for.
    """
    if getattr(_here, "is_of_pool", False):
        start(work, name)
    else:
        work()


def _serve(inbox: _Inbox) -> None:
    thread = threading.current_thread()
    _here.is_of_pool = True
    while True:
        try:
            work, thread.name, then = inbox.get(timeout=_SECONDS_IDLE)
        except Exception:  # queue.Empty, whose module may be gone when the interpreter exits
            try:
                _idle.remove(inbox)
            except ValueError:
                continue  # it was given work in this moment
            return
        try:
            work()
        except BaseException:
            # A thread of the pool lives on; what nobody else has dealt with is told as for any thread.
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), thread)))
        finally:
            # The last work is not kept alive by a thread that waits for the next.
            del work
            thread.name = IDLE
            _idle.append(inbox)
            if then is not None:
                then()
            del then
