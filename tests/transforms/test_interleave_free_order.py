"""`interleave(deterministic=False)`: a resume loses and doubles nothing, through any step behind it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from penstock import Dataset

SECONDS = 30
LENGTHS = (5, 0, 9, 3, 7, 1, 4, 6)


class Gates:
    """Generators that each wait, before every element, until they are let go on."""

    def __init__(self) -> None:
        self.allowed = [threading.Semaphore(0) for _ in LENGTHS]

    def open(self, n: Any) -> Iterator[int]:
        for at in range(LENGTHS[int(n)]):
            assert self.allowed[int(n)].acquire(timeout=SECONDS)
            yield 100 * int(n) + at
        self.allowed[int(n)].acquire(timeout=SECONDS)

    def let(self, n: int, count: int) -> None:
        for _ in range(count):
            self.allowed[n].release()

    def let_all(self) -> None:
        for n, length in enumerate(LENGTHS):
            self.let(n, length + 1)


def interleaved(gates: Gates, deterministic: bool | None = False, calls: int | None = 3) -> Dataset[Any]:
    return Dataset.range(len(LENGTHS)).interleave(
        lambda n: Dataset.from_generator(gates.open, args=(n,)),
        cycle_length=3,
        num_parallel_calls=calls,
        deterministic=deterministic,
    )


STEPS: dict[str, Callable[[Dataset[Any]], Dataset[Any]]] = {
    "alone": lambda ds: ds,
    "batch": lambda ds: ds.batch(4),
    "prefetch": lambda ds: ds.prefetch(3),
    "shuffle": lambda ds: ds.shuffle(5, seed=1),
    "all": lambda ds: ds.filter(lambda n: n % 5 != 3).shuffle(4, seed=2).batch(3).prefetch(2),
}


def flat(elements: list[Any]) -> list[int]:
    return [int(value) for element in elements for value in np.ravel(element)]


@pytest.mark.parametrize("step", list(STEPS))
@pytest.mark.parametrize("loaded_in_order", [False, True])
def test_nothing_is_lost_or_doubled_by_a_resume_behind_any_step(step: str, loaded_in_order: bool) -> None:
    everything = sorted(100 * n + at for n, length in enumerate(LENGTHS) for at in range(length))
    wanted = [n for n in everything if n % 5 != 3] if step == "all" else everything
    for cut in range(12):
        gates = Gates()
        gates.let(2, 9)  # the third dataset runs before the first two, which wait
        gates.let(3, 2)
        gates.let(1, 1)
        iterator = iter(STEPS[step](interleaved(gates)))
        before = list(islice(iterator, min(cut, 1)))
        gates.let_all()
        before += islice(iterator, max(0, cut - 1))
        state = json.loads(json.dumps(iterator.state_dict()))
        iterator.close()
        again = Gates()
        again.let_all()
        calls = None if loaded_in_order else 3
        resumed = iter(STEPS[step](interleaved(again, None if loaded_in_order else False, calls)))
        resumed.load_state_dict(state)
        assert sorted(flat(before) + flat(list(resumed))) == wanted, cut


def test_what_was_read_ahead_of_a_batch_comes_in_the_same_order_again() -> None:
    gates = Gates()
    gates.let(2, 3)
    iterator = iter(interleaved(gates).batch(3))
    assert next(iterator).tolist() == [200, 201, 202]
    gates.let(0, 1)
    gates.let(2, 2)
    second = next(iterator).tolist()
    state = json.loads(json.dumps(iterator.state_dict()))
    gates.let_all()
    iterator.close()
    # A second resume from the state of the first, which was taken in the midst of what is taken again.
    for _ in range(2):
        again = Gates()
        again.let_all()
        resumed = iter(interleaved(again).batch(3))
        resumed.load_state_dict(state)
        state = json.loads(json.dumps(resumed.state_dict()))
        rest = flat(list(resumed))
        assert sorted([200, 201, 202, *second, *rest]) == sorted(
            100 * n + at for n, length in enumerate(LENGTHS) for at in range(length)
        )


def test_a_dataset_that_ended_first_is_known_to_have_ended() -> None:
    gates = Gates()
    gates.let(1, 1)  # it is empty: the fourth takes its place while the first and the third wait
    gates.let(3, 4)
    iterator = iter(interleaved(gates))
    assert [int(next(iterator)) for _ in range(3)] == [300, 301, 302]
    state = json.loads(json.dumps(iterator.state_dict()))
    gates.let_all()
    iterator.close()
    again = Gates()
    again.let_all()
    resumed = iter(interleaved(again))
    resumed.load_state_dict(state)
    rest = [int(n) for n in resumed]
    assert len(rest) == sum(LENGTHS) - 3
    assert not {300, 301, 302} & set(rest)
