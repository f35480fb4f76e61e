"""One dataset that a user function made, being read: from its element, or from where a state says."""

from __future__ import annotations

from typing import Any

from penstock.block import Block, all_errors
from penstock.errors import StateError
from penstock.nested.node import Flattening
from penstock.nested.poured import Poured, Rows
from penstock.node import Context, Node, Operator, Pouring, State
from penstock.plan import demand_is_exact


class SubDataset:
    """The dataset of one element: made, opened and read by whoever calls `read`, one thread at a time.

    An error of the function stands for a dataset of one element, which is that error. One that is raised in opening or
    reading what it returned, rather than standing in an element's place, is the dataset's last element: one file that
    cannot be read does not end the others.

    Attributes:
        number: Which element of the input made it.
        before: The input's state before that element.
        has_failed: Whether it has come to its end by an error that was raised.
    """

    def __init__(
        self, node: Flattening, context: Context, number: int, before: State, element: Block, saved: State = None
    ) -> None:
        self.number = number
        self.before = before
        self._node = node
        self._context = context
        self._element: Block | None = element
        self._dataset: Any = None
        self._written: Node | None = None
        self._facts: Any = None if saved is None else saved["facts"]
        self._restored: State = None if saved is None else saved["state"]
        self._skip = 0 if saved is None else int(saved.get("taken", 0))
        self._operator: Operator | None = None
        # One whose function failed is at its end after its error; the function is not called again for that.
        self._ended = self._facts is None and self._skip > 0
        self.has_failed = saved is not None and bool(saved.get("failed"))
        self._is_exact: bool | None = None

    @property
    def is_open(self) -> bool:
        """Whether `open` was called, and has not failed."""
        return self._operator is not None or self._ended or self.has_failed

    @property
    def demand_is_exact(self) -> bool:
        """Whether nothing may be read that nobody asked for; judged once."""
        if self._is_exact is None:
            self._is_exact = self._written is None or demand_is_exact(self._written)
        return self._is_exact

    def make(self) -> None:
        """Call the function."""
        if self._element is not None and not self._ended:
            element, self._element = self._element, None
            self._dataset = self._node.make(element, self.number, self._context)

    def open(self) -> None:
        """Make and open the dataset, unless the function fails."""
        if self.is_open:
            return
        self.make()
        if isinstance(self._dataset, Block):
            return
        self._written, self._dataset = self._dataset._node, None
        inner_pass = self._node.inner_pass(self._context.epoch, self.number)
        try:
            self._operator, self._facts = self._context.open_nested(self._written, inner_pass, self._facts)
        except Exception as error:
            self._dataset = all_errors(error)
            return
        if self._restored is not None:
            self._operator.set_state(self._restored)

    def read(self, rows: int) -> Block | None:
        """Between 1 and `rows` further rows; None at the end."""
        if self.has_failed:
            return None
        try:
            self.open()
            if self._operator is None:
                error, self._dataset = self._dataset, None
                self._ended, self.has_failed = True, self._facts is not None
                return error  # type: ignore[no-any-return]
            while self._skip:
                block = self._operator.next_block(self._skip)
                self._skip -= self._skip if block is None else block.rows
            return self._operator.next_block(rows)
        except StateError:
            raise
        except Exception as failure:
            return self._fail(failure)

    def take_up(self, rows: int) -> Rows | None:
        """What `read` gives; rows that come one by one stay unjoined, for a block of each costs more than the row."""
        pouring = self.pouring()
        if pouring is None or self.has_failed:
            return self.read(rows)
        values: list[Any] = []
        try:
            pouring.pour(rows, values.append)
        except Exception as failure:
            return self._fail(failure)
        return Poured(pouring, values) if values else None

    def _fail(self, failure: Exception) -> Block:
        self.has_failed, self._skip = True, 0
        return all_errors(failure)

    def pouring(self) -> Pouring | None:
        """What gives its rows one by one; None where they come in blocks, and where some are to be skipped first."""
        operator: Any = self._operator
        return None if self._skip or not hasattr(operator, "pour") else operator

    def place(self) -> State:
        """Where it is, after the rows that were read: its facts, its operator's state and the rows after that."""
        state = self._restored if self._operator is None or self._skip else self._operator.get_state()
        taken = int(self._ended) if self._operator is None and self._facts is None else self._skip
        found = {"facts": self._facts, "state": state, **({"taken": taken} if taken else {})}
        return {**found, "failed": True} if self.has_failed else found

    def close(self) -> None:
        """Let go of its files and threads; twice is fine."""
        self._element = self._dataset = None
        if self._operator is not None:
            self._operator.close()
