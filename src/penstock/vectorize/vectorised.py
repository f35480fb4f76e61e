"""A traced function on blocks, and whether what it gives is the same as row by row; which columns that holds for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.block import Block, Dense
from penstock.columns import Column
from penstock.node import Context
from penstock.spec import TensorSpec

if TYPE_CHECKING:
    from penstock.vectorize.own_form import OwnForm
    from penstock.vectorize.scalar import ScalarProof
    from penstock.vectorize.trace import Trace

ROWS_TO_PROVE = 64
_MAX_FAILURES = 3
_LARGE_BYTES = 1 << 20


class Vectorised:
    """A traced function and how far it is trusted."""

    name = "vectorised"

    def __init__(self, traced: Trace) -> None:
        self._trace = traced
        self._failures = 0
        self._passes = traced.passes
        # A component that is returned twice would be one piece of memory under two names.
        self._passes_once = len(set(traced.passes.values())) == len(traced.passes)
        self._treedef = traced.output.treedef
        self._bytes_per_row = sum(_num_bytes(leaf) for leaf in traced.output.leaves)
        self.rows_proven = 0

    @property
    def is_current(self) -> bool:
        """Whether what the function captured is still what it was when it was traced."""
        return self._trace.is_current()

    def difference(self, expected: Block, got: Block) -> str:
        """What differs between rows computed one by one and together, in a word; "" where every bit is the same."""
        return difference(expected, got)

    @property
    def fails(self) -> bool:
        """Whether it raised or warned so often that trying costs more than it gives."""
        return self._failures >= _MAX_FAILURES

    def run(self, block: Block, context: Context) -> Block | None:
        """The block's results, or None where it raised or warned: then the rows have to be run one by one."""
        columns, rows, passes = block.columns, block.rows, self._passes
        arrays = [column.array if isinstance(column, Dense) else None for column in columns]
        # Small results are not worth the detour of being written into memory that was made elsewhere.
        allocate = context.allocate if rows * self._bytes_per_row >= _LARGE_BYTES else None
        try:
            with np.errstate(divide="raise", over="raise", invalid="raise"):
                results = self._trace.run(arrays, rows, allocate)
        except Exception:
            self._failures += 1
            return None
        made: list[Column] = [columns[passes[at]] if at in passes else Dense(array) for at, array in enumerate(results)]
        fresh = not passes or (block.fresh and self._passes_once)
        return Block(self._treedef, made, rows, block.errors, fresh)


class Form:
    """Columns of one structure, dtypes and shapes, and how the function runs on them."""

    __slots__ = ("columns", "plan", "scalars", "treedef")

    def __init__(self, block: Block) -> None:
        self.treedef = block.treedef
        self.columns = [column_form(column) for column in block.columns]
        self.plan: Vectorised | OwnForm | None = None
        self.scalars: ScalarProof | None = None

    def fits(self, block: Block) -> bool:
        """Whether the columns are of this form."""
        if block.treedef is not self.treedef and block.treedef != self.treedef:
            return False
        for column, known in zip(block.columns, self.columns, strict=True):  # noqa: SIM110  twice as fast as all()
            if column_form(column) != known:
                return False
        return True


def _num_bytes(leaf: TensorSpec) -> int:
    if leaf.shape is None or not isinstance(leaf.dtype, np.dtype):
        return 0
    return int(leaf.dtype.itemsize * np.prod([dim or 1 for dim in leaf.shape], dtype=np.int64))


def column_form(column: Column) -> tuple[Any, ...]:
    """What has to be the same for a trace to be used again."""
    if isinstance(column, Dense):
        return (column.dtype, column.row_shape)
    return (type(column),)


def form_spec(form: tuple[Any, ...]) -> TensorSpec:
    """The spec of columns of this form."""
    if len(form) == 1:
        return TensorSpec(None, object)
    return TensorSpec(form[1], form[0])


def scalars_fit(proof: ScalarProof, block: Block) -> bool:
    """Whether the values at hand are ones for which plain Python numbers were proven to do."""
    if not all(isinstance(column, Dense) and column.dtype == np.int64 for column in block.columns):
        return False
    arrays = [column.array for column in block.columns]  # type: ignore[union-attr]
    if any(array.ndim != 1 for array in arrays):
        return False
    return proof.fits(min(int(a.min()) for a in arrays), max(int(a.max()) for a in arrays))


def difference(expected: Block, got: Block) -> str:
    """What differs between two blocks, in a word; "" where every bit is the same."""
    if expected.treedef != got.treedef:
        return "structure"
    for left, right in zip(expected.columns, got.columns, strict=True):
        if not isinstance(left, Dense) or not isinstance(right, Dense):
            if left.spec() != right.spec():
                return "kind of component"
            continue
        if left.dtype != right.dtype:
            return f"dtype ({right.dtype} for {left.dtype})"
        if left.array.shape != right.array.shape:
            return f"shape ({right.array.shape[1:]} for {left.array.shape[1:]})"
        if not _same_bits(left.array, right.array):
            return "value"
    return ""


def _same_bits(left: Any, right: Any) -> bool:
    """Whether arrays differ in nothing but which NaN stands for not-a-number."""
    if left.dtype.kind == "O" or left.tobytes() == right.tobytes():
        return True
    if left.dtype.kind not in "fc":
        return False
    both = np.isnan(left) & np.isnan(right)
    return bool(left[~both].tobytes() == right[~both].tobytes())
