"""The closed union of columns: `Dense`, `Varlen`, `Sparse`, `Objects`.

Each knows how to slice (a view), take rows (a copy), copy, give its rows as components, and tell its spec.
"""

from __future__ import annotations

from array import array as _machine_array
from collections.abc import Sequence
from types import CoroutineType, GeneratorType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.spec import DType, TensorSpec, canonical_dtype, spec_of_value

SCALAR_DTYPES: dict[type, np.dtype[Any]] = {
    int: np.dtype(np.int64),
    float: np.dtype(np.float64),
    bool: np.dtype(np.bool_),
    complex: np.dtype(np.complex128),
}
"""What Python's own numbers become."""

_NUMERIC_KINDS = frozenset("biufcmMV")

NO_COMPONENTS = (set, frozenset, type, GeneratorType, CoroutineType)
"""What a function returns by mistake only."""


class Dense:
    """An array with a leading axis of rows; text and bytes are arrays of Python objects of one class.

    A column of Python scalars is kept as the list that a user function made until somebody wants the array.
    """

    __slots__ = ("_array", "_scalars", "dtype")

    def __init__(
        self, array: NDArray[Any] | None, dtype: DType | None = None, scalars: list[Any] | None = None
    ) -> None:
        self._array = array
        self._scalars = scalars
        if dtype is None:
            assert array is not None
            dtype = array.dtype if array.dtype.kind in _NUMERIC_KINDS else canonical_dtype(array.dtype)
        self.dtype: DType = dtype

    @property
    def array(self) -> NDArray[Any]:
        """All rows as one array."""
        if self._array is None:
            assert self._scalars is not None
            self._array = _array_of_scalars(self._scalars, self.dtype)
        return self._array

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of a row."""
        return () if self._array is None else self._array.shape[1:]

    @property
    def has_scalars(self) -> bool:
        """Whether there is only the list so far."""
        return self._scalars is not None and self._array is None

    def scalars(self) -> list[Any]:
        """All rows of a rank-0 column as Python scalars."""
        return self.array.tolist() if self._scalars is None else self._scalars

    def __len__(self) -> int:
        return len(self._scalars) if self._array is None else len(self._array)  # type: ignore[arg-type]

    def slice(self, start: int, stop: int) -> Dense:
        if self._array is None:
            return Dense(None, self.dtype, self._scalars[start:stop])  # type: ignore[index]
        return Dense(self._array[start:stop], self.dtype)

    def take(self, indices: NDArray[Any]) -> Dense:
        return Dense(self.array.take(indices, axis=0), self.dtype)

    def copy(self) -> Dense:
        return Dense(self.array.copy(), self.dtype)

    def values(self, writable: bool) -> Any:
        array = self.array
        if not writable and array.flags.writeable and (array.ndim > 1 or array.dtype.kind == "V"):
            array = array.view()
            array.flags.writeable = False
        return array

    def spec(self) -> TensorSpec:
        return TensorSpec(self.row_shape, self.dtype)

    @property
    def num_bytes(self) -> int:
        return 8 * len(self) if self._array is None else self._array.nbytes


class Part(Dense):
    """Some rows of an array that belongs to no one else: with the rows behind them they join without a copy."""

    __slots__ = ("start", "whole")

    def __init__(self, whole: NDArray[Any], start: int, stop: int) -> None:
        super().__init__(whole[start:stop], whole.dtype)
        self.whole = whole
        self.start = start

    def slice(self, start: int, stop: int) -> Part:
        return Part(self.whole, self.start + start, self.start + stop)


class SeparateRows(Dense):
    """Large arrays of one shape, kept as a user function returned them until somebody wants one array of all."""

    __slots__ = ("rows",)

    def __init__(self, rows: list[NDArray[Any]]) -> None:
        super().__init__(None, rows[0].dtype)
        self.rows = rows

    @property
    def array(self) -> NDArray[Any]:
        if self._array is None:
            self._array = np.stack(self.rows)
        return self._array

    @property
    def row_shape(self) -> tuple[int, ...]:
        return self.rows[0].shape

    def __len__(self) -> int:
        return len(self.rows)

    def slice(self, start: int, stop: int) -> Dense:
        rows = self.rows[start:stop]
        return SeparateRows(rows) if rows else Dense(np.empty((0, *self.row_shape), self.dtype))

    def take(self, indices: NDArray[Any]) -> Dense:
        rows = [self.rows[index] for index in indices.tolist()]
        return Dense(np.stack(rows) if rows else np.empty((0, *self.row_shape), self.dtype))

    def copy(self) -> Dense:
        return Dense(np.stack(self.rows))

    def values(self, writable: bool) -> Any:
        return self.array if writable else [_read_only(row) for row in self.rows]

    @property
    def num_bytes(self) -> int:
        return sum(row.nbytes for row in self.rows)


class Varlen:
    """Rows that are arrays of one dtype and differ in their first axis: values one after another, and offsets."""

    __slots__ = ("array", "dtype", "offsets")

    def __init__(self, array: NDArray[Any], offsets: NDArray[np.int64], dtype: DType | None = None) -> None:
        self.array = array
        self.offsets = offsets
        self.dtype: DType = canonical_dtype(array.dtype) if dtype is None else dtype

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def slice(self, start: int, stop: int) -> Varlen:
        return Varlen(self.array, self.offsets[start : stop + 1], self.dtype)

    def take(self, indices: NDArray[Any]) -> Varlen:
        starts = self.offsets[indices]
        lengths = self.offsets[np.asarray(indices) + 1] - starts
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Varlen(self.array.take(places, axis=0), offsets, self.dtype)

    def copy(self) -> Varlen:
        first, last = int(self.offsets[0]), int(self.offsets[-1])
        return Varlen(self.array[first:last].copy(), self.offsets - first, self.dtype)

    def values(self, writable: bool) -> list[NDArray[Any]]:
        array = self.array
        if not writable and array.flags.writeable:
            array = array.view()
            array.flags.writeable = False
        bounds = self.offsets.tolist()
        return [array[start:stop] for start, stop in zip(bounds[:-1], bounds[1:], strict=True)]

    def spec(self) -> TensorSpec:
        lengths = set(np.diff(self.offsets).tolist())
        return TensorSpec((lengths.pop() if len(lengths) == 1 else None, *self.array.shape[1:]), self.dtype)

    @property
    def num_bytes(self) -> int:
        rows = int(self.offsets[-1] - self.offsets[0])
        return rows * self.array.itemsize * int(np.prod(self.array.shape[1:])) + self.offsets.nbytes


class SparseTensor:
    """One sparse component: the coordinates that hold something, in row-major order, and what they hold.

    >>> SparseTensor([[0], [2]], [5, 7], (4,)).to_dense()
    array([5, 0, 7, 0])

    Args:
        indices: Coordinates, integers of shape (num_values, rank).
        values: What stands there, shape (num_values,).
        shape: Size of each axis of the dense component.
    """

    __slots__ = ("indices", "shape", "values")

    def __init__(self, indices: Any, values: Any, shape: Sequence[int]) -> None:
        self.indices = np.asarray(indices, np.int64).reshape(-1, len(shape))
        self.values = np.asarray(values)
        self.shape = tuple(int(size) for size in shape)
        if len(self.indices) != len(self.values):
            raise ValueError(f"SparseTensor: {len(self.indices)} indices for {len(self.values)} values; give as many")

    def to_dense(self) -> NDArray[Any]:
        """The component as an array, zeros where it holds nothing."""
        dense = np.zeros(self.shape, self.values.dtype)
        dense[tuple(self.indices.T)] = self.values
        return dense

    def __repr__(self) -> str:
        return f"SparseTensor(shape={self.shape}, dtype={self.values.dtype}, num_values={len(self.values)})"


class Sparse:
    """Rows that are sparse components of one shape: coordinates, values and where each row's begin."""

    __slots__ = ("dtype", "offsets", "indices", "entries", "shape")

    def __init__(
        self, indices: NDArray[np.int64], entries: NDArray[Any], offsets: NDArray[np.int64], shape: tuple[int, ...]
    ) -> None:
        self.indices = indices
        self.entries = entries
        self.offsets = offsets
        self.shape = shape
        self.dtype: DType = entries.dtype

    @classmethod
    def from_rows(cls, rows: Sequence[SparseTensor]) -> Sparse:
        offsets = np.concatenate([[0], np.cumsum([len(row.values) for row in rows], dtype=np.int64)])
        indices = np.concatenate([row.indices for row in rows])
        return cls(indices, np.concatenate([row.values for row in rows]), offsets, rows[0].shape)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def slice(self, start: int, stop: int) -> Sparse:
        return Sparse(self.indices, self.entries, self.offsets[start : stop + 1], self.shape)

    def take(self, indices: NDArray[Any]) -> Sparse:
        coordinates = Varlen(self.indices, self.offsets).take(indices)
        return Sparse(
            coordinates.array, Varlen(self.entries, self.offsets).take(indices).array, coordinates.offsets, self.shape
        )

    def copy(self) -> Sparse:
        return self.take(np.arange(len(self)))

    def values(self, writable: bool) -> list[SparseTensor]:
        coordinates = Varlen(self.indices, self.offsets).values(writable)
        entries = Varlen(self.entries, self.offsets).values(writable)
        return [SparseTensor(i, e, self.shape) for i, e in zip(coordinates, entries, strict=True)]

    def spec(self) -> TensorSpec:
        return TensorSpec(self.shape, self.dtype)

    @property
    def num_bytes(self) -> int:
        return Varlen(self.indices, self.offsets).num_bytes + Varlen(self.entries, self.offsets).num_bytes


