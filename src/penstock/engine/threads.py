"""The threads of parallel steps: daemons that live on from one iterator to the next."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue

from penstock.parallel import IDLE

_SECONDS_IDLE = 30.0
"""How long a thread without work is kept."""

_Inbox = SimpleQueue[tuple[Callable[[], None], str]]
_idle: list[_Inbox] = []
_lock = threading.Lock()


def start(work: Callable[[], None], name: str) -> None:
    """Run `work` in an idle thread, or in a new one; whoever starts it ends it, by a queue or a flag of its own.

    Args:
        work: Must not raise.
        name: What the thread is called meanwhile.
    """
    with _lock:
        inbox = _idle.pop() if _idle else None
    if inbox is None:
        inbox = SimpleQueue()
        inbox.put((work, name))
        threading.Thread(target=_serve, args=(inbox,), name=name, daemon=True).start()
    else:
        inbox.put((work, name))


def _serve(inbox: _Inbox) -> None:
    thread = threading.current_thread()
    while True:
        try:
            work, thread.name = inbox.get(timeout=_SECONDS_IDLE)
        except Exception:  # queue.Empty, whose module may be gone when the interpreter exits
            with _lock:
                if inbox in _idle:
                    _idle.remove(inbox)
                    return
            continue  # it was given work in this moment
        try:
            work()
        except BaseException:
            # A thread of the pool lives on; what nobody else has dealt with is told as for any thread.
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), thread)))
        finally:
            # The last work is not kept alive by a thread that waits for the next.
            del work
            thread.name = IDLE
            with _lock:
                _idle.append(inbox)
