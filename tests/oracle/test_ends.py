"""What ends a pipeline, and sources of random numbers: the same results and rules on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.oracle.engines import ENGINES, OURS, TF, Engine
from tests.oracle.outcome import Failed, cardinality, difference, elements, observe, spec
from tests.oracle.pipeline import LABELS, Point, even, labelled, none, numbers


@pytest.fixture(params=ENGINES, ids=str)
def e(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    return found


def plain(value: Any) -> Any:
    """A number or array of either side as Python's."""
    return np.asarray(value).tolist()


def test_reduce(e: Engine) -> None:
    assert plain(numbers(e).reduce(np.int64(0), lambda total, n: total + n)) == 45
    assert plain(even(e).reduce(np.int64(1), lambda count, _: count + 1)) == 6


def test_reduce_of_nothing_gives_the_initial_state(e: Engine) -> None:
    for empty in (numbers(e, 0), none(e)):
        assert plain(empty.reduce(np.int64(7), lambda total, n: total + n)) == 7


def test_reduce_gets_a_tuple_whole(e: Engine) -> None:
    dataset = e.Dataset.zip(numbers(e, 4), numbers(e, 4))
    assert plain(dataset.reduce(np.int64(0), lambda total, pair: total + pair[0] * pair[1])) == 14


def test_reduce_keeps_the_structure_of_its_state(e: Engine) -> None:
    found = numbers(e, 4).reduce(
        {"n": np.int64(0), "sums": (np.int64(0), np.int64(1))},
        lambda state, n: {"n": state["n"] + 1, "sums": (state["sums"][0] + n, state["sums"][1] * 2)},
    )
    assert plain(found["n"]) == 4
    assert [plain(part) for part in found["sums"]] == [6, 16]


def test_reduce_of_arrays(e: Engine) -> None:
    found = numbers(e, 7).batch(7).reduce(np.zeros(7, np.int64), lambda total, batch: total + batch)
    assert plain(found) == list(range(7))


def test_reduce_raises_the_error_of_an_element() -> None:
    for e in ENGINES:
        dataset = numbers(e, 3).map(lambda n, e=e: e.checked(n, n != 1))
        with pytest.raises(Exception) as raised:
            dataset.reduce(np.int64(0), lambda total, n: total + n)
        assert Failed.of(raised.value) == Failed(ValueError)


def test_the_single_element_keeps_its_structure(e: Engine) -> None:
    found = e.Dataset.from_tensors({"a": np.int64(1), "b": (np.float32(2), LABELS)}).get_single_element()
    assert list(found) == ["a", "b"]
    assert (plain(found["a"]), plain(found["b"][0]), plain(found["b"][1])) == (1, 2.0, LABELS.tolist())
    assert type(e.Dataset.from_tensors(Point(LABELS, LABELS)).get_single_element()) is Point
    assert plain(even(e).skip(4).get_single_element()) == 8


def test_len_and_truth(e: Engine) -> None:
    assert [len(numbers(e)), len(labelled(e).batch(3)), len(numbers(e, 0))] == [10, 3, 0]
    assert all(bool(dataset) for dataset in (numbers(e, 0), none(e), numbers(e).repeat()))


def test_an_iterator_stays_at_its_end(e: Engine) -> None:
    iterator = iter(numbers(e, 2).as_numpy_iterator())
    assert observe(iterator) == [0, 1]
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(iterator)


def test_iterators_of_one_dataset_do_not_share_their_place(e: Engine) -> None:
    dataset = numbers(e, 3).map(lambda n: n * 10).cache()
    left, right = iter(dataset.as_numpy_iterator()), iter(dataset.as_numpy_iterator())
    assert [next(left), next(left), next(right), next(left), next(right), next(right)] == [0, 10, 0, 20, 10, 20]


def test_elements_of_as_numpy_iterator_are_read_only(e: Engine) -> None:
    for dataset in (labelled(e).map(lambda image, label: image), labelled(e).batch(2).map(lambda image, label: image)):
        found = next(iter(dataset.as_numpy_iterator()))
        with pytest.raises(ValueError, match="read-only"):
            found[...] = 0


def test_the_generator_is_called_for_each_iteration_and_epoch(e: Engine) -> None:
    calls: list[int] = []

    def generate() -> Any:
        calls.append(len(calls))
        yield from range(2)

    dataset = e.Dataset.from_generator(generate, output_signature=e.spec((), np.int64))
    assert calls == []
    assert elements(dataset) == [0, 1]
    assert elements(dataset.repeat(2)) == [0, 1, 0, 1]
    assert len(calls) == 3


def test_an_exhausted_iterator_that_is_handed_out_again_is_empty(e: Engine) -> None:
    iterator = iter([1, 2])
    dataset = e.Dataset.from_generator(lambda: iterator, output_signature=e.spec((), np.int64))
    assert [elements(dataset), elements(dataset)] == [[1, 2], []]


def test_a_full_cache_does_not_read_its_input_again(e: Engine) -> None:
    calls: list[int] = []

    def generate() -> Any:
        calls.append(len(calls))
        yield from range(3)

    dataset = e.Dataset.from_generator(generate, output_signature=e.spec((), np.int64)).cache()
    assert [elements(dataset), elements(dataset.repeat(2))] == [[0, 1, 2], [0, 1, 2] * 2]
    assert len(calls) == 1


def test_datasets_as_elements(e: Engine) -> None:
    assert [[int(n) for n in inner] for inner in e.Dataset.from_tensors(numbers(e, 3))] == [[0, 1, 2]]
    nested = numbers(e, 3).map(lambda n: e.Dataset.range(n))
    assert [[int(n) for n in inner] for inner in nested] == [[], [0], [0, 1]]
    assert elements(nested.flat_map(lambda inner: inner)) == [0, 0, 1]


# Random numbers


def test_random_spec_and_cardinality() -> None:
    ours, theirs = (engine.Dataset.random(seed=1) for engine in (OURS, TF))
    assert cardinality(ours) == cardinality(theirs)
    assert difference(spec(ours), spec(theirs)) == ""


@pytest.mark.parametrize("seed", [None, 3])
def test_random_numbers_are_the_same_in_each_iteration_unless_asked_for(e: Engine, seed: int | None) -> None:
    fixed = e.Dataset.random(seed=seed).take(5)
    assert elements(fixed) == elements(fixed)
    changing = e.Dataset.random(seed=seed, rerandomize_each_iteration=True).take(5)
    assert elements(changing) != elements(changing)


def test_random_numbers_depend_on_the_seed_and_fill_32_bits(e: Engine) -> None:
    found = [elements(e.Dataset.random(seed=seed), 2000) for seed in (3, 3, 4)]
    assert found[0] == found[1]
    assert found[0] != found[2]
    assert 0 <= min(found[0]) < 2**24
    assert 2**32 - 2**24 < max(found[0]) < 2**32


def test_random_numbers_in_epochs(e: Engine) -> None:
    found = elements(e.Dataset.random(seed=3).take(5).repeat(2))
    assert found[:5] == found[5:]
