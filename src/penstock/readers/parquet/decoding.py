"""Arrow arrays as columns: which types there are, what they become, and what stands for nulls."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penstock.columns import Column, Dense, Varlen
from penstock.spec import DType, TensorSpec


class Unreadable(Exception):
    """No component can be made of a type; says why, and what to do."""


class Decoded(NamedTuple):
    """A column, and the rows in which a null stands for which there is no value; None for no such row."""

    column: Column
    is_missing: NDArray[np.bool_] | None


def component_of(kind: Any) -> TensorSpec:
    """The spec of a column of an Arrow type other than a struct.

    Raises:
        Unreadable: Nothing can be made of it.
    """
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _of_extension(kind)
    if pa.types.is_dictionary(kind):
        return component_of(kind.value_type)
    text = _text(kind)
    if text is not None:
        return TensorSpec((), text)
    if pa.types.is_fixed_size_list(kind):
        item = _item(kind)
        return TensorSpec((kind.list_size, *_shape(item)), item.dtype)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        item = _item(kind)
        return TensorSpec((None, *_shape(item)), item.dtype)
    return TensorSpec((), bool if pa.types.is_boolean(kind) else _numbers(kind)[1])


def _of_extension(kind: Any) -> TensorSpec:
    import pyarrow as pa

    found = component_of(kind.storage_type)
    if isinstance(kind, pa.FixedShapeTensorType):
        if kind.permutation is not None and list(kind.permutation) != list(range(len(kind.shape))):
            raise Unreadable("whose axes lie in another order in memory; write it in row-major order")
        return TensorSpec(kind.shape, found.dtype)
    return found


def _shape(spec: TensorSpec) -> tuple[int | None, ...]:
    assert spec.shape is not None
    return spec.shape


def _item(kind: Any) -> TensorSpec:
    import pyarrow as pa

    if pa.types.is_struct(kind.value_type):
        raise Unreadable("a list of structs; write a column of lists for each field instead")
    item = component_of(kind.value_type)
    if None in _shape(item):
        raise Unreadable("a list of lists; write flat lists beside their shapes, or lists of a fixed size")
    return item


def _text(kind: Any) -> type | None:
    import pyarrow as pa

    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return str
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    return bytes if is_bytes or pa.types.is_fixed_size_binary(kind) else None


def _numbers(kind: Any) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """The dtype in which numbers lie in memory, and that in which users see them."""
    import pyarrow as pa

    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        found = np.dtype(kind.to_pandas_dtype())
        return found, found
    raw = np.dtype(np.int32 if kind.bit_width == 32 else np.int64) if pa.types.is_temporal(kind) else None
    if pa.types.is_date(kind):
        return raw, np.dtype("M8[D]" if pa.types.is_date32(kind) else "M8[ms]")  # type: ignore[return-value]
    if pa.types.is_timestamp(kind):
        return raw, np.dtype(f"M8[{kind.unit}]")  # type: ignore[return-value]
    if pa.types.is_duration(kind) or pa.types.is_time(kind):
        return raw, np.dtype(f"m8[{kind.unit}]")  # type: ignore[return-value]
    if pa.types.is_decimal(kind):
        raise Unreadable("and NumPy has no decimals; write it as float64, or as whole numbers of the smallest unit")
    raise Unreadable("of which no array can be made")


def decode(array: Any, fill: Any = None) -> Decoded:
    """The column of an Arrow array; a view of its memory where it holds numbers without nulls.

    Nulls become `fill`; without it NaN among floats, NaT among times, and rows that are missing elsewhere.

    Args:
        array: Of a type that `component_of` knows.
        fill: A value of the component's dtype.
    """
    import pyarrow as pa

    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        found = decode(array.storage, fill)
        if isinstance(kind, pa.FixedShapeTensorType):
            assert isinstance(found.column, Dense)
            return Decoded(Dense(found.column.array.reshape(len(array), *kind.shape)), found.is_missing)
        return found
    if pa.types.is_dictionary(kind):
        return decode(array.dictionary_decode(), fill)
    if pa.types.is_fixed_size_list(kind):
        return _arrays(array, fill)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists(array, fill)
    nulls = _nulls(array)
    text = _text(kind)
    if text is not None:
        values = array.to_numpy(zero_copy_only=False)
        dtype: DType = text
    elif pa.types.is_boolean(kind):
        values = (array if nulls is None else array.fill_null(False)).to_numpy(zero_copy_only=False)
        dtype = values.dtype
    else:
        raw, seen = _numbers(kind)
        values = _memory(array, raw).astype(np.int64).view(seen) if raw.itemsize < seen.itemsize else None
        values = _memory(array, raw).view(seen) if values is None else values
        dtype = seen
    return _filled(values, dtype, nulls, fill)


def _nulls(array: Any) -> NDArray[np.bool_] | None:
    """Which rows are null; None where none is."""
    if not array.null_count:
        return None
    found: NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    return found


def _memory(array: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The numbers of an array without a copy; what stands in the places of nulls means nothing."""
    if not len(array):
        return np.empty(0, dtype)
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)


