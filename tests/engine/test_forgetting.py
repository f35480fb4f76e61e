"""Iterators leave nothing alive: no element, no generator, no thread, without the garbage collector's help."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from penstock.parallel import IDLE
from tests.corners import failing_at

PLANS: dict[str, Callable[[Dataset[Any]], Dataset[Any]]] = {
    "source": lambda ds: ds,
    "map": lambda ds: ds.map(lambda x: x),
    "map with effects": lambda ds: ds.map(lambda x: [].append(x) or x),
    "filter": lambda ds: ds.filter(lambda x: bool(x[0] < 15)),
    "flat_map": lambda ds: ds.flat_map(lambda x: Dataset.from_tensors(x)),
    "batch": lambda ds: ds.batch(3),
    "unbatch": lambda ds: ds.batch(3).unbatch(),
    "zip": lambda ds: Dataset.zip(ds, ds),
    "shuffle": lambda ds: ds.shuffle(4),
    "repeat": lambda ds: ds.repeat(2),
    "take": lambda ds: ds.take(7),
    "concatenate": lambda ds: ds.concatenate(ds),
    "prefetch": lambda ds: ds.prefetch(2),
    "take_while": lambda ds: ds.take_while(lambda x: bool(x[0] < 15)),
    "scan": lambda ds: ds.scan(0, lambda count, x: (count + 1, x)),
    "unique": lambda ds: ds.unique(),
    "sample_from_datasets": lambda ds: Dataset.sample_from_datasets([ds, ds]),
    "choose_from_datasets": lambda ds: Dataset.choose_from_datasets([ds, ds], Dataset.range(2).repeat()),
    "map_batches": lambda ds: ds.map_batches(lambda x: x, 4),
    "random_map": lambda ds: ds.random_map(lambda x, rng: x * rng.random()),
}


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Arrays:
    """A generator function whose arrays are followed."""

    def __init__(self) -> None:
        self.made: list[weakref.ref[Any]] = []

    def __call__(self) -> Iterator[Any]:
        for n in range(20):
            array = np.full(1000, float(n))
            self.made.append(weakref.ref(array))
            yield array
            del array

    @property
    def alive(self) -> int:
        return sum(reference() is not None for reference in self.made)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("name", PLANS)
def test_an_iterator_that_is_dropped_takes_everything_with_it(name: str) -> None:
    arrays = Arrays()
    ds = PLANS[name](Dataset.from_generator(arrays))
    for stop in (1, 3, 100):
        iterator = iter(ds)
        for _, element in zip(range(stop), iterator, strict=False):
            del element
        operator, mine = weakref.ref(iterator._operator), weakref.ref(iterator)
        del iterator
        assert mine() is None
        assert operator() is None
        assert arrays.alive == 0
    assert [
        thread for thread in threading.enumerate() if thread.name.startswith("penstock") and thread.name != IDLE
    ] == []


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("name", ["source", "map", "map with effects", "take", "concatenate", "repeat", "prefetch"])
def test_so_does_one_that_raised_an_error(name: str) -> None:
    def numbers() -> Iterator[Any]:
        yield from range(6)

    ds = PLANS[name](Dataset.from_generator(numbers).map(failing_at(0)))
    iterator = iter(ds)
    try:
        for _ in range(6):
            next(iterator)
    except KeyError:
        pass
    mine = weakref.ref(iterator)
    del iterator
    assert mine() is None


@pytest.mark.usefixtures("no_collector")
def test_elements_go_as_the_loop_goes_on() -> None:
    arrays = Arrays()
    for element in Dataset.from_generator(arrays).map(lambda x: [].append(x) or x).prefetch(1):
        del element
        assert arrays.alive <= 4


@pytest.mark.usefixtures("no_collector")
def test_a_dataset_that_is_dropped_takes_its_cache_and_its_functions_with_it() -> None:
    arrays = Arrays()
    ds = Dataset.from_generator(arrays).cache()
    list(ds)
    kept = weakref.ref(ds._node.cell)
    function = lambda x: x  # noqa: E731
    followed = weakref.ref(function)
    mapped = ds.map(function)
    list(mapped)
    del ds, mapped, function
    assert kept() is None
    assert followed() is None
    assert arrays.alive == 0


@pytest.mark.usefixtures("no_collector")
def test_looking_leaves_nothing_either() -> None:
    arrays = Arrays()
    ds = Dataset.from_generator(arrays).prefetch(2)
    ds.head(2)
    ds._repr_html_()
    _ = ds.element_spec
    ds.reduce(0.0, lambda state, x: state + x[0])
    assert arrays.alive == 0


def test_the_garbage_collector_may_run_in_a_thread_of_the_iterator_that_it_takes() -> None:
    began, go, done = threading.Event(), threading.Event(), threading.Event()

    def collects(n: Any) -> Any:
        if n == 1:
            began.set()
            go.wait(20)
            gc.collect()
            done.set()
        return n

    # `prefetch` waits for the map's threads, and one of these would wait for that of `prefetch`.
    ds = Dataset.range(100).map(collects, num_parallel_calls=2, executor="thread", vectorize=False).prefetch(2)
    gc.disable()
    try:
        iterator = iter(ds)
        next(iterator)
        assert began.wait(20)
        cycle: list[Any] = [iterator]
        cycle.append(cycle)
        del iterator, cycle
        go.set()
        assert done.wait(20)
    finally:
        gc.enable()
    # Its threads end without a warning, which would be an error here; see the fixture `no_thread_left`.
