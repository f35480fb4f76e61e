"""Runs an operator in a thread of its own, a bounded number of rows ahead of whoever reads from it."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from penstock.block import Block
from penstock.engine.buffer_size import BufferSize
from penstock.node import Operator, State, advance
from penstock.passes import ReadingPace

if TYPE_CHECKING:
    from penstock.engine.statistics import QueueStatistics

_SECONDS_TO_STOP = 1.0
_LONG_STEP_SECONDS = 0.001
_MAX_RUN_BYTES = 1 << 18
_MAX_AHEAD_BYTES = 1 << 26
# A read is eager when the reader was away, for each element that it had, for less than two threads lose by passing one
# on, and for less than half of the time that it waits; a patient one outweighs four eager ones (measured by
# bench_mnist_memory.py).
_EAGER_READS = 32
_EAGER_AWAY_SECONDS = 60e-6
_EAGER_SHARE = 2
_PATIENT_WEIGHT = 4


class BackgroundOperator:
    """Hands out what a thread computes; started by the first demand.

    At rest exactly `buffer_rows` rows are computed beyond those handed over; with AUTOTUNE as few as keep the reader
    from waiting, within 64 MiB. Beside each block travels the state before it, so a state is that of the last row
    handed over.

    A reader that does nothing but read gains nothing from a thread, and the two would get in each other's way. When it
    has waited most of its time for a while, the rows are computed in its own thread, as long as it goes on like that
    and `is_shareable` says that no user code can tell.
    """

    def __init__(
        self,
        open_operator: Callable[[], Operator],
        buffer_rows: int,
        pace: ReadingPace,
        is_shareable: Callable[[], bool],
        interrupt: Callable[[], None],
        most_ahead_bytes: int | None = None,
    ) -> None:
        self._most_ahead_bytes = most_ahead_bytes or _MAX_AHEAD_BYTES
        self._open = open_operator
        self._interrupt = interrupt
        self._buffer_rows = buffer_rows
        self._pace = pace
        self._is_shareable = is_shareable
        self._producer: Producer | None = None
        self._before: State = None
        self._first: State = None
        self._beginnings: list[dict[str, Any]] = []
        self._block: Block | None = None
        self._taken = 0
        self._ended = False
        self._was_shared = False
        self._left_at = 0.0
        self._rows_left_with = 0
        self._waited_seconds = 0.0

    def next_block(self, rows: int) -> Block | None:
        if self._ended:
            return None
        producer = self._producer or self._start()
        block = self._block
        shared = self._pace.eager_reads >= _EAGER_READS
        if not shared:
            if self._was_shared:
                producer.fill()
            producer.allow(1)
        self._was_shared = shared
        if block is None or self._taken == block.rows:
            block = self._read(producer, rows, shared)
            if block is None:
                self._ended = True
                self.close()
                return None
        start = self._taken
        self._taken = stop = min(block.rows, start + rows)
        if not shared:
            producer.allow(stop - start - 1)
        if stop == block.rows:
            # Not kept for longer than needed: an error in it, once raised, refers back to the whole pipeline.
            self._block = None
        self._left_at = time.perf_counter()
        return block.slice(start, stop)

    def _start(self) -> Producer:
        restored = None if self._before is None else (self._before, self._taken)
        self._producer = Producer(self._open(), self._buffer_rows, restored, self._most_ahead_bytes)
        if self._pace.eager_reads < _EAGER_READS or restored is not None:
            self._pace.eager_reads = min(self._pace.eager_reads, _EAGER_READS - 1)
            self._producer.fill()
        self._taken = 0
        self._left_at = time.perf_counter()
        return self._producer

    def _read(self, producer: Producer, rows: int, shared: bool) -> Block | None:
        """The next block: from the thread, or, where that has come to rest, computed here."""
        began = time.perf_counter()
        try:
            if shared and producer.is_at_rest:
                self._before, block = producer.compute(rows)
            else:
                self._before, block = producer.receive()
        except BaseException:
            self._ended = True
            raise
        self._block, self._taken = block, 0
        if self._first is None:
            self._first = self._before
            for state in self._beginnings:
                # Where the order is free, this tells which rows come first, to whoever has kept the state so long.
                state["input"] = self._first
            self._beginnings = []
        waited = time.perf_counter() - began
        self._waited_seconds += waited
        self._judge_reader(began - self._left_at, waited)
        self._rows_left_with = 0 if block is None else block.rows
        return block

    def _judge_reader(self, away_seconds: float, waited_seconds: float) -> None:
        """Count eager reads; at enough of them the reader takes over, after a patient one the thread does again."""
        was_shared = self._pace.eager_reads >= _EAGER_READS
        most_seconds = min(_EAGER_AWAY_SECONDS * max(1, self._rows_left_with), waited_seconds / _EAGER_SHARE)
        if away_seconds < most_seconds:
            if self._pace.eager_reads + 1 < _EAGER_READS or was_shared or self._is_shareable():
                self._pace.eager_reads = min(self._pace.eager_reads + 1, 2 * _EAGER_READS)
        else:
            self._pace.eager_reads = max(self._pace.eager_reads - _PATIENT_WEIGHT, 0)

    def queue_statistics(self) -> QueueStatistics:
        """How far ahead the thread is; its reader's waiting includes what that computed itself."""
        from penstock.engine.statistics import QueueStatistics

        producer, block = self._producer, self._block
        at_hand = 0 if block is None else block.rows - self._taken
        if producer is None:
            return QueueStatistics(max(0, self._buffer_rows), at_hand, self._waited_seconds, 0.0, input_has_thread=True)
        return QueueStatistics(
            producer.ahead_rows,
            at_hand + producer.ready_rows,
            self._waited_seconds,
            producer.rested_seconds,
            input_has_thread=True,
        )

    def get_state(self) -> State:
        state = {"input": self._before, "taken": self._taken, "ended": self._ended}
        if self._before is None:
            self._beginnings.append(state)
        return state

    def advance(self, state: State, rows: int) -> State | None:
        producer, before = self._producer, state["input"]
        is_beginning = before is None
        if is_beginning:
            before = self._first
        if producer is None or before is None or state["ended"]:
            return None
        taken = state["taken"] + rows
        after = producer.advance(before, taken)
        if after is None and is_beginning and rows:
            # Where the order is free, the beginning alone does not tell which rows came first.
            return {**state, "input": before, "taken": taken}
        return None if after is None else {**state, "input": after, "taken": 0}

    def set_state(self, state: State) -> None:
        self._before, self._taken, self._ended = state["input"], int(state["taken"]), bool(state["ended"])

    def close(self) -> None:
        if self._producer is not None and not self._producer.stop(self._interrupt):
            warnings.warn(
                f"prefetch(): thread {self._producer.name} is still inside a user function and is left behind; "
                "what it computes is thrown away",
                RuntimeWarning,
                stacklevel=1,
            )


