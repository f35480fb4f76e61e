"""Several runs of one step at once, handed out in order, with the same exact state as one after another."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from penstock.block import Block
from penstock.core_time import seconds_without_core
from penstock.engine import threads
from penstock.engine.autotune import Tuner
from penstock.engine.choice import Choice
from penstock.engine.crew import Crew, Run
from penstock.engine.flow import Flow
from penstock.engine.landing import Landing
from penstock.engine.outgoing import Outgoing
from penstock.engine.patience import Patience
from penstock.engine.remote import Remote
from penstock.engine.statistics import QueueStatistics
from penstock.node import Context, Operator, State, Step
from penstock.options import Options
from penstock.parallel import Parallel
from penstock.stream import exactly

_WAITING_PER_WORKER = 4  # done before an earlier one is, beyond those in flight
_MOST_WAITING_BYTES = 1 << 28


class OrderedOperator:
    """Hands runs of its source's rows to workers, and their results on in the order of the source.

    Only the thread that asks for rows runs the source, and only while it asks: so what runs ahead is bounded by the
    runs in flight, in count and bytes, and whoever wants more ahead puts a `prefetch` behind it. Runs grow until one
    takes some milliseconds, so that what a hand-over costs does not count.

    Args:
        step: What is done with each run, possibly in several threads or in other processes.
        source: The rows.
        settings: What the user asked for.
        context: That of the plan's run.
        options: Budgets, and how long an element may take.
        is_row_by_row: Whether row i out is of row i in, so that rows are skipped without working on them.
        unit: Rows of a run are a multiple of this, but for the last.
        is_sent: Whether the whole step goes to processes where these are chosen; else it sees to that itself.
        joined_rows: How many rows the reader makes one of; 0 if that is not known.
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
        joined_rows: int = 0,
        has_started: Callable[[], bool] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._step = step
        self._source = source
        self._settings = settings
        self._pace = settings.pace
        self._context = context
        self._out = Outgoing(is_in_order=settings.deterministic, is_row_by_row=is_row_by_row)
        self._is_row_by_row = is_row_by_row
        self._unit = unit
        self._is_sent = is_sent
        self._wanted_rows, self._ended = 1, False
        self._unfinished = 0
        self._waited_seconds = self._busy_seconds = 0.0
        self._crew: Crew | None = None
        self._choice = Choice(settings, step)
        self._flow = Flow(settings.pace, unit)
        self._tuner = Tuner(settings, options.cpu_budget)
        self._most_waiting_bytes = options.memory_budget_bytes or _MOST_WAITING_BYTES
        self._patience = patience or Patience(step, options.element_timeout_seconds, unit, context)
        # A thread that was given up may yet return, and write into a batch that is long the user's.
        may_land = joined_rows and is_row_by_row and settings.deterministic and not self._patience.is_limited
        self._landing = Landing(joined_rows, context.allocate) if may_land else None
        self._remote = Remote(
            *(step, unit, self._patience),
            in_order=settings.deterministic,
            is_early=not self._pace.way,
            context=context,
            pace=None if settings.executor == "process" else settings.pace,
        )
        self._has_started = has_started or self._remote.has_started

    def next_block(self, rows: int) -> Block | None:
        self._wanted_rows = rows
        if self._crew is None and self._pace.way == "process":
            self._remote.start_ahead(self._tuner.workers)  # while the source makes the first rows
        while True:
            self._collect(wait=False)
            run = self._fill()
            if run is not None:
                block = self._out.hand_out(run, rows)
                if block is not None:
                    return block
            elif self._out.runs:
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
        if self._tuner.is_open and self._pace.way in ("thread", "process"):
            self._tuner.adjust(self._crew, self._is_full())
        while not self._ended:
            if self._flow.is_slow(self._tuner.at_present):
                self._collect(wait=False)
                run = self._out.next_done(self._ended)
                if run is not None:
                    return run
                if self._unfinished and self._flow.is_idle():
                    return None
            if not self._has_room():
                break
            began = time.perf_counter()
            run = self._pull()
            if run is None:
                self._ended = True
                break
            self._flow.pulled(run, time.perf_counter() - began)
            self._submit(run)
        return self._out.next_done(self._ended)

    def _submit(self, run: Run) -> None:
        self._out.runs.append(run)
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
            return not self._out.runs
        if not self._pace.way:
            return self._choice.wants_more(self._unfinished)
        if self._out.awaits_later_run:
            return True
        return self._unfinished < self._tuner.at_present * self._flow.runs_per_worker and not self._is_full()

    def _is_full(self) -> bool:
        waiting = len(self._out.runs) - self._unfinished
        most = self._tuner.at_present * (self._flow.runs_per_worker + _WAITING_PER_WORKER)
        return waiting > most or self._out.waiting_bytes > self._most_waiting_bytes

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
            span = self._out.span(self._rows())
            try:
                whole = span.is_whole or self._unit > 1
                block = exactly(self._source, span.rows) if whole else self._source.next_block(span.rows)
            except Exception as error:
                run = Run(self._out.next, None, 0, before)
                run.error = error
                return run
            if block is None:
                return None
            found = self._out.pulled(block, before, span.taken)
            if found is not None:
                provenance = getattr(block, "provenance", None)  # places have none
                if self._is_row_by_row and provenance is not None:
                    # It need not travel to a process and back.
                    found.block, found.provenance = block.with_provenance(None), provenance
                return found

    def _rows(self) -> int:
        """How many rows the next run is to have."""
        rows = self._flow.rows(self._wanted_rows)
        return rows if self._landing is None else self._landing.rows(self._out.next, rows)

    def _work(self, run: Run) -> None:
        """Called in a thread of the crew."""
        is_apart = self._pace.way == "process"
        apply = partial(self._apply_apart, run) if is_apart else self._apply_in_thread
        # Where a row may take only so long, whoever gives the run up counts what is done of it.
        unit = 0 if self._patience.is_limited else self._unit
        run.work(apply if self._landing is None else partial(self._land, apply), unit)
        if is_apart:
            run.cpu_seconds = run.seconds  # what the process computed counts as computing
        if self._tuner.is_open:
            run.starved_seconds = seconds_without_core(run.seconds, self._tuner.workers)

    def _land(self, apply: Callable[[Block, int], Block], block: Block, first: int) -> Block:
        assert self._landing is not None
        return self._landing.land(apply(block, first), first)

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
            run = crew.receive(self._patience.seconds_left(self._out.runs) if wait else 0)
            if run is None and not wait:
                return
            if run is None:
                late = self._patience.overdue(self._out.runs)
                for one in late:
                    self._give_up(one, crew)
                wait = not late
            elif run.is_done:
                crew.dismiss_one()  # it had been given up, and another thread works in the place of this one
            else:
                self._unfinished -= 1
                self._busy_seconds += run.seconds
                self._finish(run)
                wait = False

    def _give_up(self, run: Run, crew: Crew) -> None:
        """Go on without a thread that does not return: what is left of its run is another's."""
        other = self._patience.given_up(run)
        if other is None:
            return
        run.is_done = True
        crew.replace_one()
        self._out.runs[self._out.runs.index(run)] = other
        if other.block is not None:
            crew.submit(other)
        else:
            self._unfinished -= 1
            self._finish(other)

    def _finish(self, run: Run) -> None:
        run.is_done = True
        if run.result is not None:
            if run.provenance is not None:
                run.result = run.result.with_provenance(run.provenance)
            run.num_bytes = run.result.num_bytes
            self._out.waiting_bytes += run.num_bytes
            is_to_choose = not self._pace.way
            if is_to_choose:
                self._choice.observe(run)
                self._tuner.begin_anew()
            elif not run.is_makeshift:
                self._tuner.observe(run)
            if run.is_makeshift or (is_to_choose and self._pace.way == "process"):
                # Nor do runs grow: under the GIL a long one holds up the first batch.
                self._tuner.await_processes()
            else:
                self._flow.observe(run)
        if self._pace.refusal:
            self._tell_of_refusal()

    def _tell_of_refusal(self) -> None:
        # Not by the thread that met it: where warnings are errors, this one would cost its rows.
        refusal, self._pace.refusal = self._pace.refusal, ""
        warnings.warn(
            f"{self._step.signature()}: calls go on in threads, where they hold each other up, for executor='auto' had "
            f"chosen processes, but {refusal}",
            RuntimeWarning,
            stacklevel=2,
        )

    def queue_statistics(self) -> QueueStatistics:
        """How far ahead the workers are."""
        workers = 0 if self._crew is None or self._pace.way == "inline" else self._crew.size
        ready = sum(run.result.rows for run in list(self._out.runs) if run.is_done and run.result is not None)
        return QueueStatistics(
            capacity=workers * (self._flow.runs_per_worker + _WAITING_PER_WORKER) * self._pace.run_rows * self._unit,
            filled=ready - min(ready, self._out.taken),
            waited_for_input_seconds=self._waited_seconds,
            waited_for_output_seconds=0.0,
            busy_seconds=self._busy_seconds,
            workers=workers,
        )

    def get_state(self) -> State:
        return self._out.get_state(self._source)

    def set_state(self, state: State) -> None:
        self._out.set_state(state, self._source)

    def advance(self, state: State, rows: int) -> State | None:
        return self._out.advance(self._source, state, rows)

    def interrupt(self) -> None:
        """End the processes at work, from any thread: whoever waits for them gets an error."""
        self._remote.kill()

    def close(self, interrupt: Callable[[], Any] | None = None) -> None:
        """End the threads; `interrupt` ends what they wait for, beside processes, when some do not return."""
        if self._crew is not None:
            self._crew.close(interrupt or self._remote.kill)
        self._ended = True
        self._out.runs.clear()
        self._remote.close()
        self._source.close()

    def __del__(self) -> None:
        if getattr(self, "_crew", None) is not None:
            threads.outside(self.close, "penstock-close")
