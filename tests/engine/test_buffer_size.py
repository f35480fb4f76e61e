"""How far a `prefetch(AUTOTUNE)` is ahead, on simulated readers: no thread runs and no real time passes."""

from __future__ import annotations

from collections.abc import Callable

from penstock.engine.buffer_size import BufferSize

PLENTY = 1 << 12


def read_from(size: BufferSize, seconds_away: Callable[[int], float], reads: int, each_takes: float) -> int:
    """Let a reader take rows, of which a thread makes one in `each_takes` seconds; how often it found none."""
    now, free_at, rested_since = 0.0, 0.0, False
    done: list[float] = []  # when each row in the buffer is, or was, there
    empty = 0
    for number in range(reads):
        now += seconds_away(number)
        while len(done) < size.rows + 1:
            # Its time counts from when there was room for it.
            free_at = max(free_at, now - seconds_away(number)) + each_takes
            done.append(free_at)
        ready = sum(at <= now for at in done)
        rested_since |= ready > size.rows
        empty += not ready
        now = max(now, done.pop(0))
        rested_since &= not size.read(1, min(ready, size.rows), rested_since, PLENTY) > 0
    return empty


def test_it_begins_with_one_row() -> None:
    assert BufferSize().rows == 1


def test_a_thread_that_is_too_slow_gets_no_larger_buffer() -> None:
    size = BufferSize()
    read_from(size, lambda number: 0.0, 1000, each_takes=0.01)
    assert size.rows == 1


def test_a_reader_by_fits_and_starts_gets_a_buffer_for_each_fit() -> None:
    size = BufferSize()
    read_from(size, lambda number: 0.0 if number % 8 else 1.0, 200, each_takes=0.01)
    assert 4 <= size.rows <= 16
    assert read_from(size, lambda number: 0.0 if number % 8 else 1.0, 80, each_takes=0.01) < 20


def test_what_is_never_touched_goes_again() -> None:
    size = BufferSize()
    read_from(size, lambda number: 0.0 if number % 64 else 1.0, 2000, each_takes=0.01)
    grown = size.rows
    read_from(size, lambda number: 1.0, 64 * grown, each_takes=0.01)
    assert size.rows == 1 < grown


def test_it_grows_no_further_than_there_is_memory_and_never_below_one() -> None:
    size = BufferSize()
    for _ in range(20):
        size.read(1, 0, True, 10)
    assert size.rows == 8
    assert size.read(1, 8, False, 3) == -5
    assert size.rows == 3
    size.read(1, 3, False, 0)
    assert size.rows == 1
    for _ in range(1000):
        size.read(1, 1, False, PLENTY)
    assert size.rows == 1


def test_where_it_has_to_grow_again_it_shrinks_later_the_next_time() -> None:
    def reads_until_it_shrinks() -> int:
        for count in range(1, 10_000):
            if size.read(1, size.rows, False, PLENTY) < 0:
                return count
        raise AssertionError("it does not shrink")

    size = BufferSize()
    for _ in range(5):
        size.read(1, 0, True, PLENTY)
    first = reads_until_it_shrinks()
    size.read(1, 0, True, PLENTY)
    assert reads_until_it_shrinks() > first
