"""`batch_by_tokens` keeps the laws; what it means in plain Python."""

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
    max_tokens: int,
    length_function: Any,
    padded_: bool,
    bucket_boundaries: list[int],
    drop_remainder: bool,
) -> Iterator[Any]:
    waiting: list[list[tuple[int, Any]]] = [[] for _ in range(len(bucket_boundaries) + 1)]

    def tokens(rows: list[tuple[int, Any]]) -> int:
        lengths = [length for length, _ in rows]
        return max(lengths) * len(lengths) if padded_ else sum(lengths)

    def joined(rows: list[tuple[int, Any]]) -> Any:
        return padded([element for _, element in rows])

    for element in elements:
        length = length_of(length_function, element, "batch_by_tokens", max_tokens)
        if isinstance(length, Failure):
            yield length
            continue
        rows = waiting[bucket_of(bucket_boundaries, length)]
        if rows and tokens([*rows, (length, element)]) > max_tokens:
            yield joined(rows)
            rows.clear()
        rows.append((length, element))
        if tokens(rows) == max_tokens:
            yield joined(rows)
            rows.clear()
    if not drop_remainder:
        yield from map(joined, filter(None, waiting))


def build(dataset: Any, max_tokens: int, length_function: Any, padded_: bool, **arguments: Any) -> Any:
    return dataset.batch_by_tokens(max_tokens, length_function, padded_, **arguments)


CASE = Case(
    "batch_by_tokens",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "max_tokens": st.integers(1, 9),
            "length_function": functions(LENGTHS, sample),
            "padded_": st.booleans(),
            "bucket_boundaries": st.sampled_from([[], [2], [1, 3]]),
            "drop_remainder": st.booleans(),
        }
    ),
    cardinality=lambda size, **_: INFINITE_CARDINALITY if size == INFINITE_CARDINALITY else UNKNOWN_CARDINALITY,
    may_drop=True,
)

test_laws = laws_for(CASE, SOURCES)

LENGTHS_OF_ROWS = (1, 2, 4, 1, 1, 3, 2)
ROWS = [np.full(n, n) for n in LENGTHS_OF_ROWS]


def shapes(*args: Any, **kwargs: Any) -> list[Any]:
    return [batch.shape for batch in Dataset.from_list(ROWS).batch_by_tokens(*args, **kwargs)]


def test_batches_have_no_more_tokens_than_they_may() -> None:
    assert shapes(4, lambda x: len(x)) == [(2, 2), (1, 4), (2, 1), (1, 3), (1, 2)]
    assert shapes(4, lambda x: len(x), drop_remainder=True) == [(2, 2), (1, 4), (2, 1), (1, 3)]


def test_without_padding_elements_count_with_their_own_length() -> None:
    assert shapes(7, lambda x: len(x), padded=False) == [(3, 4), (4, 3)]


def test_buckets_keep_like_lengths_together() -> None:
    assert shapes(6, lambda x: len(x), bucket_boundaries=[3]) == [(3, 2), (1, 4), (2, 2), (1, 3)]


def test_padding_and_spec() -> None:
    ds = Dataset.from_list(ROWS).batch_by_tokens(4, lambda x: len(x), padded_shapes=[5], padding_values=-1)
    assert values(ds.take(1)) == [[[1, -1, -1, -1, -1], [2, 2, -1, -1, -1]]]
    assert ds.element_spec == TensorSpec((None, 5), np.int64)


def test_an_element_of_more_tokens_than_a_batch_may_have_is_an_error_of_its_own() -> None:
    ds = Dataset.from_list(ROWS).batch_by_tokens(3, lambda x: len(x))
    found = [one if isinstance(one, type) else np.shape(one) for one in outcomes(ds)]
    assert found == [(1, 1), SpecError, (1, 2), (2, 1), (1, 3), (1, 2)]
    with pytest.raises(SpecError, match="element 2 has the length 4, but it must be at most 3; give a greater max_tok"):
        list(ds)


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "text"),
    [
        ((0, len), {}, ValueError, "max_tokens must be at least 1, but is 0"),
        ((1.5, len), {}, TypeError, "max_tokens must be an integer"),
        ((4, 5), {}, TypeError, "length_function must be a function, but is 5"),
        ((4, len), {"bucket_boundaries": [2, 1]}, ValueError, "bucket_boundaries must rise"),
        ((4, len), {"padding_values": "x"}, TypeError, "does not fit component of dtype int64"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_at_the_call(args: Any, kwargs: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^batch_by_tokens\(\): ") as raised:
        shapes(*args, **kwargs)
    assert text in str(raised.value)


def test_nothing_is_read_beyond_the_element_that_shows_a_batch_to_be_complete() -> None:
    source = Yielding(*range(1, 20))
    iterator = iter(Dataset.from_generator(source).batch_by_tokens(6, lambda n: n))
    assert next(iterator).tolist() == [1, 2]
    assert source.given == 3


def in_order(length: Any, purity: str) -> list[Any]:
    rows = Dataset.range(400).map(lambda n: n * 7919 % 11)
    return outcomes(rows.batch_by_tokens(9, length, bucket_boundaries=[3, 6], purity=purity), limit=1000)


def test_batches_and_errors_come_in_the_same_order_however_many_rows_are_read_at_once() -> None:
    found = in_order(lambda n: n, "pure")
    assert found.count(SpecError) == sum(n * 7919 % 11 > 9 for n in range(400))
    assert found == in_order(lambda n: n, "stateful")
