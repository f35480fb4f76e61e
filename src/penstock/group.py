"""Rows stacked into batches and batches taken apart: what `batch`, `unbatch` and `map_batches` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from penstock import tree
from penstock.block import Block, all_errors, concatenate
from penstock.building import column_from_rows
from penstock.columns import (
    Column,
    Dense,
    Objects,
    SeparateRows,
    Sparse,
    SparseTensor,
    Varlen,
)
from penstock.errors import SpecError
from penstock.node import Context, Indices
from penstock.spec import spec_of_value


def group(block: Block, size: int, method: str, first: int | Indices, context: Context) -> Block:
    """Each `size` rows as one; `block` has a multiple of that.

    Fresh memory is reshaped where it lies, so what was gathered or computed for a batch is the batch.
    """
    count = block.rows // size
    if block.errors:
        return group_ragged(block, np.arange(0, block.rows + 1, size), method, first, context)
    columns: list[Column] = []
    for column in block.columns:
        if not isinstance(column, Dense):
            return group_ragged(block, np.arange(0, block.rows + 1, size), method, first, context)
        if isinstance(column, SeparateRows):
            own = context.allocate((count, size, *column.row_shape), column.rows[0].dtype)
            np.stack(column.rows, out=own.reshape(-1, *column.row_shape))
            columns.append(Dense(own, column.dtype))
            continue
        array = column.array
        shape = (count, size, *array.shape[1:])
        if block.fresh and array.flags.c_contiguous:
            columns.append(Dense(array.reshape(shape), column.dtype))
            continue
        own = context.allocate(shape, array.dtype)
        own.reshape(array.shape)[...] = array
        columns.append(Dense(own, column.dtype))
    return Block(block.treedef, columns, count, fresh=True)


def group_ragged(block: Block, offsets: Any, method: str, first: int | Indices, context: Context) -> Block:
    """Rows `offsets[j]` to `offsets[j + 1]` as row j; a row that is an error makes its batch that error.

    `first` is the index of the first row, or of the first row of each batch where they do not follow one another.
    """
    count = len(offsets) - 1
    errors = errors_of_groups(block, offsets)
    if block.treedef is None:
        return Block(None, (), count, errors)
    names = tree.paths(block.treedef)
    block = block.private() if not block.fresh else block
    columns: list[Column] = []
    for column, name in zip(block.columns, names, strict=True):
        if isinstance(column, Dense):
            columns.append(Varlen(column.array, np.asarray(offsets, np.int64), column.dtype))
            continue
        stacked: list[Any] = [None] * count
        for number in range(count):
            if number in errors:
                continue
            start, stop = int(offsets[number]), int(offsets[number + 1])
            at = first + start if isinstance(first, int) else int(first[number])
            try:
                stacked[number] = _stack(column.slice(start, stop), name, method, at)
            except SpecError as error:
                errors[number] = error
        columns.append(_column(stacked, errors))
    return Block(block.treedef, columns, count, errors, fresh=True)


def errors_of_groups(block: Block, offsets: Any) -> dict[int, Exception]:
    """For each group with a row that is an error, the first of these."""
    errors: dict[int, Exception] = {}
    for row in sorted(block.errors):
        errors.setdefault(int(np.searchsorted(offsets, row, side="right")) - 1, block.errors[row])
    return errors


def _column(stacked: list[Any], errors: dict[int, Exception]) -> Column:
    good = next((value for number, value in enumerate(stacked) if number not in errors), np.zeros(0))
    return column_from_rows([good if number in errors else value for number, value in enumerate(stacked)])


def _stack(column: Column, name: str, method: str, first: int) -> Any:
    """The rows of a column that is not Dense, as one component."""
    rows = column.values(writable=True)
    if isinstance(column, Sparse):
        return _stack_sparse(column.values(writable=True))
    narrow = column_from_rows(list(rows))
    if isinstance(narrow, Dense):
        return narrow.array
    if isinstance(narrow, Objects) and not any(isinstance(row, (np.ndarray, np.generic)) for row in rows):
        return narrow.array
    specs = [spec_of_value(row) for row in rows]
    other = next(at for at, spec in enumerate(specs) if spec != specs[0])
    what = "shapes" if specs[0].dtype == specs[other].dtype else "dtypes"
    forms = [specs[0].shape, specs[other].shape] if what == "shapes" else [specs[0].dtype, specs[other].dtype]
    hint = "use padded_batch() or resize first" if what == "shapes" else "convert them to one dtype first"
    raise SpecError(
        f"{method}(): component{name or ''} of elements {first} and {first + other} have {what} {forms[0]} and "
        f"{forms[1]}; {hint}"
    )


def _stack_sparse(rows: Sequence[SparseTensor]) -> SparseTensor:
    numbers = np.repeat(np.arange(len(rows)), [len(row.values) for row in rows])
    coordinates = np.concatenate([row.indices for row in rows])
    shape = (len(rows), *(max(sizes) for sizes in zip(*(row.shape for row in rows), strict=True)))
    return SparseTensor(np.column_stack([numbers, coordinates]), np.concatenate([row.values for row in rows]), shape)


def ungroup(block: Block, method: str) -> Block:
    """Every row of every batch; a batch that is an error stays one row."""
    if not block.errors and all(isinstance(column, Dense) for column in block.columns):
        arrays = [column.array for column in block.columns if isinstance(column, Dense)]
        if arrays and all(array.ndim > 1 and array.shape[1] == arrays[0].shape[1] for array in arrays):
            rows = block.rows * arrays[0].shape[1]
            columns = [
                Dense(array.reshape(rows, *array.shape[2:]), column.dtype)
                for array, column in zip(arrays, block.columns, strict=True)
                if isinstance(column, Dense)
            ]
            return Block(block.treedef, columns, rows, fresh=block.fresh)
    parts = [
        all_errors(block.errors[row]) if row in block.errors else _ungroup_one(block.slice(row, row + 1), method)
        for row in range(block.rows)
    ]
    return concatenate([part for part in parts if part.rows] or [parts[0]])


def _ungroup_one(block: Block, method: str) -> Block:
    assert block.treedef is not None
    values = [column.values(block.fresh)[0] for column in block.columns]
    try:
        columns = [_rows_of(value, name, method) for value, name in zip(values, tree.paths(block.treedef), strict=True)]
        sizes = {len(column) for column in columns}
        if len(sizes) != 1:
            raise SpecError(f"{method}(): components have {sorted(sizes)} rows; all need as many")
    except SpecError as error:
        return all_errors(error)
    return Block(block.treedef, columns, sizes.pop(), fresh=block.fresh)


def _rows_of(value: Any, name: str, method: str) -> Column:
    if isinstance(value, SparseTensor):
        rows = np.searchsorted(value.indices[:, 0], np.arange(value.shape[0] + 1)).astype(np.int64)
        return Sparse(value.indices[:, 1:], value.values, rows, value.shape[1:])
    if not isinstance(value, np.ndarray) or value.ndim == 0:
        raise SpecError(f"{method}(): component{name} is {value!r}, which has no axis to split; batch() first")
    if value.dtype.kind != "O":
        return Dense(value)
    return column_from_rows(list(value)) if len(value) else Dense(value, object)
