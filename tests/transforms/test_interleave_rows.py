"""`interleave` over rows that were yielded one by one: how they are joined, how many wait, and who reads them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from penstock import AUTOTUNE, Dataset, Options
from tests.corners import outcomes, values

SECONDS = 30


def rows_of(kinds: dict[int, list[Any]]) -> Any:
    """A function that makes a dataset of the rows of its number."""
    return lambda n: Dataset.from_generator(lambda number: iter(kinds[int(number)]), args=(n,))


@pytest.mark.parametrize("block_length", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 5, 24])
def test_rows_of_several_generators_are_joined_in_their_order(block_length: int, batch: int) -> None:
    kinds = {n: [np.full(3, 100 * n + at) for at in range(20 + n)] for n in range(4)}
    made = rows_of(kinds)
    expected = [row.tolist() for row in Dataset.range(4).interleave(made, 3, block_length)]
    batched = Dataset.range(4).interleave(made, 3, block_length, num_parallel_calls=2).batch(batch)
    assert [row for block in batched for row in block.tolist()] == expected


@pytest.mark.parametrize(
    "second",
    [
        [np.int64(7), np.int64(8)],
        [1.5, 2.5],
        ["a", "b"],
        [np.arange(2), np.arange(3)],
        [{"x": 1}, {"x": 2}],
    ],
    ids=["other integers", "floats", "text", "arrays", "another structure"],
)
def test_generators_of_different_kinds_give_what_they_give_one_after_another(second: list[Any]) -> None:
    made = rows_of({0: [1, 2], 1: second})
    expected = list(Dataset.range(2).interleave(made, 2))
    found = list(Dataset.range(2).interleave(made, 2, num_parallel_calls=2).prefetch(4))
    assert [type(element) for element in found] == [type(element) for element in expected]
    assert str(found) == str(expected)


def test_an_error_among_rows_that_are_joined_keeps_its_place() -> None:
    def breaking(n: Any) -> Iterator[Any]:
        yield n
        if n == 1:
            raise KeyError(n)
        yield n + 10

    ds = Dataset.range(3).interleave(lambda n: Dataset.from_generator(breaking, args=(n,)), 3, num_parallel_calls=3)
    assert outcomes(ds) == [0, 1, 2, 10, KeyError, 12]


def test_an_array_that_the_generator_goes_on_to_change_stays_as_it_was_yielded() -> None:
    def counting(n: Any) -> Iterator[Any]:
        row = np.zeros(4, np.int64)
        for at in range(30):
            row[:] = 100 * n + at
            yield row

    ds = Dataset.range(2).interleave(lambda n: Dataset.from_generator(counting, args=(n,)), 2, num_parallel_calls=2)
    assert [int(row[0]) for row in ds] == [100 * n + at for at in range(30) for n in range(2)]


def test_what_broke_reading_is_raised_once_and_the_rest_goes_on() -> None:
    def leaving(n: Any) -> Iterator[Any]:
        yield n
        if n == 0:
            raise SystemExit(3)
        yield n + 10

    ds = Dataset.range(2).interleave(lambda n: Dataset.from_generator(leaving, args=(n,)), 2, num_parallel_calls=2)
    iterator = iter(ds)
    assert [int(next(iterator)) for _ in range(2)] == [0, 1]
    with pytest.raises(SystemExit):
        next(iterator)


def test_no_more_is_read_ahead_than_the_budget_allows() -> None:
    given = [0, 0]
    may_go_on = threading.Semaphore(0)

    def large(n: Any) -> Iterator[Any]:
        for _ in range(50):
            given[int(n)] += 1
            may_go_on.release()
            yield np.zeros(1 << 17, np.uint8)

    ds = Dataset.range(2).interleave(lambda n: Dataset.from_generator(large, args=(n,)), 1, num_parallel_calls=2)
    with iter(ds.with_options(Options(memory_budget_bytes=1 << 17))) as iterator:
        next(iterator)
        for _ in range(2):
            assert may_go_on.acquire(timeout=SECONDS)
        # One of each may wait, and one more be on its way.
        assert max(given) <= 4


def test_autotune_begins_a_pass_with_as_many_threads_as_the_last_came_to() -> None:
    gate = threading.Barrier(4)

    def meeting(n: Any) -> Iterator[Any]:
        gate.wait(SECONDS)
        yield n

    ds = Dataset.range(8).interleave(lambda n: Dataset.from_generator(meeting, args=(n,)), num_parallel_calls=AUTOTUNE)
    settings: Any = ds._node
    assert settings.settings.pace.workers == 1
    settings.settings.pace.workers = 4
    assert values(ds) == list(range(8))


def test_statistics_tell_how_many_threads_read() -> None:
    ds = Dataset.range(4).interleave(lambda n: Dataset.from_generator(lambda: iter(range(9))), 4, num_parallel_calls=2)
    with iter(ds) as iterator:
        next(iterator)
        assert max(step.workers for step in iterator.stats()) in (1, 2)
