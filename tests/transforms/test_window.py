"""`window` keeps the laws; what it means in plain Python."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset, TensorSpec
from penstock.testing import Case, Stream, laws_for, stack
from tests.corners import Yielding, failing_at, outcomes, plain, values
from tests.laws.sources import SOURCES


def reference(elements: Stream, size: int, shift: int, stride: int, drop_remainder: bool) -> Iterator[Any]:
    span = (size - 1) * stride + 1
    rest = iter(elements)
    held: list[Any] = []
    has_ended = False
    while True:
        while len(held) < span and not has_ended:
            for element in rest:
                held.append(element)
                break
            else:
                has_ended = True
        if not held or (drop_remainder and len(held) < span):
            return
        yield stack(held[:span:stride])
        for _ in range(shift - len(held)):
            has_ended = has_ended or next(rest, rest) is rest
        held = held[shift:]


def build(dataset: Dataset[Any], size: int, **arguments: Any) -> Dataset[Any]:
    """The elements of each window as one, so that they can be compared."""

    def joined(number: Any, windows: Any) -> Dataset[Any]:
        return Dataset.zip(windows).batch(size)

    # With their numbers, since a tuple of one window would be unpacked.
    return dataset.window(size, **arguments).enumerate().flat_map(joined)


CASE = Case(
    "window",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "size": st.integers(1, 4),
            "shift": st.integers(1, 5),
            "stride": st.integers(1, 3),
            "drop_remainder": st.booleans(),
        }
    ),
    cardinality=lambda number, **_: UNKNOWN_CARDINALITY,
)

test_laws = laws_for(CASE, SOURCES)


def windows(ds: Dataset[Any], *args: Any, **kwargs: Any) -> list[Any]:
    return [values(window) for window in ds.window(*args, **kwargs)]


def test_windows_at_the_end_are_shorter_or_dropped() -> None:
    assert windows(Dataset.range(5), 3, 1) == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4], [4]]
    assert windows(Dataset.range(5), 3, 1, drop_remainder=True) == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    assert windows(Dataset.range(6), 2, 1, 2)[2:] == [[2, 4], [3, 5], [4], [5]]
    assert windows(Dataset.range(7), 2, 3) == [[0, 1], [3, 4], [6]]
    assert windows(Dataset.range(0), 2) == []


@pytest.mark.parametrize("rows", [0, 1, 5, 12])
@pytest.mark.parametrize("arguments", [(1, 1, 1), (3, 1, 2), (2, 5, 1), (4, 3, 3)], ids=str)
@pytest.mark.parametrize("drop", [False, True])
def test_the_cardinality_is_exact(rows: int, arguments: tuple[int, int, int], drop: bool) -> None:
    ds = Dataset.range(rows).window(*arguments, drop_remainder=drop)
    assert ds.cardinality() == len(list(ds))
    assert [len(window) for window in ds] == [len(list(window)) for window in ds]


def test_endless_inputs_have_endless_windows() -> None:
    ds = Dataset.counter().window(2)
    assert ds.cardinality() == INFINITE_CARDINALITY
    assert windows(ds.take(2).flat_map(lambda window: window), 4) == [[0, 1, 2, 3]]


def test_an_element_of_several_components_makes_one_dataset_of_each() -> None:
    ds = Dataset.from_tensor_slices({"a": [1, 2, 3], "b": ["x", "y", "z"]}).window(2)
    first = next(iter(ds))
    assert values(first["a"]) == [1, 2]
    assert values(first["b"]) == ["x", "y"]
    assert first["a"].element_spec == TensorSpec((), np.int64)
    assert [plain(element) for element in Dataset.zip(first)] == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert ds.element_spec == {"a": TensorSpec((), object), "b": TensorSpec((), object)}


def test_windows_can_be_read_again_and_by_index() -> None:
    window = next(iter(Dataset.range(10).map(lambda n: n * 2).window(4)))
    assert values(window) == values(window) == [0, 2, 4, 6]
    assert int(window[2]) == 4
    assert values(window.shuffle(4, seed=1).batch(4))[0] != [0, 2, 4, 6]


def test_errors_stay_in_their_windows() -> None:
    ds = Dataset.range(6).map(failing_at(2)).window(3, 2)
    found = [outcomes(window) for window in ds]
    assert found == [[0, 10, KeyError], [KeyError, 30, 40], [40, 50]]
    first, second = list(ds)[:2]
    raised = []
    for window in (first, first, second):
        with pytest.raises(KeyError) as caught:
            list(window)
        raised.append(caught.value)
    assert len({id(error) for error in raised}) == 3


def test_an_error_that_the_stride_steps_over_does_no_harm() -> None:
    assert windows(Dataset.range(4).map(failing_at(1)), 2, 4, 2) == [[0, 20]]


def test_a_window_of_nothing_but_errors_is_one_where_the_structure_is_not_known() -> None:
    opaque = Dataset.range(4).map(failing_at(0, 1)).window(2)
    assert outcomes(opaque.flat_map(lambda window: window)) == [KeyError, 20, 30]
    is_good = failing_at(0, 1)
    known = Dataset.range(4).filter(lambda n: is_good(n) >= 0).window(2)
    assert [outcomes(window) for window in known] == [[KeyError, KeyError], [2, 3]]


@pytest.mark.parametrize("name", ["size", "shift", "stride"])
@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_wrong_arguments_are_refused_at_the_call(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=rf"^window\(\): {name} must be "):
        Dataset.range(4).window(**{"size": 2, name: value})


def test_no_more_is_read_than_a_window_needs() -> None:
    source = Yielding(*range(20))
    iterator = iter(Dataset.from_generator(source).window(2, 5, 3))
    assert values(next(iterator)) == [0, 3]
    assert source.given == 4
    assert values(next(iterator)) == [5, 8]
    assert source.given == 9


def test_a_state_goes_on_in_the_middle() -> None:
    def build_one() -> Any:
        return iter(Dataset.range(5000).filter(lambda n: n % 3 > 0).window(7, 5, 2))

    whole = [values(window) for window in build_one()]
    for stop in (0, 1, 200, len(whole)):
        iterator, again = build_one(), build_one()
        for _ in range(stop):
            next(iterator)
        again.load_state_dict(iterator.state_dict())
        assert [values(window) for window in again] == whole[stop:]


@pytest.mark.parametrize("workers", [None, 2])
@pytest.mark.parametrize("wrong_at", [0, 2])
def test_an_error_in_a_window_keeps_no_forgotten_pipeline_open(wrong_at: int, workers: int | None) -> None:
    closed = []

    def numbers() -> Iterator[Any]:
        try:
            yield from ("wrong" if number == wrong_at else number for number in range(100))
        finally:
            closed.append(True)

    windows = Dataset.from_generator(numbers, output_signature=TensorSpec((), "int64")).window(2).enumerate()
    elements = iter(windows.flat_map(lambda _, window: window.batch(2), num_parallel_calls=workers))
    outcomes(elements, 1)
    del elements
    gc.collect()
    assert closed


def test_an_error_in_a_window_tells_where_it_was_raised() -> None:
    windows = Dataset.range(4).map(failing_at(2)).window(2)
    with pytest.raises(KeyError, match="bad number") as caught:
        list(list(windows)[1])
    assert any("traceback of where it was raised" in note and "corners.py" in note for note in caught.value.__notes__)