def _filled(values: NDArray[Any], dtype: DType, nulls: NDArray[np.bool_] | None, fill: Any) -> Decoded:
    """Rows with a value in place of each null."""
    if nulls is None:
        return Decoded(Dense(values, dtype), None)
    values = values.copy()
    values[nulls] = null_value(dtype) if fill is None else fill
    return Decoded(Dense(values, dtype), None if fill is not None or stands_for_nothing(dtype) else nulls)


def stands_for_nothing(dtype: DType) -> bool:
    """Whether a dtype has a value of its own for what is missing: NaN or NaT."""
    return isinstance(dtype, np.dtype) and dtype.kind in "fmM"


def null_value(dtype: DType) -> Any:
    """What stands in the place of a null: NaN, NaT, zero or an empty text."""
    if not isinstance(dtype, np.dtype):
        return dtype()
    if not stands_for_nothing(dtype):
        return dtype.type()
    # With the unit of the dtype: a time without one is deprecated.
    return np.array("NaT" if dtype.kind in "mM" else "nan", dtype)[()]


def _arrays(array: Any, fill: Any) -> Decoded:
    """Lists of a fixed size as arrays; a null among the items of a row is the row's."""
    size, rows = array.type.list_size, len(array)
    column, missing_items = decode(array.values.slice(array.offset * size, rows * size), fill)
    assert isinstance(column, Dense)
    values = column.array.reshape(rows, size, *column.row_shape)
    nulls = _nulls(array)
    found = _filled(values, column.dtype, nulls, fill)
    if missing_items is None:
        return found
    is_missing: NDArray[np.bool_] = np.logical_or.reduce(missing_items.reshape(rows, size), axis=1)
    # Items of a row that is null and was filled may be null themselves.
    return Decoded(found.column, is_missing if nulls is None else is_missing | nulls)


def _lists(array: Any, fill: Any) -> Decoded:
    """Lists as rows of different lengths; one that is null is empty where there is a `fill`, else missing."""
    import pyarrow.compute as pc

    nulls = _nulls(array)
    lengths = pc.list_value_length(array)
    lengths = (lengths if nulls is None else lengths.fill_null(0)).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(array) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    column, missing_items = decode(array.flatten(), fill)
    assert isinstance(column, Dense)
    is_missing = None if fill is not None else nulls
    if missing_items is not None:
        is_missing = np.zeros(len(array), np.bool_) if is_missing is None else is_missing.copy()
        is_missing[np.repeat(np.arange(len(array)), lengths)[missing_items]] = True
    return Decoded(Varlen(column.array, offsets, column.dtype), is_missing)


def never_looked_at(spec: TensorSpec, rows: int) -> Column:
    """A column of a spec that takes no memory and holds nothing of worth."""
    assert spec.shape is not None
    sizes = [size or 0 for size in spec.shape]
    dtype = spec.dtype if isinstance(spec.dtype, np.dtype) else np.dtype(object)
    if None in spec.shape:
        return Varlen(np.empty((0, *sizes[1:]), dtype), np.zeros(rows + 1, np.int64), spec.dtype)
    value = np.full((), null_value(spec.dtype), dtype)
    return Dense(np.broadcast_to(value, (rows, *sizes)), spec.dtype)
