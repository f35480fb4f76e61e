"""`bucket_by_sequence_length` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset, TensorSpec
from penstock.errors import SpecError
from penstock.testing import Case, Failure, Stream, laws_for
from tests.corners import Yielding, outcomes, values
from tests.laws.functions import functions
from tests.laws.sources import SOURCES
from tests.lengths import LENGTHS, bucket_of, length_of
from tests.padded import padded


def reference(
    elements: Stream,
    element_length_func: Any,
    bucket_boundaries: list[int],
    bucket_batch_sizes: list[int],
    drop_remainder: bool,
) -> Iterator[Any]:
    waiting: list[list[Any]] = [[] for _ in bucket_batch_sizes]
    for element in elements:
        length = length_of(element_length_func, element, "bucket_by_sequence_length")
        if isinstance(length, Failure):
            yield length
            continue
        bucket = bucket_of(bucket_boundaries, length)
        waiting[bucket].append(element)
        if len(waiting[bucket]) == bucket_batch_sizes[bucket]:
            yield padded(waiting[bucket])
            waiting[bucket] = []
    if not drop_remainder:
        yield from map(padded, filter(None, waiting))


def arguments(sample: list[Any]) -> Any:
    return st.lists(st.integers(1, 4), min_size=1, max_size=3).flatmap(
        lambda sizes: st.fixed_dictionaries(
            {
                "element_length_func": functions(LENGTHS, sample),
                "bucket_boundaries": st.just([1, 3][: len(sizes) - 1]),
                "bucket_batch_sizes": st.just(sizes),
                "drop_remainder": st.booleans(),
            }
        )
    )


CASE = Case(
    "bucket_by_sequence_length",
    Dataset.bucket_by_sequence_length,
    reference,
    arguments,
    cardinality=lambda size, **_: INFINITE_CARDINALITY if size == INFINITE_CARDINALITY else UNKNOWN_CARDINALITY,
)

test_laws = laws_for(CASE, SOURCES)

ROWS = [np.full(n, n) for n in (1, 4, 2, 3, 1, 5, 4)]


def bucketed(*args: Any, **kwargs: Any) -> Dataset[Any]:
    return Dataset.from_list(ROWS).bucket_by_sequence_length(lambda x: len(x), *args, **kwargs)


def test_batches_come_when_they_are_full_and_the_rest_by_bucket() -> None:
    assert values(bucketed([3], [2, 3])) == [
        [[1, 0], [2, 2]],
        [[4, 4, 4, 4, 0], [3, 3, 3, 0, 0], [5, 5, 5, 5, 5]],
        [[1]],
        [[4, 4, 4, 4]],
    ]
    assert [len(batch) for batch in bucketed([3], [2, 3], drop_remainder=True)] == [2, 3]
    assert [len(batch) for batch in bucketed([], [4])] == [4, 3]


def test_padding_to_the_boundary() -> None:
    found = list(bucketed([3, 6], [2, 3, 1], pad_to_bucket_boundary=True, padding_values=-1))
    assert [batch.shape for batch in found] == [(2, 2), (3, 5), (1, 2), (1, 5)]
    assert found[0].tolist() == [[1, -1], [2, 2]]
    shapes = [batch.shape for batch in bucketed([3, 6], [2, 3, 1], padded_shapes=[None], pad_to_bucket_boundary=True)]
    assert shapes == [(2, 2), (3, 5), (1, 2), (1, 5)]


def test_components_of_a_fixed_shape_stay_as_they_are_where_the_boundary_is_padded_to() -> None:
    ds = Dataset.from_list([(np.ones(n), np.ones(9), n) for n in (1, 2)])
    ((a, b, c),) = list(ds.bucket_by_sequence_length(lambda a, b, c: len(a), [4], [2, 2], pad_to_bucket_boundary=True))
    assert [a.shape, b.shape, c.shape] == [(2, 3), (2, 9), (2,)]


def test_an_element_beyond_the_last_boundary_is_an_error_of_its_own() -> None:
    ds = bucketed([3, 5], [2, 2, 1], pad_to_bucket_boundary=True)
    assert [one if isinstance(one, type) else len(one) for one in outcomes(ds)] == [2, 2, SpecError, 1, 1]
    with pytest.raises(SpecError, match=r"element 5 has the length 5, but it must be at most 4; .*bucket_boundaries"):
        list(ds)


def test_without_padding_elements_are_stacked() -> None:
    ds = Dataset.from_list([np.ones(2), np.ones(3), np.ones(2)])
    ds = ds.bucket_by_sequence_length(lambda x: len(x), [3], [2, 2], no_padding=True)
    assert [batch.shape for batch in ds] == [(2, 2), (1, 3)]
    assert outcomes(bucketed([3], [2, 2], no_padding=True))[0] is SpecError
    assert ds.element_spec == TensorSpec((None, None), np.float64)


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "text"),
    [
        (([3], [2]), {}, ValueError, "1 bucket_boundaries make 2 buckets, but there are 1 bucket_batch_sizes"),
        (([3], [2, -1]), {}, ValueError, "bucket_batch_sizes[1] must be at least 1, but is -1"),
        (([3], [2, 1.5]), {}, TypeError, "bucket_batch_sizes[1] must be an integer"),
        (([3, 3], [1, 1, 1]), {}, ValueError, "bucket_boundaries must rise, but bucket_boundaries[1] is 3 after 3"),
        (([0], [1, 1]), {}, ValueError, "bucket_boundaries[0] must be at least 1"),
        ((3, [1, 1]), {}, TypeError, "bucket_boundaries must be a list of integers, but is 3"),
        (([], [1]), {"pad_to_bucket_boundary": True}, ValueError, "needs at least one"),
        (([3], [1, 1]), {"no_padding": True, "padding_values": 0}, ValueError, "padding_values says how to pad"),
        (([3], [1, 1]), {"padding_values": 0.5}, TypeError, "does not fit component of dtype int64"),
        (([3], [1, 1]), {"purity": "clean"}, ValueError, "purity must be"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_at_the_call(args: Any, kwargs: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^bucket_by_sequence_length\(\): ") as raised:
        bucketed(*args, **kwargs)
    assert text in str(raised.value)


@pytest.mark.parametrize("found", [1.0, "1", None, True, -1, np.ones(1, int)], ids=repr)
def test_a_length_that_is_none_is_an_error_of_that_element(found: Any) -> None:
    ds = Dataset.range(3).bucket_by_sequence_length(lambda n: found if n == 1 else 1, [2], [1, 1])
    assert outcomes(ds) == [[0], SpecError, [2]]


def test_a_failing_length_function_names_itself_and_the_element() -> None:
    ds = Dataset.range(3).bucket_by_sequence_length(lambda n: [1][n % 2], [2], [2, 2], purity="stateful")
    with pytest.raises(IndexError) as raised:
        list(ds)
    assert "in bucket_by_sequence_length(" in raised.value.__notes__[0]
    assert "element 1" in raised.value.__notes__[0]


def test_nothing_is_read_beyond_the_element_that_completes_a_batch() -> None:
    source = Yielding(*range(20))
    iterator = iter(Dataset.from_generator(source).bucket_by_sequence_length(lambda n: n % 2 + 1, [2], [3, 2]))
    assert next(iterator).tolist() == [1, 3]
    assert source.given == 4
    assert next(iterator).tolist() == [0, 2, 4]
    assert source.given == 5


def test_a_pure_function_of_lengths_is_called_once_for_each_of_them() -> None:
    calls = []

    def length(x: Any) -> int:
        calls.append(1)
        return len(x)

    ds = Dataset.from_list([np.zeros(n % 7) for n in range(3000)])
    counted = ds.bucket_by_sequence_length(length, [3], [64, 64], purity="pure")
    assert sum(len(batch) for batch in counted) == 3000
    assert len(calls) < 1500
    assert "called once for each length" in ds.bucket_by_sequence_length(lambda x: len(x), [3], [64, 64]).explain()


def test_a_function_that_tells_a_stand_in_from_an_array_is_called_for_each_element() -> None:
    ds = Dataset.from_list([np.zeros(n % 7) for n in range(1000)])
    length = lambda x: len(x) if type(x) is np.ndarray else 7  # noqa: E731
    batches = ds.bucket_by_sequence_length(length, [3], [64, 64], purity="pure")
    assert sum(len(batch) for batch in batches if batch.shape[1] < 3) == sum(n % 7 < 3 for n in range(1000))


@pytest.mark.parametrize("purity", ["pure", "stateful"])
def test_a_state_is_small_and_goes_on_with_what_waits(purity: str) -> None:
    def build() -> Any:
        rows = Dataset.range(2000).map(lambda n: np.full(n * 7919 % 97, n))
        return iter(rows.bucket_by_sequence_length(lambda x: len(x), [20, 50, 96], [16, 16, 16, 16], purity=purity))

    whole = [batch.tolist() for batch in build()]
    iterator = build()
    for _ in range(len(whole) // 2):
        next(iterator)
    state = iterator.state_dict()
    assert len(str(state)) < 4000
    again = build()
    again.load_state_dict(state)
    assert [batch.tolist() for batch in again] == whole[len(whole) // 2 :]
