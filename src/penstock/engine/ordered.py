"""Several runs of one step at once, handed out in order, with the same exact state as one after another."""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from penstock.block import Block
from penstock.engine import threads
from penstock.engine.autotune import Tuner
from penstock.engine.choice import Choice
from penstock.engine.crew import Crew, Run
from penstock.engine.flow import Flow
from penstock.engine.patience import Patience
from penstock.engine.remote import Remote
from penstock.engine.statistics import QueueStatistics
from penstock.nested.order_log import OrderLog
from penstock.node import Context, Operator, State, Step, advance
from penstock.options import Options
from penstock.parallel import AUTOTUNE, Parallel
from penstock.stream import exactly

_WAITING_PER_WORKER = 4  # done before an earlier one is, beyond those in flight
_MOST_WAITING_BYTES = 1 << 28


class OrderedOperator:
    """Hands runs of its source's rows to workers, and their results on in the order of the source.

    Only the thread that asks for rows runs the source, and only while it asks: so what runs ahead is bounded by the
    runs in flight, in count and bytes, and whoever wants more ahead puts a `prefetch` behind it. Runs grow until one
    takes some milliseconds, so that what a hand-over costs does not count.

    The state is that of the source before the oldest run that is not wholly handed over, and what was handed over
    since: the form that the sequential operator has, with `taken` added. Where the order is free, `spans` are the runs
    after it that were handed over, and `order` those that were since the state was taken.

    Args:
        step: What is done with each run, possibly in several threads or in other processes.
        source: The rows.
        settings: What the user asked for.
        context: That of the plan's run.
        options: Budgets, and how long an element may take.
        is_row_by_row: Whether row i out is of row i in, so that rows are skipped without working on them.
        unit: Rows of a run are a multiple of this, but for the last.
        is_sent: Whether the whole step goes to processes where these are chosen; else it sees to that itself.
        has_started: Whether the processes of the calling thread have; those that the whole step goes to, if not given.
        patience: Watches over the runs; where the step is not sent, over its calls in processes too.
    """

    def __init__(
        self,
        step: Step,
        source: Operator,
        settings: Parallel,
        context: Context,
        options: Options,
        *,
        is_row_by_row: bool,
        unit: int = 1,
        is_sent: bool = True,
        has_started: Callable[[], bool] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._step = step
        self._source = source
        self._settings, self._in_order = settings, settings.deterministic
        self._pace = settings.pace
        self._context = context
        self._is_row_by_row = is_row_by_row
        # As the sequential operators call them.
        self._source_name, self._index_name = ("input", "rows") if is_row_by_row else ("source", "own")
        self._unit = unit
        self._is_sent = is_sent
        self._next, self._wanted_rows, self._ended = 0, 1, False
        self._runs: deque[Run] = deque()
        self._unfinished = 0
        self._waited_seconds = self._busy_seconds = 0.0
        self._waiting_bytes = 0
        self._current: Run | None = None
        self._taken = 0
        self._restored: State = None
        self._spans: list[list[int]] = []
        self._handed_over: list[list[int]] = []
        self._logs: weakref.WeakSet[OrderLog] = weakref.WeakSet()
        self._order: deque[int] = deque()
        self._crew: Crew | None = None
        self._choice = Choice(settings, step)
        self._flow = Flow(settings.pace, unit)
        self._tuner = Tuner(settings, options.cpu_budget)
        self._most_waiting_bytes = options.memory_budget_bytes or _MOST_WAITING_BYTES
        self._patience = patience or Patience(step, options.element_timeout_seconds, unit)
        self._remote = Remote(step, unit, self._patience, in_order=settings.deterministic, is_early=not self._pace.way)
        self._has_started = has_started or self._remote.has_started

    def next_block(self, rows: int) -> Block | None:
        self._wanted_rows = rows
        if self._crew is None and self._pace.way == "process":
            self._remote.start_ahead(self._tuner.workers)  # while the source makes the first rows
        while True:
            self._collect(wait=False)
            run = self._fill()
            if run is not None:
                block = self._hand_out(run, rows)
                if block is not None:
                    return block
            elif self._runs:
                began = time.perf_counter()
                self._collect(wait=True)
                waited = time.perf_counter() - began
                self._waited_seconds += waited
                self._tuner.waited(waited)
            else:
                return None

    def _fill(self) -> Run | None:
        """Pull as many runs as may be in flight; the run to hand out from, if there is one.

        What is done does not wait for a slow source: while there is such a run, nothing is pulled.
        """
        if self._settings.calls == AUTOTUNE and self._pace.way in ("thread", "process"):
            self._tuner.adjust(self._crew, self._is_full())
        while not self._ended:
            if self._flow.is_slow(self._tuner.at_present):
                self._collect(wait=False)
                run = self._next_done()
                if run is not None:
                    return run
            if not self._has_room():
                break
            began = time.perf_counter()
            run = self._pull()
            if run is None:
                self._ended = True
                break
            self._flow.pulled(run, time.perf_counter() - began)
            self._submit(run)
        return self._next_done()

    def _submit(self, run: Run) -> None:
        self._runs.append(run)
        if run.block is None:
            run.is_done = True
        elif self._pace.way == "inline":
            run.work(self._apply)
            self._finish(run)
        else:
            self._crew_of(self._choice.workers or self._tuner.at_present).submit(run)
            self._unfinished += 1

    def _has_room(self) -> bool:
        if self._pace.way == "inline":
            return not self._runs
        if not self._pace.way:
            return self._choice.wants_more(self._unfinished)
        if self._order and self._order[0] >= self._next:
            return True  # nothing can be handed over before that run
        return self._unfinished < self._tuner.at_present * self._flow.runs_per_worker and not self._is_full()

    def _is_full(self) -> bool:
        waiting = len(self._runs) - self._unfinished
        most = self._tuner.at_present * (self._flow.runs_per_worker + _WAITING_PER_WORKER)
        return waiting > most or self._waiting_bytes > self._most_waiting_bytes

    def _crew_of(self, workers: int) -> Crew:
        if self._crew is None:
            self._crew = Crew(self._step.signature(), self._work)
        if self._crew.size != workers:  # two have measured, however many are to work
            self._crew.resize(workers)
        return self._crew

    def _pull(self) -> Run | None:
        """The next run of the source; what was handed out before the state that this began from is left out."""
        while True:
            before = self._source.get_state()
            rows, taken, is_whole = self._flow.rows(self._wanted_rows), 0, self._unit > 1
            if self._spans and self._spans[0][0] == self._next:
                _, rows, taken = self._spans.pop(0)
                is_whole = True
            elif self._spans:
                rows = min(rows, self._spans[0][0] - self._next)
            try:
                block = exactly(self._source, rows) if is_whole else self._source.next_block(rows)
            except Exception as error:
                run = Run(self._next, None, 0, before)
                run.error = error
                return run
            if block is None:
                return None
            first = self._next
            self._next += block.rows
            if taken >= 0:
                self._restored = None
                return Run(first, block, block.rows, before, skip=taken)

    def _work(self, run: Run) -> None:
        """Called in a thread of the crew."""
        if self._pace.way != "process":
            return run.work(self._apply_in_thread)
        run.work(partial(self._apply_apart, run))
        run.cpu_seconds = run.seconds  # what the process computed counts as computing

    def _apply_apart(self, run: Run, block: Block, first: int) -> Block:
        # Nobody asked for processes in particular: until they have started, threads do what they can.
        run.is_makeshift = self._settings.executor != "process" and not self._has_started()
        if run.is_makeshift or not self._is_sent:
            return (self._apply_in_thread if self._is_sent else self._apply)(block, first)
        return self._remote.apply(block, self._context.epoch, first)

    def _apply_in_thread(self, block: Block, first: int) -> Block:
        apply, patience = self._apply, self._patience
        return patience.apply(apply, block, first) if patience.is_limited else apply(block, first)

    def _apply(self, block: Block, first: int) -> Block:
        return self._step.apply(block, self._context, self._context.epoch, first)

    def _collect(self, wait: bool) -> None:
        """Take what is done; wait until something is, if so wished."""
        crew = self._crew
        while self._unfinished and crew is not None:
            run = crew.receive(self._patience.seconds_left(self._runs) if wait else 0)
            if run is None and not wait:
                return
            if run is None:
                late = self._patience.overdue(self._runs)
                for one in late:
                    self._give_up(one, crew)
                wait = not late
            elif run.is_done:
                crew.dismiss_one()  # it had been given up, and another thread works in the place of this one
            else:
                self._unfinished -= 1
                self._finish(run)
                wait = False

    def _give_up(self, run: Run, crew: Crew) -> None:
        """Go on without a thread that does not return: what is left of its run is another's."""
        other = self._patience.given_up(run)
        if other is None:
            return
        run.is_done = True
        crew.replace_one()
        self._runs[self._runs.index(run)] = other
        if other.block is not None:
            crew.submit(other)
        else:
            self._unfinished -= 1
            self._finish(other)

    def _finish(self, run: Run) -> None:
        run.is_done = True
        self._busy_seconds += run.seconds
        if run.result is not None:
            run.num_bytes = run.result.num_bytes
            self._waiting_bytes += run.num_bytes
            if not self._pace.way:
                self._choice.observe(run)
                self._tuner.begin_anew()
            elif run.is_makeshift:
                self._tuner.await_processes()
            else:
                self._tuner.observe(run)
            self._flow.observe(run)

    def _next_done(self) -> Run | None:
        """The run to hand out from, if it is done."""
        if self._current is not None:
            return self._current
        if not self._runs:
            return None
        while self._order:
            first = self._order[0]
            wanted = next((run for run in self._runs if run.first == first), None)
            if wanted is not None or (first >= self._next and not self._ended):
                return wanted if wanted is not None and wanted.is_done else None
            self._order.popleft()  # it failed as a whole, or the source has become shorter
        if self._runs[0].is_done:
            return self._runs[0]
        # What is left to be skipped after a resume was handed out of the oldest runs.
        if self._in_order or self._taken:
            return None
        return next((run for run in self._runs if run.is_done), None)

    def _hand_out(self, run: Run, rows: int) -> Block | None:
        """Up to `rows` rows of a run; None where it has no more."""
        if run.error is not None:
            error, run.error = run.error, None
            self._drop(run)
            raise error
        result = run.result
        assert result is not None
        if run is not self._current:
            self._current, self._taken = run, max(self._taken, run.skip)
            if self._order:
                self._order.popleft()
            if not self._settings.deterministic:
                for log in self._logs:
                    log.append([run.first, run.rows])
        start = self._taken
        if start >= result.rows:
            self._drop(run, self._taken - result.rows)
            return None
        self._taken = stop = min(result.rows, start + rows)
        if stop == result.rows:
            self._drop(run)
        return result.slice(start, stop)

    def _drop(self, run: Run, taken: int = 0) -> None:
        """Forget a run that was handed over; `taken` rows of the next one were too."""
        self._waiting_bytes -= run.num_bytes
        self._current, self._taken = None, taken
        if run is self._runs[0]:
            self._runs.popleft()
            oldest = self._runs[0].first if self._runs else self._next
            self._handed_over = [span for span in self._handed_over if span[0] > oldest]
        else:
            self._runs.remove(run)
            self._handed_over.append([run.first, run.rows, -1])

    def queue_statistics(self) -> QueueStatistics:
        """How far ahead the workers are."""
        workers = 0 if self._crew is None else self._crew.size
        ready = sum(run.result.rows for run in list(self._runs) if run.is_done and run.result is not None)
        return QueueStatistics(
            capacity=workers * (self._flow.runs_per_worker + _WAITING_PER_WORKER) * self._pace.run_rows * self._unit,
            filled=ready - min(ready, self._taken),
            waited_for_input_seconds=self._waited_seconds,
            waited_for_output_seconds=0.0,
            busy_seconds=self._busy_seconds,
            workers=workers,
        )

    def get_state(self) -> State:
        if self._restored is not None and not self._runs and self._settings.deterministic:
            return self._restored
        state: dict[str, Any] = {} if self._is_row_by_row else {"taken": 0}
        if not self._settings.deterministic:
            state["order"] = log = OrderLog()
            if self._current is not None:
                log.append([self._current.first, self._current.rows])
            self._logs.add(log)
        if not self._runs:
            return {**state, self._index_name: self._next, self._source_name: self._source.get_state()}
        oldest = self._runs[0]
        state |= {self._index_name: oldest.first, self._source_name: oldest.before}
        spans = sorted([*self._handed_over, *(span for span in self._spans if span[2])])
        if not self._settings.deterministic and self._current is not None and self._taken:
            spans = sorted([*spans, [self._current.first, self._current.rows, self._taken]])
        elif self._taken:
            state["taken"] = self._taken
        if spans:
            state["spans"] = spans
        return state

    def set_state(self, state: State) -> None:
        # What a step behind this one has taken of rows in order is known by their number alone.
        self._in_order = self._settings.deterministic or "order" not in state
        self._next = int(state[self._index_name])
        self._source.set_state(state[self._source_name])
        spans = {first: [first, rows, 0] for first, rows in state.get("order", [])}
        spans |= {span[0]: list(span) for span in state.get("spans", [])}
        self._spans = [spans[first] for first in sorted(spans)]
        self._order = deque(first for first, _ in state.get("order", []))
        taken = int(state.get("taken", 0))
        if taken and self._is_row_by_row and not spans:
            self._spans = [[self._next, taken, -1]]
        else:
            self._taken = taken
        self._restored = state

    def advance(self, state: State, rows: int) -> State | None:
        taken = rows + state.get("taken", 0)
        if not self._settings.deterministic or "spans" in state or state.get("order"):
            return None if rows else state
        if self._is_row_by_row:
            below = advance(self._source, state[self._source_name], taken)
            if below is not None:
                return {self._index_name: state[self._index_name] + taken, self._source_name: below}
        return {**state, "taken": taken}

    def interrupt(self) -> None:
        """End the processes at work, from any thread: whoever waits for them gets an error."""
        self._remote.kill()

    def close(self, interrupt: Callable[[], Any] | None = None) -> None:
        """End the threads; `interrupt` ends what they wait for, beside processes, when some do not return."""
        if self._crew is not None:
            self._crew.close(interrupt or self._remote.kill)
        self._ended = True
        self._runs.clear()
        self._remote.close()
        self._source.close()

    def __del__(self) -> None:
        if getattr(self, "_crew", None) is not None:
            threads.outside(self.close, "penstock-close")
