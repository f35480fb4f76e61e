"""An Arrow file that `writers/arrow.py` wrote, mapped into memory."""

from __future__ import annotations

import json
from bisect import bisect_right
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.arrow_columns import Form, checksum, checksum_of_schema, from_arrow
from penstock.block import Block, Dense, concatenate
from penstock.building import Allocate, concatenate_columns
from penstock.columns import Column, Objects
from penstock.errors import DataLossError
from penstock.node import Indices
from penstock.structures import structure_from_json

_MOST_CHECKED_BYTES = 1 << 26


class ArrowFile:
    """The rows of a file: any slice without a copy where it lies in one record batch and numbers have one shape.

    A record batch is compared with its checksum when it is first read in order; by index all are at once where the file
    has up to 64 MiB, and none in a larger one, of which each window of a shuffle would have to be read as a whole.

    Attributes:
        path: The file.
        about: What the writer was told to say of it.
        rows: How many rows.

    Raises:
        DataLossError: The file is cut off, or none that `ArrowWriter` wrote.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._open()
        except FileNotFoundError:
            raise
        except Exception as error:  # a broken file misleads pyarrow, and what is made of what it says, in many ways
            raise self._loss(f"cut off or no cache of penstock ({str(error) or type(error).__name__})") from error

    def _open(self) -> None:
        import pyarrow as pa

        self._file = pa.ipc.open_file(pa.memory_map(str(self.path)))
        fields = self._read_schema(self._file.schema)
        batches = [self._file.get_batch_with_custom_metadata(at) for at in range(self._file.num_record_batches)]
        self._batches = [batch for batch, _ in batches]
        for batch in self._batches:
            batch.validate()
        self._sums = [None if meta is None else meta.get(b"crc32") for _, meta in batches]
        self._is_checked = [False] * len(batches)
        self._checks_all = self.path.stat().st_size <= _MOST_CHECKED_BYTES
        self._starts = np.cumsum([0, *(batch.num_rows for batch in self._batches)])
        self._first_rows: list[int] = self._starts.tolist()
        self.rows = self._first_rows[-1]
        self._forms: list[Form] = []
        self._firsts: list[int] = []
        while len(fields) > (at := sum(len(form.types()) for form in self._forms)):
            self._forms.append(fields[at])
            self._firsts.append(at)
        self._numbers = [self._views(at) if form.kind == "fixed" else None for at, form in enumerate(self._forms)]

    def _read_schema(self, schema: Any) -> list[Form]:
        """What the file says of itself; the form of each of its columns."""
        if schema.metadata[b"crc32"] != checksum_of_schema(schema.metadata[b"penstock"], schema):
            raise ValueError("its schema has another checksum")
        self.about: dict[str, Any] = json.loads(schema.metadata[b"penstock"])
        self._treedef = structure_from_json(self.about["structure"]) if self.about["has_rows"] else None
        return [Form.from_json(field.metadata[b"penstock"]) for field in schema]

    def _views(self, at: int) -> _Numbers:
        form, first = self._forms[at], self._firsts[at]
        arrays = [from_arrow(form, [batch.column(first)], batch.num_rows) for batch in self._batches]
        return _Numbers([column.array for column in arrays if isinstance(column, Dense)])

    def _loss(self, what: str) -> DataLossError:
        return DataLossError(f"{self.path} is {what}; delete it to compute the elements anew")

    def block(self, start: int, stop: int, allocate: Allocate | None = None) -> Block:
        """Rows `start` to `stop`, at least one; a view of the file if they lie in one record batch.

        Raises:
            DataLossError: The file has changed since it was written.
        """
        number = bisect_right(self._first_rows, start) - 1
        if stop <= self._first_rows[number + 1]:
            return self._part(number, start, stop)
        parts = []
        while start < stop:
            end = min(stop, self._first_rows[number + 1])
            parts.append(self._part(number, start, end))
            start, number = end, number + 1
        return concatenate(parts, allocate)

    def _part(self, number: int, start: int, stop: int) -> Block:
        self._check(number)
        batch, first = self._batches[number], self._first_rows[number]
        columns: list[Column] = []
        for at, (form, numbers) in enumerate(zip(self._forms, self._numbers, strict=True)):
            if numbers is not None:
                columns.append(Dense(numbers.arrays[number][start - first : stop - first]))
                continue
            column = range(self._firsts[at], self._firsts[at] + len(form.types()))
            arrays = [batch.column(part).slice(start - first, stop - start) for part in column]
            columns.append(from_arrow(form, arrays, stop - start))
        return Block(self._treedef, columns, stop - start)

    def _check(self, number: int) -> None:
        if self._is_checked[number]:
            return
        batch, first = self._batches[number], self._first_rows[number]
        if self._sums[number] != str(checksum(batch)).encode():
            raise self._loss(f"corrupt: elements {first} to {first + batch.num_rows - 1} have another checksum")
        self._is_checked[number] = True

    def take(self, indices: Indices, allocate: Allocate) -> Block:
        """The rows at `indices`, in any order and with repeats, in memory of their own.

        Raises:
            DataLossError: The file has changed since it was written, as far as that is seen.
        """
        if self._checks_all:
            for number in range(len(self._batches)):
                self._check(number)
            self._checks_all = False
        batches = np.searchsorted(self._starts, indices, side="right") - 1
        rows = indices - self._starts[batches]
        columns: list[Column] = [
            self._taken(at, batches, rows) if numbers is None else Dense(numbers.take(batches, rows, allocate))
            for at, numbers in enumerate(self._numbers)
        ]
        return Block(self._treedef, columns, len(indices), fresh=Objects not in map(type, columns))

    def _taken(self, at: int, batches: Indices, rows: Indices) -> Column:
        """The rows of a component that is not fixed, batch by batch."""
        form, first = self._forms[at], self._firsts[at]
        parts: list[Column] = []
        places: list[Indices] = []
        for number in np.unique(batches).tolist():
            mine = np.flatnonzero(batches == number)
            columns = self._batches[number].columns[first : first + len(form.types())]
            parts.append(self._picked(form, columns, rows[mine]))
            places.append(mine)
        if len(parts) == 1:
            return parts[0]
        return concatenate_columns(parts).take(np.argsort(np.concatenate(places), kind="stable"))

    def _picked(self, form: Form, columns: list[Any], rows: Indices) -> Column:
        try:
            # Since no checksum was compared: pyarrow goes where the offsets point, beyond the end of the file too.
            if all(_lie_within(column, rows) for column in columns):
                return from_arrow(form, [column.take(rows) for column in columns], len(rows))
        except (ValueError, OverflowError) as error:  # a shape that does not fit its values, or text that is not UTF-8
            raise self._loss(f"corrupt ({error})") from error
        raise self._loss("corrupt: an element is said to lie outside of it")


def _lie_within(array: Any, rows: Indices) -> bool:
    """Whether the values of some rows of texts or lists lie within the memory of the array."""
    import pyarrow as pa

    kind = array.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not (is_list or pa.types.is_large_binary(kind) or pa.types.is_large_string(kind)):
        return True
    _, places, *memory = array.buffers()
    offsets = np.frombuffer(places, np.int32 if pa.types.is_list(kind) else np.int64)
    starts, stops = offsets[rows + array.offset].astype(np.int64), offsets[rows + array.offset + 1].astype(np.int64)
    size = len(array.values) if is_list else memory[0].size if memory[0] is not None else 0
    if not ((starts >= 0) & (starts <= stops) & (stops <= size)).all():
        return False
    if not is_list:
        return True
    lengths = stops - starts
    before = np.cumsum(lengths) - lengths
    return _lie_within(array.values, np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths))


class _Numbers:
    """Rows of numbers of one shape in several record batches, all but the last as long.

    Args:
        arrays: The rows of each batch, as views of the mapped file.
    """

    def __init__(self, arrays: list[NDArray[Any]]) -> None:
        self.arrays = arrays
        self._whole = _as_one(arrays[:-1] or arrays) if arrays else None

    def take(self, batches: Indices, rows: Indices, allocate: Allocate) -> NDArray[Any]:
        """Row `rows[i]` of batch `batches[i]` for each i."""
        if self._whole is not None:
            is_last = batches >= len(self._whole)
            if not is_last.any():
                return self._whole[batches, rows]
            taken: NDArray[Any] = self._whole[np.where(is_last, 0, batches), np.where(is_last, 0, rows)]
            taken[is_last] = self.arrays[-1][rows[is_last]]
            return taken
        taken = allocate((len(rows), *self.arrays[0].shape[1:]), self.arrays[0].dtype)
        for batch in np.unique(batches).tolist():
            mine = batches == batch
            taken[mine] = self.arrays[batch][rows[mine]]
        return taken


def _as_one(arrays: list[NDArray[Any]]) -> NDArray[Any] | None:
    """Arrays of one shape that lie as far apart from one another as one array; None where they do not."""
    first = arrays[0]
    addresses = np.array([array.__array_interface__["data"][0] for array in arrays])
    distances = np.diff(addresses) if len(arrays) > 1 else np.array([first.nbytes])
    if len({array.shape for array in arrays}) > 1 or not first.nbytes or (distances != distances[0]).any():
        return None
    # The first array keeps the mapping of the whole file alive.
    return np.lib.stride_tricks.as_strided(
        first, (len(arrays), *first.shape), (int(distances[0]), *first.strides), writeable=False
    )
