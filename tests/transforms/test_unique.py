"""`unique` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pytest

from penstock import UNKNOWN_CARDINALITY, Dataset, SparseTensor, tree
from penstock.errors import SpecError
from penstock.testing import Case, Failure, Stream, laws_for
from penstock.testing.reference import copied
from tests.corners import Counting, failing_at, outcomes, plain, values
from tests.laws.sources import SOURCES


def reference(elements: Stream) -> Iterator[Any]:
    seen: set[Hashable] = set()
    for element in elements:
        if isinstance(element, Failure):
            yield element
            continue
        try:
            key = tuple(key_of(leaf) for leaf in tree.flatten(copied(element))[0])
        except TypeError:
            yield Failure(SpecError)
            continue
        if key not in seen:
            seen.add(key)
            yield element


def key_of(leaf: Any) -> Hashable:
    if isinstance(leaf, SparseTensor):
        return str(leaf.to_dense().tolist())
    if isinstance(leaf, (np.ndarray, np.generic)):
        return leaf.shape, leaf.dtype, str((np.asarray(leaf) + 0).tolist() if leaf.dtype.kind == "f" else leaf.tolist())
    if not isinstance(leaf, (str, bytes)):
        raise TypeError
    return leaf


CASE = Case(
    "unique",
    Dataset.unique,
    reference,
    cardinality=lambda size: UNKNOWN_CARDINALITY,
    may_drop=True,
)

test_laws = laws_for(CASE, SOURCES)


def test_the_first_of_equal_elements_is_kept() -> None:
    assert values(Dataset.from_list([3, 1, 3, 2, 1]).unique()) == [3, 1, 2]
    assert values(Dataset.from_list(["b", "a", "b"]).unique()) == ["b", "a"]
    assert values(Dataset.from_list([("a", 1), ("a", 2), ("a", 1)]).unique()) == [("a", 1), ("a", 2)]


def test_one_nan_is_kept_and_one_zero() -> None:
    ds = Dataset.from_list([np.nan, -0.0, 0.0, -np.nan, np.float64(1)])
    found = list(ds.unique())
    assert [str(value) for value in found] == ["nan", "-0.0", "1.0"]
    pairs = Dataset.from_list([np.array([0.0, np.nan]), np.array([-0.0, np.nan]), np.array([0.0, 1.0])])
    assert len(list(pairs.unique())) == 2
    assert len(list(Dataset.from_list([complex(0.0, 1), complex(-0.0, 1)]).unique())) == 1


def test_arrays_count_as_wholes_and_shapes_and_dtypes_tell_them_apart() -> None:
    rows = [np.arange(100), np.arange(100) + (np.arange(100) == 99), np.arange(100), np.arange(99)]
    assert [len(row) for row in Dataset.from_list(rows).unique()] == [100, 100, 99]
    ones = [np.int32(1), np.int64(1), np.float32(1), np.True_]
    mixed = Dataset.range(8).map(lambda n: ones[n % 4], vectorize=False, purity="stateful")
    assert [element.dtype.name for element in mixed.unique()] == ["int32", "int64", "float32", "bool"]


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_in_whatever_columns_they_come_equal_elements_are_equal(rows: int) -> None:
    lengths = [2, 2, 3, 2, 3, 1, 0, 2]
    arrays = Dataset.from_list([np.arange(length) for length in lengths])
    # Each batch is taken apart into a column of its own: one array for all rows, or rows that differ in length.
    ds = Dataset.range(0, 8, rows).flat_map(lambda at: arrays.skip(at).take(rows)).unique()
    assert [plain(array) for array in ds] == [[0, 1], [0, 1, 2], [0], []]


def test_an_element_that_cannot_be_compared_is_an_error() -> None:
    with pytest.raises(SpecError, match=r"^unique\(\): component\['x'\] is a object, which cannot be told equal"):
        list(Dataset.range(2).map(lambda n: {"x": object()}).unique())


def test_errors_are_handed_on_each_time() -> None:
    assert outcomes(Dataset.from_list([1, 2, 1, 2, 3]).map(failing_at(1)).unique()) == [KeyError, 20, KeyError, 30]


def test_no_more_is_read_than_it_takes() -> None:
    seen = Counting()
    assert values(Dataset.from_list([1, 1, 1, 2, 3]).map(seen).unique().take(2)) == [1, 2]
    assert seen.seen == [1, 1, 1, 2]


def test_many_elements_of_few_kinds() -> None:
    ds = Dataset.range(30_000).map(lambda n: n % 7).unique()
    elements = iter(ds)
    assert [int(next(elements)) for _ in range(4)] == [0, 1, 2, 3]
    resumed = iter(ds)
    resumed.load_state_dict(elements.state_dict())
    assert values(resumed) == values(elements) == [4, 5, 6]
