"""Rows of unequal shapes padded into one array: what `padded_batch` and the steps that batch by length share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.block import Block
from penstock.building import column_from_rows
from penstock.columns import Column, Dense, Objects, SeparateRows, Sparse, SparseTensor, Varlen
from penstock.errors import SpecError
from penstock.group import errors_of_groups, group, group_ragged
from penstock.node import Context, Indices
from penstock.padding import PaddedComponent, Padding
from penstock.scatter import NUMBERS, scatter, scatter_together
from penstock.spec import DType, spec_of_value

Rows = slice | Indices
"""Some rows of a block: from a start to a stop, or by their numbers."""

Pieces = Sequence[tuple[Block, Rows]]
"""The rows of one batch, in order; each piece has at least one."""


class Padder:
    """Makes batches as a `Padding` says; one for each run of a plan."""

    def __init__(self, padding: Padding) -> None:
        self._padding = padding
        self._known: tuple[tree.Treedef, list[PaddedComponent]] | None = None

    def components(self, treedef: tree.Treedef) -> list[PaddedComponent]:
        """How each component is padded, worked out once for each structure."""
        if self._known is None or self._known[0] != treedef:
            self._known = treedef, self._padding.components(treedef)
        return self._known[1]

    def batches(self, block: Block, offsets: Indices, first: int | Indices, context: Context) -> Block:
        """Rows `offsets[j]` to `offsets[j + 1]` as row j; a row that is an error makes its batch that error.

        `first` is the index of the first row, or of the first row of each batch where they do not follow one another.
        """
        method, size = self._padding.method, int(offsets[1])
        if block.treedef is None or self._fits_as_is(block):
            if size * (len(offsets) - 1) == block.rows:
                return group(block, size, method, first, context)
            return group_ragged(block, offsets, method, first, context)
        errors = errors_of_groups(block, offsets)
        made: list[list[NDArray[Any]] | None] = []
        bounds = offsets.tolist()
        rows = np.split(np.arange(block.rows), bounds[1:-1])
        ready = ready_together(block, rows, [self] * len(rows))
        for number, (start, stop) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
            batch = None
            if number not in errors:
                try:
                    batch = self.batch([(block, slice(start, stop))], context, ready[number])
                except (SpecError, TypeError, ValueError) as error:
                    at = first + start if isinstance(first, int) else int(first[number])
                    error.add_note(f"in the batch of elements {at} to {at + stop - start - 1}")
                    errors[number] = error
            made.append(batch)
        return block_of_batches(block.treedef, made, errors)

    def _fits_as_is(self, block: Block) -> bool:
        """Whether all rows have the shapes to pad to, so that stacking them is all."""
        assert block.treedef is not None
        try:
            for part, column in zip(self.components(block.treedef), block.columns, strict=True):
                if not isinstance(column, Dense) or part.target(column.row_shape) != column.row_shape:
                    return False
                if column.row_shape:
                    part.fill(column.dtype)
        except (SpecError, TypeError, ValueError):
            return False  # which is told for each batch
        return True

    def batch(
        self, pieces: Pieces, context: Context, ready: Sequence[NDArray[Any] | None] | None = None
    ) -> list[NDArray[Any]]:
        """The arrays of one batch, one per component; those in `ready` as they are.

        Raises:
            SpecError: Rows do not fit what was asked for, or cannot be padded.
            TypeError: A padding value is of another dtype.
        """
        treedef = pieces[0][0].treedef
        assert treedef is not None
        made = []
        for at, part in enumerate(self.components(treedef)):
            array = None if ready is None else ready[at]
            if array is None:
                array = pad_component(part, [(block.columns[at], rows) for block, rows in pieces], context)
            made.append(array)
        return made


def ready_together(
    block: Block, batches: Sequence[Indices], padders: Sequence[Padder]
) -> list[tuple[NDArray[Any] | None, ...]]:
    """For each batch of rows of `block` the components that could be made at once for all; None for others."""
    treedef = block.treedef
    assert treedef is not None
    rows, sizes = np.concatenate(batches), np.array([len(batch) for batch in batches])
    made: list[list[NDArray[Any] | None]] = []
    for at, column in enumerate(block.columns):
        own: list[NDArray[Any] | None] = [None] * len(batches)
        if isinstance(column, Varlen) and _is_a_row_of_numbers(column.array):
            # What does not fit is told where that batch is made.
            with suppress(SpecError, TypeError, ValueError):
                own = _pad_together([padder.components(treedef)[at] for padder in padders], column, rows, sizes)
        made.append(own)
    return list(zip(*made, strict=True))


def _is_a_row_of_numbers(values: NDArray[Any]) -> bool:
    return values.ndim == 1 and values.dtype.kind in NUMBERS and values.flags.c_contiguous


def _pad_together(
    parts: Sequence[PaddedComponent], column: Varlen, rows: Indices, sizes: Indices
) -> list[NDArray[Any] | None]:
    starts = column.offsets[rows]
    lengths = column.offsets[rows + 1] - starts
    longest = np.maximum.reduceat(lengths, np.cumsum(sizes) - sizes)
    widths = [part.target((size,))[0] for part, size in zip(parts, longest.tolist(), strict=True)]
    return scatter_together(column.array, starts, lengths, sizes, widths, parts[0].fill(column.dtype))


def block_of_batches(
    treedef: tree.Treedef | None, made: Sequence[Sequence[Any] | None], errors: dict[int, Exception]
) -> Block:
    """A row for each batch, whose arrays may differ in shape; None for those that are errors."""
    good = next((arrays for arrays in made if arrays is not None), None)
    if good is None:
        return Block(None, (), len(made), errors)
    columns = []
    for at, placeholder in enumerate(good):
        columns.append(_column([placeholder if arrays is None else arrays[at] for arrays in made]))
    return Block(treedef, columns, len(made), errors, fresh=True)


def _column(arrays: list[NDArray[Any]]) -> Column:
    if any(array.dtype.hasobject for array in arrays):
        return column_from_rows(arrays)
    # Not joined where shapes are alike: that would copy each batch once more.
    return Dense(arrays[0][None]) if len(arrays) == 1 else Objects.from_rows(arrays)


def pad_component(part: PaddedComponent, pieces: Sequence[tuple[Column, Rows]], context: Context) -> NDArray[Any]:
    """The rows of one component, padded to one shape, in memory of their own."""
    dtype = _common_dtype(part, pieces)
    found = [_largest(part, column, rows) for column, rows in pieces]
    if len({len(sizes) for sizes in found}) > 1:
        raise SpecError(
            f"{part.method}(): component{part.name} has elements of {len(found[0])} and {len(found[-1])} axes; "
            "give them as many with map() first"
        )
    shape = part.target(tuple(max(sizes) for sizes in zip(*found, strict=True)))
    counts = [_count(rows) for _, rows in pieces]
    held = dtype if isinstance(dtype, np.dtype) else np.dtype(object)
    batch = context.allocate((sum(counts), *shape), held)
    value = part.fill(dtype) if shape else None
    start = 0
    for (column, rows), count in zip(pieces, counts, strict=True):
        _write(column, rows, batch[start : start + count], value)
        start += count
    return batch


def _count(rows: Rows) -> int:
    return int(rows.stop - rows.start) if isinstance(rows, slice) else len(rows)


def _common_dtype(part: PaddedComponent, pieces: Sequence[tuple[Column, Rows]]) -> DType:
    found: list[DType] = []
    for column, rows in pieces:
        if isinstance(column, (Dense, Varlen)):
            found.append(column.dtype)
        elif isinstance(column, Sparse):
            raise SpecError(_cannot(part, "a sparse component", "batch() keeps it sparse"))
        else:
            found += [_dtype_of_row(part, row) for row in column.array[rows]]
    # An empty array of objects does not tell what it has none of.
    found = [dtype for dtype in found if dtype is not object] or found
    other = next((dtype for dtype in found if dtype != found[0]), found[0])
    if other != found[0]:
        raise SpecError(
            f"{part.method}(): component{part.name} has dtypes {found[0]} and {other} within a batch; "
            "convert them to one dtype first"
        )
    return found[0]


def _dtype_of_row(part: PaddedComponent, row: Any) -> DType:
    if isinstance(row, SparseTensor):
        raise SpecError(_cannot(part, "a sparse component", "batch() keeps it sparse"))
    if not isinstance(row, (np.ndarray, np.generic, str, bytes)):
        raise SpecError(_cannot(part, f"a {type(row).__name__}", "make an array of it with map(), or use batch()"))
    return spec_of_value(row).dtype


def _cannot(part: PaddedComponent, what: str, hint: str) -> str:
    return f"{part.method}(): component{part.name} is {what}, which cannot be padded; {hint}"


def _largest(part: PaddedComponent, column: Column, rows: Rows) -> tuple[int, ...]:
    """The largest size of each axis."""
    if isinstance(column, Dense):
        return column.row_shape
    if isinstance(column, Varlen):
        lengths = column.offsets[1:][rows] - column.offsets[:-1][rows]
        return (int(lengths.max()), *column.array.shape[1:])
    assert isinstance(column, Objects)
    shapes = [np.shape(row) for row in column.array[rows]]
    if len(set(map(len, shapes))) > 1:
        numbers = " and ".join(map(str, sorted(set(map(len, shapes)))))
        raise SpecError(
            f"{part.method}(): component{part.name} has elements of {numbers} axes; give them as many with map() first"
        )
    return tuple(max(sizes) for sizes in zip(*shapes, strict=True))


def _write(column: Column, rows: Rows, batch: NDArray[Any], value: Any) -> None:
    """Put rows into a batch, which is larger in each axis, and `value` into what they leave free."""
    if isinstance(column, Varlen):
        starts = column.offsets[:-1][rows]
        scatter(column.array, starts, column.offsets[1:][rows] - starts, batch, value)
        return
    if isinstance(column, Dense):
        shape = column.row_shape
        if shape != batch.shape[1:]:
            batch[...] = value
        inside = batch[(slice(None), *map(slice, shape))]
        if isinstance(column, SeparateRows) and isinstance(rows, slice):
            for at, row in enumerate(column.rows[rows]):
                inside[at] = row
        else:
            inside[...] = column.array[rows]
        return
    assert isinstance(column, Objects)
    if batch.ndim > 1:
        batch[...] = value
    for at, row in enumerate(column.array[rows]):
        corner: tuple[Any, ...] = (at, *map(slice, np.shape(row)))
        batch[corner] = row
