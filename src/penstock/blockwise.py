"""Steps whose row i depends on row i of their input alone: one method gives streams, index space and parallel calls."""

from __future__ import annotations

from abc import abstractmethod

from penstock.block import Block
from penstock.errors import refuse_without_order
from penstock.node import (
    Access,
    Context,
    Epochs,
    Indices,
    Node,
    Operator,
    Places,
    Purity,
    State,
    advance,
)
from penstock.parallel import Parallel
from penstock.record import record
from penstock.tally import Tally


@record
class Blockwise(Node):
    """A node whose row i depends on row i of its input alone: `apply` is all that it supplies."""

    @property
    def is_positional(self) -> bool:
        """Whether results depend on a row's index too, so that other steps must not be moved past this one."""
        return False

    @property
    def purity_to_pass(self) -> Purity:
        """What other steps are moved past where they are moved past this one."""
        return self.purity

    @property
    def keeps_pace(self) -> bool:
        return True

    @property
    def is_vectorised(self) -> bool:
        """Whether its user function is known to run on whole blocks."""
        return False

    @property
    def lets_go_of_gil(self) -> bool:
        """Whether its user function is known to compute without the GIL."""
        return False

    @property
    def settings(self) -> Parallel | None:
        """How its calls are spread over workers; None for one after another."""
        return None

    @abstractmethod
    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        """The rows out for the rows in, which stand at `indices`, or follow one another from an int on."""

    @property
    def input_node(self) -> Node:
        return self.inputs[0]

    def cardinality(self) -> int:
        return self.input_node.cardinality()

    @property
    def access(self) -> Access:
        return Access.STREAM if self.purity is Purity.STATEFUL else self.input_node.access

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        return BlockwisePlaces(self, self.input_node.resolve(epochs, indices, context), epochs, indices, context)

    def open(self, context: Context) -> Operator:
        source = context.open(self.input_node)
        if self.settings is not None:
            return context.in_parallel(self, source, self.settings)
        return BlockwiseOperator(self, source, context)


class BlockwiseOperator:
    """Runs a `Blockwise` node over a stream; holds how many rows have passed, for the positions in errors."""

    def __init__(self, node: Blockwise, source: Operator, context: Context) -> None:
        self._node = node
        self._source = source
        self._context = context
        self._rows = 0
        self._to_skip = 0
        self.tally = Tally()

    def next_block(self, rows: int) -> Block | None:
        while self._to_skip:
            skipped = self._source.next_block(self._to_skip)
            if skipped is None:
                return None
            self._rows += skipped.rows
            self._to_skip -= skipped.rows
        block = self._source.next_block(rows)
        if block is None:
            return None
        result = self._node.apply(block, self._context, self._context.epoch, self._rows)
        if block.provenance is not None:
            result = result.with_provenance(block.provenance)
        self._rows += block.rows
        self.tally.blocks += 1
        if result.rows != 1 or result.errors:
            self.tally.add(result)
        return result

    def get_state(self) -> State:
        state = {"rows": self._rows, "input": self._source.get_state()}
        return {**state, "taken": self._to_skip} if self._to_skip else state

    def set_state(self, state: State) -> None:
        refuse_without_order(state)
        self._rows = int(state["rows"])
        # Rows that parallel calls had handed over: the function need not run on them again.
        self._to_skip = int(state.get("taken", 0))
        self._source.set_state(state["input"])

    def advance(self, state: State, rows: int) -> State | None:
        rows += state.get("taken", 0)
        below = advance(self._source, state["input"], rows)
        return None if below is None else {"rows": state["rows"] + rows, "input": below}

    def close(self) -> None:
        self._source.close()


class BlockwisePlaces(Places):
    """Rows of a `Blockwise` node over the places of its input."""

    __slots__ = ("_below", "_context", "_epochs", "_indices", "_node")

    def __init__(self, node: Blockwise, below: Places, epochs: Epochs, indices: Indices, context: Context) -> None:
        self.rows = below.rows
        self._node = node
        self._below = below
        self._epochs = epochs
        self._indices = indices
        self._context = context

    def gather(self, start: int, stop: int) -> Block:
        epochs = self._epochs if isinstance(self._epochs, int) else self._epochs[start:stop]
        block = self._below.gather(start, stop)
        if block.provenance is None:
            return self._context.apply(self._node, block, epochs, self._indices[start:stop])
        # It need not travel to a process and back.
        given = block.with_provenance(None)
        result = self._context.apply(self._node, given, epochs, self._indices[start:stop])
        return result.with_provenance(block.provenance)
