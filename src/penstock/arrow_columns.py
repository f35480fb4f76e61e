"""Columns as Arrow arrays, and back without a copy where rows are numbers of one shape.

How rows of a component lie in a file is its `Form`:

- fixed: numbers of one dtype and shape; fixed-size binary.
- ragged: numbers of one dtype whose shapes differ; binary, and a list with each row's shape.
- text: one text or bytes; Arrow's own. texts: arrays of them; a list, and a list with each row's shape.
- sparse: coordinates and values as binary, and a list with each row's shape.

pyarrow is imported by whoever calls this first.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.block import Block
from penstock.building import column_from_rows, component
from penstock.columns import Column, Dense, Objects, Sparse, SparseTensor, Varlen
from penstock.json_values import dtype_from_json, dtype_to_json, is_storable_dtype

_TEXT_KINDS: dict[str, type] = {"str": str, "bytes": bytes, "object": object}


@dataclass(frozen=True, slots=True)
class Form:
    """How the rows of one component lie in a file.

    Attributes:
        kind: "fixed", "ragged", "text", "texts" or "sparse".
        dtype: Of numbers; `str` or `bytes` of text, `object` where there is an empty array of it only.
        shape: Of each row where the kind is fixed.
    """

    kind: str
    dtype: np.dtype[Any] | type
    shape: tuple[int, ...] | None = None

    def to_json(self) -> str:
        dtype = dtype_to_json(self.dtype) if isinstance(self.dtype, np.dtype) else self.dtype.__name__
        return json.dumps([self.kind, dtype, self.shape])

    @classmethod
    def from_json(cls, text: str | bytes) -> Form:
        kind, dtype, shape = json.loads(text)
        is_text = kind in ("text", "texts")
        found = _TEXT_KINDS[dtype] if is_text else dtype_from_json(dtype)
        return cls(kind, found, None if shape is None else tuple(shape))

    @property
    def row_bytes(self) -> int:
        """The size of a row where the kind is fixed."""
        assert isinstance(self.dtype, np.dtype)
        return self.dtype.itemsize * math.prod(self.shape or ())

    def types(self) -> list[Any]:
        """The types of its Arrow arrays."""
        import pyarrow as pa

        shapes = pa.list_(pa.int64())
        text = pa.large_binary() if self.dtype is bytes else pa.large_string()
        match self.kind:
            case "fixed":
                return [pa.binary(self.row_bytes) if self.row_bytes else pa.null()]
            case "text":
                return [text]
            case "texts":
                return [pa.large_list(text), shapes]
            case "ragged":
                return [pa.large_binary(), shapes]
            case _:
                return [pa.large_binary(), pa.large_binary(), shapes]


def form_of(column: Column) -> Form | None:
    """The narrowest form for all rows of a column; None where they cannot be written."""
    match column:
        case Dense():
            if column.dtype is str or column.dtype is bytes:
                return Form("texts" if column.row_shape else "text", column.dtype)
            if isinstance(column.dtype, np.dtype) and is_storable_dtype(column.dtype):
                return Form("fixed", column.dtype, column.row_shape)
        case Varlen():
            if isinstance(column.dtype, np.dtype) and is_storable_dtype(column.dtype):
                return Form("ragged", column.dtype)
            if column.dtype is str or column.dtype is bytes:
                return Form("texts", column.dtype)
        case Sparse():
            return Form("sparse", column.entries.dtype)
    found: Form | None = None
    for row in column.values(writable=True):
        form = _form_of_value(row)
        found = form if found is None or form is None else wider(found, form)
        if found is None:
            return None
    return found


def _form_of_value(value: Any) -> Form | None:
    if isinstance(value, (str, bytes)):
        return Form("text", str if isinstance(value, str) else bytes)
    if isinstance(value, SparseTensor):
        return Form("sparse", value.values.dtype)
    if not isinstance(value, (np.ndarray, np.generic)):
        return None
    if is_storable_dtype(value.dtype):
        return Form("fixed", value.dtype, value.shape)
    if value.dtype.kind != "O":
        return None
    if not value.size:
        return Form("texts", object)
    kinds: set[type] = set(map(type, value.flat))
    return Form("texts", kinds.pop()) if kinds in ({str}, {bytes}) else None


def wider(left: Form, right: Form) -> Form | None:
    """The form that rows of both fit; None where there is none."""
    if left == right:
        return left
    kinds = {left.kind, right.kind}
    if left.dtype is object or right.dtype is object:
        return (
            Form("texts", right.dtype if left.dtype is object else left.dtype) if kinds <= {"text", "texts"} else None
        )
    if left.dtype != right.dtype:
        return None
    if kinds <= {"fixed", "ragged"}:
        return Form("ragged", left.dtype)
    return Form("texts", left.dtype) if kinds <= {"text", "texts"} else None


def to_arrow(column: Column, form: Form) -> list[Any]:
    """The rows of a column in a form that they fit, as Arrow arrays."""
    import pyarrow as pa

    if form.kind == "fixed":
        if not form.row_bytes:
            return [pa.nulls(len(column))]
        rows: Any = column.values(writable=True)
        array = column.array if isinstance(column, Dense) else np.stack(list(rows))
        raw = pa.py_buffer(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        return [pa.FixedSizeBinaryArray.from_buffers(pa.binary(form.row_bytes), len(column), [None, raw])]
    values = list(column.values(writable=True))
    text, types = pa.large_binary() if form.dtype is bytes else pa.large_string(), form.types()
    if form.kind == "text":
        return [pa.array(values, text)]
    if form.kind == "sparse":
        parts = [_binary([value.indices for value in values]), _binary([value.values for value in values])]
        return [*parts, _shapes([value.shape for value in values], types[-1])]
    arrays = [_as_array(value) for value in values]
    shapes = _shapes([array.shape for array in arrays], types[-1])
    if form.kind == "ragged":
        return [_binary(arrays), shapes]
    offsets = np.concatenate([[0], np.cumsum([array.size for array in arrays], dtype=np.int64)])
    items = [item for array in arrays for item in array.flat]
    return [pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.array(items, text)), shapes]


def _as_array(value: Any) -> NDArray[Any]:
    if isinstance(value, (str, bytes)):
        array = np.empty((), object)
        array[()] = value
        return array
    return np.asarray(value)


def _binary(arrays: list[NDArray[Any]]) -> Any:
    """The memory of each array as one value."""
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum([array.nbytes for array in arrays], dtype=np.int64)])
    raw = b"".join([array.tobytes() for array in arrays])
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(arrays), [None, pa.py_buffer(offsets), pa.py_buffer(raw)]
    )


def _shapes(shapes: list[tuple[int, ...]], kind: Any) -> Any:
    import pyarrow as pa

    return pa.array([list(shape) for shape in shapes], kind)


def from_arrow(form: Form, arrays: list[Any], rows: int) -> Column:
    """The column of `rows` rows that `to_arrow` made the arrays of; a view of them where the form is fixed."""
    match form.kind:
        case "fixed":
            return Dense(_fixed(form, arrays[0], rows))
        case "text":
            return Dense(_objects(arrays[0].to_pylist()), form.dtype)
    shapes = [tuple(shape) for shape in arrays[-1].to_pylist()]
    if form.kind == "texts":
        rows_of = [_objects(items).reshape(shape) for items, shape in zip(arrays[0].to_pylist(), shapes, strict=True)]
        return column_from_rows([array[()] if not array.ndim else array for array in rows_of])
    if form.kind == "sparse":
        values = [np.frombuffer(raw.as_buffer(), form.dtype) for raw in arrays[1]]
        places = [np.frombuffer(raw.as_buffer(), np.int64) for raw in arrays[0]]
        return column_from_rows([SparseTensor(*parts) for parts in zip(places, values, shapes, strict=True)])
    return _ragged(form, arrays[0], shapes)


def block_of(treedef: tree.Treedef | None, forms: Sequence[Form], arrays: Sequence[Any], rows: int) -> Block:
    """The rows that the arrays of all components hold, one component's after another's."""
    columns: list[Column] = []
    at = 0
    for form in forms:
        width = len(form.types())
        columns.append(from_arrow(form, list(arrays[at : at + width]), rows))
        at += width
    return Block(treedef, columns, rows)


def checksum(batch: Any) -> int:
    """The CRC-32 of a record batch's memory."""
    found = 0
    for column in batch.columns:
        for buffer in column.buffers():
            if buffer is not None:
                found = zlib.crc32(buffer, found)
    return found


