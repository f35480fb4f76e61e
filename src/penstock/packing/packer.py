"""What every strategy of packing can do."""

from __future__ import annotations

from typing import Any, Protocol

from penstock.block import Block
from penstock.packing.sequences import Sequences


class Packer(Protocol):
    """Lays sequences into rows. It counts what came in its own unit: tokens, or sequences.

    Attributes:
        count: How many came.
        wanted_tokens: How many further tokens it takes at least until a row is complete, if no sequence alone is one.
    """

    count: int

    @property
    def wanted_tokens(self) -> int: ...

    @property
    def oldest(self) -> int:
        """The number of the first one that waits; `count` if none does."""

    def add(self, sequences: Sequences) -> None:
        """Let sequences wait."""

    def complete(self) -> Block | None:
        """The rows that have become complete; None where there is none."""

    def rest(self) -> Block | None:
        """The rows of all that waits at the end."""

    def waiting(self, start: int) -> Any:
        """What waits, as JSON that counts from `start`."""

    def load(self, waiting: Any) -> None:
        """Of all that was added, let only wait what `waiting` said, counted from the first."""
