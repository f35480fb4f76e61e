"""Blocks to elements: slow start, errors at their place, and a state that is exact to the element."""

from __future__ import annotations

import atexit
import copy
import os
import time
import weakref
from collections.abc import Callable
from collections.abc import Iterator as AbstractIterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from penstock import calls
from penstock.block import Block
from penstock.engine import threads
from penstock.engine.measured import PlanMeasures
from penstock.engine.run import RunContext, open_node
from penstock.engine.saved_state import VERSION, check_form, compare, facts_to_restore
from penstock.errors import DataLossError, StateError
from penstock.memory import Allocator
from penstock.node import Node, Operator, State, advance
from penstock.options import Options
from penstock.plan import demand_is_exact

if TYPE_CHECKING:
    from penstock.engine.statistics import Statistics

T_co = TypeVar("T_co", covariant=True)

_LONG_BLOCK_SECONDS = 0.001
_LARGE_BLOCK_BYTES = 1 << 22
_MOST_ROWS = 1 << 16

_open_iterators: weakref.WeakValueDictionary[int, DatasetIterator[Any]] = weakref.WeakValueDictionary()
"""By identity: unlike a set of weak references, they can be listed while other threads add to them."""
_of_parent: list[Operator] = []
"""What ran at a fork: threads, processes and places in files are the parent's, and closing would wait for these."""

Prepare = Callable[[Node, Any], tuple[Node, Any]]


