"""What a user function returned for each row, as columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock import tree
from penstock.block import Block, is_own_memory
from penstock.building import column_from_rows, component, is_masked
from penstock.columns import (
    NO_COMPONENTS,
    SCALAR_DTYPES,
    Column,
    Dense,
    SparseTensor,
)
from penstock.errors import SpecError

_COMPONENTS = (np.ndarray, np.generic, int, float, complex, bool, str, bytes, SparseTensor)


class Results:
    """Puts results into columns; all must have the structure of the first one ever seen."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._treedef: tree.Treedef | None = None

    @property
    def structure(self) -> tree.Treedef | None:
        """The structure of the first result; None before it."""
        return self._treedef

    @structure.setter
    def structure(self, treedef: tree.Treedef) -> None:
        self._treedef = treedef

    def collect(self, results: list[Any], rows: list[int] | range, errors: dict[int, Exception]) -> Block | None:
        """The results of `rows` as a block; those that are no elements are taken out and become errors of their row."""
        known = self._treedef
        if _are_components(results) and (known is None or known == tree.LEAF):
            self._treedef = tree.LEAF
            return _block(tree.LEAF, [column_from_rows(results)], len(results))
        widths = set(map(len, results)) if set(map(type, results)) == {tuple} else set()
        if len(widths) == 1 and widths != {0}:
            columns = [list(column) for column in zip(*results, strict=True)]
            if all(map(_are_components, columns)):
                treedef = tree.tuple_of([tree.LEAF] * len(columns))
                if known is None or known == treedef:
                    self._treedef = treedef
                    return _block(treedef, [column_from_rows(c) for c in columns], len(results))
        return self._collect_structures(results, rows, errors)

    def collect_scalars(self, results: list[Any], kind: type) -> Block:
        """Results that are proven to be plain Python numbers of one kind, and bare ones."""
        self._treedef = tree.LEAF
        return Block(tree.LEAF, [Dense(None, SCALAR_DTYPES[kind], results)], len(results), fresh=True)

    def _collect_structures(
        self, results: list[Any], rows: list[int] | range, errors: dict[int, Exception]
    ) -> Block | None:
        leaves: list[list[Any]] = []
        for row, result in zip(rows, results, strict=True):
            try:
                leaves.append(self._components(result))
            except Exception as error:
                errors[row] = error
        if not leaves:
            return None
        assert self._treedef is not None
        columns = [column_from_rows(list(column)) for column in zip(*leaves, strict=True)]
        return _block(self._treedef, columns, len(leaves))

    def _components(self, result: Any) -> list[Any]:
        """The components of one result.

        Raises:
            SpecError: It is no element, or of another structure than those before.
            ValueError: A list in it is not rectangular.
        """
        leaves, treedef = tree.flatten(tuple(result) if type(result) is list else result)
        if result is None:
            raise SpecError(f"{self._name} returned None; return a value for each element")
        if not leaves:
            raise SpecError(f"{self._name} returned {result!r}, which has no component; return at least one")
        for leaf in leaves:
            if isinstance(leaf, NO_COMPONENTS):
                kind = leaf if isinstance(leaf, type) else type(leaf)
                raise SpecError(
                    f"{self._name} returned a {kind.__name__}, which is no component; "
                    "return arrays, numbers, text or nested tuples and dicts of them"
                )
        if self._treedef is None:
            self._treedef = treedef
        elif treedef != self._treedef:
            found, before = tree.show(treedef), tree.show(self._treedef)
            raise SpecError(
                f"{self._name} returned the structure {found} where it had returned {before}; "
                "return the same structure for every element"
            )
        return [component(leaf) for leaf in leaves]


def spread(
    results: Block | None, errors: dict[int, Exception], bad: dict[int, Exception], good: Any, rows: int
) -> Block:
    """Put results and errors back into the rows they belong to."""
    if not errors and not bad:
        assert results is not None
        return results
    everything = dict(bad)
    everything.update({row if good is None else int(good[row]): error for row, error in errors.items()})
    if results is None:
        return Block(None, (), rows, everything)
    source = np.zeros(rows, np.intp)
    source[[row for row in range(rows) if row not in everything]] = np.arange(results.rows)
    spread = results.take(source)
    return Block(spread.treedef, spread.columns, rows, everything, spread.fresh)


def _block(treedef: tree.Treedef, columns: list[Column], rows: int) -> Block:
    return Block(treedef, columns, rows, fresh=is_own_memory(columns, rows))


def _are_components(values: list[Any]) -> bool:
    return all(issubclass(kind, _COMPONENTS) and not is_masked(kind) for kind in set(map(type, values)))
