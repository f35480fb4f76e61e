"""Runs on their way to the reader: which is next, what of them was handed over, and the state that tells it."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any, NamedTuple, NoReturn

from penstock.block import Block
from penstock.engine.crew import Run
from penstock.nested.order_log import OrderLog
from penstock.node import Operator, State, advance


class Span(NamedTuple):
    """What is to be pulled next.

    Attributes:
        rows: How many rows, of which `taken` were handed out before the state that this began from; -1 for all.
        is_whole: Whether it has to be so many, as it had before.
    """

    rows: int
    taken: int
    is_whole: bool


class Outgoing:
    """The runs between a parallel step's source and its reader.

    The state is that of the source before the oldest run that is not wholly handed over, and what was handed over
    since: the form that the sequential operator has, with `taken` added. Where the order is free, `spans` are the runs
    after it that were handed over, and `order` those that were since the state was taken.

    Args:
        is_in_order: Whether rows leave as they came.
        is_row_by_row: Whether row i out is of row i in, so that rows are skipped without working on them.

    Attributes:
        runs: In the order in which they were pulled.
        next: Index of the first row that was not.
        waiting_bytes: Of the results that are done, and not wholly handed over.
        is_in_order: Whether rows leave as they came in this pass.
    """

    def __init__(self, *, is_in_order: bool, is_row_by_row: bool) -> None:
        self.runs: deque[Run] = deque()
        self.next = 0
        self.waiting_bytes = 0
        self.is_in_order = self._keeps_order = is_in_order
        self._is_row_by_row = is_row_by_row
        # As the sequential operators call them.
        self._source_name, self._index_name = ("input", "rows") if is_row_by_row else ("source", "own")
        self._current: Run | None = None
        self._taken = 0
        self._restored: State = None
        self._spans: list[list[int]] = []
        self._handed_over: list[list[int]] = []
        self._logs: weakref.WeakSet[OrderLog] = weakref.WeakSet()
        self._order: deque[int] = deque()

    @property
    def taken(self) -> int:
        """Rows of the run that is being handed out that were."""
        return self._taken

    @property
    def awaits_later_run(self) -> bool:
        """Whether nothing can be handed out before a run that was not pulled yet."""
        return bool(self._order) and self._order[0] >= self.next

    def span(self, rows: int) -> Span:
        """What to pull where `rows` rows are wanted."""
        if self._spans and self._spans[0][0] == self.next:
            _, rows, taken = self._spans.pop(0)
            return Span(rows, taken, True)
        if self._spans:
            rows = min(rows, self._spans[0][0] - self.next)
        return Span(rows, 0, False)

    def pulled(self, block: Block, before: State, taken: int) -> Run | None:
        """The run of rows that came from the source; None where all were handed out before."""
        first = self.next
        self.next += block.rows
        if taken < 0:
            if self.runs:
                self._handed_over.append([first, block.rows, -1])  # as a state has to tell until those before it are
            return None
        self._restored = None
        return Run(first, block, block.rows, before, skip=taken)

    def next_done(self, has_ended: bool) -> Run | None:
        """The run to hand out from, if it is done; `has_ended` says that no more can be pulled."""
        if self._current is not None:
            return self._current
        if not self.runs:
            return None
        while self._order:
            first = self._order[0]
            wanted = next((run for run in self.runs if run.first == first), None)
            if wanted is not None or (first >= self.next and not has_ended):
                return wanted if wanted is not None and wanted.is_done else None
            self._order.popleft()  # it failed as a whole, or the source has become shorter
        if self.runs[0].is_done:
            return self.runs[0]
        # What is left to be skipped after a resume was handed out of the oldest runs.
        if self.is_in_order or self._taken:
            return None
        return next((run for run in self.runs if run.is_done), None)

    def hand_out(self, run: Run, rows: int) -> Block | None:
        """Up to `rows` rows of a run; None where it has no more."""
        result = run.result
        if result is None:
            self._raise_error_of(run)
        if run is not self._current:
            self._current, self._taken = run, max(self._taken, run.skip)
            if self._order:
                self._order.popleft()
            if not self._keeps_order:
                for log in self._logs:
                    log.append([run.first, run.rows])
        start = self._taken
        if start >= result.rows:
            if run.error is not None:
                self._raise_error_of(run)
            self._drop(run, self._taken - result.rows)
            return None
        self._taken = stop = min(result.rows, start + rows)
        if stop == result.rows and run.error is None:
            self._drop(run)
        return result.slice(start, stop)

    def _raise_error_of(self, run: Run) -> NoReturn:
        error, run.error = run.error, None
        assert error is not None
        self._drop(run)
        raise error

    def _drop(self, run: Run, taken: int = 0) -> None:
        """Forget a run that was handed over; `taken` rows of the next one were too."""
        self.waiting_bytes -= run.num_bytes
        self._current, self._taken = None, taken
        if run is self.runs[0]:
            self.runs.popleft()
            oldest = self.runs[0].first if self.runs else self.next
            self._handed_over = [span for span in self._handed_over if span[0] > oldest]
        else:
            self.runs.remove(run)
            self._handed_over.append([run.first, run.rows, -1])

    def get_state(self, source: Operator) -> State:
        if self._restored is not None and not self.runs and self._keeps_order:
            return self._restored
        state: dict[str, Any] = {} if self._is_row_by_row else {"taken": 0}
        if not self._keeps_order:
            state["order"] = log = OrderLog()
            if self._current is not None:
                log.append([self._current.first, self._current.rows])
            self._logs.add(log)
        spans = [*self._handed_over, *self._spans]
        if not self.runs:
            state |= {self._index_name: self.next, self._source_name: source.get_state()}
        else:
            oldest = self.runs[0]
            state |= {self._index_name: oldest.first, self._source_name: oldest.before}
            spans += [[run.first, run.rows, run.skip] for run in self.runs if run is not self._current]
            if not self._keeps_order and self._current is not None:
                spans.append([self._current.first, self._current.rows, self._taken])
            elif self._taken:
                state["taken"] = self._taken
        spans = sorted(span for span in spans if span[2])
        return {**state, "spans": spans} if spans else state

    def set_state(self, state: State, source: Operator) -> None:
        # What a step behind this one has taken of rows in order is known by their number alone.
        self.is_in_order = self._keeps_order or "order" not in state
        self.next = int(state[self._index_name])
        source.set_state(state[self._source_name])
        spans = {first: [first, rows, 0] for first, rows in state.get("order", [])}
        spans |= {span[0]: list(span) for span in state.get("spans", [])}
        self._spans = [spans[first] for first in sorted(spans)]
        self._order = deque(first for first, _ in state.get("order", []))
        taken = int(state.get("taken", 0))
        if taken and self._is_row_by_row and not spans:
            self._spans = [[self.next, taken, -1]]
        else:
            self._taken = taken
        self._restored = state

    def advance(self, source: Operator, state: State, rows: int) -> State | None:
        taken = rows + state.get("taken", 0)
        if not self._keeps_order or "spans" in state or state.get("order"):
            return None if rows else state
        if self._is_row_by_row:
            below = advance(source, state[self._source_name], taken)
            if below is not None:
                return {self._index_name: state[self._index_name] + taken, self._source_name: below}
        return {**state, "taken": taken}
