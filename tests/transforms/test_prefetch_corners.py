"""`prefetch` in odd corners: how far it reads, errors, endings, threads that end."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest

from penstock import AUTOTUNE, Dataset
from penstock.parallel import IDLE
from tests.corners import Counting, Yielding, failing_at, outcomes, values

SECONDS = 20.0


def threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("penstock") and name != IDLE]


class Reaching:
    """A function that says when it was called `count` times."""

    def __init__(self, count: int) -> None:
        self.calls = 0
        self.count = count
        self.reached = threading.Event()

    def __call__(self, element: Any) -> Any:
        self.calls += 1
        if self.calls == self.count:
            self.reached.set()
        return element


@pytest.mark.parametrize("buffer_size", [1, 2, 7])
def test_it_reads_just_so_far_ahead(buffer_size: int) -> None:
    ahead = Reaching(buffer_size + 1)
    with iter(Dataset.range(100).map(ahead).prefetch(buffer_size)) as iterator:
        assert ahead.calls == 0
        assert next(iterator) == 0
        assert ahead.reached.wait(SECONDS), "the thread did not compute what it may"
        ahead.count, ahead.reached = buffer_size + 2, threading.Event()
        assert next(iterator) == 1
        assert ahead.reached.wait(SECONDS), "an element that was taken made no room for the next"
        assert ahead.calls == buffer_size + 2


def test_nothing_is_read_and_no_thread_runs_before_the_first_element_is_asked_for() -> None:
    source = Yielding(1, 2)
    iterator = iter(Dataset.from_generator(source).prefetch(2))
    assert (source.calls, threads()) == (0, [])
    assert values(iterator) == [1, 2]


def test_the_function_runs_in_another_thread() -> None:
    found: list[str] = []
    list(Dataset.range(2).map(lambda n: found.append(threading.current_thread().name) or n).prefetch(1))
    assert threading.current_thread().name not in found


def test_the_consumer_and_the_thread_may_wait_for_each_other() -> None:
    both = threading.Barrier(2, timeout=SECONDS)

    def meets(n: Any) -> Any:
        if n:
            both.wait()
        return n

    iterator = iter(Dataset.range(4).map(meets).prefetch(1))
    for wanted in range(4):
        assert next(iterator) == wanted
        if wanted < 3:
            both.wait()


@pytest.mark.parametrize("size", [0, 1, AUTOTUNE, None, 2**62, np.int64(2)], ids=str)
def test_sizes(size: Any) -> None:
    assert values(Dataset.range(50).prefetch(size)) == list(range(50))


def test_a_size_of_none_at_all_starts_no_thread() -> None:
    iterator = iter(Dataset.range(3).map(Counting()).prefetch(0))
    next(iterator)
    assert threads() == []


@pytest.mark.parametrize(
    ("size", "error", "text"),
    [(-2, ValueError, "at least -1, but is -2"), (1.5, TypeError, "but is 1.5"), ("2", TypeError, "but is '2'")],
)
def test_wrong_sizes_are_refused_at_the_call(size: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=rf"^prefetch\(\): buffer_size must be .*{text}"):
        Dataset.range(3).prefetch(size)


def test_errors_keep_their_places_and_the_rest_goes_on() -> None:
    assert outcomes(Dataset.range(5).map(failing_at(0, 3)).prefetch(2)) == [KeyError, 10, 20, KeyError, 40]


def test_an_error_from_another_thread_keeps_type_notes_and_the_users_frames() -> None:
    with pytest.raises(KeyError) as raised:
        list(Dataset.range(5).map(failing_at(3)).prefetch(2))
    assert raised.value.args == ("bad number", 3)
    assert "element 3" in raised.value.__notes__[0]
    assert any(entry.name == "tenfold" for entry in raised.traceback)


def test_a_source_that_cannot_be_opened_is_an_error_here() -> None:
    def opens() -> Any:
        raise OSError("no such disk")

    assert outcomes(Dataset.from_generator(opens).prefetch(2)) == [OSError]


@pytest.mark.parametrize("leave", ["close", "del", "take", "end", "break"])
def test_however_it_is_left_the_thread_and_the_generator_end(leave: str) -> None:
    source = Yielding(*range(1000))
    ds: Dataset[Any] = Dataset.from_generator(source).prefetch(3)
    if leave == "take":
        assert len(values(ds.take(5))) == 5
    elif leave == "end":
        assert len(list(ds)) == 1000
    elif leave == "break":
        for _ in ds:
            break
    else:
        iterator = iter(ds)
        next(iterator)
        if leave == "close":
            iterator.close()
            iterator.close()
        del iterator
    assert threads() == []
    assert (source.calls, source.ended) == (1, 1)


def test_an_error_that_nobody_catches_ends_the_thread_with_its_iterator() -> None:
    gc.disable()
    try:
        with pytest.raises(KeyError):
            for _ in Dataset.range(1000).map(failing_at(2)).prefetch(3):
                pass
        assert threads() == []
    finally:
        gc.enable()


def test_an_endless_source() -> None:
    assert values(Dataset.range(2).repeat().map(Counting()).prefetch(4).take(5)) == [0, 1, 0, 1, 0]
    assert threads() == []


def test_prefetch_of_prefetch() -> None:
    assert values(Dataset.range(9).map(Counting()).prefetch(2).map(Counting()).prefetch(3)) == list(range(9))
    assert threads() == []


def test_the_end_keeps_being_the_end() -> None:
    iterator = iter(Dataset.range(2).prefetch(1))
    assert values(iterator) == [0, 1]
    assert values(iterator) == values(iterator) == []