Found = tuple[State, Block | None, BaseException | None]
"""A block and the state before it; no block at the end; or what was raised."""


class Producer:
    """The thread, its queue, and the rows that it is allowed to compute.

    Args:
        operator: What computes them.
        buffer_rows: How many rows it may be ahead; -1 for as few as keep the reader from waiting.
        restored: A state to begin with, and how many rows after it to leave out.
        most_ahead_bytes: How many bytes it may be ahead, where it finds out how many rows.
        put: Takes what was found, in the thread; by default it waits for `receive`.
    """

    def __init__(
        self,
        operator: Operator,
        buffer_rows: int,
        restored: tuple[State, int] | None,
        most_ahead_bytes: int,
        put: Callable[[Found], None] | None = None,
    ) -> None:
        self._most_ahead_bytes = most_ahead_bytes
        self._operator = operator
        self._restored = restored
        self._results: SimpleQueue[Found] = SimpleQueue()
        self._put = put or self._results.put
        self._credits: SimpleQueue[int] = SimpleQueue()
        self._outstanding = 0
        self._computed_rows = 0
        self._received_rows = 0
        self.rested_seconds = 0.0
        self._size = BufferSize() if buffer_rows < 0 else None
        self._ahead = buffer_rows if self._size is None else self._size.rows
        self._rested_before_growing = 0.0
        self._withheld = 0  # rows that the reader takes without making room for others
        self._stopped = False
        self._is_started = False
        self._thread = threading.Thread(target=self._work, name="penstock-prefetch", daemon=True)

    @property
    def name(self) -> str:
        """What the thread is called."""
        return self._thread.name

    @property
    def is_at_rest(self) -> bool:
        """Whether the thread has handed over all that it may compute, and so waits."""
        return self._outstanding == 0

    @property
    def ahead_rows(self) -> int:
        """How many rows it may be ahead."""
        return self._ahead

    @property
    def ready_rows(self) -> int:
        """How many rows wait for the reader."""
        return max(0, self._computed_rows - self._received_rows)

    def receive(self) -> tuple[State, Block | None]:
        """The next block and the state before it; waits for it."""
        ready = 0 if self._results.empty() else self.ready_rows
        state, block, error = self._results.get()
        if error is not None:
            raise error
        if block is not None:
            self._outstanding -= block.rows
            self._received_rows += block.rows
            if self._size is not None:
                self._resize(self._size, block, ready)
        return state, block

    def _resize(self, size: BufferSize, block: Block, ready: int) -> None:
        rested = self.rested_seconds
        most = self._most_ahead_bytes * block.rows // max(1, block.num_bytes)
        change = size.read(block.rows, ready, rested > self._rested_before_growing, most)
        if change:
            self._ahead, self._rested_before_growing = size.rows, rested
            self._withheld += max(0, -change)
            self.allow(max(0, change))

    def advance(self, state: State, rows: int) -> State | None:
        """The state of the thread's operator `rows` rows after `state`; arithmetic only, so it may go on meanwhile."""
        return advance(self._operator, state, rows)

    def compute(self, rows: int) -> tuple[State, Block | None]:
        """The next block, computed by the caller; only while the thread is at rest."""
        state = self._operator.get_state()
        return state, self._operator.next_block(rows)

    def allow(self, rows: int) -> None:
        """Let the thread compute `rows` more rows."""
        withheld = min(rows, self._withheld)
        self._withheld -= withheld
        rows -= withheld
        if rows:
            self._outstanding += rows
            self._credits.put(rows)
            if not self._is_started:
                # Not before there is work, and not in `__init__`: a thread must have an owner that ends it, even if
                # Ctrl-C comes while it starts.
                self._is_started = True
                self._thread.start()

    def fill(self) -> None:
        """Let the thread compute as far ahead as it should be again."""
        self._withheld = max(0, self._outstanding - self._ahead)
        self.allow(max(0, self._ahead - self._outstanding))

    def stop(self, interrupt: Callable[[], None]) -> bool:
        """End the thread; False if it is inside user code that does not return, and so is left behind as a daemon.

        Args:
            interrupt: Ends what it may wait for, where it has not ended after a fifth of the time.
        """
        if self._stopped:
            return True
        self._stopped = True
        if self._thread.ident is None:
            self._operator.close()
            return True
        self._credits.put(0)
        if threading.current_thread() is not self._thread:
            self._thread.join(_SECONDS_TO_STOP / 5)
            if self._thread.is_alive():
                interrupt()
                self._thread.join(_SECONDS_TO_STOP * 4 / 5)
        return not self._thread.is_alive() or threading.current_thread() is self._thread

    def _work(self) -> None:
        operator = self._operator
        allowed = 0
        run = 1
        try:
            if self._restored is not None:
                self._restore(*self._restored)
            while not self._stopped:
                rests_since = time.perf_counter() if allowed == 0 else None
                while allowed == 0 or not self._credits.empty():
                    allowed += self._credits.get()
                    if self._is_stopped():
                        return
                if rests_since is not None:
                    self.rested_seconds += time.perf_counter() - rests_since
                state: Any = operator.get_state()
                began = time.perf_counter()
                block = operator.next_block(min(run, allowed))
                if block is None:
                    self._put((state, None, None))
                    return
                allowed -= block.rows
                self._computed_rows += block.rows
                self._put((state, block, None))
                if time.perf_counter() - began < _LONG_STEP_SECONDS and block.num_bytes < _MAX_RUN_BYTES:
                    run = min(2 * run, 65536)
                # Not kept while it waits: the reader's elements would live longer than the reader wants them.
                del block
        except BaseException as error:
            self._put((None, None, error))
        finally:
            operator.close()

    def _is_stopped(self) -> bool:
        return self._stopped

    def _restore(self, state: State, taken: int) -> None:
        self._operator.set_state(state)
        while taken and not self._stopped:
            block = self._operator.next_block(taken)
            taken -= taken if block is None else block.rows
