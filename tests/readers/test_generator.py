"""`from_generator` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset, TensorSpec
from penstock.errors import SpecError
from penstock.testing import Case, Failure, Recording, laws_for
from penstock.testing.closing import watched
from tests.corners import outcomes

Yielded = Callable[[int], list[Any]]

YIELDED: list[Yielded] = [
    lambda n: list(range(n)),
    lambda n: [(np.int64(k), np.float32(k)) for k in range(n)],
    lambda n: [np.arange(k % 3) for k in range(n)],
    lambda n: [{"a": k, "b": [k, k + 1]} for k in range(n)],
]


def build(cls: Any, make: Yielded, rows: int, breaks: bool, declared: bool, seen: Callable[[Any], Any]) -> Any:
    def generate() -> Iterator[Any]:
        for element in watched(make(rows)):
            seen(element)
            yield element
        if breaks:
            raise OSError("cut off")

    return cls.from_generator(generate, output_signature=TensorSpec((), np.int32) if declared else None)


def reference(elements: Any, make: Yielded, rows: int, breaks: bool, declared: bool, seen: Any) -> Iterator[Any]:
    for element in make(rows):
        seen(element)
        if not declared:
            yield element
        elif isinstance(element, int):
            yield np.int32(element)
        else:
            yield Failure(SpecError, method="from_generator")
    if breaks:
        yield Failure(OSError, "cut off", "from_generator")


CASE = Case(
    "from_generator",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "make": st.sampled_from(YIELDED),
            "rows": st.integers(0, 12),
            "breaks": st.booleans(),
            "declared": st.just(False) | st.booleans(),
            "seen": st.just(Recording(lambda element: element)),
        }
    ),
    cardinality=lambda size, **arguments: UNKNOWN_CARDINALITY,
    inputs=0,
)

test_laws = laws_for(CASE)


def test_generator_is_called_anew_for_each_epoch_of_a_repeat() -> None:
    calls: list[int] = []

    def generate() -> Iterator[int]:
        calls.append(len(calls))
        yield from (1, 2)

    assert [int(n) for n in Dataset.from_generator(generate).repeat(2)] == [1, 2, 1, 2]
    assert calls == [0, 1]


STREAMS: dict[str, tuple[list[Any], list[Any]]] = {
    "keys in another order": (
        [{"b": 1, "a": 1}, {"b": 5, "a": 6}, {"a": 7, "b": 8}],
        [{"b": 1, "a": 1}, {"b": 5, "a": 6}],
    ),
    "an empty tuple beside a number": ([((), 1), ((), 2)], [((), 1), ((), 2)]),
    "a pair inside": ([(None, (1, 2)), (3, 4)], [(None, (1, 2)), SpecError]),
    "a number more": ([(1, 2), (1, 2, 3), (4, 5)], [(1, 2), SpecError, (4, 5)]),
    "a key more": ([{"a": 1}, {"a": 1, "b": 2}, {"a": 3}], [{"a": 1}, SpecError, {"a": 3}]),
    "a tuple after a number": ([1, (2,), 3], [1, SpecError, 3]),
    "no component": ([1, None, {1}, 3], [1, SpecError, SpecError, 3]),
    "numbers of several kinds": ([1, 2.5, True, 2**63, "a"], [1, 2.5, True, 2**63, "a"]),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("batched", [False, True])
def test_structures_are_told_apart_one_element_at_a_time(name: str, batched: bool) -> None:
    elements, expected = STREAMS[name]
    ds: Dataset[Any] = Dataset.from_generator(lambda: iter(elements))
    found = outcomes(ds.batch(1).unbatch() if batched else ds)
    assert found[: len(expected)] == expected


FITTED: list[tuple[TensorSpec, Any, Any]] = [
    (TensorSpec((), "int64"), 2**62, np.int64(2**62)),
    (TensorSpec((), "int64"), 2**70, SpecError),
    (TensorSpec((), "int64"), "a", SpecError),
    (TensorSpec((), "float32"), 3, np.float32(3)),
    (TensorSpec((), "float64"), 0.1, np.float64(0.1)),
    (TensorSpec((), "bool"), True, np.True_),
    (TensorSpec((2,), "float32"), np.ones(2), np.ones(2, np.float32)),
    (TensorSpec((2,), "float32"), np.ones(3, np.float32), SpecError),
    (TensorSpec((None,), "int64"), [1, 2], np.array([1, 2])),
    (TensorSpec((2,), "int64"), (1, 2), np.array([1, 2])),
    (TensorSpec((), "int64"), np.ones(1, np.int64), SpecError),
    (TensorSpec(None, "int64"), 5, np.int64(5)),
]


@pytest.mark.parametrize(("spec", "element", "expected"), FITTED, ids=range(len(FITTED)))
def test_elements_are_of_the_declared_dtype_and_shape_or_refused(spec: TensorSpec, element: Any, expected: Any) -> None:
    # The first element is looked at more closely than those that follow it.
    for found in islice(iterate_over_errors(Dataset.from_generator(lambda: [element] * 3, output_signature=spec)), 3):
        if expected is SpecError:
            assert isinstance(found, SpecError)
        else:
            assert (type(found), found.dtype) == (type(expected), spec.dtype)
            assert np.array_equal(found, expected)


def iterate_over_errors(ds: Dataset[Any]) -> Iterator[Any]:
    iterator = iter(ds)
    for _ in range(3):
        try:
            yield next(iterator)
        except SpecError as error:
            yield error


def test_a_generator_that_writes_into_what_it_yielded_changes_nothing() -> None:
    def generate() -> Iterator[Any]:
        array = np.zeros(2)
        for number in range(4):
            array[:] = number
            yield array

    for spec in (None, TensorSpec((2,), "float64")):
        found = Dataset.from_generator(generate, output_signature=spec).batch(4)
        assert [batch.tolist() for batch in found] == [[[0, 0], [1, 1], [2, 2], [3, 3]]]
