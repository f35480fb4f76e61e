"""Elements side by side: `zip`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock import tree
from penstock.block import Block
from penstock.node import INFINITE, UNKNOWN, Access, Context, Epochs, Indices, Node, Operator, Places, State, advance
from penstock.plan import demand_is_exact
from penstock.record import record
from penstock.spec import Spec
from penstock.stream import exactly

if TYPE_CHECKING:
    from penstock.dataset import Dataset


def zip_(cls: type[Dataset[Any]], *args: Any, datasets: Any = None) -> Dataset[Any]:
    """Join the elements of several datasets, one of each at a time.

    >>> numbers, letters = Dataset.range(3), Dataset.from_list(["a", "b"])
    >>> [(int(n), letter) for n, letter in Dataset.zip(numbers, letters)]
    [(0, 'a'), (1, 'b')]

    Args:
        args: Datasets; each element becomes a tuple with one item of each. A single structure of datasets gives
            elements of that structure, and a single dataset its own elements.
        datasets: The same as a structure, by its older name.

    Spec: the inputs' specs in the structure.
    Cardinality: the least; unknown if any is.
    Order: kept.  Random access: if all have it.
    Memory: none.  State: the inputs'.

    Raises:
        TypeError: Nothing was given, both forms were, or something in the structure is no Dataset.

    See also: concatenate, enumerate.
    """
    if bool(args) == (datasets is not None):
        raise TypeError("zip(): give datasets as arguments, or one structure of them as datasets=")
    structure = datasets if datasets is not None else args[0] if len(args) == 1 else args
    leaves, outer = tree.flatten(structure)
    for leaf in leaves:
        if not isinstance(leaf, cls):
            hint = "; use a tuple instead of a list" if isinstance(leaf, list) else ""
            raise TypeError(f"zip(): expected datasets, but found {leaf!r}{hint}")
    if not leaves:
        raise TypeError("zip(): there is no dataset in the structure; pass at least one")
    return cls(Zip(tuple(leaf._node for leaf in leaves), outer))


@record
class Zip(Node):
    """One element of each part in the structure `outer`."""

    parts: tuple[Node, ...]
    outer: tree.Treedef

    def known_spec(self) -> Spec | None:
        specs = [part.known_spec() for part in self.parts]
        known = [spec for spec in specs if spec is not None]
        if len(known) < len(specs):
            return None
        return Spec(_joined(self.outer, [s.treedef for s in known]), tuple(leaf for s in known for leaf in s.leaves))

    def cardinality(self) -> int:
        sizes = [part.cardinality() for part in self.parts]
        if UNKNOWN in sizes:
            return UNKNOWN
        return min((size for size in sizes if size != INFINITE), default=INFINITE)

    @property
    def access(self) -> Access:
        return min(part.access for part in self.parts)

    @property
    def yields_batches(self) -> bool:
        return any(part.yields_batches for part in self.parts)

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        return _Joined(self.outer, [part.resolve(epochs, indices, context) for part in self.parts])

    def open(self, context: Context) -> Operator:
        sizes = [size for part in self.parts if (size := part.cardinality()) >= 0]
        sources = [context.open(part) for part in self.parts]
        return _ZipOperator(self.outer, sources, min(sizes, default=None), self._has_to_go_row_by_row())

    def _has_to_go_row_by_row(self) -> bool:
        """Whether calls with effects would show that an input ended before others were read as far."""
        ends = [number for number, part in enumerate(self.parts) if part.cardinality() == UNKNOWN]
        exact = [number for number, part in enumerate(self.parts) if demand_is_exact(part)]
        return any(end != number for end in ends for number in exact)

    def simplify(self) -> Node:
        return self.parts[0] if self.outer == tree.LEAF else self

    def signature(self) -> str:
        return f"zip({tree.show(self.outer)})"


def _joined(outer: tree.Treedef, inner: Sequence[tree.Treedef]) -> tree.Treedef:
    elements = [tree.unflatten(treedef, [0] * treedef.num_leaves) for treedef in inner]
    return tree.flatten(tree.unflatten(outer, elements))[1]


def _join(outer: tree.Treedef, parts: list[Block]) -> Block:
    """Put blocks of as many rows side by side; where a row of any is an error, the row is that error."""
    rows = parts[0].rows
    errors: dict[int, Exception] = {}
    for part in reversed(parts):
        errors.update(part.errors)
    inner = [part.treedef for part in parts if part.treedef is not None]
    if len(inner) < len(parts):
        return Block(None, (), rows, errors)
    columns = [column for part in parts for column in part.columns]
    return Block(_joined(outer, inner), columns, rows, errors, fresh=all(part.fresh for part in parts))


class _Joined(Places):
    __slots__ = ("_outer", "_parts")

    def __init__(self, outer: tree.Treedef, parts: list[Places]) -> None:
        self.rows = parts[0].rows
        self._outer = outer
        self._parts = parts

    def gather(self, start: int, stop: int) -> Block:
        return _join(self._outer, [part.gather(start, stop) for part in self._parts])


class _ZipOperator:
    """Pulls as many rows of each input; ends with the shortest. `most_rows` are there, as far as is known."""

    def __init__(
        self, outer: tree.Treedef, sources: list[Operator], most_rows: int | None, is_row_by_row: bool
    ) -> None:
        self._outer = outer
        self._is_row_by_row = is_row_by_row
        self._most_rows = most_rows
        self._seen = 0
        self._sources = sources
        self._ended = False

    def next_block(self, rows: int) -> Block | None:
        if self._ended:
            return None
        if self._most_rows is not None:
            # No more than one by one would: of the longer inputs, one element beyond the end of the shortest.
            rows = min(rows, max(1, self._most_rows - self._seen))
        if self._is_row_by_row:
            rows = 1
        parts: list[Block] = []
        for source in self._sources:
            block = exactly(source, rows)
            if block is None:
                self._ended = True
                return None
            rows = block.rows
            parts.append(block)
        self._seen += rows
        return _join(self._outer, [part.slice(0, rows) for part in parts])

    def get_state(self) -> State:
        return {"ended": self._ended, "seen": self._seen, "inputs": [source.get_state() for source in self._sources]}

    def set_state(self, state: Any) -> None:
        self._ended, self._seen = bool(state["ended"]), int(state["seen"])
        for source, saved in zip(self._sources, state["inputs"], strict=True):
            source.set_state(saved)

    def advance(self, state: State, rows: int) -> State | None:
        below = [advance(source, saved, rows) for source, saved in zip(self._sources, state["inputs"], strict=True)]
        return None if None in below else {**state, "seen": state["seen"] + rows, "inputs": below}

    def close(self) -> None:
        for source in self._sources:
            source.close()
