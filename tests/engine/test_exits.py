"""Exceptions that are no errors, such as SystemExit, raised by user functions: all before them comes first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from penstock import Dataset


def exits_at(place: int) -> Any:
    def function(n: Any) -> Any:
        if n == place:
            raise SystemExit(3)
        return n * 10

    return function


def before_the_exit(ds: Dataset[Any]) -> list[int]:
    """What comes before SystemExit, which comes again where it is asked again."""
    found: list[int] = []
    with ds.iterator() as iterator:
        for _ in range(2):
            with pytest.raises(SystemExit):
                found.extend(map(int, iterator))
    return found


def test_a_function_that_might_exit_is_not_tried_out() -> None:
    ds = Dataset.range(2000).map(exits_at(10_000))
    assert [int(n) for n in ds] == list(range(0, 20_000, 10))
    assert "raises SystemExit" in ds.explain()
    assert ds.element_spec.dtype == np.int64


def test_one_after_another() -> None:
    assert before_the_exit(Dataset.range(10).map(exits_at(6))) == [0, 10, 20, 30, 40, 50]


SOURCES: dict[str, Any] = {
    "by index": lambda: Dataset.range(10),
    "as a stream": lambda: Dataset.from_generator(lambda: iter(range(10))),
}


@pytest.mark.parametrize("executor", ["thread", "process"])
@pytest.mark.parametrize("source", SOURCES)
def test_rows_that_a_worker_was_given_together_come_as_far_as_the_exit(source: str, executor: str) -> None:
    for run_rows in (1, 4, 8):
        ds = SOURCES[source]().map(exits_at(6), num_parallel_calls=2, executor=executor)
        ds._node.settings.pace.run_rows = run_rows
        assert before_the_exit(ds) == [0, 10, 20, 30, 40, 50]


def test_an_exit_that_comes_once_is_not_lost() -> None:
    pending = [5]

    def exits_once(n: Any) -> Any:
        if n in pending:
            pending.clear()
            raise SystemExit
        return n

    ds = Dataset.range(8).map(exits_once, num_parallel_calls=1, executor="thread")
    ds._node.settings.pace.run_rows = 8
    found: list[int] = []
    with ds.iterator() as iterator, pytest.raises(SystemExit):
        found.extend(map(int, iterator))
    assert found == list(range(8))


@pytest.mark.parametrize("num_parallel_calls", [None, 2])
def test_rows_of_all_datasets_in_turn_come_as_far_as_the_exit(num_parallel_calls: int | None) -> None:
    def generate() -> Iterator[int]:
        yield from range(5)
        raise SystemExit

    ds = Dataset.range(2).interleave(
        lambda _: Dataset.from_generator(generate), cycle_length=2, num_parallel_calls=num_parallel_calls
    )
    assert before_the_exit(ds) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
