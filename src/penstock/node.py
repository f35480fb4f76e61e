"""The protocols of a plan: what every node says of itself, and what every running operator can do.

A plan is a tree of frozen nodes: no data moves and no thread starts until it is opened. A *place* in the stream of a
node is a pair (epoch, index). Nodes with access by index turn places into places of their inputs (`resolve`), in bulk
and far ahead; the data is touched once, when the resulting `Places` are asked to `gather`.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.block import Block
from penstock.parallel import Parallel, Tuning
from penstock.passes import ReadingPace
from penstock.record import record
from penstock.spec import Spec

INFINITE = -1
UNKNOWN = -2

Indices = NDArray[np.int64]
Epochs = int | NDArray[np.uint64]
"""One epoch for all places, or one for each."""

State = Any
"""A JSON tree."""
M = TypeVar("M")


def follow_one_another(indices: Indices) -> bool:
    """Whether each index is the one before plus one; False where there is none."""
    count = len(indices)
    if not count or int(indices[-1]) - int(indices[0]) != count - 1:
        return False
    return count < 3 or bool((indices[1:] - indices[:-1] == 1).all())


class Purity(enum.IntEnum):
    """What is known of a user function; the larger, the less may be done with it."""

    PURE = 0
    """Arithmetic on its arguments and constants: may be vectorised, repeated and run ahead."""
    STATELESS = 1
    """May read files or call libraries but writes nothing outside itself: may run in any order."""
    STATEFUL = 2
    """Writes, draws, prints or is not understood: runs once an element, in order, when asked for."""


class Access(enum.IntEnum):
    """How a node's elements can be reached."""

    STREAM = 0
    """One after another only."""
    FORWARD = 1
    """By index, cheaply as long as indices grow."""
    RANDOM = 2
    """By any index."""


class Operator(Protocol):
    """A node running: owned by one thread, pulled from by whoever stands below it in the user's chain."""

    def next_block(self, rows: int) -> Block | None:
        """Between 1 and `rows` further rows; None at the end, and ever after."""

    def get_state(self) -> State:
        """Where the operator is after the rows that it has handed over."""

    def set_state(self, state: State) -> None:
        """Go to where a fresh operator of the same node was; called before any row is asked for."""

    def close(self) -> None:
        """Let go of files and threads; twice is fine."""


class Pouring(Protocol):
    """What an operator has too whose rows may be long in coming: each can be had before the next is waited for."""

    @property
    def treedef(self) -> tree.Treedef | None:
        """The structure of the rows so far; None as long as there is none but errors."""

    def pour(self, rows: int, put: Callable[[Any], bool | None]) -> bool:
        """Give `put` up to `rows` further rows, each as soon as it is there, until it says True; False at the end."""

    def join(self, rows: Sequence[Any]) -> Block:
        """A block of rows that were put, here or by another of the same structure; from any thread at any time."""


def advance(operator: Operator, state: State, rows: int) -> State | None:
    """The state `rows` rows after `state`; None where the operator has no such method, or it takes computing them."""
    arithmetic = getattr(operator, "advance", None)
    return state if not rows else None if arithmetic is None else arithmetic(state, rows)


class Step(Protocol):
    """What makes rows of rows, wherever it runs: it holds nothing of the pipeline but what it needs for that."""

    @property
    def purity(self) -> Purity:
        """What is known of its user function."""

    @property
    def is_vectorised(self) -> bool:
        """Whether its user function is known to run on whole blocks."""

    @property
    def lets_go_of_gil(self) -> bool:
        """Whether its user function is known to compute without the GIL, so that threads are as good as processes."""

    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        """The rows out for consecutive rows in, the first of which stands at `indices`."""

    def signature(self) -> str:
        """This step in a line."""


