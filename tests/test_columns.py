"""Columns: which kind holds which rows, and that slicing, taking and copying mean the same for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from penstock.building import column_from_rows, component, concatenate_columns
from penstock.columns import (
    Column,
    Dense,
    Objects,
    Sparse,
    SparseTensor,
    Varlen,
)
from penstock.errors import SpecError
from tests.corners import outcomes


def sparse(*entries: int) -> SparseTensor:
    return SparseTensor([[entry] for entry in entries], np.array(entries, np.int64), (9,))


ROWS: dict[str, tuple[type[Any], list[Any]]] = {
    "ints": (Dense, [1, 2, 3, 4]),
    "floats": (Dense, [1.0, np.inf, -0.0, 4.0]),
    "bools": (Dense, [True, False, True, True]),
    "complex": (Dense, [1j, 2.0 + 0j, 3j, 4j]),
    "scalars of numpy": (Dense, [np.float32(n) for n in range(4)]),
    "text": (Dense, ["a", "", "bé", "c"]),
    "bytes": (Dense, [b"a", b"", b"b\0", b"c"]),
    "arrays": (Dense, [np.full((2, 3), n) for n in range(4)]),
    "arrays of no axis": (Dense, [np.array(n) for n in range(4)]),
    "arrays of text": (Dense, [np.array(["a", "b"]), np.array(["c", "d"])] * 2),
    "arrays of a subclass": (Dense, [np.full((2, 3), n).view(np.matrix) for n in range(4)]),
    "structured scalars": (Dense, list(np.array([(n, n / 2) for n in range(4)], "i4,f8"))),
    "structured arrays": (Dense, list(np.array([(n, n / 2) for n in range(8)], "i4,f8").reshape(4, 2))),
    "arrays of another byte order": (Dense, [np.full((2, 3), n, ">i4" if n % 2 else "<i4") for n in range(4)]),
    "lists": (Dense, [[1, 2], [3, 4], [5, 6], [7, 8]]),
    "rows that differ": (Varlen, [np.arange(n) for n in (2, 0, 3, 1)]),
    "lists that differ": (Varlen, [[1.0], [], [2.0, 3.0], [4.0]]),
    "sparse": (Sparse, [sparse(1, 3), sparse(), sparse(8), sparse(0)]),
    "ranks that differ": (Objects, [np.zeros(2), np.zeros((2, 2)), np.zeros(()), np.zeros(1)]),
    "dtypes that differ": (Objects, [np.zeros(2), np.zeros(2, "int8"), np.zeros(2), np.zeros(2)]),
    "kinds that differ": (Objects, [1, "a", 2.0, None]),
    "structures that differ": (Objects, [*np.zeros(2, "i4,f8"), *np.zeros(2, "i4,f4")]),
    "large ints": (Objects, [2**70, 1, 2, 3]),
    "objects": (Objects, [object(), object(), object(), object()]),
}


def same(left: Any, right: Any) -> bool:
    if isinstance(left, SparseTensor):
        return same(left.to_dense(), right.to_dense())
    if isinstance(left, (list, np.ndarray)) or isinstance(right, np.ndarray):
        left, right = np.asarray(left), np.asarray(right)
        return left.shape == right.shape and bool((left == right).all())
    return bool(left == right)


def rows_of(column: Column) -> list[Any]:
    return list(column.values(writable=False))


@pytest.mark.parametrize("name", ROWS)
def test_the_kind_and_the_rows(name: str) -> None:
    kind, rows = ROWS[name]
    column = column_from_rows(list(rows))
    assert type(column) is kind
    assert len(column) == 4
    assert all(map(same, rows_of(column), rows))


@pytest.mark.parametrize("name", ROWS)
def test_slices_and_takes_are_those_of_the_rows(name: str) -> None:
    rows = ROWS[name][1]
    column = column_from_rows(list(rows))
    for start, stop in [(0, 4), (1, 3), (2, 2), (4, 4), (0, 1)]:
        part = column.slice(start, stop)
        assert len(part) == stop - start
        assert all(map(same, rows_of(part), rows[start:stop]))
        for indices in ([0] * 3, list(range(stop - start))[::-1], []):
            if stop - start or not indices:
                chosen = [rows[start:stop][at] for at in indices] if stop - start else []
                taken = part.take(np.array(indices if stop - start else [], np.intp))
                assert len(taken) == len(chosen)
                assert all(map(same, rows_of(taken), chosen))


@pytest.mark.parametrize("name", ROWS)
def test_a_copy_is_memory_of_its_own_also_of_a_slice(name: str) -> None:
    kind, rows = ROWS[name]
    column = column_from_rows(list(rows)).slice(1, 3)
    copy = column.copy()
    assert type(copy) is kind
    assert all(map(same, rows_of(copy), rows[1:3]))
    for mine, theirs in zip(column.values(True), copy.values(True), strict=True):
        if isinstance(mine, np.ndarray):
            assert not np.shares_memory(mine, theirs)


@pytest.mark.parametrize("name", ROWS)
def test_concatenating_gives_all_rows(name: str) -> None:
    kind, rows = ROWS[name]
    column = column_from_rows(list(rows))
    joined = concatenate_columns([column.slice(0, 1), column.slice(1, 1), column.slice(1, 4), column])
    assert len(joined) == 8
    assert all(map(same, rows_of(joined), [*rows, *rows]))
    assert type(joined) is kind or name == "sparse"


def test_concatenating_kinds_that_differ_gives_the_narrowest_that_holds_them() -> None:
    flat, long = column_from_rows([np.zeros(2)]), column_from_rows([np.ones(3)])
    assert type(concatenate_columns([flat, flat])) is Dense
    assert type(concatenate_columns([flat, long])) is Varlen
    assert type(concatenate_columns([flat, column_from_rows([np.zeros((1, 1))])])) is Objects
    assert type(concatenate_columns([column_from_rows([1]), column_from_rows([2.0])])) is Objects
    assert rows_of(concatenate_columns([column_from_rows([1]), column_from_rows(["a"])])) == [1, "a"]


@pytest.mark.parametrize("name", [name for name, (_, rows) in ROWS.items() if isinstance(rows[0], np.ndarray)])
def test_rows_are_read_only_unless_asked_for_otherwise(name: str) -> None:
    column = column_from_rows(list(ROWS[name][1]))
    for row in column.values(writable=False):
        assert not isinstance(row, np.ndarray) or not row.flags.writeable or not row.ndim
    assert all(row.flags.writeable for row in column.copy().values(writable=True) if isinstance(row, np.ndarray))


@pytest.mark.parametrize(
    ("name", "shape"),
    [("ints", ()), ("arrays", (2, 3)), ("rows that differ", (None,)), ("sparse", (9,)), ("ranks that differ", None)],
)
def test_specs(name: str, shape: Any) -> None:
    assert column_from_rows(list(ROWS[name][1])).spec().shape == shape


@pytest.mark.parametrize("name", ROWS)
def test_bytes_are_counted(name: str) -> None:
    assert column_from_rows(list(ROWS[name][1])).num_bytes > 0


def test_slicing_is_a_view() -> None:
    for rows in ([np.zeros(2), np.zeros(2)], [np.zeros(2), np.zeros(3)]):
        column = column_from_rows(rows)
        assert np.shares_memory(column.slice(0, 1).array, column.array)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, np.int64(3)),
        (2.5, np.float64(2.5)),
        ("a", "a"),
        (None, None),
        (np.array("a"), "a"),
        ([1, 2], np.array([1, 2])),
    ],
    ids=repr,
)
def test_what_a_component_becomes(value: Any, expected: Any) -> None:
    found = component(value)
    assert type(found) is type(expected)
    assert same(found, expected)


@pytest.mark.parametrize("value", [{1}, int, (n for n in ())], ids=["set", "class", "generator"])
def test_what_is_no_component(value: Any) -> None:
    with pytest.raises(SpecError, match="is no component; use"):
        component(value)


def test_a_masked_array_is_no_component_in_its_place() -> None:
    ds = Dataset.range(3).map(lambda n: np.ma.masked_array([n, 1], [n == 1, False]) if n == 1 else np.array([n, 1]))
    assert outcomes(ds) == [[0, 1], SpecError, [2, 1]]
    with pytest.raises(SpecError, match=r"a masked array is no component; use \.filled"):
        component(np.ma.masked_array([1, 2]))


def test_a_sparse_component() -> None:
    value = SparseTensor([[0, 1], [2, 0]], [5, 7], (3, 2))
    assert value.to_dense().tolist() == [[0, 5], [0, 0], [7, 0]]
    with pytest.raises(ValueError, match="1 indices for 2 values"):
        SparseTensor([[0]], [1, 2], (3,))