def checksum_of_schema(about: bytes, fields: Iterable[Any]) -> bytes:
    """The CRC-32 of what a file says of itself and of its columns, as text."""
    columns = [f"{field.name} {field.metadata[b'penstock'].decode()}" for field in fields]
    return str(zlib.crc32("\n".join(columns).encode(), zlib.crc32(about))).encode()


def _fixed(form: Form, array: Any, rows: int) -> NDArray[Any]:
    assert form.shape is not None
    if not form.row_bytes:
        return np.empty((rows, *form.shape), form.dtype)
    found: NDArray[Any] = np.frombuffer(
        array.buffers()[1], np.uint8, rows * form.row_bytes, array.offset * form.row_bytes
    )
    return found.view(form.dtype).reshape(rows, *form.shape)


def _ragged(form: Form, array: Any, shapes: list[tuple[int, ...]]) -> Column:
    assert isinstance(form.dtype, np.dtype)
    if shapes and shapes[0] and len({shape[1:] for shape in shapes}) == 1 and len({len(s) for s in shapes}) == 1:
        lengths = [shape[0] for shape in shapes]
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        count = int(offsets[-1]) * math.prod(shapes[0][1:])
        _, starts, raw = array.buffers()
        first = int(np.frombuffer(starts, np.int64)[array.offset])
        if count:
            values: NDArray[Any] = np.frombuffer(raw, np.uint8, count * form.dtype.itemsize, first).view(form.dtype)
        else:
            values = np.empty(0, form.dtype)
        return Varlen(values.reshape(int(offsets[-1]), *shapes[0][1:]), offsets, form.dtype)
    rows = [
        np.frombuffer(raw.as_buffer(), form.dtype).reshape(shape) if math.prod(shape) else np.empty(shape, form.dtype)
        for raw, shape in zip(array, shapes, strict=True)
    ]
    return column_from_rows([component(row) for row in rows]) if rows else Objects.from_rows([])


def _objects(items: list[Any]) -> NDArray[Any]:
    array = np.empty(len(items), object)
    array[:] = items
    return array
