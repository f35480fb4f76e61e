"""Rows of a dataset as they were poured: picked from and handed on without a copy, joined once at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock import tree
from penstock.block import Block
from penstock.node import Pouring


class Poured:
    """What stands for a block as long as nobody needs one.

    Attributes:
        pouring: What gave the rows, and joins them.
        values: The rows.
        rows: How many.
        treedef: Their structure; None where all are errors.
    """

    __slots__ = ("pouring", "rows", "treedef", "values")

    def __init__(self, pouring: Pouring, values: list[Any]) -> None:
        self.pouring = pouring
        self.values = values
        self.rows = len(values)
        self.treedef: tree.Treedef | None = pouring.treedef

    def block(self) -> Block:
        """The rows as a block."""
        return self.pouring.join(self.values)


Rows = Block | Poured


def joined(rows: Sequence[Poured], values: list[Any]) -> Block:
    """A block of rows that were picked from several, all of one structure."""
    # Whoever knows the structure makes the columns; errors have none.
    made_by = next((part.pouring for part in rows if part.treedef is not None), rows[0].pouring)
    return made_by.join(values)
