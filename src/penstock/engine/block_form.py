"""A block as what can travel to another process: plain values, and arrays that go through shared memory."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.block import Block
from penstock.columns import Column, Dense, Objects, Sparse, Varlen
from penstock.engine.pickles import Dumps

Arrays = list[NDArray[Any]]
Form = Any
"""Of plain values; where an array stood, its number."""

_PLAIN_KINDS = frozenset("biufcmMVSU")
_OUT_OF_BAND_BYTES = 1 << 12
_MOST_PACKED = 64
_packed: dict[tuple[int, Dumps], tuple[tree.Treedef, bytes]] = {}
"""Structures that were packed, by identity; they are kept, so that none has the number of another."""


def pack(block: Block, dumps: Dumps, arrays: Arrays, pack_error: Callable[[int, Exception], Any]) -> Form:
    """The form of `block`; its arrays are appended to `arrays`, its errors are what `pack_error` makes of them.

    Raises:
        Exception: An element holds an object that `dumps` cannot pickle.
    """
    treedef = None if block.treedef is None else pack_structure(block.treedef, dumps)
    packer = _Packer(dumps, arrays)
    columns = [packer.column(column) for column in block.columns]
    errors = {row: pack_error(row, error) for row, error in block.errors.items()}
    return treedef, block.rows, columns, errors, block.provenance


def unpack(form: Form, arrays: Arrays, unpack_error: Callable[[Any], Exception]) -> Block:
    """The block that `form` was made of, in memory of its own."""
    packed, rows, packed_columns, packed_errors, provenance = form
    treedef = None if packed is None else unpack_structure(packed)
    columns = [_unpack_column(column, arrays) for column in packed_columns]
    errors = {row: unpack_error(error) for row, error in packed_errors.items()}
    # Two rows of objects may be one object.
    is_own = not any(isinstance(column, Objects) for column in columns)
    return Block(treedef, columns, rows, errors, treedef is not None and is_own, provenance)


class _Packer:
    """Makes forms of columns; their arrays are appended to `arrays`."""

    def __init__(self, dumps: Dumps, arrays: Arrays) -> None:
        self._dumps = dumps
        self._arrays = arrays

    def column(self, column: Column) -> Form:
        match column:
            case Dense():
                if column.dtype is str or column.dtype is bytes:
                    # Text pickles faster as a list, and needs nothing of cloudpickle's.
                    return "text", column.dtype, column.array.shape, column.array.ravel().tolist()
                return "dense", _pack_dtype(column.dtype), self._array(column.array)
            case Varlen():
                first, last = int(column.offsets[0]), int(column.offsets[-1])
                values, offsets = self._array(column.array[first:last]), self._array(column.offsets - first)
                return "varlen", _pack_dtype(column.dtype), values, offsets
            case Sparse():
                first, last = int(column.offsets[0]), int(column.offsets[-1])
                parts = column.indices[first:last], column.entries[first:last], column.offsets - first
                return "sparse", tuple(map(self._array, parts)), column.shape
            case Objects():
                return "objects", self._objects(column.array)

    def _array(self, array: NDArray[Any]) -> Form:
        if array.dtype.kind in _PLAIN_KINDS and not array.dtype.hasobject:
            self._arrays.append(array)
            return len(self._arrays) - 1
        return self._objects(array)

    def _objects(self, value: Any) -> Form:
        """Any object; the memory of arrays in it goes the way of arrays."""
        numbers: list[int] = []

        def is_inline(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < _OUT_OF_BAND_BYTES:
                return True
            numbers.append(len(self._arrays))
            self._arrays.append(np.frombuffer(raw, np.uint8))
            return False

        return self._dumps(value, is_inline), numbers


def _unpack_column(form: Form, arrays: Arrays) -> Column:
    match form:
        case "text", dtype, shape, values:
            text = np.empty(len(values), object)
            text[:] = values
            return Dense(text.reshape(shape), dtype)
        case "dense", dtype, values:
            return Dense(_unpack_array(values, arrays), _unpack_dtype(dtype))
        case "varlen", dtype, values, offsets:
            return Varlen(_unpack_array(values, arrays), _unpack_array(offsets, arrays), _unpack_dtype(dtype))
        case "sparse", parts, shape:
            indices, entries, offsets = (_unpack_array(part, arrays) for part in parts)
            return Sparse(indices, entries, offsets, shape)
        case _:
            return Objects(_unpack_objects(form[1], arrays))


def _unpack_array(form: Form, arrays: Arrays) -> NDArray[Any]:
    found: NDArray[Any] = arrays[form] if isinstance(form, int) else _unpack_objects(form, arrays)
    return found


def _pack_dtype(dtype: Any) -> Form:
    # A builtin dtype pickles five times as fast by its name; where it is a class (`object`), that is itself.
    return dtype.str if isinstance(dtype, np.dtype) and dtype.isbuiltin == 1 and dtype.kind in "biufc" else dtype


def _unpack_dtype(form: Form) -> Any:
    return np.dtype(form) if isinstance(form, str) else form


def _unpack_objects(form: Form, arrays: Sequence[NDArray[Any]]) -> Any:
    """The object that `form` was made of."""
    pickled, numbers = form
    return pickle.loads(pickled, buffers=[arrays[number] for number in numbers])


def pack_structure(treedef: tree.Treedef, dumps: Dumps) -> bytes:
    """A structure for another process."""
    # By identity: structures with dicts are equal whatever the order of the keys, which is to arrive as it is.
    key = id(treedef), dumps
    found = _packed.get(key)
    if found is None:
        if len(_packed) >= _MOST_PACKED:
            _packed.clear()
        # The classes come first: a structure can only be read where they are known to be structure.
        found = _packed[key] = treedef, dumps((tree.own_classes(treedef), dumps(treedef, None)), None)
    return found[1]


@lru_cache(maxsize=64)
def unpack_structure(packed: bytes) -> tree.Treedef:
    """The structure that `packed` was made of."""
    classes, treedef = pickle.loads(packed)
    tree.make_structure(classes)
    found: tree.Treedef = pickle.loads(treedef)
    return found
