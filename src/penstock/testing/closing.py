"""The law of closing: nothing runs on and nothing stays open after the end, a `close`, or a forgotten iterator."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from penstock.parallel import IDLE
from penstock.testing.case import Chain
from penstock.testing.observe import HORIZON, first, observe, same

_SECONDS_TO_END = 10.0
_open_generators: set[int] = set()


def watched(elements: list[Any]) -> Iterator[Any]:
    """A generator of `elements` that the law of closing watches: whether it was left open."""
    mark = id(object())
    while mark in _open_generators:
        mark += 1
    _open_generators.add(mark)
    try:
        yield from elements
    finally:
        _open_generators.discard(mark)


def close(chain: Chain, choose: Callable[[int, int], int]) -> None:
    """An iterator closed, dropped, left by an exception or read to its end leaves no thread and no generator."""
    expected = first(chain.elements())
    count = choose(0, len(expected))
    threads, generators = set(threading.enumerate()), set(_open_generators)

    elements = iter(chain.build())
    observe(elements, count)
    elements.close()
    elements.close()
    _check(threads, generators, f"close() after {count} elements")
    assert observe(elements) == [], "close: an iterator went on after close()"
    resumed = iter(chain.build())
    resumed.load_state_dict(elements.state_dict())
    same(expected[count:], observe(resumed, HORIZON - count), f"close: resumed from the state after close() at {count}")

    resumed.close()

    elements = iter(chain.build())
    observe(elements, count)
    del elements
    # What a thread is at work for at this moment is not garbage before it has done that.
    _check(threads, generators, f"the iterator was forgotten after {count} elements", _SECONDS_TO_END)

    try:
        with iter(chain.build()) as elements:
            observe(elements, count)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    _check(threads, generators, f"an exception after {count} elements")

    elements = iter(chain.build())
    if len(observe(elements)) == len(expected) and observe(elements, 1) == []:
        _check(threads, generators, "the end")


def _check(threads: set[threading.Thread], generators: set[int], when: str, within_seconds: float = 0.0) -> None:
    deadline = time.monotonic() + within_seconds
    generation = 0
    while True:
        # An error that was raised may hold on to operators through its traceback until all garbage is collected.
        gc.collect(generation)
        # Threads of the pool live on, without work.
        running = [t.name for t in threading.enumerate() if t not in threads and t.name != IDLE]
        left = _open_generators - generators
        if not running and not left:
            return
        if generation and time.monotonic() > deadline:
            break
        generation = 2
    assert not running, f"close: after {when}, threads {running} still run"
    raise AssertionError(f"close: after {when}, {len(left)} generators are still open")