class DatasetIterator(Generic[T_co]):
    """One pass over a dataset: an iterator, a context manager, and a position that can be saved.

    It asks for one element first and for growing blocks while a block costs under a millisecond, unless some function
    of the pipeline may have effects: then never for more than the element that is wanted.
    """

    def __init__(
        self,
        written: Node,
        prepare: Prepare,
        facts: Any = None,
        read_only: bool = False,
        *,
        fingerprint: Callable[[Node], dict[str, Any]],
        allocator: Allocator | None = None,
        options: Options | None = None,
    ) -> None:
        self._written = written
        self._prepare = prepare
        self._read_only = read_only
        self._allocator = allocator
        self._options = options
        self._describe = fingerprint
        self._described: dict[str, Any] | None = None
        self._start(*prepare(written, facts))

    def _start(self, plan: Node, facts: Any, measures: PlanMeasures | None = None) -> None:
        self._plan = plan
        self._measures = measures or PlanMeasures(plan)
        self._facts = facts
        self._operator: Operator | None = None
        self._closed = False
        self._grows = True
        self._writable = plan.yields_batches and not self._read_only
        self._rows = 1
        self._block: Block | None = None
        self._elements: AbstractIterator[Any] = iter(())
        self._taken = 0
        self._skip = 0
        self._errors: list[tuple[int, Exception]] = []
        self._before: State = None
        self._ended = False

    def __iter__(self) -> DatasetIterator[T_co]:
        return self

    def __next__(self) -> T_co:
        for element in self._elements:
            self._taken += 1
            return element  # type: ignore[no-any-return]
        element, error = self._advance()
        if error is None:
            return element  # type: ignore[no-any-return]
        _forget_our_frames(error)
        error = _copy(error)
        # The error's traceback keeps this frame: with nothing in it, neither keeps the iterator nor itself alive. (Not
        # by `del`: notebooks stumble over a method without `self`.)
        self = None  # type: ignore[assignment]
        try:
            raise error
        finally:
            del error

    def _advance(self) -> tuple[Any, Exception | None]:
        """The next element, or the error in its place, where the elements at hand are used up."""
        while True:
            block = self._block
            if block is not None and self._taken < block.rows:
                if self._errors and self._errors[-1][0] == self._taken:
                    self._taken += 1
                    return None, self._errors.pop()[1]
                # Here, and not where the block was taken up: so what Ctrl-C breaks off is begun again.
                self._line_up(block)
                element = next(self._elements)
                self._taken += 1
                return element, None
            if self._closed:
                raise StopIteration
            self._next_block()

    def _next_block(self) -> None:
        operator = self._open()
        # Before the step, so that the state stays right where Ctrl-C breaks it off.
        self._before, self._block, self._taken = operator.get_state(), None, 0
        began = time.perf_counter() if self._grows else 0.0
        to_skip = self._skip
        try:
            block = operator.next_block(to_skip or self._rows)
            if block is not None:
                self._take_up(block.private() if self._writable else block)
        except StopIteration as error:
            # To whoever iterates it would be the end, and the elements that are left would be lost without a word.
            raise RuntimeError("a step raised StopIteration where it computes elements; this is no end") from error
        except (DataLossError, StateError):
            self._skip = 0  # this says already that what was to be skipped is not there: what is there is not skipped
            raise
        except BaseException as error:
            if not isinstance(error, Exception):
                self._block, self._taken, self._skip = None, 0, to_skip
                self._let_go()
            raise
        if block is None:
            missing = self._skip
            self._before, self._skip, self._ended = operator.get_state(), 0, True
            self.close()
            if missing:
                raise DataLossError(
                    f"the pipeline ends {missing} element{'' if missing == 1 else 's'} before the place of the state "
                    "that was loaded; has its data changed?"
                )
            return
        if self._grows:
            self._grow(block, time.perf_counter() - began)

    def _grow(self, block: Block, seconds: float) -> None:
        """Ask for twice as much next time, if that is allowed and was quick."""
        if self._rows >= _MOST_ROWS or block.num_bytes >= _LARGE_BLOCK_BYTES // 2:
            self._grows = False
        elif seconds < _LONG_BLOCK_SECONDS and block.rows == self._rows:
            # Not before the first block: judging functions takes longer than a first element needs.
            self._grows = not demand_is_exact(self._plan)
            self._rows = 2 * self._rows if self._grows else self._rows

    def _take_up(self, block: Block) -> None:
        """Begin with a new block, after the rows that a loaded state has already handed out."""
        self._taken = min(self._skip, block.rows)
        self._skip -= self._taken
        if block.errors:
            self._errors = sorted(((row, e) for row, e in block.errors.items() if row >= self._taken), reverse=True)
            block = Block(block.treedef, block.columns, block.rows, fresh=block.fresh)
        self._block = block

    def _line_up(self, block: Block) -> None:
        """Make ready the elements from the current row to the next error."""
        stop = self._errors[-1][0] if self._errors else block.rows
        self._elements = block.slice(self._taken, stop).elements(self._writable)

    def _context(self, measures: PlanMeasures) -> RunContext:
        return RunContext(self._prepare, self._allocator, measures.reader, self._options)

    def _open(self) -> Operator:
        if self._operator is None:
            operator = open_node(self._plan, self._context(self._measures))
            if self._before is not None:
                operator.set_state(self._before)
            self._adopt(operator)
            return operator
        return self._operator

    def _adopt(self, operator: Operator) -> None:
        self._operator = operator
        _open_iterators[id(self)] = self

    def _let_go(self) -> None:
        """Close the operator; where there is more to come, another one begins at the state before it."""
        operator, self._operator = self._operator, None
        if operator is not None:
            operator.close()

    def __reduce__(self) -> Any:
        # A copy would share files, threads and the place of this one.
        raise TypeError(
            "an iterator cannot be pickled or copied; take its state_dict(), and load it into a new iterator of the "
            "dataset, which can be pickled"
        )

    def leave_operator(self) -> None:
        """In a forked child: go on at the same element with an operator of its own."""
        if self._operator is None or self._closed:
            return
        _of_parent.append(self._operator)
        self._operator, self._block, self._elements, self._errors = None, None, iter(()), []
        self._skip, self._taken = self._skip + self._taken, 0

    def __enter__(self) -> DatasetIterator[T_co]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the pass: let go of files and threads. Twice is fine; further `next` calls end at once."""
        self._closed = True
        self._elements = iter(())
        if self._block is not None:
            self._block = self._block.slice(0, self._taken)
        if self._operator is not None:
            self._operator.close()

    def __del__(self) -> None:
        # No weakref.finalize: it would hold the operator, which holds errors, whose tracebacks may hold this iterator.
        if getattr(self, "_operator", None) is not None:
            threads.outside(self.close, "penstock-close")

    def state_dict(self) -> dict[str, Any]:
        """Where the iterator is, after the last element that it handed out, as a JSON tree.

        >>> iterator = iter(Dataset.range(5))
        >>> next(iterator), iterator.state_dict()["at"]
        (np.int64(0), {'index': 1})
        """
        if self._before is None and not self._closed:
            self._before = self._open().get_state()
        at, taken = self._before, self._taken + self._skip
        after = None if self._operator is None else advance(self._operator, at, taken)
        if after is not None:
            at, taken = after, 0
        return {
            "version": VERSION,
            **self._fingerprint(),
            "facts": self._facts,
            "ended": self._ended,
            "at": at,
            "taken": taken,
        }

    def stats(self) -> Statistics:
        """What each step did since the iterator began, or since a state was loaded; while iterating and after the end.

        >>> iterator = iter(Dataset.range(100).batch(10))
        >>> len(list(iterator)), [(step.label, step.elements, step.bytes) for step in iterator.stats()]
        (10, [('range(start=0, step=1, 100 numbers, int64)', 100, 800), ('batch(10)', 10, 800)])

        `Statistics` and `OperatorStatistics` say what each number means; the whole prints as a table, and `as_dict()`
        is for JSON.
        """
        return self._measures.statistics()[0]

    def report(self) -> str:
        """Which is the bottleneck, the loader or the training step; and if the loader, which step, and what to write.

        >>> iterator = iter(Dataset.range(3))
        >>> iterator.report()
        'nothing to report yet: the loop has not asked for a second element'
        """
        from penstock.engine.report import verdict

        return verdict(*self._measures.statistics())

    def _fingerprint(self) -> dict[str, Any]:
        if self._described is None:
            self._described = self._describe(self._written)
        return self._described

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Go to where `state` was taken; the next element is the one that followed it.

        Args:
            state: What `state_dict` gave, for a pipeline built the same way, in this process or another.
            strict: False loads it even if the pipelines differ.

        Raises:
            StateError: The state is damaged, of a newer version, or of another pipeline; shows both.
        """
        check_form(state)
        mine = self._fingerprint()
        compare(state, mine, strict)
        operator = None
        try:
            plan, facts = self._prepare(self._written, facts_to_restore(state, mine["plan"]))
            measures = PlanMeasures(plan)
            if state["at"] is not None and not state["ended"]:
                operator = open_node(plan, self._context(measures))
                operator.set_state(state["at"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            if operator is not None:
                operator.close()
            if isinstance(error, StateError):
                raise
            raise StateError(
                f"load_state_dict(): the state does not fit this pipeline ({error!r}); is it cut off?"
            ) from error
        # Only now: a state that is refused leaves the iterator where it was.
        self.close()
        self._start(plan, facts, measures)
        self._before, self._skip = state["at"], state["taken"]
        if operator is not None:
            self._adopt(operator)
        if state["ended"]:
            self._ended = True
            self.close()


def _copy(error: Exception) -> Exception:
    """The error to raise: what is raised collects the frames of whoever catches it, which rows must not keep alive."""
    try:
        copied = copy.copy(error)
    except Exception:
        return error
    if type(copied) is not type(error) or copied.args != error.args:
        return error
    copied.__cause__, copied.__context__ = error.__cause__, error.__context__
    copied.__suppress_context__ = error.__suppress_context__
    return copied.with_traceback(error.__traceback__)


def _all_open() -> list[DatasetIterator[Any]]:
    iterators = [reference() for reference in _open_iterators.valuerefs()]
    return [iterator for iterator in iterators if iterator is not None]


@atexit.register
def _close_all() -> None:
    for iterator in _all_open():
        iterator.close()


def _leave_operators() -> None:
    for iterator in _all_open():
        iterator.leave_operator()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_operators)


def _forget_our_frames(error: Exception) -> None:
    """Let the traceback begin in the user's code.

    Our frames hold the block that the error stands in: a cycle, which would keep the iterator, its files and threads
    until the garbage is collected.
    """
    trace = error.__traceback__
    while trace is not None and calls.is_ours(trace.tb_frame):
        trace = trace.tb_next
    error.__traceback__ = trace
    frame = None if trace is None else trace.tb_frame.f_back
    while frame is not None and calls.is_ours(frame):
        try:
            frame.clear()
        except RuntimeError:  # still running, and so are those that called it
            return
        frame = frame.f_back