class Objects:
    """Rows of any kind: arrays whose shapes or dtypes differ, nested datasets, objects of the user's own."""

    __slots__ = ("array",)

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array

    @classmethod
    def from_rows(cls, rows: Sequence[Any]) -> Objects:
        array = np.empty(len(rows), object)
        for at, row in enumerate(rows):
            array[at] = row
        return cls(array)

    def __len__(self) -> int:
        return len(self.array)

    def slice(self, start: int, stop: int) -> Objects:
        return Objects(self.array[start:stop])

    def take(self, indices: NDArray[Any]) -> Objects:
        return Objects(self.array.take(indices))

    def copy(self) -> Objects:
        return Objects.from_rows([row.copy() if isinstance(row, np.ndarray) else row for row in self.array])

    def values(self, writable: bool) -> list[Any]:
        if writable:
            return list(self.array)
        return [_read_only(row) if isinstance(row, np.ndarray) else row for row in self.array]

    def spec(self) -> TensorSpec:
        found = {spec_of_value(row) for row in self.array}
        if len({spec.dtype for spec in found}) > 1:
            return TensorSpec(None, object)
        return found.pop() if len(found) == 1 else TensorSpec(None, next(iter(found)).dtype if found else object)

    @property
    def num_bytes(self) -> int:
        return sum(getattr(row, "nbytes", 8) for row in self.array)


Column = Dense | Varlen | Sparse | Objects


def _array_of_scalars(values: list[Any], dtype: DType) -> NDArray[Any]:
    # array.array and bytes read a list three times as fast as np.array does (bench_tiny_elements.py).
    if dtype == np.int64:
        return np.frombuffer(_machine_array("q", values), np.int64) if values else np.empty(0, np.int64)
    if dtype == np.float64:
        return np.frombuffer(_machine_array("d", values), np.float64) if values else np.empty(0)
    if dtype == np.bool_:
        return np.frombuffer(bytearray(values), np.bool_) if values else np.empty(0, np.bool_)
    return np.array(values, dtype)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
