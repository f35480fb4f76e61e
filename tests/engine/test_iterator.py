"""The iterator: its end, closing it, Ctrl-C in the middle of a step, errors in every place."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penstock import Dataset, block
from penstock.block import Block
from penstock.blockwise import Blockwise
from penstock.engine import iterator
from penstock.node import Context, Epochs, Indices, Node
from penstock.record import record
from penstock.spec import Spec
from tests.corners import Counting, Yielding, failing_at, outcomes, plain, values


def test_the_end_keeps_being_the_end() -> None:
    iterator = iter(Dataset.range(2))
    assert values(iterator) == [0, 1]
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(iterator)


def test_an_iterator_is_its_own_iterator() -> None:
    iterator = iter(Dataset.range(4))
    assert next(iterator) == 0
    assert iter(iterator) is iterator
    assert values(iterator) == [1, 2, 3]


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_closing_ends_it_and_twice_is_fine(taken: int) -> None:
    source = Yielding(*range(10))
    iterator = iter(Dataset.from_generator(source))
    for _ in range(taken):
        next(iterator)
    iterator.close()
    iterator.close()
    assert values(iterator) == []
    assert source.calls == source.ended == bool(taken)


def test_closing_drops_the_elements_that_were_computed_ahead() -> None:
    iterator = iter(Dataset.range(10_000))
    for _ in range(100):
        next(iterator)
    iterator.close()
    assert values(iterator) == []


def test_a_with_block_closes_it_also_when_it_is_left_by_an_error() -> None:
    source = Yielding(1, 2, 3)

    def leaves_early() -> None:
        with iter(Dataset.from_generator(source)) as iterator:
            next(iterator)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leaves_early()
    assert source.ended == 1


def test_the_end_closes_the_source_at_once() -> None:
    source = Yielding(1, 2)
    iterator = iter(Dataset.from_generator(source).map(lambda n: n))
    assert values(iterator) == [1, 2]
    assert source.ended == 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("taken", [0, 1])
def test_a_copy_would_share_its_place_and_is_refused(copied: Callable[[Any], Any], taken: int) -> None:
    iterator = iter(Dataset.range(5))
    values([next(iterator) for _ in range(taken)])
    with pytest.raises(TypeError, match="state_dict"):
        copied(iterator)
    assert values(iterator) == list(range(taken, 5))


def test_two_iterators_of_one_dataset_share_nothing() -> None:
    source = Yielding(1, 2, 3)
    ds = Dataset.from_generator(source)
    left, right = iter(ds), iter(ds)
    assert [next(left), next(left), next(right), next(left), next(right)] == [1, 2, 1, 3, 2]
    assert source.calls == 2


@pytest.mark.parametrize("bad", [(0,), (5,), (0, 1, 2), (3, 4, 63, 64, 99), tuple(range(100))], ids=str)
@pytest.mark.parametrize("purity", ["pure", "stateful"])
def test_errors_come_in_their_places_and_everything_else_too(bad: tuple[int, ...], purity: str) -> None:
    ds = Dataset.range(100).map(failing_at(*bad), purity=purity)
    assert outcomes(ds) == [KeyError if n in bad else n * 10 for n in range(100)]


def test_a_block_full_of_errors_costs_no_more_per_error_than_a_few() -> None:
    found = outcomes(Dataset.range(20_000).map(failing_at(*range(20_000)), purity="pure"), 20_000)
    assert found == [KeyError] * 20_000


class Interrupted:
    """A function that is broken off by Ctrl-C once, at one element."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.pending = True

    def __call__(self, n: Any) -> Any:
        if n == self.at and self.pending:
            self.pending = False
            raise KeyboardInterrupt
        return n * 10


PLANS: dict[str, Any] = {
    "map": lambda f: Dataset.range(8).map(f),
    "pure map": lambda f: Dataset.range(8).map(f, purity="pure"),
    "batch": lambda f: Dataset.range(8).map(f).batch(2),
    "filter": lambda f: Dataset.range(8).map(f).filter(lambda n: n >= 0),
    "prefetch": lambda f: Dataset.range(8).map(f).prefetch(1),
    "shuffle": lambda f: Dataset.range(8).map(f).shuffle(3, seed=0),
    "shard": lambda f: Dataset.range(8).map(f).shard(2, 1),
    "zip": lambda f: Dataset.zip(Dataset.range(8), Dataset.range(8).map(f)),
    "unbatch": lambda f: Dataset.range(8).map(f).batch(3).unbatch(),
    "map_batches": lambda f: Dataset.range(8).map(f).map_batches(lambda n: n, 3),
    "flat_map": lambda f: Dataset.range(4).flat_map(lambda n: Dataset.range(2).map(lambda i: f(2 * n + i))),
    "repeat": lambda f: Dataset.range(4).map(lambda n: f(n + 1)).repeat(2),
}


