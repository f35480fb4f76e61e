"""Block: many rows as columns that share a leading axis; slice, gather, concatenate, and rows <-> columns.

Columns are a closed union: `Dense`, `Varlen`, `Sparse`, `Objects`. A block is never changed once it is handed on.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import calls, tree
from penstock.building import Allocate, column_from_rows, concatenate_columns
from penstock.columns import (
    Column,
    Dense,
    Objects,
    SeparateRows,
    Sparse,
    Varlen,
)
from penstock.errors import SpecError
from penstock.provenance import Provenance, joined
from penstock.spec import Spec

__all__ = ["Block", "Column", "Dense", "Objects", "Sparse", "Varlen", "concatenate"]


class Block:
    """Rows of elements, one column per component.

    Attributes:
        treedef: The structure of each element; None where every row is an error.
        columns: One per component, each with `rows` rows.
        rows: How many.
        errors: Row to the exception that stands in its place; its values in the columns mean nothing.
        fresh: Nobody else reads or writes this memory, so whoever gets the block may write into it.
        provenance: Where its rows were read from; None where that is not known, or nobody asked for it.
    """

    __slots__ = ("columns", "errors", "fresh", "provenance", "rows", "treedef")

    def __init__(
        self,
        treedef: tree.Treedef | None,
        columns: Sequence[Column],
        rows: int,
        errors: dict[int, Exception] | None = None,
        fresh: bool = False,
        provenance: Provenance | None = None,
    ) -> None:
        self.treedef = treedef
        self.columns = columns
        self.rows = rows
        self.errors = errors or {}
        self.fresh = fresh
        self.provenance = provenance

    def with_errors(self, errors: dict[int, Exception]) -> Block:
        """The same rows with these errors, instead of those that they had."""
        return Block(self.treedef, self.columns, self.rows, errors, self.fresh, self.provenance)

    def with_provenance(self, provenance: Provenance | None) -> Block:
        """The same rows, said to be read from there."""
        return Block(self.treedef, self.columns, self.rows, self.errors, self.fresh, provenance)

    def slice(self, start: int, stop: int) -> Block:
        """Rows `start` to `stop`, as views."""
        if start == 0 and stop == self.rows:
            return self
        errors = {row - start: error for row, error in self.errors.items() if start <= row < stop}
        columns, rows = [c.slice(start, stop) for c in self.columns], stop - start
        provenance = None if self.provenance is None else self.provenance.slice(start, stop)
        return Block(self.treedef, columns, rows, errors, self.fresh, provenance)

    def take(self, indices: NDArray[Any]) -> Block:
        """The rows at `indices`, copied; repeats are allowed."""
        columns = [column.take(indices) for column in self.columns]
        errors = None
        if self.errors:
            found = {at: self.errors.get(int(row)) for at, row in enumerate(indices)}
            errors = {at: error for at, error in found.items() if error is not None}
        provenance = None if self.provenance is None else self.provenance.take(indices)
        return Block(self.treedef, columns, len(indices), errors, not _holds_objects(columns), provenance)

    def private(self) -> Block:
        """This block in memory that may be written into: itself if it is fresh, else a copy."""
        if self.fresh:
            return self
        return Block(self.treedef, [c.copy() for c in self.columns], self.rows, self.errors, True, self.provenance)

    def elements(self, writable: bool = False) -> Iterator[Any]:
        """Each row as the element that users see; rows with errors yield whatever stands there."""
        if self.treedef is None:
            return iter([None] * self.rows)
        if not self.columns:
            return iter([tree.unflatten(self.treedef, ()) for _ in range(self.rows)])
        components = [column.values(writable) for column in self.columns]
        treedef = self.treedef
        form = tree.form(treedef)
        if form is tree.Form.BARE:
            return iter(components[0])
        if form is tree.Form.FLAT_TUPLE:
            return zip(*components, strict=True)
        return (tree.unflatten(treedef, leaves) for leaves in zip(*components, strict=True))

    def element(self, row: int, writable: bool = False) -> Any:
        """The element in one row."""
        return next(self.slice(row, row + 1).elements(writable))

    def spec(self) -> Spec | None:
        """The spec that all rows fit, as far as the columns tell; None where every row is an error."""
        if self.treedef is None:
            return None
        return Spec(self.treedef, tuple(column.spec() for column in self.columns))

    @property
    def num_bytes(self) -> int:
        """Bytes that the columns hold, objects by their pointers."""
        return sum(column.num_bytes for column in self.columns)


def all_errors(error: Exception, rows: int = 1) -> Block:
    """A block in which `error` stands in every row: itself in the first, in each other one an equal of its own.

    Users who catch an error may add notes to it, and raising it lengthens its traceback; no other row is to show that.
    """
    return Block(None, (), rows, {row: another(error) if row else error for row in range(rows)})


def another(error: Exception, without: str | None = None) -> Exception:
    """An exception equal to `error`, with notes of its own, which are all but one if so asked for.

    It is `error` itself where its class allows no other.
    """
    try:
        found = copy.copy(error)
    except Exception:
        found = None
    try:
        if type(found) is not type(error) or found.args != error.args:
            # Its __init__ takes other arguments than it passes on.
            found = type(error).__new__(type(error))
            found.args = error.args
            found.__dict__.update(error.__dict__)
    except Exception:
        return error
    if hasattr(error, "__notes__"):
        found.__notes__ = [note for note in error.__notes__ if note != without]
    found.__cause__, found.__context__ = error.__cause__, error.__context__
    found.__suppress_context__ = error.__suppress_context__
    return found.with_traceback(error.__traceback__)


def without_frames(error: Exception, causes: int = 8) -> Exception:
    """An exception equal to `error` that refers to no frame, and tells the user's ones in a note.

    For errors in elements that refer to much, such as datasets: frames refer to those that called them, and so to the
    whole pipeline and its elements. A ring that leads through a NumPy array of objects is never collected.

    Args:
        error: It.
        causes: How many errors behind it are kept, one behind the other.
    """
    found = another(error)
    text = calls.traceback_text(found.__traceback__)
    if text:
        found.add_note(f"traceback of where it was raised:\n{text}")
    found.__traceback__ = None
    for name in ("__cause__", "__context__"):
        below, hides_context = getattr(found, name), found.__suppress_context__
        if below is not None:
            kept = isinstance(below, Exception) and causes > 0
            setattr(found, name, without_frames(below, causes - 1) if kept else None)
            found.__suppress_context__ = hides_context  # to set a cause is to hide the context
    return found


def block_from_elements(elements: Iterable[Any]) -> Block:
    """One row per element; all must have one structure, which the caller has seen to."""
    flat = [tree.flatten(element) for element in elements]
    treedef = flat[0][1]
    components = [[leaves[at] for leaves, _ in flat] for at in range(treedef.num_leaves)]
    return block_from_components(treedef, components, len(flat))


def block_from_components(treedef: tree.Treedef, components: Sequence[list[Any]], rows: int) -> Block:
    """A block of so many rows; each list has one component of all of them."""
    columns = [column_from_rows(values) for values in components]
    return Block(treedef, columns, rows, fresh=is_own_memory(columns, rows))


def is_own_memory(columns: Sequence[Column], rows: int) -> bool:
    """Whether columns just made from components share no memory with them; some keep what they were made of."""
    return rows > 1 and not any(type(column) in (Objects, SeparateRows) for column in columns)


def _holds_objects(columns: Sequence[Column]) -> bool:
    return Objects in map(type, columns)


def concatenate(blocks: Sequence[Block], allocate: Allocate | None = None) -> Block:
    """The rows of `blocks` one after another; copied, into memory of `allocate` if given, unless there is one only."""
    if len(blocks) == 1:
        return blocks[0]
    donor = next((block for block in blocks if block.treedef is not None), None)
    errors: dict[int, Exception] = {}
    start = 0
    for block in blocks:
        errors.update({start + row: error for row, error in block.errors.items()})
        start += block.rows
    provenance = None
    if any(block.provenance is not None for block in blocks):
        provenance = joined([(block.provenance, block.rows) for block in blocks])
    if donor is None:
        return Block(None, (), start, errors, provenance=provenance)
    other = next((b.treedef for b in blocks if b.treedef is not None and b.treedef != donor.treedef), None)
    if other is not None:
        found = f"{tree.show(donor.treedef)} and {tree.show(other)}"  # type: ignore[arg-type]
        raise SpecError(f"elements have the structures {found}; map() them to one")
    filled = [block if block.treedef is not None else _placeholders(donor, block.rows) for block in blocks]
    parts = zip(*(block.columns for block in filled), strict=True)
    columns = [concatenate_columns(list(columns), allocate) for columns in parts]
    return Block(donor.treedef, columns, start, errors, not _holds_objects(columns), provenance)


def _placeholders(donor: Block, rows: int) -> Block:
    return donor.take(np.zeros(rows, np.intp))
