"""Columns made of rows, and of other columns."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.columns import (
    NO_COMPONENTS,
    SCALAR_DTYPES,
    Column,
    Dense,
    Objects,
    Part,
    SeparateRows,
    Sparse,
    SparseTensor,
    Varlen,
)
from penstock.errors import SpecError
from penstock.spec import DType, array_of_like, array_of_list, is_array_like

Allocate = Callable[[tuple[int, ...], "np.dtype[Any]"], "NDArray[Any]"]
"""Makes memory for an array of a shape and dtype, not cleared."""

_LARGE_BYTES = 1 << 20
_LARGE_ROW_BYTES = 1 << 14


def column_from_rows(rows: list[Any]) -> Column:
    """The narrowest column that holds these components, one per row."""
    kinds = set(map(type, rows))
    kind = kinds.pop()
    if not kinds:
        if kind in SCALAR_DTYPES and not (kind is int and not _fits_int64(rows)):
            return Dense(None, SCALAR_DTYPES[kind], rows)
        if kind is np.ndarray:
            return _column_of_arrays(rows)
        if kind is str or kind is bytes:
            return Dense(_object_array(rows), kind)
        if kind is SparseTensor and len({(row.shape, row.values.dtype) for row in rows}) == 1:
            return Sparse.from_rows(rows)
        if issubclass(kind, np.void) and len({row.dtype for row in rows}) == 1:
            return Dense(np.array(rows, np.result_type(rows[0].dtype)))
        if issubclass(kind, np.generic) and not issubclass(kind, (np.str_, np.bytes_, np.object_, np.void)):
            return Dense(np.array(rows))
    return _column_of_anything(rows)


def component(value: Any) -> Any:
    """What a component becomes: arrays and scalars of NumPy, text and bytes stay; numbers, lists and array-likes become
    those, and all else stays an object.

    Raises:
        ValueError: A list is not rectangular.
        SpecError: It is a class, a set, a generator or a masked array.
    """
    if isinstance(value, (np.generic, np.ndarray)):
        if type(value) is not np.ndarray and not isinstance(value, np.generic):
            value = _plain_array(value)
        if value.dtype.kind in "UST":
            return value.astype(object) if value.ndim else value.item()
        return value if value.ndim else np.asarray(value)[()]
    if isinstance(value, list):
        return array_of_list(value)
    if isinstance(value, NO_COMPONENTS):
        kind = value if isinstance(value, type) else type(value)
        raise SpecError(f"a {kind.__name__} is no component; use an array, a number, text, or a tuple or dict of them")
    if isinstance(value, (bool, int, float, complex)) or (hasattr(value, "__array__") and hasattr(value, "dtype")):
        array = np.asarray(value)
    elif is_array_like(value):
        array = array_of_like(value)
        array = array.copy() if array.flags.writeable else array  # a buffer may be filled anew for the next element
    else:
        return value
    if array.dtype.kind in "UST":
        array = array.astype(object)
    return array if array.ndim else array[()]


def is_masked(kind: type) -> bool:
    """Whether these are arrays with a mask; told without `numpy.ma`, which takes long to import."""
    return hasattr(kind, "mask") and hasattr(kind, "filled")


def _plain_array(array: NDArray[Any]) -> NDArray[Any]:
    """The array that an array of a subclass is, such as one of `np.memmap`, without a copy."""
    if is_masked(type(array)):
        raise SpecError("a masked array is no component; use .filled(value) to say what stands there")
    return np.asarray(array)


def concatenate_columns(columns: list[Column], allocate: Allocate | None = None) -> Column:
    """The rows of `columns` one after another, in the narrowest column that holds them.

    Args:
        columns: At least one.
        allocate: Makes the memory of a large array; NumPy if not given.
    """
    first = columns[0]
    if isinstance(first, Part) and _is_one_part(columns):
        return Part(first.whole, first.start, first.start + sum(map(len, columns)))
    if all(isinstance(c, Dense) and c.dtype == first.dtype for c in columns):  # type: ignore[union-attr]
        dense = [c for c in columns if isinstance(c, Dense)]
        if all(c.has_scalars for c in dense):
            return Dense(None, dense[0].dtype, [value for c in dense for value in c.scalars()])
        if len({c.row_shape for c in dense}) == 1:
            return Dense(_joined([array for c in dense for array in _parts(c)], allocate), _of_joined(dense[0].dtype))
    if all(isinstance(c, Varlen) for c in columns) and _same_items([c for c in columns if isinstance(c, Varlen)]):
        parts = [c.copy() for c in columns if isinstance(c, Varlen)]
        starts = np.cumsum([0] + [len(part.array) for part in parts])
        offsets = np.concatenate([[0], *(part.offsets[1:] + at for part, at in zip(parts, starts, strict=False))])
        return Varlen(
            np.concatenate([part.array for part in parts]), offsets.astype(np.int64), _of_joined(parts[0].dtype)
        )
    return column_from_rows([value for column in columns for value in column.values(writable=True)])


def _is_one_part(columns: list[Column]) -> bool:
    """Whether columns lie one behind the other in one array."""
    for column, following in pairwise(columns):
        if not (isinstance(column, Part) and isinstance(following, Part) and following.whole is column.whole):
            return False
        if following.start != column.start + len(column):
            return False
    return True


def _same_items(columns: list[Varlen]) -> bool:
    return len({(c.dtype, c.array.shape[1:]) for c in columns}) == 1


def _of_joined(dtype: DType) -> DType | None:
    """What to say of arrays that were joined: NumPy joins numbers of another byte order in its own."""
    return dtype if isinstance(dtype, type) else None


def _parts(column: Dense) -> list[NDArray[Any]]:
    return [row[None] for row in column.rows] if isinstance(column, SeparateRows) else [column.array]


def _joined(arrays: list[NDArray[Any]], allocate: Allocate | None) -> NDArray[Any]:
    dtype = arrays[0].dtype
    if allocate is None or dtype.hasobject or sum(array.nbytes for array in arrays) < _LARGE_BYTES:
        return np.concatenate(arrays)
    joined = allocate((sum(map(len, arrays)), *arrays[0].shape[1:]), dtype)
    return np.concatenate(arrays, out=joined)


def _column_of_arrays(rows: list[NDArray[Any]]) -> Column:
    forms = {(row.shape, row.dtype) for row in rows}
    if any(dtype.names or not dtype.isnative for _, dtype in forms):
        # NumPy joins arrays in the machine's byte order, and fields without gaps: one row is to be like several.
        rows = [row.astype(np.result_type(row.dtype), copy=False) for row in rows]
        forms = {(row.shape, row.dtype) for row in rows}
    if len(forms) == 1:
        ((shape, dtype),) = forms
        if dtype.kind in "USTO":
            return _column_of_text(rows, shape)
        if len(rows) == 1:
            return Dense(rows[0][None])
        if rows[0].nbytes >= _LARGE_ROW_BYTES:
            return SeparateRows(rows)
        # np.stack() makes a view of each row first, which takes longer than all else (bench_slow_files.py).
        return Dense(np.concatenate(rows).reshape(len(rows), *shape) if shape else np.stack(rows))
    if (
        len({(len(shape), shape[1:], dtype) for shape, dtype in forms}) == 1
        and rows[0].ndim
        and rows[0].dtype.kind != "O"
    ):
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)])
        return Varlen(np.concatenate(rows), offsets)
    return Objects.from_rows([component(row) for row in rows])


def _column_of_text(rows: list[NDArray[Any]], shape: tuple[int, ...]) -> Column:
    if not shape:
        return Objects.from_rows([component(row) for row in rows])
    array = np.empty((len(rows), *shape), object)
    for at, row in enumerate(rows):
        array[at] = row
    kinds = set(map(type, array.flat))
    return Dense(array, kinds.pop() if kinds in ({str}, {bytes}) else object)


def _column_of_anything(rows: list[Any]) -> Column:
    values = [component(row) for row in rows]
    kinds = set(map(type, values))
    if len(kinds) == 1 and kinds != set(map(type, rows)):
        return column_from_rows(values)
    return Objects.from_rows(values)


def _object_array(rows: list[Any]) -> NDArray[Any]:
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def _fits_int64(rows: list[int]) -> bool:
    return -(2**63) <= min(rows) and max(rows) < 2**63