class Context(Protocol):
    """What a running plan offers its operators."""

    @property
    def epoch(self) -> int:
        """The epoch that the operator being opened works in."""

    def open(self, node: Node, epoch: int | None = None, joined_rows: int = 0) -> Operator:
        """Open a node of the running plan; at another epoch if given.

        `joined_rows` says that its reader makes one of so many rows, so that workers may write them side by side.
        """

    @property
    def keeps_provenance(self) -> bool:
        """Whether some step wants to know which rows of which files its elements were read from."""

    def keeping_provenance(self) -> Context:
        """The same for steps above one that wants to know."""

    def open_nested(self, node: Node, pass_number: int, facts: Any | None = None) -> tuple[Operator, Any]:
        """Optimise and open the plan of a dataset that a user function returned, for this pass or as `facts` says."""

    def background(
        self,
        plan: Node,
        buffer_rows: int,
        pace: ReadingPace,
        is_shareable: Callable[[], bool],
    ) -> Operator:
        """Run a whole plan in a thread of its own, at most `buffer_rows` rows ahead of who reads at `pace`.

        `is_shareable` says whether no user code can tell in which thread it runs; asked late, for it takes long.
        """

    def apart(self, plan: Node, buffer_rows: int) -> Operator:
        """Run a whole plan in a process of its own, at most `buffer_rows` rows ahead of its reader; -1 for AUTOTUNE."""

    def apply(self, step: Step, block: Block, epochs: Epochs, indices: Indices | int) -> Block:
        """Run a step on rows: here, or in a process where that is how its calls are spread."""

    def in_parallel(
        self, step: Step, source: Operator, settings: Parallel, *, is_row_by_row: bool = True, unit: int = 1
    ) -> Operator:
        """Run a step on several runs of `source` at once, each a multiple of `unit` rows, and keep their order.

        `is_row_by_row` says that row i out is of row i in; such an operator's state is that of `BlockwiseOperator`,
        any other's that of `SurplusOperator`.
        """

    def for_threads(self) -> tuple[Context, Callable[[], None]]:
        """This context for what threads of an operator open, and what ends the processes that they wait for."""

    def tuning(self, settings: Parallel) -> Tuning:
        """How many workers a step with these settings gets, within the budget of the run."""

    @property
    def memory_budget_bytes(self) -> int | None:
        """How many bytes of results a step may hold for its reader; None where it is for the step to say."""

    def start_thread(self, work: Callable[[], None], name: str) -> None:
        """Run `work`, which must not raise, in a thread of its own; whoever starts it ends it."""

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Memory for a batch, not cleared."""

    def memo(self, owner: object, make: Callable[[], M]) -> M:
        """The scratch object that belongs to `owner` in this run, made when first asked for."""


class Places(ABC):
    """Places already resolved down to the data: gather any run of them."""

    __slots__ = ("rows",)
    rows: int

    @abstractmethod
    def gather(self, start: int, stop: int) -> Block:
        """The rows of places `start` to `stop`, in one block."""


@functools.cache
def _field_names(kind: type[Node]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@record
class Node(ABC):
    """One step of a plan. Subclasses are frozen, slotted, final and picklable; they hold no data but a source's own."""

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes that this one reads."""
        return tuple(node for nodes in self._input_fields().values() for node in nodes)

    def with_inputs(self, inputs: Sequence[Node]) -> Node:
        """The same step over other inputs."""
        rest = iter(inputs)
        changes: dict[str, Any] = {}
        for name, nodes in self._input_fields().items():
            changed = tuple(next(rest) for _ in nodes)
            changes[name] = changed if isinstance(getattr(self, name), tuple) else changed[0]
        return dataclasses.replace(self, **changes)

    def _input_fields(self) -> dict[str, tuple[Node, ...]]:
        found: dict[str, tuple[Node, ...]] = {}
        for name in _field_names(type(self)):
            value = getattr(self, name)
            nodes = value if type(value) is tuple else (value,)
            # Not `isinstance`: for an abstract class it takes longer than all the rest, and plans ask all the time.
            if nodes and all(Node in type(node).__mro__ for node in nodes):
                found[name] = nodes
        return found

    @abstractmethod
    def known_spec(self) -> Spec | None:
        """The spec as far as it is known without computing an element."""

    @abstractmethod
    def cardinality(self) -> int:
        """How many elements: n >= 0, INFINITE or UNKNOWN; never computes one."""

    @property
    def access(self) -> Access:
        """How elements can be reached; by default one after another."""
        return Access.STREAM

    @property
    def purity(self) -> Purity:
        """What is known of this node's user function; PURE where it has none."""
        return Purity.PURE

    @property
    def yields_batches(self) -> bool:
        """Whether elements are memory of their own that users may write into, as batches are."""
        inputs = self.inputs
        for node in inputs:  # a generator or list would be one frame more for each step of a long plan
            if not node.yields_batches:
                return False
        return bool(inputs)

    @property
    def rows_per_element(self) -> int:
        """About how many rows of a source go into one element: what looking ahead is sized by."""
        return max((node.rows_per_element for node in self.inputs), default=1)

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        """Turn places of this node into places of the data; only where `access` is above STREAM."""
        raise NotImplementedError(f"{type(self).__name__} has no access by index")

    @abstractmethod
    def open(self, context: Context) -> Operator:
        """Start an operator for one epoch; only where `access` is STREAM or the engine runs it in order."""

    def sequential(self) -> Node:
        """This step in the thread that asks alone; for a look at the first elements."""
        return self

    def simplify(self) -> Node:
        """An equal but cheaper plan, seen from this node and its inputs alone; itself if there is none."""
        return self

    def bind(self, fact: Any | None) -> tuple[Node, Any | None]:
        """Fix what differs from one iteration to the next (a pass, a full cache), newly or as `fact` says.

        Returns the node to run and the fact as JSON, None where there is none.
        """
        return self, None

    def facts_below(self, given: list[Any] | None) -> list[Any] | None:
        """The facts to bind all nodes below by: those given, unless this node keeps rows of an earlier pass."""
        return given

    def bound_below(self, facts: list[Any], given: list[Any] | None) -> Node:
        """This node over inputs that were bound as `facts` says, where `given` had been asked for."""
        return self

    @property
    def keeps_pace(self) -> bool:
        """Whether shards of the input that have handed over as many elements have handed over as many of this step."""
        return False

    def global_index(self, index: int) -> int:
        """The index among the elements of all shards that a state at `index` stands for."""
        return index

    def local_index(self, index: int) -> int:
        """The first index here at or after the global index `index`."""
        return index

    def signature(self) -> str:
        """This step in a line, without what changes no element: seeds, shard numbers, buffers that keep the order."""
        return type(self).__name__

    def label(self) -> str:
        """This step in a line, for people."""
        return self.signature()


