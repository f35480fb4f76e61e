"""A function that hands a value on from element to element: `scan`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls, tree
from penstock.block import Block
from penstock.building import component
from penstock.errors import SpecError
from penstock.json_values import from_json, is_storable, to_json
from penstock.node import Context, Node, Operator, Purity, State
from penstock.record import record
from penstock.spec import Spec
from penstock.vectorize.function import ElementFunction, purity_of
from penstock.vectorize.results import Results, spread
from penstock.vectorize.returned import ReturnedMemory

if TYPE_CHECKING:
    from penstock.dataset import Dataset

S = TypeVar("S")
R = TypeVar("R")

_SMALL_BYTES = 1 << 12
_ROWS_UNJUDGED = 256  # judging a function takes longer than its first calls
_LARGEST_SHARE = 0.05  # of the time, for writing down carried values that are not small


def scan(
    self: Dataset[Any],
    initial_state: S,
    scan_func: Callable[[S, Any], tuple[S, R]],
    *,
    purity: str | None = None,
) -> Dataset[R]:
    """Replace each element by what `scan_func` makes of it and of what it handed on from the element before.

    >>> totals = Dataset.range(5).scan(0, lambda total, n: (total + n, total + n))
    >>> [int(total) for total in totals]
    [0, 1, 3, 6, 10]

    Each pass, and each epoch of a `repeat`, begins with `initial_state`.

    Args:
        initial_state: What the first call gets: numbers, text, arrays, or a structure of them.
        scan_func: Called with the state and the element, which is not unpacked; returns the new state, of the structure
            and dtypes of `initial_state`, and the element that comes out. Shapes may change.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code.

    Spec: that of the function's results.
    Cardinality: kept.
    Order: kept.  Random access: no.
    Memory: one block.  State: the input's, and the function's state as JSON, arrays as base64. Where that is over 4 KiB
    it is one of some elements before, so that writing it down costs a twentieth of the time; to resume, the function is
    called again for the elements since.

    An element that is an error is handed on, and so is one that the function raises; the state stays as it was before.

    Raises:
        TypeError: `scan_func` is no function, or `initial_state` holds something that cannot be saved.
        ValueError: `purity` is none of those values.
        SpecError: The function returned no pair, or a state of another structure or dtype; raised in the place of that
            element.

    See also: map, reduce.
    """
    calls.function("scan", "scan_func", scan_func)
    function = ElementFunction(scan_func, "scan", calls.origin(), False, purity_of("scan", purity))
    return self._then(Scan(self._node, function, Carried.of(initial_state)))


class Carried:
    """What is handed on: its structure, and its components in memory that nobody writes into."""

    __slots__ = ("is_bare", "leaves", "treedef")

    def __init__(self, treedef: tree.Treedef, leaves: list[Any], is_bare: bool) -> None:
        self.treedef = treedef
        self.leaves = leaves
        self.is_bare = is_bare

    @classmethod
    def of(cls, value: Any) -> Carried:
        """What a user gave as initial state.

        Raises:
            TypeError: It has no component, or one that cannot be saved.
        """
        given, treedef = tree.flatten(value)
        if not given:
            raise TypeError(f"scan(): initial_state is {value!r} and has no component; write a number, such as 0")
        leaves = [component(leaf.copy() if isinstance(leaf, np.ndarray) else leaf) for leaf in given]
        for leaf, name in zip(leaves, tree.paths(treedef), strict=True):
            if not is_storable(leaf):
                raise TypeError(
                    f"scan(): initial_state{name} is a {type(leaf).__name__}, which cannot be saved; use numbers, "
                    "text, or arrays of them"
                )
        return cls(treedef, [_frozen(leaf) for leaf in leaves], treedef == tree.LEAF)

    def next(self, value: Any) -> Carried:
        """What the function returned, as what is handed on after this.

        Raises:
            SpecError: It has another structure, or a component of another dtype.
        """
        if self.is_bare and type(value) is type(self.leaves[0]) and isinstance(value, np.number):
            return Carried(self.treedef, [value], True)
        given, treedef = ([value], tree.LEAF) if isinstance(value, (np.generic, np.ndarray)) else tree.flatten(value)
        if treedef is not self.treedef and treedef != self.treedef:
            raise SpecError(f"a state of the structure {tree.show(treedef)}; return {tree.show(self.treedef)}")
        leaves = given
        for at, (leaf, before) in enumerate(zip(given, self.leaves, strict=True)):
            if not isinstance(leaf, np.generic):
                leaves[at] = leaf = _frozen(component(leaf))
            if _dtype(leaf) != _dtype(before) or not is_storable(leaf):
                name = tree.paths(treedef)[at]
                raise SpecError(
                    f"a state{name} of dtype {_dtype(leaf)}; return {_dtype(before)}, the dtype of initial_state, or "
                    "begin with that dtype"
                )
        return Carried(self.treedef, leaves, self.is_bare)

    def value(self, writable: bool) -> Any:
        """What the function gets."""
        leaves = self.leaves
        if writable:
            leaves = [leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in leaves]
        return leaves[0] if self.is_bare else tree.unflatten(self.treedef, leaves)

    @property
    def num_bytes(self) -> int:
        """About how long it is when written down."""
        return sum(getattr(leaf, "nbytes", 0) or len(leaf) for leaf in self.leaves)

    def to_json(self) -> list[Any]:
        """The components, for a state."""
        return [to_json(leaf) for leaf in self.leaves]

    def from_json(self, forms: Any) -> Carried:
        """What a state holds."""
        return Carried(self.treedef, [_frozen(from_json(form)) for form in forms], self.is_bare)


def _frozen(leaf: Any) -> Any:
    if isinstance(leaf, np.ndarray):
        leaf = leaf.view()
        leaf.flags.writeable = False
    return leaf


def _dtype(leaf: Any) -> Any:
    return getattr(leaf, "dtype", None) or type(leaf)


@record
class Scan(Node):
    """`function(state, element)` for one element after another."""

    input: Node
    function: ElementFunction
    initial: Carried

    @property
    def purity(self) -> Purity:
        return self.function.purity

    def known_spec(self) -> Spec | None:
        return None

    def cardinality(self) -> int:
        return self.input.cardinality()

    def open(self, context: Context) -> Operator:
        return _ScanOperator(self, context.open(self.input))

    def signature(self) -> str:
        return f"scan({self.function.name})"


class _ScanOperator:
    """Calls the function row by row; its state is one of some rows before, and how many rows were made since."""

    def __init__(self, node: Scan, source: Operator) -> None:
        self._function = node.function
        self._source = source
        self._carried = node.initial
        self._results = Results(f"scan(): {node.function.name}")
        self._returned = ReturnedMemory()
        self._writes = False
        self._seen = 0
        self._saved: dict[str, Any] | None = None
        self._since = 0
        self._seconds_since = 0.0
        self._saving_seconds = 0.0
        self._to_skip = 0

    def next_block(self, rows: int) -> Block | None:
        while self._to_skip:
            block = self._compute(self._to_skip)
            if block is None:
                return None
            self._to_skip -= block.rows
        return self._compute(rows)

    def _compute(self, rows: int) -> Block | None:
        block = self._source.next_block(rows)
        if block is None:
            return None
        began = time.perf_counter()
        errors: dict[int, Exception] = {}
        results = [] if block.treedef is None else self._call(block, errors)
        computed = [row for row in range(block.rows) if row not in errors and row not in block.errors]
        collected = self._results.collect(results, computed, errors) if results else None
        for row, error in errors.items():
            error.add_note(self._function.note(self._seen + row))
        self._seen += block.rows
        self._since += block.rows
        self._seconds_since += time.perf_counter() - began
        return spread(collected, errors, block.errors, None, block.rows)

    def _call(self, block: Block, errors: dict[int, Exception]) -> list[Any]:
        """Results of the rows that succeed, in order; the errors of the others go into `errors`, by row."""
        is_judged = self._seen >= _ROWS_UNJUDGED
        writes = self._writes or not is_judged or self._function.verdict.writes_argument
        is_watched = not is_judged or self._function.purity is Purity.STATEFUL
        # A copy even of fresh memory: the same block may be with somebody else.
        given = Block(block.treedef, [column.copy() for column in block.columns], block.rows) if writes else block
        results: list[Any] = []
        for row, element in enumerate(given.elements(writes)):
            if row in block.errors:
                continue
            try:
                pair = self._pair(self._function.function(self._carried.value(writes), element))
                if is_watched and not self._returned.is_trusted:
                    pair = self._returned.keep(pair)
                self._carried = self._next(pair[0])
                results.append(pair[1])
            except StopIteration as error:
                message = "the function raised StopIteration, which would end the data; raise another error"
                errors[row] = RuntimeError(message)
                errors[row].__cause__ = error
            except Exception as error:
                errors[row] = error
        return results

    def _pair(self, returned: Any) -> tuple[Any, Any]:
        """What the function returned, if it is a pair.

        Raises:
            SpecError: It is none.
        """
        if type(returned) not in (tuple, list) or len(returned) != 2:
            raise SpecError(
                f"scan(): {self._function.name} returned {str(returned)[:80]!r}; return a pair, the new state and the "
                "element that comes out"
            )
        return returned[0], returned[1]

    def _next(self, state: Any) -> Carried:
        try:
            return self._carried.next(state)
        except SpecError as error:
            raise SpecError(f"scan(): {self._function.name} returned {error}") from None

    def get_state(self) -> State:
        # Written down anew at each call where that is cheap; else when it has become a small part of the time.
        is_due = self._seconds_since * _LARGEST_SHARE >= self._saving_seconds
        if self._saved is None or (
            self._since and not self._to_skip and (is_due or self._carried.num_bytes <= _SMALL_BYTES)
        ):
            began = time.perf_counter()
            self._saved = {"input": self._source.get_state(), "seen": self._seen, "state": self._carried.to_json()}
            self._since, self._seconds_since = 0, 0.0
            self._saving_seconds = time.perf_counter() - began
        return {**self._saved, "taken": self._since + self._to_skip}

    def set_state(self, state: Any) -> None:
        self._source.set_state(state["input"])
        self._seen = int(state["seen"])
        self._carried = self._carried.from_json(state["state"])
        self._saved = {name: state[name] for name in ("input", "seen", "state")}
        self._since, self._to_skip = 0, int(state["taken"])

    def advance(self, state: State, rows: int) -> State | None:
        return {**state, "taken": state["taken"] + rows}

    def close(self) -> None:
        self._source.close()
