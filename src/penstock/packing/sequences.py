"""Blocks of elements as sequences of tokens: checked, with `bos` and `eos` put in, and cut where they are too long."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.block import Block
from penstock.building import column_from_rows
from penstock.columns import Column, Dense, Varlen
from penstock.errors import SpecError
from penstock.node import Indices
from penstock.packing.asked import Asked, Fill
from penstock.scatter import NUMBERS
from penstock.spec import spec_of_value

Item = tuple[np.dtype[Any], tuple[int, ...]]
"""The dtype and shape of one token of a component."""


class Sequences(NamedTuple):
    """Sequences one after another.

    Attributes:
        values: The tokens of each component, shape (tokens, *item).
        offsets: Where each sequence begins, and where the last one ends; the first begins at 0.
    """

    values: list[NDArray[Any]]
    offsets: Indices


class SequenceReader:
    """Makes sequences of blocks. The first element that has tokens says of which dtype and shape all of them are.

    Attributes:
        treedef: The elements' structure; None before the first.
        items: What a token of each component is; None before the first.
        padding: The token of padding of each component.
        added: How many tokens are put into each sequence.
        remembered: What a state says of `items`, until an element tells the structure.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self.added = (asked.bos is not None) + (asked.eos is not None)
        self.treedef: tree.Treedef | None = None
        self.items: list[Item] | None = None
        self.padding: list[NDArray[Any]] = []
        self.remembered: list[Item] | None = None
        self._bos: list[NDArray[Any]] | None = None
        self._eos: list[NDArray[Any]] | None = None

    def check(self, block: Block, first: int) -> dict[int, Exception]:
        """The errors of rows, the first of which is element `first`: those they are, and of those that are no tokens.

        Raises:
            SpecError: The structure is another one than before.
        """
        errors = dict(block.errors)
        if block.treedef is None:
            return errors
        if self.treedef is not None and block.treedef != self.treedef:
            found = f"{tree.show(self.treedef)} and {tree.show(block.treedef)}"
            raise SpecError(f"pack(): elements have the structures {found}; map() them to one")
        if self.items is None and self.remembered is not None:
            self._settle(self.remembered, block.treedef)
        if not errors and self._all_fit(block):
            return errors
        rows = zip(*(column.values(writable=False) for column in block.columns), strict=True)
        for row, values in enumerate(rows if block.columns else [()] * block.rows):
            if row in errors:
                continue
            try:
                self._check_row(list(values), block.treedef)
            except (SpecError, TypeError, ValueError) as error:
                error.args = (f"pack(): element {first + row} {str(error).removeprefix('pack(): ')}",)
                errors[row] = error
        return errors

    def _all_fit(self, block: Block) -> bool:
        """Whether all rows do, as far as can be told at once; what a token is must be known by now."""
        if self.items is None or not block.columns:
            return False
        lengths = [_lengths(column) for column in block.columns]
        first = lengths[0]
        for column, item, own in zip(block.columns, self.items, lengths, strict=True):
            if own is None or first is None or not (own is first or np.array_equal(own, first)):
                return False
            assert isinstance(column, (Dense, Varlen))
            array = column.array
            if (array.dtype, array.shape[2 if isinstance(column, Dense) else 1 :]) != item:
                return False
        longest = self._asked.longest
        return longest is None or first is None or int(first.max()) + self.added <= longest

    def _check_row(self, values: list[Any], treedef: tree.Treedef) -> None:
        """Refuse an element that is no sequence.

        Raises:
            SpecError: It is none, its tokens are of another dtype or shape than those before, or there are too many.
            TypeError: A token to fill up with is no such token.
            ValueError: Those tokens are of another structure.
        """
        names = tree.paths(treedef)
        if not values:
            raise SpecError("has no component; give arrays of tokens")
        for value, name in zip(values, names, strict=True):
            if not isinstance(value, np.ndarray) or not value.ndim or value.dtype.kind not in NUMBERS:
                found = spec_of_value(value)
                dtype = getattr(found.dtype, "__name__", found.dtype)
                raise SpecError(
                    f"has a component{name} of shape {found.shape} and dtype {dtype}; map() it to an array of tokens, "
                    "shape (n,)"
                )
        lengths = {len(value) for value in values}
        if len(lengths) > 1:
            found_lengths = " and ".join(str(len(value)) for value in values)
            raise SpecError(f"has components of {found_lengths} tokens; all need as many")
        self._check_items([(value.dtype, value.shape[1:]) for value in values], treedef)
        longest, found_length = self._asked.longest, lengths.pop() + self.added
        if longest is not None and found_length > longest:
            raise SpecError(
                f"has {found_length} tokens, but a row has {longest}; give too_long='truncate' or 'split', or a "
                "greater length"
            )

    def _check_items(self, items: list[Item], treedef: tree.Treedef) -> None:
        if self.items is None:
            self._settle(items, treedef)
        assert self.items is not None
        for name, found, wanted in zip(tree.paths(treedef), items, self.items, strict=True):
            if found != wanted:
                raise SpecError(
                    f"has tokens{name} of dtype {found[0]} and shape {found[1]}, those before have {wanted[0]} and "
                    f"{wanted[1]}; map() them to one"
                )

    def _settle(self, items: list[Item], treedef: tree.Treedef) -> None:
        """Say what tokens are.

        Raises:
            TypeError: A token to fill up with is no such token.
            ValueError: Those tokens are of another structure.
        """
        dtypes = tuple(dtype for dtype, _ in items)

        def of(fill: Fill | None) -> list[NDArray[Any]] | None:
            return None if fill is None else fill.values(treedef, dtypes)

        padding, self._bos, self._eos = (
            self._asked.padding.values(treedef, dtypes),
            of(self._asked.bos),
            of(self._asked.eos),
        )
        self.padding, self.items, self.treedef = padding, items, treedef

    def form(self) -> Any:
        """What tokens are, as JSON."""
        items = self.remembered if self.items is None else self.items
        return None if items is None else [[dtype.str, list(shape)] for dtype, shape in items]

    def remember(self, form: Any) -> None:
        """Take back what `form` gave."""
        if form is not None:
            self.remembered = [(np.dtype(dtype), tuple(shape)) for dtype, shape in form]

    def read(self, block: Block) -> Sequences:
        """The sequences of rows that `check` found no error in."""
        flat = [_flat(column) for column in block.columns]
        values, offsets = [array for array, _ in flat], flat[0][1]
        if self._bos is not None or self._eos is not None:
            values, offsets = self._with_ends(values, offsets)
        if self._asked.strategy != "split" and self._asked.too_long != "error":
            return self._cut(values, offsets)
        return Sequences(values, offsets)

    def _with_ends(self, values: list[NDArray[Any]], offsets: Indices) -> tuple[list[NDArray[Any]], Indices]:
        """The tokens with `bos` before and `eos` behind each sequence."""
        longer = offsets + np.arange(len(offsets)) * self.added
        is_own = np.ones(int(longer[-1]), np.bool_)
        ends = [(longer[:-1], self._bos), (longer[1:] - 1, self._eos)]
        for places, tokens in ends:
            if tokens is not None:
                is_own[places] = False
        made = []
        for at, array in enumerate(values):
            own = np.empty((len(is_own), *array.shape[1:]), array.dtype)
            own[is_own] = array
            for places, tokens in ends:
                if tokens is not None:
                    own[places] = tokens[at]
            made.append(own)
        return made, longer

    def _cut(self, values: list[NDArray[Any]], offsets: Indices) -> Sequences:
        """The same without sequences that are longer than a row."""
        length = self._asked.length
        lengths = np.diff(offsets)
        if not len(lengths) or int(lengths.max()) <= length:
            return Sequences(values, offsets)
        if self._asked.too_long == "split":
            pieces = np.maximum(-(-lengths // length), 1)
            first = np.repeat(np.cumsum(pieces) - pieces, pieces)
            starts = np.repeat(offsets[:-1], pieces) + (np.arange(len(first)) - first) * length
            return Sequences(values, np.append(starts, offsets[-1]))
        kept = np.append(0, np.cumsum(np.minimum(lengths, length)))
        places = np.arange(kept[-1]) + np.repeat(offsets[:-1] - kept[:-1], np.diff(kept))
        return Sequences([array[places] for array in values], kept)


def _lengths(column: Column) -> Indices | None:
    """How many tokens each row has; None where only a look at each row tells."""
    if isinstance(column, Varlen):
        return np.diff(column.offsets)
    if isinstance(column, Dense) and column.row_shape:
        return np.full(len(column), column.row_shape[0])
    return None


def _flat(column: Column) -> tuple[NDArray[Any], Indices]:
    """The tokens of all rows, one after another, and where each row begins and the last one ends."""
    if not isinstance(column, (Dense, Varlen)):
        column = column_from_rows(list(column.values(writable=False)))
    if isinstance(column, Varlen):
        first, last = int(column.offsets[0]), int(column.offsets[-1])
        return column.array[first:last], column.offsets - first
    assert isinstance(column, Dense)
    array = column.array
    return array.reshape(len(array) * array.shape[1], *array.shape[2:]), np.arange(len(array) + 1) * array.shape[1]
