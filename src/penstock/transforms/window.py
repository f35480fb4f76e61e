"""Runs of consecutive elements as datasets of their own: `window`."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls, tree
from penstock.block import Block, another, concatenate, without_frames
from penstock.columns import Objects
from penstock.node import INFINITE, UNKNOWN, Context, Indices, Node, Operator, Source, State
from penstock.record import record
from penstock.spec import Spec, TensorSpec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

_MOST_ROWS = 1 << 16


def window(
    self: Dataset[Any], size: int, shift: int | None = None, stride: int = 1, drop_remainder: bool = False
) -> Dataset[Any]:
    """Make a dataset of each `size` elements; for elements of several components, one dataset for each component.

    >>> ds = Dataset.range(5).window(3, shift=1, drop_remainder=True)
    >>> [[int(n) for n in window] for window in ds]
    [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    >>> pairs = Dataset.zip(Dataset.range(4), Dataset.range(10, 14)).window(2)
    >>> joined = pairs.flat_map(lambda *windows: Dataset.zip(windows).batch(2))
    >>> [(a.tolist(), b.tolist()) for a, b in joined]
    [([0, 1], [10, 11]), ([2, 3], [12, 13])]

    Args:
        size: Elements in a window; at least 1.
        shift: How many elements further each window begins; `size` if not given.
        stride: How many elements further each element of a window is; 1 for neighbours.
        drop_remainder: Drop the windows at the end that have fewer elements.

    Spec: the element's structure with a dataset, of dtype `object`, for each component.
    Cardinality: ceil(n / shift); with `drop_remainder` as many as have all their elements.
    Order: kept.  Random access: no; the windows themselves have it.
    Memory: the elements of one window, those between its own included.  State: the input's before the window.

    An element that is an error stays in its windows, where it is raised if it is read. Where there is no other element
    to tell their structure, and the input's spec is not known, such a window is an error itself.

    Raises:
        TypeError: One of the numbers is no whole number.
        ValueError: One of them is below 1.

    See also: batch, flat_map.
    """
    rows = calls.count("window", "size", size, 1)
    step = rows if shift is None else calls.count("window", "shift", shift, 1)
    apart = calls.count("window", "stride", stride, 1)
    return self._then(Window(self._node, rows, step, apart, bool(drop_remainder), type(self)))


@record
class Window(Node):
    """Window k holds elements k * shift, k * shift + stride, ... of the input."""

    input: Node
    size: int
    shift: int
    stride: int
    drop_remainder: bool
    dataset: type[Dataset[Any]]

    @property
    def span(self) -> int:
        """From the first element of a window to behind its last one."""
        return (self.size - 1) * self.stride + 1

    def windows(self, rows: int) -> int:
        """How many there are of `rows` elements."""
        if self.drop_remainder:
            return max(0, (rows - self.span) // self.shift + 1)
        return -(-rows // self.shift)

    def known_spec(self) -> Spec | None:
        spec = self.input.known_spec()
        return None if spec is None else spec.map_leaves(lambda leaf: TensorSpec((), object))

    def cardinality(self) -> int:
        size = self.input.cardinality()
        return size if size in (INFINITE, UNKNOWN) else self.windows(size)

    @property
    def yields_batches(self) -> bool:
        return False

    def open(self, context: Context) -> Operator:
        return _WindowOperator(self, context.open(self.input))

    def signature(self) -> str:
        last = ", drop_remainder=True" if self.drop_remainder else ""
        return f"window({self.size}, shift={self.shift}, stride={self.stride}{last})"


@record
class WindowRows(Source):
    """One component of the elements of a window."""

    block: Block = field(repr=False)
    spec: Spec | None

    def known_spec(self) -> Spec | None:
        return self.spec

    def cardinality(self) -> int:
        return self.block.rows

    def gather(self, indices: Indices) -> Block:
        rows = self.block.take(indices)
        return _each_time_anew(rows, rows.fresh)

    def slice(self, start: int, stop: int) -> Block | None:
        return _each_time_anew(self.block.slice(start, stop), False)

    def signature(self) -> str:
        return f"window of {self.block.rows} elements"


def _each_time_anew(block: Block, is_fresh: bool) -> Block:
    """The rows with errors of their own, since whoever raises one changes it; other windows have these rows too."""
    errors = {row: another(error) for row, error in block.errors.items()}
    return Block(block.treedef, block.columns, block.rows, errors, is_fresh)


class _WindowOperator:
    """Holds the rows from where the next window begins, and the input's states before the blocks that they came in."""

    def __init__(self, node: Window, source: Operator) -> None:
        self._node = node
        self._source = source
        self._next = 0
        self._held: list[Block] = []
        self._first = 0
        self._read = 0
        self._marks: list[tuple[int, State]] = []
        self._ended = False

    def next_block(self, rows: int) -> Block | None:
        node = self._node
        rows = min(rows, max(1, _MOST_ROWS // node.shift))
        start = self._next * node.shift
        self._read_to(start + (rows - 1) * node.shift + node.span, start)
        if self._ended:
            rows = min(rows, node.windows(self._read) - self._next)
        if rows < 1:
            self._held = []
            return None
        block = concatenate(self._held) if len(self._held) > 1 else self._held[0]
        made = self._windows(block, start - self._first, rows)
        self._held = [block]
        self._next += rows
        self._drop_before(self._next * node.shift)
        return made

    def _read_to(self, stop: int, start: int) -> None:
        """Read up to row `stop`, and keep those from `start` on."""
        while self._read < stop and not self._ended:
            state = self._source.get_state()
            block = self._source.next_block(min(stop - self._read, _MOST_ROWS))
            if block is None:
                self._ended = True
                return
            self._marks.append((self._read, state))
            self._held.append(block)
            self._read += block.rows
            self._drop_before(start)

    def _drop_before(self, row: int) -> None:
        """Let go of the rows before `row`, and of the states that are of no use for going back to it."""
        while self._held and self._first + self._held[0].rows <= row:
            self._first += self._held.pop(0).rows
        while len(self._marks) > 1 and self._marks[1][0] <= row:
            self._marks.pop(0)

    def _windows(self, block: Block, start: int, rows: int) -> Block:
        """The windows that begin at row `start` of `block` and after it."""
        node = self._node
        known = node.input.known_spec()
        parts = []
        errors: dict[int, Exception] = {}
        for number in range(rows):
            at = start + number * node.shift
            part = _strided(block, at, min(at + node.span, block.rows), node.stride)
            if known is None and len(part.errors) == part.rows:
                errors[number] = another(part.errors[0])
            parts.append(part)
        good = [part for number, part in enumerate(parts) if number not in errors]
        treedef = known.treedef if known is not None else block.treedef
        if treedef is None or not good:
            return Block(None, (), rows, errors)
        columns = []
        for at in range(treedef.num_leaves):
            made = [self._dataset(part, at, known) for part in good]
            rest = iter(made)
            columns.append(Objects.from_rows([made[0] if number in errors else next(rest) for number in range(rows)]))
        return Block(treedef, columns, rows, errors)

    def _dataset(self, part: Block, at: int, known: Spec | None) -> Dataset[Any]:
        """The dataset of one component."""
        errors = {row: without_frames(error) for row, error in part.errors.items()}
        if len(part.errors) == part.rows:
            rows = Block(None, (), part.rows, errors)
        else:
            rows = Block(tree.LEAF, [part.columns[at]], part.rows, errors)
        leaf = known.leaves[at] if known is not None else part.columns[at].spec()
        return self._node.dataset(WindowRows(rows, Spec(tree.LEAF, (leaf,))))

    def get_state(self) -> State:
        row = self._next * self._node.shift
        at, state = self._marks[0] if self._marks and row < self._read else (self._read, self._source.get_state())
        return {"next": self._next, "read_from": at, "input": state}

    def set_state(self, state: State) -> None:
        self._next = int(state["next"])
        self._first = self._read = int(state["read_from"])
        self._source.set_state(state["input"])

    def close(self) -> None:
        self._held = []
        self._source.close()


def _strided(block: Block, start: int, stop: int, stride: int) -> Block:
    """Each `stride`-th of the rows, as views where that is how columns do it."""
    part = block.slice(start, stop)
    if stride == 1 or part.rows == 1:
        return part
    return part.take(np.arange(0, part.rows, stride))
