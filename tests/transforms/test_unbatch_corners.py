"""`unbatch` in odd corners: scalars, sizes that differ, empty components, structure, cardinality."""

from __future__ import annotations

import numpy as np
import pytest

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from penstock.errors import SpecError
from tests.corners import failing_at, outcomes, values


def test_a_known_scalar_is_refused_at_the_call() -> None:
    with pytest.raises(ValueError, match=r"unbatch\(\): a component is a scalar.*batch\(\) first"):
        Dataset.range(3).unbatch()


def test_a_scalar_found_later_is_an_error_of_that_element() -> None:
    ds = Dataset.range(3).flat_map(lambda n: Dataset.from_tensors(n)).unbatch()
    with pytest.raises(
        SpecError, match=r"unbatch\(\): component is .*0.*, which has no axis to split; batch\(\) first"
    ):
        list(ds)


def test_known_axes_that_differ_are_refused_at_the_call() -> None:
    with pytest.raises(ValueError, match=r"unbatch\(\): components have first axes of \[2, 3\]; all need the same"):
        Dataset.from_tensors((np.zeros(2), np.zeros(3))).unbatch()


def test_axes_that_differ_in_one_element_are_an_error_of_that_element() -> None:
    ds = Dataset.range(3).map(lambda n: (np.arange(2), np.arange(3 if n == 1 else 2)), vectorize=False).unbatch()
    assert outcomes(ds) == [(0, 0), (1, 1), SpecError, (0, 0), (1, 1)]


def test_elements_without_rows_give_nothing() -> None:
    ds = Dataset.from_list([[1, 2], [], [3]][:1] + [[3]]).concatenate(Dataset.from_tensor_slices(np.zeros((2, 0), int)))
    assert values(ds.unbatch()) == [1, 2, 3]
    assert values(Dataset.from_tensor_slices(np.zeros((3, 0))).unbatch()) == []


def test_a_thousand_elements_without_rows_before_one_with() -> None:
    ds = Dataset.range(1001).map(lambda n: np.zeros(1 if n == 1000 else 0), vectorize=False).unbatch()
    assert values(ds) == [0.0]


def test_structure_is_kept_tuples_of_one_included() -> None:
    assert values(Dataset.from_tensor_slices(([1, 2, 3],)).batch(2).unbatch()) == [(1,), (2,), (3,)]
    nested = Dataset.from_tensor_slices((([1, 2], {"a": [3, 4]}), ["x", "y"], None))
    assert values(nested.batch(2).unbatch()) == values(nested)


def test_cardinality_is_known_where_the_batch_dimension_is_static() -> None:
    assert Dataset.range(5).batch(2, drop_remainder=True).unbatch().cardinality() == 4
    assert Dataset.range(5).batch(2).unbatch().cardinality() == UNKNOWN_CARDINALITY
    assert Dataset.from_tensors(np.zeros((3, 2))).unbatch().cardinality() == 3
    assert Dataset.from_tensors(np.zeros((3, 2))).repeat().unbatch().cardinality() == INFINITE_CARDINALITY


def test_a_batch_that_is_an_error_stays_one_error() -> None:
    assert outcomes(Dataset.range(6).map(failing_at(2)).batch(2).unbatch()) == [0, 10, KeyError, 40, 50]


def test_nothing_in_nothing_out() -> None:
    assert values(Dataset.range(0).batch(2).unbatch()) == []
