"""How much an operator has handed over, counted where it does so: a call around each block would cost several times."""

from __future__ import annotations

from penstock.block import Block


class Tally:
    """The blocks, elements and errors that one place of a plan has handed over.

    An operator that holds one as `tally` counts by itself; whoever opens it may put another in its place. It does so in
    these two lines, right before it hands a block over:

        self.tally.blocks += 1
        if block.rows != 1 or block.errors:
            self.tally.add(block)

    so that a block of one row, where counting would show most, costs one addition. Any
    other operator is counted from outside.
    """

    __slots__ = ("blocks", "errors", "further_rows")

    def __init__(self) -> None:
        self.blocks = 0
        self.further_rows = 0  # beyond the first of each block
        self.errors = 0

    def add(self, block: Block) -> None:
        """Count what a block has beyond one row without an error; the block itself was counted."""
        self.further_rows += block.rows - 1
        self.errors += len(block.errors)

    @property
    def elements(self) -> int:
        """How many rows, errors included."""
        return self.blocks + self.further_rows
