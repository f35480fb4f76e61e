"""Reads what a plan computes in a process of its own, a bounded number of rows ahead."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from penstock.block import Block, all_errors
from penstock.engine import block_form
from penstock.engine.agreement import disagreements
from penstock.engine.apart_link import PlanLink
from penstock.engine.apart_measures import ApartMeasures
from penstock.engine.apart_states import ReceivedStates
from penstock.engine.apart_worker import NAME, Delivery, News
from penstock.engine.buffer_size import BufferSize
from penstock.engine.error_form import unpack_error, unpack_row_error
from penstock.engine.portable_plan import PortablePlan
from penstock.errors import WorkerDied
from penstock.node import Node, Operator, State, advance
from penstock.plan import walk
from penstock.policies import fault_counts

if TYPE_CHECKING:
    from penstock.engine.measured import Measure
    from penstock.engine.statistics import QueueStatistics

_MOST_DEATHS = 3
_MOST_AHEAD_BYTES = 1 << 26
_MOST_ARRIVED = 8
"""Blocks that are taken up before their turn, so that it is known how many wait."""


class _Arrived(NamedTuple):
    """A block with the states before and after it; without one at the end, or where the plan raised an error."""

    before: State
    after: State
    block: Block | None
    error: BaseException | None


class ApartOperator:
    """Hands out what a process computes; started by the first demand.

    At rest exactly `buffer_rows` rows are computed beyond those handed over, in at most some 200 blocks, for that many
    messages fit the socket; with AUTOTUNE as few rows as keep the reader from waiting, within a budget of bytes. With
    each block come the states before and after it, so a state is that of the last row handed over, as a
    `BackgroundOperator` has it. A process that dies is replaced by one that goes on after the last block that came.

    Args:
        plan: What the process runs.
        pack: Makes the plan ready to be sent.
        open_here: Opens the plan in this process, for arithmetic on its states; nothing is computed there.
        buffer_rows: How many rows ahead; -1 for AUTOTUNE.
        most_ahead_bytes: The budget of AUTOTUNE; None for 64 MiB.
        measure: Where the numbers of the plan's steps are added.
    """

    def __init__(
        self,
        plan: Node,
        pack: Callable[[], PortablePlan],
        open_here: Callable[[], Operator],
        buffer_rows: int,
        most_ahead_bytes: int | None,
        measure: Measure | None,
    ) -> None:
        self._steps = walk(plan)
        self._pack = pack
        self._open_here = open_here
        self._size = BufferSize() if buffer_rows < 0 else None
        self._ahead = buffer_rows if self._size is None else self._size.rows
        self._rested_before_growing = 0.0
        self._withheld = 0  # rows that the reader takes without making room for others
        self._most_ahead_bytes = most_ahead_bytes or _MOST_AHEAD_BYTES
        self._measures = None if measure is None else ApartMeasures(measure, plan)
        self._packed: PortablePlan | None = None
        self._link: PlanLink | None = None
        self._deaths: list[WorkerDied] = []
        self._outstanding = self._ahead  # rows that were allowed and have not come
        self._restored: tuple[State, int] | None = None  # where the next process begins
        self._states = ReceivedStates()
        self._beginnings: list[dict[str, Any]] | None = []  # what was given out as state before the first block
        self._arrived: deque[_Arrived] = deque()
        self._current: _Arrived | None = None
        self._before: State = None
        self._after: State = None
        self._rows = 0
        self._taken = 0
        self._handed_over = 0
        self._ended = False
        self._is_interrupted = False
        self._waited_seconds = self._rested_seconds = 0.0

    def next_block(self, rows: int) -> Block | None:
        if self._ended:
            return None
        owed = 0
        current = self._current
        if current is None:
            try:
                self._take_up()
                owed = 0 if self._arrived else 1
                self._allow(owed)
                current = self._next_arrived()
            except BaseException:
                self._ended = True
                self._abandon()
                raise
        block = current.block
        if block is None:
            self._end(current)
            return None
        start = self._taken
        self._taken = stop = min(block.rows, start + rows)
        self._handed_over += stop - start
        # Not kept for longer than needed: an error in it, once raised, refers back to the whole pipeline.
        self._current = None if stop == block.rows else current
        self._allow(stop - start - owed)
        return block.slice(start, stop)

    def _next_arrived(self) -> _Arrived:
        """The next block or the end, waited for."""
        began = time.perf_counter()
        ready = sum(each.block.rows for each in self._arrived if each.block is not None)
        while not self._arrived:
            self._receive()
        self._waited_seconds += time.perf_counter() - began
        arrived = self._arrived.popleft()
        block = arrived.block
        if block is not None:
            self._before, self._after, self._rows, self._taken = arrived.before, arrived.after, block.rows, 0
            self._tell_beginnings(arrived.before)
            if self._size is not None:
                self._resize(self._size, block, ready)
        return arrived

    def _tell_beginnings(self, first: State) -> None:
        """Put the state before the first block into those given out before: it tells which rows come, in what order."""
        for state in self._beginnings or ():
            state["input"], state["taken"] = first, 0
        self._beginnings = None

    def _resize(self, size: BufferSize, block: Block, ready: int) -> None:
        most = self._most_ahead_bytes * block.rows // max(1, block.num_bytes)
        change = size.read(block.rows, ready, self._rested_seconds > self._rested_before_growing, most)
        if change:
            self._ahead, self._rested_before_growing = size.rows, self._rested_seconds
            self._withheld += max(0, -change)
            self._allow(max(0, change))

    def _end(self, arrived: _Arrived) -> None:
        """Close after the last block, or raise what ended the plan."""
        self._ended = True
        self.close()
        if arrived.error is not None:
            raise arrived.error
        self._before, self._taken = arrived.before, 0

    def _allow(self, rows: int) -> None:
        """Let the process compute `rows` more rows, but those that are withheld."""
        withheld = min(rows, self._withheld)
        self._withheld -= withheld
        rows -= withheld
        self._outstanding += rows
        if rows and self._link is not None:
            self._link.allow(rows)

    def _take_up(self) -> None:
        """Take up what has come."""
        while self._link is not None and len(self._arrived) < _MOST_ARRIVED and self._link.has_delivery():
            self._receive()

    def _receive(self) -> None:
        """Wait for a delivery; replace the process where it has died."""
        try:
            if self._link is None:
                self._packed = self._packed or self._pack()
                self._link = PlanLink(self._packed, self._restored, self._outstanding)
                self._states.begin_again()
                if self._is_interrupted:
                    self._link.kill()  # it has come too late for `interrupt`
            delivery, arrays = self._link.receive()
        except WorkerDied as death:
            self._link = None
            self._end_measures()
            if self._is_interrupted:
                raise
            self._deaths.append(death)
            if len(self._deaths) == _MOST_DEATHS:
                raise self._too_many() from death
            return
        self._rested_seconds = delivery.rested_seconds
        if delivery.news is not None:
            self._take_news(delivery.news)
        self._arrived.append(self._unpacked(delivery, arrays))

    def _unpacked(self, delivery: Delivery, arrays: list[NDArray[Any]]) -> _Arrived:
        before, after, form, error, *_ = delivery
        if form is None:
            return _Arrived(before, None, None, None if error is None else unpack_error(error))
        self._states.take_up(before, after)
        assert self._packed is not None
        functions = self._packed.functions
        try:
            block = block_form.unpack(form, arrays, lambda error: unpack_row_error(error, functions))
        except Exception as error:
            failure = TypeError(
                f"{NAME}: elements from the process that computes them cannot be read ({type(error).__name__}: "
                f"{error}); return what pickle can put together in this process too, or write executor='thread'"
            )
            failure.__cause__ = error
            block = all_errors(failure, form[1])
        self._deaths = []
        self._outstanding -= block.rows
        self._restored = after, 0
        return _Arrived(before, after, block, None)

    def _take_news(self, news: News) -> None:
        for number, at, counts in news.faults:
            fault_counts(self._steps[number])[at].add(**counts)
        if news.structures and self._packed is not None:
            disagreements(self._packed.functions, news.structures)
        if news.measures is not None and self._measures is not None:
            self._measures.add(news.measures)

    def _too_many(self) -> WorkerDied:
        how = ", ".join(dict.fromkeys(str(death.cause) for death in self._deaths))
        came = self._handed_over + sum(each.block.rows for each in self._arrived if each.block is not None)
        return WorkerDied(
            f"{NAME}: {len(self._deaths)} processes that ran the pipeline died one after another ({how}), "
            f"{came} elements after it began or a state was loaded; run it with executor='thread' to see why",
            self._deaths[-1].cause,
        )

    def queue_statistics(self) -> QueueStatistics:
        """How far ahead the process is, as far as its blocks were here when one was last asked for."""
        from penstock.engine.statistics import QueueStatistics

        at_hand = 0 if self._current is None else self._rows - self._taken
        arrived = sum(each.block.rows for each in list(self._arrived) if each.block is not None)
        return QueueStatistics(
            self._ahead, at_hand + arrived, self._waited_seconds, self._rested_seconds, input_has_thread=True
        )

    def get_state(self) -> State:
        state = {"input": self._before, "taken": self._taken, "ended": self._ended}
        if self._beginnings is not None:
            self._beginnings.append(state)
        return state

    def advance(self, state: State, rows: int) -> State | None:
        before, taken = state["input"], state["taken"] + rows
        if before is None or state["ended"]:
            return None
        after = self._after if before is self._before and taken == self._rows else self._computed(before, taken)
        return {**state, "input": before, "taken": taken} if after is None else {**state, "input": after, "taken": 0}

    def _computed(self, before: State, rows: int) -> State | None:
        """The state `rows` rows after another one, as far as that is arithmetic."""
        operator = self._open_here()
        after = advance(operator, before, rows)
        operator.close()
        return after

    def set_state(self, state: State) -> None:
        self._before, self._taken, self._ended = state["input"], int(state["taken"]), bool(state["ended"])
        self._restored = None if self._before is None else (self._before, self._taken)

    def interrupt(self) -> None:
        """End the process, from any thread: whoever waits for it gets an error."""
        self._is_interrupted = True
        link = self._link
        if link is not None:
            link.kill()

    def _abandon(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.abandon()
        self._end_measures()

    def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.stop(self._take_news)
        self._arrived.clear()
        self._end_measures()

    def _end_measures(self) -> None:
        if self._measures is not None:
            self._measures.end()