@record
class Source(Node):
    """A node without inputs whose rows can be gathered by index."""

    @abstractmethod
    def gather(self, indices: Indices) -> Block:
        """The rows at `indices`, in memory of their own."""

    def slice(self, start: int, stop: int) -> Block | None:
        """The rows `start` to `stop` without copying, if there is such a way."""
        return None

    @property
    def access(self) -> Access:
        return Access.RANDOM

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        return SourcePlaces(self, indices)

    def open(self, context: Context) -> Operator:
        raise NotImplementedError(f"{type(self).__name__} is run by index")


@record
class IndexOnly(Node):
    """A node that picks and orders elements of its inputs without looking at them."""

    @abstractmethod
    def locate(self, epochs: Epochs, indices: Indices, context: Context) -> tuple[Epochs, Indices]:
        """The places in the input that the places here stand for."""

    @property
    def input_node(self) -> Node:
        return self.inputs[0]

    @property
    def access(self) -> Access:
        return self.input_node.access

    def known_spec(self) -> Spec | None:
        return self.input_node.known_spec()

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        return self.input_node.resolve(*self.locate(epochs, indices, context), context)


class SourcePlaces(Places):
    """Rows of a source; runs of neighbours come as slices, without a copy."""

    __slots__ = ("_indices", "_neighbours", "_source")

    def __init__(self, source: Source, indices: Indices) -> None:
        self.rows = len(indices)
        self._source = source
        self._indices = indices
        self._neighbours = follow_one_another(indices)

    def gather(self, start: int, stop: int) -> Block:
        if self._neighbours:
            first = int(self._indices[start])
            block = self._source.slice(first, first + stop - start)
            if block is not None:
                return block
        return self._source.gather(self._indices[start:stop])
