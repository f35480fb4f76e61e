"""Rows taken in turn from several blocks, joined into one block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penstock.block import Block, Dense, concatenate


class Pieces:
    """Runs of rows in the order in which they are to stand; those of one block follow one another in it.

    Attributes:
        rows: How many there are.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._in_rounds = False
        self._pieces: list[tuple[Block, int, int, Sequence[int]]] = []

    def fit(self, block: Block) -> bool:
        """Whether rows of `block` can stand in one block with those that are here."""
        if not self._pieces or block.treedef is None:
            return True
        treedef = next((there.treedef for there, *_ in self._pieces if there.treedef is not None), None)
        return treedef is None or block.treedef is treedef or block.treedef == treedef

    def add(self, block: Block, start: int, stop: int) -> None:
        """Put the rows `start` to `stop` of `block` last."""
        self.rows += stop - start
        self._pieces.append((block, start, stop, range(self.rows - stop + start, self.rows)))

    def add_rounds(self, shares: Sequence[tuple[Block, int]], rounds: int, block_length: int) -> None:
        """Put `rounds` times `block_length` rows last of each block in turn, from the rows that are told on."""
        round_length = len(shares) * block_length
        first, stop = self.rows, self.rows + rounds * round_length
        for block, start in shares:
            places: Sequence[int] = range(first, stop, round_length)
            if block_length > 1:
                places = [place + at for place in places for at in range(block_length)]
            self._pieces.append((block, start, start + rounds * block_length, places))
            first += block_length
        self.rows = stop
        self._in_rounds = True

    def join(self) -> Block:
        """One block of all rows."""
        pieces = self._pieces
        spans: dict[int, list[int]] = {}
        blocks: dict[int, Block] = {}
        for block, start, stop, _ in pieces:
            blocks[id(block)] = block
            spans.setdefault(id(block), [start, stop])[1] = stop
        if len(spans) == len(pieces) and not self._in_rounds:
            return concatenate([block.slice(start, stop) for block, start, stop, _ in pieces])
        # Not slice by slice: that costs more for each row than all else.
        places: dict[int, list[int]] = {key: [] for key in spans}
        for block, _, _, at in pieces:
            places[id(block)].extend(at)
        parts = [blocks[key].slice(start, stop) for key, (start, stop) in spans.items()]
        if len(parts) == 1:
            return parts[0]
        return _spread(parts, list(places.values()), self.rows) or _shuffled(parts, list(places.values()), self.rows)


def _spread(parts: list[Block], places: list[list[int]], rows: int) -> Block | None:
    """The rows of `parts` at their places, copied once; None where they are not arrays of the same kind."""
    first = parts[0]
    columns: list[Dense] = []
    if any(part.errors or part.treedef != first.treedef for part in parts):
        return None
    for column in zip(*(part.columns for part in parts), strict=True):
        arrays = [part.array for part in column if isinstance(part, Dense)]
        forms = {(array.dtype, array.shape[1:]) for array in arrays}
        if len(arrays) < len(column) or len(forms) > 1 or len({part.dtype for part in column}) > 1:
            return None
        joined = np.empty((rows, *arrays[0].shape[1:]), arrays[0].dtype)
        for array, at in zip(arrays, places, strict=True):
            joined[at] = array
        columns.append(Dense(joined, column[0].dtype))
    return Block(first.treedef, columns, rows, fresh=True)


def _shuffled(parts: list[Block], places: list[list[int]], rows: int) -> Block:
    order = np.empty(rows, np.intp)
    order[[place for part in places for place in part]] = np.arange(rows)
    return concatenate(parts).take(order)