@pytest.mark.parametrize("name", PLANS)
def test_after_ctrl_c_state_and_iterator_go_on_with_the_next_element(name: str) -> None:
    expected = values(PLANS[name](lambda n: n * 10))
    ds = PLANS[name](Interrupted(3))
    iterator = iter(ds)
    before: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        before.extend(map(plain, iterator))
    state = iterator.state_dict()
    taken = len(before)
    assert before == expected[:taken]
    assert values(iterator) == expected[taken:]
    restored = iter(ds)
    restored.load_state_dict(state)
    assert values(restored) == expected[taken:]


def test_a_pass_can_be_chosen_and_does_not_count() -> None:
    ds, other = (Dataset.range(30).shuffle(30, seed=1) for _ in range(2))
    passes = [values(other) for _ in range(3)]
    assert values(ds.iterator(epoch=2)) == passes[2]
    assert values(ds) == passes[0]


@pytest.mark.parametrize(("epoch", "error"), [(-1, ValueError), (1.5, TypeError), ("0", TypeError)])
def test_a_pass_that_is_none_is_refused_at_the_call(epoch: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^iterator\(\): epoch must be an integer of at least 0|epoch must be at least 0"):
        Dataset.range(3).iterator(epoch=epoch)


def test_as_numpy_iterator_gives_scalars_of_numpy_text_as_it_is_and_read_only_arrays() -> None:
    ds = Dataset.from_tensor_slices((np.arange(2), ["a", "b"], np.zeros((2, 3)), [b"x", b"y"], None))
    number, text, array, data, nothing = next(ds.as_numpy_iterator())
    assert (type(number), text, data, nothing) == (np.int64, "a", b"x", None)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    batch = next(Dataset.range(4).batch(2).as_numpy_iterator())
    with pytest.raises(ValueError, match="read-only"):
        batch[0] = 1


def test_a_function_with_effects_is_never_run_ahead_of_the_element() -> None:
    seen = Counting()
    for wanted, element in enumerate(Dataset.range(1000).map(lambda n: n + 0).map(seen).map(lambda n: n - 0)):
        assert element == wanted
        assert len(seen.seen) == wanted + 1


def test_ctrl_c_at_whatever_call_of_the_iterator_can_be_caught_and_the_pass_read_on() -> None:
    def read(interrupted_at: int) -> tuple[list[Any], int]:
        """What comes when one call is broken off, and how many calls there were."""
        elements = iter(Dataset.range(40).map(lambda n: {"n": n, "twice": 2 * n}))
        found: list[Any] = []
        num_calls = 0

        def interrupt(frame: Any, event: str, _: object) -> None:
            nonlocal num_calls
            if event == "call" and frame.f_code.co_filename in (iterator.__file__, block.__file__):
                num_calls += 1
                if num_calls == interrupted_at:
                    raise KeyboardInterrupt

        tracer = sys.gettrace()
        while True:
            sys.settrace(interrupt)
            try:
                element = next(elements)
            except KeyboardInterrupt:
                continue
            except StopIteration:
                return found, num_calls
            finally:
                sys.settrace(tracer)
            found.append(plain(element))

    expected, num_calls = read(0)
    assert len(expected) == 40
    for at in range(1, num_calls + 1):
        assert read(at)[0] == expected, f"call {at}"


@record
class Stops(Blockwise):
    """A step with a fault: it lets a StopIteration out."""

    input: Node

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        next(iter(()))
        return block


def test_a_step_that_raises_stop_iteration_is_not_taken_for_the_end() -> None:
    iterator = iter(Dataset(Stops(Dataset.range(5)._node)))
    with pytest.raises(RuntimeError, match="raised StopIteration"):
        next(iterator)


def test_at_the_exit_all_are_closed_though_threads_begin_further_ones() -> None:
    passes = [iter(Dataset.range(3)) for _ in range(3)]
    for each in passes:
        next(each)
    begun: list[Any] = []

    def begin_another(frame: Any, event: str, _: object) -> Any:
        """What another thread may do between any two lines of what lists the iterators."""
        if frame.f_globals["__name__"] in ("weakref", "_weakrefset"):
            frame.f_trace_lines = True
            if event == "line":
                begun.append(iter(Dataset.range(1)))
                next(begun[-1])
        return begin_another

    tracer = sys.gettrace()
    sys.settrace(begin_another)
    try:
        iterator._close_all()
    finally:
        sys.settrace(tracer)
    assert begun
    assert [list(each) for each in passes] == [[], [], []]
