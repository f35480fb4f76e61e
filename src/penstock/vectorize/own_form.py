"""A function's own form for many rows: what its author says gives the same results, and sooner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from penstock import tree
from penstock.block import Block
from penstock.columns import Column, Dense, Sparse, SparseTensor, Varlen
from penstock.node import Context
from penstock.vectorize.results import Results, spread

_MAX_FAILURES = 3
_TUPLES = (tree.Form.FLAT_TUPLE, tree.Form.TUPLE)


@runtime_checkable
class HasOwnForm(Protocol):
    """A function of one element that is also written for many, such as a tokenizer that takes a list of texts.

    >>> class Shout:
    ...     def __call__(self, text): return text.upper()
    ...     def for_rows(self, texts): return "\\n".join(texts).upper().split("\\n")
    >>> ds = Dataset.from_list(["a", "b"] * 500).map(Shout())
    >>> len(list(ds)), "by its own form for many rows" in ds.explain()
    (1000, True)

    Whoever gives a function this method promises that a result depends on its element alone, that calls may be made in
    any order, ahead and again, and that both forms give the same. The first rows are computed both ways and compared;
    where the form for many raises, its rows are computed one by one, so that errors stand at their elements. A function
    may also say `lets_go_of_gil = True`: that its form for many computes without the GIL, so that threads help.
    """

    def for_rows(self, *components: list[Any]) -> Any:
        """The results of many rows, each argument a list of what one call would get there.

        Returns a list of one result for each row; or the structure of one result, with all rows of a component in the
        place of each: an array with a leading axis of rows, or a `Varlen` column.
        """


def has_own_form(function: object) -> bool:
    """Whether `function` is also written for many rows."""
    return not isinstance(function, type) and isinstance(function, HasOwnForm)


class OwnForm:
    """A function's own form for many rows, and how far it is trusted.

    Args:
        function: One that has such a form.
        results: What all results have to agree with; those of single rows come first.
    """

    name = "by its own form for many rows"
    is_current = True

    def __init__(self, function: Any, results: Results) -> None:
        self._for_rows: Callable[..., Any] = function.for_rows
        self._results = results
        self._failures = 0
        self.rows_proven = 0

    @property
    def fails(self) -> bool:
        """Whether it raised so often that trying costs more than it gives."""
        return self._failures >= _MAX_FAILURES

    def run(self, block: Block, context: Context) -> Block | None:
        """The block's results, or None where it raised: then the rows have to be run one by one."""
        good: Any = None
        kept = block
        if block.errors:
            good = np.array([row for row in range(block.rows) if row not in block.errors], np.intp)
            kept = block.take(good)
        if not kept.rows:
            return Block(None, (), block.rows, block.errors)
        try:
            found = self._collect(self._for_rows(*_arguments(kept)), kept.rows)
        except Exception:
            self._failures += 1
            return None
        return spread(found, {}, block.errors, good, block.rows)

    def _collect(self, results: Any, rows: int) -> Block:
        """What `for_rows` returned as a block.

        Raises:
            ValueError: It has another number of rows, or another structure than before.
        """
        if isinstance(results, list):
            errors: dict[int, Exception] = {}
            collected = self._results.collect(results, range(len(results)), errors)
            if len(results) != rows or errors or collected is None:
                raise ValueError(f"{len(results)} results for {rows} rows, and {len(errors)} of them no elements")
            return collected
        leaves, treedef = tree.flatten(results)
        columns: list[Column] = [leaf if isinstance(leaf, (Varlen, Sparse)) else Dense(leaf) for leaf in leaves]
        if treedef != self._results.structure:
            raise ValueError(f"the structure {tree.show(treedef)}, which single calls do not return")
        if any(len(column) != rows for column in columns):
            raise ValueError(f"columns of {[len(column) for column in columns]} rows for {rows} rows")
        return Block(treedef, columns, rows)

    def difference(self, expected: Block, got: Block) -> str:
        """What differs between rows computed one by one and together, in a word; "" where nothing does."""
        if expected.treedef != got.treedef:
            return "structure"
        for left, right in zip(expected.columns, got.columns, strict=True):
            if not all(map(_is_same, _rows(left), _rows(right))):
                return "value"
        return ""


def _arguments(block: Block) -> list[list[Any]]:
    """For each argument of the function, what it is in every row."""
    assert block.treedef is not None
    form = tree.form(block.treedef)
    if form is tree.Form.BARE or form is tree.Form.FLAT_TUPLE:
        return [_rows(column) for column in block.columns]
    elements = list(block.elements())
    return [list(argument) for argument in zip(*elements, strict=True)] if form in _TUPLES else [elements]


def _rows(column: Column) -> list[Any]:
    values = column.values(False)
    # Of text, this is quicker than to go through the array.
    return (
        values.tolist() if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype == object else [*values]
    )


def _is_same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, SparseTensor):
        return _is_same(left.to_dense(), right.to_dense())
    if isinstance(left, np.ndarray) and left.dtype != object:
        return bool(left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes())
    if isinstance(left, np.ndarray):
        return bool(left.shape == right.shape and left.tolist() == right.tolist())
    return bool(left == right or (left != left and right != right))
