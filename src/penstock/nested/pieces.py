"""Rows taken in turn from several blocks, joined into one block."""

from __future__ import annotations

import numpy as np

from penstock.block import Block, concatenate


class Pieces:
    """Runs of rows in the order in which they are to stand; those of one block follow one another in it.

    Attributes:
        rows: How many there are.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._pieces: list[tuple[Block, int, int]] = []

    def fit(self, block: Block) -> bool:
        """Whether rows of `block` can stand in one block with those that are here."""
        if not self._pieces or block.treedef is None:
            return True
        treedef = next((there.treedef for there, _, _ in self._pieces if there.treedef is not None), None)
        return treedef is None or block.treedef is treedef or block.treedef == treedef

    def add(self, block: Block, start: int, stop: int) -> None:
        """Put the rows `start` to `stop` of `block` last."""
        self.rows += stop - start
        self._pieces.append((block, start, stop))

    def join(self) -> Block:
        """One block of all rows."""
        pieces = self._pieces
        spans: dict[int, list[int]] = {}
        blocks: dict[int, Block] = {}
        for block, start, stop in pieces:
            blocks[id(block)] = block
            spans.setdefault(id(block), [start, stop])[1] = stop
        if len(spans) == len(pieces):
            return concatenate([block.slice(start, stop) for block, start, stop in pieces])
        # Not slice by slice: that costs more for each row than all else (bench_interleave.py).
        shifts: dict[int, int] = {}
        at = 0
        for key, (start, stop) in spans.items():
            shifts[key] = at - start
            at += stop - start
        order: list[int] = []
        for block, start, stop in pieces:
            shift = shifts[id(block)]
            order.extend(range(start + shift, stop + shift))
        joined = concatenate([blocks[key].slice(start, stop) for key, (start, stop) in spans.items()])
        return joined if len(spans) == 1 else joined.take(np.array(order, np.intp))
