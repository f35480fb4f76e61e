"""The elements that have not come before: `unique`."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.block import Block
from penstock.columns import Column, Dense, SparseTensor
from penstock.errors import SpecError
from penstock.node import UNKNOWN, Context, Node, Operator
from penstock.novelty import NoveltyOperator
from penstock.record import record
from penstock.spec import Spec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_LONGEST_KEY_BYTES = 32
_DIGEST_BYTES = 33  # one more than the longest key, so that no digest is taken for one

_Key = tuple[Hashable, Hashable]
"""What a key is of, such as a dtype and a shape, and the key."""


def unique(self: Dataset[T]) -> Dataset[T]:
    """Keep the elements that are equal to none before them.

    >>> [int(n) for n in Dataset.from_list([3, 1, 3, 2, 1]).unique()]
    [3, 1, 2]

    Elements are equal if all their components are: the same shape, dtype and values. A NaN is equal to any NaN, and
    -0.0 to 0.0; the first one to come is kept as it is.

    Spec: kept.
    Cardinality: unknown.
    Order: kept.  Random access: no.
    Memory: for each element that was kept, about 100 bytes: its value if that is short, else a digest of 33 bytes
    (BLAKE2b), which two elements have in common with a probability that may be neglected.
    State: how many elements of the input were read. They are read again to resume, from the first one on.

    An element that is an error is handed on each time.

    Raises:
        SpecError: A component is something else than numbers, text, bytes or arrays of them; raised in the place of
            that element.

    See also: filter.
    """
    return self._then(Unique(self._node))


@record
class Unique(Node):
    """The first of all elements that are equal, and errors."""

    input: Node

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def cardinality(self) -> int:
        return UNKNOWN

    def open(self, context: Context) -> Operator:
        return _UniqueOperator(self, context.open(self.input))

    def signature(self) -> str:
        return "unique()"


class _UniqueOperator(NoveltyOperator):
    """Keeps a key of every element that was handed on, under what their keys are of: dtypes and shapes."""

    def __init__(self, node: Unique, source: Operator) -> None:
        super().__init__(node, source)
        self._seen: dict[Hashable, set[Hashable]] = {}

    def new_rows(self, block: Block) -> tuple[Block, Sequence[int]]:
        kinds, keys, errors = _keys(block)
        if errors or block.errors:
            block = block.with_errors({**errors, **block.errors})
        if isinstance(kinds, list):
            pairs = enumerate(zip(kinds, keys, strict=True))
            return block, [row for row, pair in pairs if self._is_kept(*pair, row, block)]
        seen = self._seen.setdefault(kinds, set())
        bad, add = block.errors, seen.add
        # `add` gives None: a row is kept if its key was not there and is now.
        return block, [row for row, key in enumerate(keys) if row in bad or (key not in seen and not add(key))]

    def _is_kept(self, kind: Hashable, key: Hashable, row: int, block: Block) -> bool:
        """Whether a row is an error, or its key is new; which it is no more then."""
        if row in block.errors:
            return True
        seen = self._seen.setdefault(kind, set())
        is_new = key not in seen
        seen.add(key)
        return is_new


def _keys(block: Block) -> tuple[Hashable | list[Hashable], Sequence[Hashable], dict[int, Exception]]:
    """What the keys are of, for all rows or as a list for each; the keys; and the errors of rows that have none."""
    common: list[Hashable] = []
    kinds: list[Iterable[Hashable]] = []
    keys: list[Sequence[Hashable]] = []
    errors: dict[int, Exception] = {}
    for at, column in enumerate(block.columns):
        if isinstance(column, Dense) and isinstance(column.dtype, np.dtype) and not column.dtype.hasobject:
            common.append((column.dtype.str, column.row_shape))
            kinds.append(repeat(common[-1], block.rows))
            keys.append(_keys_of_numbers(column.array))
            continue
        pairs = _keys_of_any(column, block, at, errors)
        kinds.append([kind for kind, _ in pairs])
        keys.append([key for _, key in pairs])
    joined = keys[0] if len(keys) == 1 else list(zip(*keys, strict=True))
    if len(common) == len(keys):
        return tuple(common), joined, errors
    return list(zip(*kinds, strict=True)), joined, errors


def _keys_of_numbers(array: NDArray[Any]) -> Sequence[Hashable]:
    """Rows as Python numbers or bytes; equal ones are equal to the bit."""
    if array.ndim == 1 and array.dtype.kind in "biu":
        keys: list[Hashable] = array.tolist()
        return keys
    array = _canonical(array)
    rows = len(array)
    width = array.nbytes // rows if rows else 0
    if not width:
        return [b""] * rows
    raw = np.ascontiguousarray(array).view(np.uint8) if array.ndim > 1 else np.ascontiguousarray(array)
    found: list[bytes] = raw.reshape(rows, -1).view(f"V{width}").ravel().tolist()
    return found if width <= _LONGEST_KEY_BYTES else [_digest(key) for key in found]


def _canonical(array: NDArray[Any]) -> NDArray[Any]:
    """The array with one NaN for all, and zeros without sign."""
    if array.dtype.kind == "c":
        parts: NDArray[Any] = np.stack([array.real, array.imag], -1)
        return _canonical(parts)
    if array.dtype.kind != "f":
        return array
    array = array + array.dtype.type(0)
    is_nan = np.isnan(array)
    if is_nan.any():
        array[is_nan] = np.nan
    return array


def _digest(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=_DIGEST_BYTES).digest()


def _keys_of_any(column: Column, block: Block, at: int, errors: dict[int, Exception]) -> list[_Key]:
    """Keys of rows that differ in shape or are text; rows that can have none are put into `errors`."""
    keys: list[_Key] = []
    for row, value in enumerate(column.values(writable=False)):
        try:
            keys.append((None, None) if row in block.errors else _key(value))
        except SpecError as error:
            name = tree.paths(block.treedef)[at] if block.treedef is not None else ""
            errors[row] = SpecError(f"unique(): component{name} {error}")
            keys.append((None, None))
    return keys


def _key(value: Any) -> _Key:
    """What `_keys` gives for a column of this value alone."""
    if isinstance(value, (str, bytes)):
        return type(value), value
    if isinstance(value, SparseTensor):
        return (SparseTensor, value.shape), (_key(value.indices), _key(value.values))
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind == "O":
            return value.shape, tuple(_key(item) for item in value.flat)
        if not value.dtype.hasobject:
            return (value.dtype.str, value.shape), _keys_of_numbers(np.asarray(value)[None])[0]
    raise SpecError(f"is a {type(value).__name__}, which cannot be told equal; map() it to numbers or text")
