"""Blocks to elements: slow start, errors at their place, and a state that is exact to the element."""

from __future__ import annotations

import time
import warnings
import weakref
from collections.abc import Callable
from collections.abc import Iterator as AbstractIterator
from typing import Any, Generic, TypeVar

from penstock.block import Block
from penstock.engine.run import RunContext, open_node
from penstock.errors import StateError
from penstock.node import Node, Operator, State, demand_is_exact

T_co = TypeVar("T_co", covariant=True)

_LONG_BLOCK_SECONDS = 0.001
_LARGE_BLOCK_BYTES = 1 << 18
_MOST_ROWS = 1 << 16
_VERSION = 1

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
        fingerprint: Callable[[Node], dict[str, Any]] | None = None,
    ) -> None:
        self._written = written
        self._prepare = prepare
        self._read_only = read_only
        self._describe = fingerprint
        self._described: dict[str, Any] | None = None
        self._start(*prepare(written, facts))

    def _start(self, plan: Node, facts: Any) -> None:
        self._plan = plan
        self._facts = facts
        self._operator: Operator | None = None
        self._closed = False
        self._exact: bool | None = None
        self._writable = plan.yields_batches and not self._read_only
        self._rows = 1
        self._block: Block | None = None
        self._elements: AbstractIterator[Any] = iter(())
        self._taken = 0
        self._skip = 0
        self._before: State = None
        self._finalizer: Any = None

    def __iter__(self) -> DatasetIterator[T_co]:
        return self

    def __next__(self) -> T_co:
        for element in self._elements:
            self._taken += 1
            return element  # type: ignore[no-any-return]
        return self._advance()

    def _advance(self) -> T_co:
        """The next element, where the elements at hand are used up."""
        while True:
            block = self._block
            if block is not None and self._taken < block.rows:
                error = block.errors.get(self._taken)
                if error is not None:
                    self._taken += 1
                    self._line_up()
                    raise error
                self._line_up()
                for element in self._elements:
                    self._taken += 1
                    return element  # type: ignore[no-any-return]
            if self._closed:
                raise StopIteration
            self._next_block()

    def _next_block(self) -> None:
        operator = self._open()
        self._before = operator.get_state()
        began = time.perf_counter()
        block = operator.next_block(self._skip or self._rows)
        if block is None:
            self._block, self._taken, self._skip = None, 0, 0
            self._before = operator.get_state()
            self.close()
            return
        if self._writable:
            block = block.private()
        self._block = block
        self._taken = min(self._skip, block.rows)
        self._skip -= self._taken
        small = self._rows < _MOST_ROWS and block.num_bytes < _LARGE_BLOCK_BYTES // 2
        if small and time.perf_counter() - began < _LONG_BLOCK_SECONDS:
            if self._exact is None:
                # Not before the first block: judging functions takes longer than a first element needs.
                self._exact = demand_is_exact(self._plan)
            self._rows = self._rows if self._exact else 2 * self._rows
        self._line_up()

    def _line_up(self) -> None:
        """Make ready the elements from the current row to the next error."""
        block = self._block
        assert block is not None
        stop = (
            min((row for row in block.errors if row >= self._taken), default=block.rows) if block.errors else block.rows
        )
        self._elements = block.slice(self._taken, stop).elements(self._writable)

    def _open(self) -> Operator:
        if self._operator is None:
            self._operator = open_node(self._plan, RunContext(self._prepare))
            self._finalizer = weakref.finalize(self, self._operator.close)
        return self._operator

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
        if self._finalizer is not None:
            self._finalizer()

    def state_dict(self) -> dict[str, Any]:
        """Where the iterator is, after the last element that it handed out, as a JSON tree.

        >>> iterator = iter(Dataset.range(5))
        >>> next(iterator), iterator.state_dict()["taken"]
        (np.int64(0), 1)
        """
        at: State = self._before
        if at is None:
            at = self._open().get_state() if not self._closed else None
        return {
            "version": _VERSION,
            **self._fingerprint(),
            "facts": self._facts,
            "ended": self._closed and self._block is None,
            "at": at,
            "taken": self._taken + self._skip,
        }

    def _fingerprint(self) -> dict[str, Any]:
        if self._described is None:
            self._described = {} if self._describe is None else self._describe(self._written)
        return self._described

    def load_state_dict(self, state: dict[str, Any], strict: bool = True) -> None:
        """Go to where `state` was taken; the next element is the one that followed it.

        Args:
            state: What `state_dict` gave, for a pipeline built the same way, in this process or another.
            strict: False loads it even if the pipelines differ.

        Raises:
            StateError: The state is damaged, of a newer version, or of another pipeline; shows both.
        """
        _check_form(state)
        if self._describe is not None:
            _compare(state, self._fingerprint(), strict)
        self.close()
        try:
            self._start(*self._prepare(self._written, _restoring(state["facts"])))
            if state["at"] is not None:
                self._open().set_state(state["at"])
                self._before = state["at"]
            self._skip = int(state["taken"])
            if state["ended"]:
                self.close()
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise StateError(
                f"load_state_dict(): the state does not fit this pipeline ({error!r}); is it cut off?"
            ) from error


def _restoring(facts: Any) -> Any:
    return [None if fact is None else {**fact, "restores": True} for fact in facts]


def _check_form(state: Any) -> None:
    if not isinstance(state, dict) or "version" not in state:
        raise StateError(f"load_state_dict(): expected what state_dict() gave, but found {str(state)[:80]!r}")
    if state["version"] != _VERSION:
        raise StateError(
            f"load_state_dict(): the state has version {state['version']}, this penstock reads version {_VERSION}; "
            "load it with the release that saved it"
        )
    missing = [name for name in ("facts", "at", "taken", "ended") if name not in state]
    if missing:
        raise StateError(f"load_state_dict(): the state lacks {', '.join(missing)}; it was cut off")


def _compare(state: dict[str, Any], mine: dict[str, Any], strict: bool) -> None:
    if state.get("plan") != mine["plan"] and strict:
        theirs = "\n  ".join(state.get("plan") or ["nothing"])
        ours = "\n  ".join(mine["plan"])
        raise StateError(
            f"load_state_dict(): the state is of another pipeline.\nThe state's:\n  {theirs}\nThis one:\n  {ours}\n"
            "Build the pipeline as it was, or pass strict=False"
        )
    saved, current = state.get("functions") or {}, mine["functions"]
    for name, code in current.items():
        if name in saved and saved[name] != code:
            warnings.warn(
                f"load_state_dict(): {name} has changed since the state was saved; its elements may differ",
                UserWarning,
                stacklevel=3,
            )
