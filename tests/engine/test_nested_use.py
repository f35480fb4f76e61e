"""Datasets built, iterated and reduced inside functions and generators of other datasets; many threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from penstock import Dataset
from tests.corners import Counting, values

SECONDS = 20.0


def test_reduce_inside_a_map() -> None:
    ds = Dataset.range(4).map(lambda n: Dataset.range(n + 1).reduce(0, lambda state, m: state + int(m)))
    assert values(ds) == [0, 1, 3, 6]


def test_a_single_element_inside_a_flat_map() -> None:
    def doubled(n: Any) -> Dataset[Any]:
        return Dataset.range(Dataset.from_tensors(n).map(lambda m: m * 2).get_single_element())

    assert values(Dataset.range(3).flat_map(doubled)) == [0, 1, 0, 1, 2, 3]


def test_a_generator_that_reads_a_dataset() -> None:
    inner = Dataset.range(3).map(lambda n: n + 1)
    assert values(Dataset.from_generator(lambda: iter(inner)).repeat(2)) == [1, 2, 3, 1, 2, 3]


def test_threads_inside_threads() -> None:
    def inner(n: Any) -> Dataset[Any]:
        return Dataset.from_generator(lambda: range(int(n))).map(Counting()).prefetch(2)

    ds = Dataset.range(5).map(Counting()).prefetch(2).flat_map(inner).prefetch(3)
    assert values(ds) == [m for n in range(5) for m in range(n)]


def test_a_dataset_read_by_a_function_of_itself() -> None:
    ds = Dataset.range(3).shuffle(3, seed=1).cache()
    assert values(ds.map(lambda n: sum(int(m) for m in ds) + n * 0)) == [3, 3, 3]


def test_a_cache_filled_inside_the_function_that_fills_it() -> None:
    base = Dataset.range(4).map(lambda n: n + 1, vectorize=False)
    cached = base.cache()
    assert values(cached.map(lambda n: n * len(list(cached)))) == [4, 8, 12, 16]


def at_once(work: Callable[[], Any], count: int = 4) -> list[Any]:
    """What `work` gives in each of several threads that begin together."""
    found: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait(SECONDS)
        try:
            found[number] = work()
        except Exception as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    return found


SHARED: dict[str, tuple[Callable[[], Dataset[Any]], list[Any]]] = {
    "vectorised": (lambda: Dataset.range(3000).map(lambda n: n * 2), list(range(0, 6000, 2))),
    "branching": (
        lambda: Dataset.range(3000).map(lambda n: n if n % 2 else -n),
        [n if n % 2 else -n for n in range(3000)],
    ),
    "filter": (lambda: Dataset.range(3000).filter(lambda n: n % 3 == 0), list(range(0, 3000, 3))),
    "cache": (lambda: Dataset.range(3000).map(lambda n: n + 1, vectorize=False).cache(), list(range(1, 3001))),
    "prefetch": (lambda: Dataset.range(500).map(lambda n: n + 1, vectorize=False).prefetch(3), list(range(1, 501))),
    "writing": (lambda: Dataset.range(900).batch(3).map(lambda b: b.__iadd__(1)[0]), list(range(1, 901, 3))),
}


@pytest.mark.parametrize("name", SHARED)
def test_one_dataset_read_by_many_threads(name: str) -> None:
    build, expected = SHARED[name]
    ds = build()
    for _ in range(3):
        assert at_once(lambda: values(ds, 5000)) == [expected] * 4


def test_passes_of_a_shuffle_are_dealt_out_once_each() -> None:
    ds, other = (Dataset.range(50).shuffle(50, seed=1) for _ in range(2))
    expected = [values(other) for _ in range(8)]
    assert sorted(at_once(lambda: values(ds), 8)) == sorted(expected)


def test_functions_may_wait_for_each_other_across_a_thread() -> None:
    ping, pong = threading.Event(), threading.Event()

    def ahead(n: Any) -> Any:
        if n == 1:
            ping.set()
            assert pong.wait(SECONDS)
        return n

    def behind(n: Any) -> Any:
        if n == 0:
            assert ping.wait(SECONDS)
            pong.set()
        return n

    assert values(Dataset.range(3).map(ahead).prefetch(1).map(behind)) == [0, 1, 2]
