"""`flat_map` in odd corners: results that are no dataset, empty and endless ones, errors, datasets as components."""

from __future__ import annotations

from typing import Any

import pytest

from penstock import UNKNOWN_CARDINALITY, Dataset
from penstock.errors import SpecError
from tests.corners import Counting, failing_at, outcomes, values


@pytest.mark.parametrize("result", [3, [1, 2], (1, 2)], ids=repr)
def test_a_result_that_is_no_dataset_is_an_error_of_that_element(result: Any) -> None:
    ds = Dataset.range(3).flat_map(lambda n: result if n == 1 else Dataset.range(2))
    found = outcomes(ds)
    assert found.pop(2) in (TypeError, SpecError)
    assert found == [0, 1, 0, 1]
    with pytest.raises(Exception, match=r"flat_map\(\).*return"):
        list(ds)


def test_the_error_names_the_function_and_a_way_out() -> None:
    with pytest.raises(TypeError, match=r"flat_map\(\): .*lambda.* for element 0; return a Dataset, such as"):
        list(Dataset.range(3).flat_map(lambda n: n))


def test_empty_datasets_are_passed_over() -> None:
    assert values(Dataset.range(6).flat_map(lambda n: Dataset.range(n if n % 3 == 0 else 0))) == [0, 1, 2]


def test_five_thousand_empty_datasets_in_a_row_are_no_deep_recursion() -> None:
    ds = Dataset.range(5000).flat_map(lambda n: Dataset.range(1 if n == 4999 else 0))
    assert values(ds) == [0]


def test_an_endless_dataset_inside_is_read_for_ever() -> None:
    assert values(Dataset.range(2).flat_map(lambda n: Dataset.counter(n)).take(3)) == [0, 1, 2]


def test_over_an_empty_input_the_function_is_not_called() -> None:
    seen = Counting(lambda n: Dataset.range(1))
    assert values(Dataset.range(0).flat_map(seen)) == []
    assert seen.seen == []


def test_errors_of_input_function_and_inner_dataset_keep_their_places() -> None:
    ds = (
        Dataset.range(4)
        .map(lambda n: n + 0 * (1 // int(n - 3)))
        .flat_map(lambda n: Dataset.range(2).map(lambda i: 10 * n + i) if failing_at(1)(n) >= 0 else None)
    )
    assert outcomes(ds) == [0, 1, KeyError, 20, 21, ZeroDivisionError]
    inner = Dataset.range(2).flat_map(lambda n: Dataset.range(3).map(failing_at(1)))
    assert outcomes(inner) == [0, KeyError, 20, 0, KeyError, 20]


def test_the_function_is_called_when_its_elements_are_asked_for() -> None:
    seen = Counting(lambda n: Dataset.range(2))
    iterator = iter(Dataset.range(5).flat_map(seen))
    for wanted in (1, 1, 2, 2, 3):
        next(iterator)
        assert len(seen.seen) == wanted


def test_datasets_are_components_that_flat_map_flattens() -> None:
    nested = Dataset.range(4).map(lambda n: Dataset.range(n))
    assert values(nested.flat_map(lambda inner: inner)) == [0, 0, 1, 0, 1, 2]
    assert values(nested.batch(2).unbatch().flat_map(lambda inner: inner)) == [0, 0, 1, 0, 1, 2]


def test_a_captured_dataset_may_be_returned_of_any_kind() -> None:
    captured = Dataset.range(3).shuffle(3, seed=1).cache()
    assert sorted(values(Dataset.range(2).flat_map(lambda n: captured))) == [0, 0, 1, 1, 2, 2]


def test_a_nested_dataset_can_be_iterated_more_than_once() -> None:
    (inner,) = list(Dataset.from_tensors(Dataset.range(3)))
    assert values(inner) == values(inner) == [0, 1, 2]


def test_cardinality_is_unknown_over_any_input() -> None:
    for ds in (Dataset.range(0), Dataset.range(2).repeat()):
        assert ds.flat_map(lambda n: Dataset.range(1)).cardinality() == UNKNOWN_CARDINALITY


def test_what_is_no_function_is_refused_at_the_call() -> None:
    with pytest.raises(TypeError, match=r"flat_map\(\): map_func must be a function, but is \[1\]"):
        Dataset.range(3).flat_map([1])
