"""Elements kept after they were first computed: `cache` and its node."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from penstock import calls
from penstock.depth import ask
from penstock.fingerprint import contents
from penstock.node import INFINITE, Access, Context, Epochs, Indices, Node, Operator, Places
from penstock.record import record
from penstock.spec import Spec
from penstock.transforms.cache.memory import CacheCell

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_RUN_ROWS = 1024


def cache(self: Dataset[T], filename: str | os.PathLike[str] = "") -> Dataset[T]:
    """Compute the elements once and keep them, in memory or in a file.

    >>> calls = []
    >>> ds = Dataset.range(3).map(lambda n: calls.append(n) or n).cache()
    >>> len(list(ds)), len(list(ds)), len(calls)
    (3, 3, 3)

    What stands above is frozen: a shuffle before the cache keeps the order of the first pass. The cache belongs to this
    dataset and is shared by all that are derived from it. In memory, a pass that was left early is kept as far as it
    went; from an element that is an error on, it is computed again in the next pass.

    A file is an Arrow file that is mapped into memory, and serves all later runs. It comes to be, at once and whole,
    when a pass has read all elements; until then they are in a file beside it, `filename` and ".partial", which goes
    when the pass is left early, at an error, or when the disk is full, which warns: the elements are handed on
    all the same. While one iterator writes, in whatever process, others compute for themselves. A file that another
    pipeline wrote is refused: where steps, their arguments, seeds of up to 32 bits, functions and values that these
    capture, or arrays differ. What a function reads elsewhere, such as files, is not compared. A deleted file is
    written anew.

    Args:
        filename: Where to keep the elements; "" for memory.

    Spec: kept.
    Cardinality: kept; that of the file once it is there.
    Order: kept.  Random access: once it is full, if the cardinality is known.
    Memory: all elements, or of a file up to 64 MiB while it is written.  State: an index; in a new process the elements
    are computed again, and written, where there is no file.

    Raises:
        TypeError: `filename` is no path.
        ValueError: The input is endless, or `filename` a URL.
        IsADirectoryError: `filename` is a folder.
        CacheError: The file is of another pipeline; raised when an iteration begins.
        DataLossError: The file is cut off or corrupt; raised when an iteration begins, or in the place of elements.
        SpecError: Elements for a file have components that are no numbers, text or arrays of one dtype.

    See also: prefetch, repeat.
    """
    name = calls.path("cache", "filename", filename)
    if ask(self._node, lambda node: node.cardinality()) == INFINITE:
        where = "written to a file" if name else "kept in memory"
        raise ValueError(f"cache(): an endless dataset cannot be {where}; take(n) elements first")
    if not name:
        return self._then(Cache(self._node, CacheCell()))
    if "://" in name:
        raise ValueError(f"cache(): filename must be a local path, since the file is mapped, but is {name!r}")
    if os.path.isdir(name):
        raise IsADirectoryError(f"cache(): {name} is a folder; give the name of a file in it, which cache() writes")
    # Imported here: hashing, locks and JSON are of no use to the many that cache in memory.
    from pathlib import Path

    from penstock.transforms.cache.disk import DiskCell

    return self._then(Cache(self._node, DiskCell(Path(name), partial(contents, self._node))))


class Cell(Protocol):
    """What is kept; has identity, and is shared by all datasets derived from one."""

    facts: list[Any] | None
    """What fixes the pass over the input whose rows are kept; None before the first."""

    @property
    def complete(self) -> bool:
        """Whether all rows are there."""

    @property
    def size(self) -> int | None:
        """How many rows there are, where the cell knows better than the input."""

    @property
    def described(self) -> str:
        """What it holds, for people."""

    def begin(self, facts: list[Any] | None) -> bool:
        """Fix the pass over the input whose rows are kept, the first that asks; whether it is the one of `facts`."""

    def begin_again(self, facts: list[Any]) -> bool:
        """Fix the pass of a state that is loaded, if nothing was read of another one so far; whether that is so."""

    def apart(self) -> Cell:
        """A cell for one run alone."""

    def places(self, indices: Indices, context: Context) -> Places:
        """The rows at `indices`, once all are there."""

    def open(self, facts: list[Any] | None, size: int, open_input: Callable[[], Operator]) -> Operator:
        """Reads the rows of the pass of `facts`; `size` is how many, as far as known."""


def _restores(facts: list[Any]) -> bool:
    return any(fact and "restores" in fact for fact in facts)


@record
class Cache(Node):
    """The input at epoch 0, from `cell` as far as that holds it."""

    input: Node
    cell: Cell = field(repr=False)
    complete: bool = False
    rows: int | None = None
    """How many, where a state or the cell tells."""
    facts: list[Any] | None = None
    is_bound: bool = False

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def cardinality(self) -> int:
        rows = self.rows if self.is_bound else self.cell.size
        return self.input.cardinality() if rows is None else rows

    def bind(self, fact: Any | None) -> tuple[Node, Any | None]:
        # A pass that began with a full cache goes on as one in a new process too, where the cell is filled first.
        is_new = fact is None or "complete" not in fact
        is_there = self.cell.complete  # asked in any case: it may tell of which pass the kept rows are
        complete = is_there if is_new else bool(fact["complete"])  # type: ignore[index]
        rows = None
        if complete:
            rows = self.cell.size if is_new else fact.get("rows")  # type: ignore[union-attr]
        found = {"complete": complete} if rows is None else {"complete": complete, "rows": rows}
        return replace(self, complete=complete, rows=rows, is_bound=True), found

    def facts_below(self, given: list[Any] | None) -> list[Any] | None:
        # What is missing must come from the pass that the kept rows came from, or rows would be lost and doubled.
        if self.cell.facts is None or (given is not None and _restores(given)):
            return given
        return self.cell.facts

    def bound_below(self, facts: list[Any], given: list[Any] | None) -> Node:
        if given is None and self.cell.facts is None:
            self.cell.begin(facts)
        if self.cell.facts is None or self.cell.facts == facts:
            return replace(self, facts=facts)
        if given is not None and _restores(given) and self.cell.begin_again(facts):
            return replace(self, facts=facts)
        # A state of a pass that this cell knows nothing of: its rows are computed for this run alone.
        return replace(self, facts=facts, cell=self.cell.apart())

    @property
    def access(self) -> Access:
        return Access.RANDOM if self.complete and self.cardinality() > 0 else Access.STREAM

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        if not self.cell.complete:
            self._fill(context)
        return self.cell.places(indices, context)

    def _fill(self, context: Context) -> None:
        operator = self.open(context)
        while operator.next_block(_RUN_ROWS) is not None:
            pass
        operator.close()

    def open(self, context: Context) -> Operator:
        return self.cell.open(self.facts, self.cardinality(), lambda: context.open(self.input, 0))

    def signature(self) -> str:
        return "cache()"

    def label(self) -> str:
        return f"cache()  # {self.cell.described}"
