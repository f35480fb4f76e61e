"""Functions that look at nothing but how long their arguments are: called once for each length, not for each row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.block import Block
from penstock.columns import Column, Dense, Objects, Varlen
from penstock.node import Context, Indices, Purity
from penstock.spec import Spec, TensorSpec
from penstock.vectorize.function import ElementFunction
from penstock.vectorize.opaque import Opaque
from penstock.vectorize.symbol import Symbol
from penstock.vectorize.tape import Stop, Tape
from penstock.vectorize.vectorised import ROWS_TO_PROVE

# Judging a function takes longer than calling it this often.
_ROWS_UNJUDGED = 256
_LARGEST_CODE = 2**62
_MOST_KNOWN = 1 << 16
_NOT_KNOWN = np.iinfo(np.int64).min
_TUPLES = (tree.Form.FLAT_TUPLE, tree.Form.TUPLE)


class Sized(Opaque):
    """Stands for an array of which only the shape and dtype may be asked for; any other use is noted and fails."""

    __slots__ = ("shape",)

    def __init__(self, tape: Tape, number: int, spec: TensorSpec, shape: tuple[int, ...]) -> None:
        super().__init__(tape, number, spec)
        self.shape = shape

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        return self.spec.dtype

    def __len__(self) -> int:
        return self.shape[0]


class LengthFunction:
    """A user function that gives each element's length; one for each run of a plan.

    A pure function that asks its arguments for nothing but their shapes gives the same number for all rows of the same
    lengths. Which functions do is seen by calling them with arguments that have nothing else.
    """

    def __init__(self, function: ElementFunction) -> None:
        self._function = function
        self._rows_unjudged = _ROWS_UNJUDGED
        self._rows_proven = 0
        self._is_refused = False
        self._known: NDArray[np.int64] = np.empty(0, np.int64)

    def apply(self, block: Block, context: Context, indices: Indices | int) -> Block:
        """The function's result for every row; errors stand in their rows."""
        self._rows_unjudged -= block.rows
        if self._is_refused or self._rows_unjudged >= 0 or block.errors or block.treedef is None:
            return self._function.apply(block, context, indices)
        found = self._by_length(block)
        if found is None:
            return self._function.apply(block, context, indices)
        result = Block(tree.LEAF, [Dense(found)], block.rows, fresh=True)
        if self._rows_proven < ROWS_TO_PROVE:
            rows = min(block.rows, ROWS_TO_PROVE - self._rows_proven)
            expected = self._function.apply(block.slice(0, rows), context, indices)
            self._is_refused = bool(expected.errors) or list(expected.elements()) != found[:rows].tolist()
            self._rows_proven += rows
        return self._function.apply(block, context, indices) if self._is_refused else result

    def _by_length(self, block: Block) -> NDArray[np.int64] | None:
        """Its results, from the rows' lengths alone; None where it needs more than those."""
        columns = [column for column in block.columns if isinstance(column, Varlen)]
        if not columns or self._function.purity is not Purity.PURE:
            self._is_refused = bool(columns)
            return None
        lengths = [np.diff(column.offsets) for column in columns]
        codes = _coded(lengths)
        if codes is None:
            return None
        longest = int(codes.max())
        if len(columns) > 1 or longest >= _MOST_KNOWN or not _reads_no_name(self._function.function):
            return self._of_each_code(block, lengths, codes)
        if longest >= len(self._known):
            self._known = np.concatenate([self._known, np.full(longest + 1, _NOT_KNOWN)])
        found = self._known[codes]
        is_new = found == _NOT_KNOWN
        if is_new.any():
            own = self._of_each_code(block, [length[is_new] for length in lengths], codes[is_new])
            if own is None:
                return None
            self._known[codes[is_new]] = found[is_new] = own
        return found

    def _of_each_code(
        self, block: Block, lengths: list[NDArray[np.int64]], codes: NDArray[np.int64]
    ) -> NDArray[np.int64] | None:
        """The results for rows of these lengths, from one call for each combination; None where one gives none."""
        _, rows, places = np.unique(codes, return_index=True, return_inverse=True)
        results = []
        for key in zip(*(length[rows].tolist() for length in lengths), strict=True):
            result = call_sized(self._function.function, block, key)
            if result is None:
                self._is_refused = True
                return None
            results.append(result)
        return np.array(results, np.int64)[places]


def call_sized(function: Any, block: Block, lengths: tuple[int, ...]) -> int | None:
    """What `function` gives for a row of `block` with these lengths; None where it raises, or looks at more."""
    assert block.treedef is not None
    tape = Tape(Symbol)
    rest = iter(lengths)
    leaves: list[Any] = []
    for number, column in enumerate(block.columns):
        if isinstance(column, Varlen):
            spec = TensorSpec((None, *column.array.shape[1:]), column.dtype)
            leaves.append(Sized(tape, number, spec, (next(rest), *column.array.shape[1:])))
        elif isinstance(column, Dense) and column.row_shape:
            leaves.append(Sized(tape, number, column.spec(), column.row_shape))
        else:
            leaves.append(Opaque(tape, number, TensorSpec(None, object)))
    element = tree.unflatten(block.treedef, leaves)
    try:
        result = function(*element) if tree.form(block.treedef) in _TUPLES else function(element)
    except (Exception, Stop):
        return None
    return result if type(result) is int and not tape.stopped else None


def _coded(lengths: list[NDArray[np.int64]]) -> NDArray[np.int64] | None:
    """One number for each combination of lengths; None where there are too many for that."""
    codes = lengths[0]
    for other in lengths[1:]:
        width = int(other.max()) + 1
        if int(codes.max()) > _LARGEST_CODE // width:
            return None
        codes = codes * width + other
    return codes


def _reads_no_name(function: Any) -> bool:
    """Whether nothing that a caller can change decides what it gives, so that results may be remembered."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_freevars or function.__defaults__ or function.__kwdefaults__:
        return False
    names = function.__globals__
    return not any(name in names for name in code.co_names)


def describe(function: ElementFunction, spec: Spec | None) -> str:
    """How it will run on elements of `spec`, and why."""
    varies = spec is not None and any(leaf.shape and leaf.shape[0] is None for leaf in spec.leaves)
    if spec is not None and varies and function.purity is Purity.PURE:
        columns = [_empty_column(leaf) for leaf in spec.leaves]
        lengths = (1,) * sum(isinstance(column, Varlen) for column in columns)
        if call_sized(function.function, Block(spec.treedef, columns, 0), lengths) is not None:
            return "called once for each length, not for each element"
    return function.describe(spec)


def _empty_column(leaf: TensorSpec) -> Column:
    """A column without rows, of the kind that elements of this spec are kept in."""
    if leaf.shape and leaf.shape[0] is None and None not in leaf.shape[1:] and isinstance(leaf.dtype, np.dtype):
        shape = [size or 0 for size in leaf.shape[1:]]
        return Varlen(np.empty((0, *shape), leaf.dtype), np.zeros(1, np.int64))
    return Objects(np.empty(0, object))
