"""Plans with access by index whose functions run in workers: several runs of places are gathered at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.block import Block
from penstock.blockwise import Blockwise
from penstock.engine.by_index import IndexOperator, Located
from penstock.engine.ordered import OrderedOperator
from penstock.engine.patience import Patience
from penstock.engine.statistics import QueueStatistics
from penstock.node import Context, Epochs, Indices, Node, State

if TYPE_CHECKING:
    from penstock.engine.run import RunContext


_FREE_ORDER = ("spans", "order")


class ParallelIndexOperator:
    """An `IndexOperator` whose rows are gathered, and computed, by workers; its state is the same."""

    def __init__(self, node: Node, step: Blockwise, context: RunContext) -> None:
        assert step.settings is not None
        gathering = _Gathering(step)
        patience = Patience(gathering, context.options.element_timeout_seconds)
        joined_rows = context.joined_rows
        context, self._remotes = context.with_processes(patience)
        self._source = IndexOperator(node, context)
        self._ordered = OrderedOperator(
            gathering,
            _LocatingOperator(self._source),
            step.settings,
            context,
            context.options,
            is_row_by_row=True,
            is_sent=False,
            joined_rows=joined_rows,
            has_started=self._has_started,
            patience=patience,
        )

    def _has_started(self) -> bool:
        return all(remote.has_started() for remote in list(self._remotes.values()))

    def next_block(self, rows: int) -> Block | None:
        return self._ordered.next_block(rows)

    def queue_statistics(self) -> QueueStatistics:
        return self._ordered.queue_statistics()

    def get_state(self) -> State:
        return self._without_rows(self._ordered.get_state())

    def set_state(self, state: State) -> None:
        first = self._source.local_index(state)
        free = {name: state[name] for name in _FREE_ORDER if name in state}
        inner = {name: value for name, value in state.items() if name not in _FREE_ORDER}
        self._ordered.set_state({"rows": first, "input": inner, **free})

    def advance(self, state: State, rows: int) -> State | None:
        if any(name in state for name in _FREE_ORDER):
            return None if rows else state
        return self._source.advance(state, rows)

    def _without_rows(self, state: Any) -> State:
        # Rows are counted by the index already.
        found: dict[str, Any] = self._source.advance(state["input"], state.get("taken", 0))
        return found | {name: state[name] for name in _FREE_ORDER if name in state}

    def close(self) -> None:
        self._ordered.close(self.interrupt)
        while self._remotes:
            self._remotes.popitem()[1].close()

    def interrupt(self) -> None:
        """End the processes at work, from any thread: whoever waits for them gets an error."""
        for remote in self._remotes.values():
            remote.kill()


class _LocatingOperator:
    """Resolves places and leaves the gathering to whoever gets them."""

    def __init__(self, source: IndexOperator) -> None:
        self._source = source
        self.get_state = source.get_state
        self.set_state = source.set_state
        self.advance = source.advance
        self.close = source.close

    def next_block(self, rows: int) -> Any:
        return self._source.next_places(rows)


class _Gathering:
    """The step: the rows of places, which `step` is part of; where it runs in processes, the context sees to it."""

    def __init__(self, step: Blockwise) -> None:
        self._step = step
        self.purity = step.purity

    @property
    def is_vectorised(self) -> bool:
        return self._step.is_vectorised

    @property
    def lets_go_of_gil(self) -> bool:
        return self._step.lets_go_of_gil

    def signature(self) -> str:
        return self._step.signature()

    def apply(self, block: Any, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        located: Located = block
        return located.places.gather(located.start, located.start + located.rows)
