"""Work ahead of the reader: `prefetch`."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeVar

from penstock import calls
from penstock.block import Block
from penstock.node import Context, Node, Operator, State, advance
from penstock.passes import ReadingPace
from penstock.plan import demand_is_exact
from penstock.record import record
from penstock.spec import Spec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_MOST_ROWS = 2**31


def prefetch(
    self: Dataset[T], buffer_size: int | None, *, executor: Literal["thread", "process"] = "thread"
) -> Dataset[T]:
    """Compute up to `buffer_size` elements ahead, in a thread in the background, or in a process.

    >>> [int(n) for n in Dataset.range(3).prefetch(2)]
    [0, 1, 2]

    Nothing is computed before the first element is asked for. After it, exactly `buffer_size` elements beyond those
    handed over are. (A reader that does nothing but wait computes pure steps itself: a thread could not help it.)

    In a process, all steps above share no global lock (GIL) with the reader's code, which is for pipelines that compute
    in Python. They travel there in each pass, with the arrays of sources in shared memory: what they change, they
    change there, and what cannot be pickled is refused when the first element is asked for. A `cache()` in memory is
    worth more after such a prefetch: above it, it is filled anew in each pass. A process that dies is replaced by one
    that goes on where it was.

    Args:
        buffer_size: How many elements (batches, after `batch`); AUTOTUNE or None for as few as keep the reader from
            waiting; 0 for none and no thread.
        executor: "thread", or "process" for one of its own.

    Spec: kept.
    Cardinality: kept.
    Order: kept.  Random access: no.
    Memory: `buffer_size` elements; with a process, the sources' arrays once more.  State: the input's after the last
    element handed over, whatever the executor.

    Raises:
        TypeError: `buffer_size` is no whole number; or, when the first element is asked for, a step cannot be pickled.
        ValueError: `buffer_size` is below -1, or there is no such executor.
        WorkerDied: Three processes died one after another before there was another element; raised in its place.

    See also: cache.
    """
    if executor not in ("thread", "process"):
        raise ValueError(f"prefetch(): executor must be 'thread' or 'process', but is {executor!r}")
    size = -1 if buffer_size is None else calls.count("prefetch", "buffer_size", buffer_size, -1)
    return self._then(Prefetch(self._node, min(size, _MOST_ROWS), executor))


@record
class Prefetch(Node):
    """The input, computed in a thread or a process of its own."""

    input: Node
    buffer_size: int
    executor: str = "thread"
    pace: ReadingPace = field(default_factory=ReadingPace, repr=False)

    def known_spec(self) -> Spec | None:
        return self.input.known_spec()

    def cardinality(self) -> int:
        return self.input.cardinality()

    def open(self, context: Context) -> Operator:
        if self.buffer_size == 0:
            return _NothingAheadOperator(context.open(self.input))
        if self.executor == "process":
            return context.apart(self.input, self.buffer_size)
        return context.background(
            self.input,
            self.buffer_size,
            self.pace,
            is_shareable=lambda: not demand_is_exact(self.input),
        )

    @property
    def keeps_pace(self) -> bool:
        return True

    def sequential(self) -> Node:
        return self.input

    def signature(self) -> str:
        return "prefetch()"

    def label(self) -> str:
        where = ", executor='process'" if self.executor == "process" else ""
        return f"prefetch({'AUTOTUNE' if self.buffer_size < 0 else self.buffer_size}{where})"


class _NothingAheadOperator:
    """The input in the reader's thread, with the state of any other buffer: each goes on where another one was."""

    def __init__(self, source: Operator) -> None:
        self._source = source
        self._restored: State = None
        self._to_skip = 0
        self._ended = False

    def next_block(self, rows: int) -> Block | None:
        while self._to_skip and not self._ended:
            self._to_skip -= self._read(self._to_skip)[1]
        return self._read(rows)[0]

    def _read(self, rows: int) -> tuple[Block | None, int]:
        block = None if self._ended else self._source.next_block(rows)
        self._restored = None
        if block is None:
            self._ended = True
            return None, 0
        return block, block.rows

    def get_state(self) -> State:
        before = self._source.get_state() if self._restored is None else self._restored
        return {"input": before, "taken": self._to_skip, "ended": self._ended}

    def set_state(self, state: State) -> None:
        self._restored = state["input"]
        self._to_skip, self._ended = int(state["taken"]), bool(state["ended"])
        if self._restored is not None and not self._ended:
            self._source.set_state(self._restored)

    def advance(self, state: State, rows: int) -> State | None:
        if state["input"] is None or state["ended"]:
            return None
        after = advance(self._source, state["input"], state["taken"] + rows)
        return None if after is None else {**state, "input": after, "taken": 0}

    def close(self) -> None:
        self._source.close()
