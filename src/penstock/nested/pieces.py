"""Rows taken in turn from several blocks, joined into one block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from penstock import tree
from penstock.block import Block, Dense, concatenate
from penstock.nested.poured import Poured, Rows, joined
from penstock.provenance import Part, placed


class _Piece(NamedTuple):
    """The rows `start` to `stop`, in runs of `length` rows that begin at `first` and every `step` places from there."""

    rows: Rows
    start: int
    stop: int
    first: int
    length: int
    step: int

    def runs(self) -> list[tuple[slice, slice]]:
        """Where rows stand in the result, and which they are."""
        count, length = self.stop - self.start, self.length
        if count == length:
            return [(slice(self.first, self.first + count), slice(self.start, self.stop))]
        last = self.first + (count // length - 1) * self.step + 1
        return [
            (slice(self.first + at, last + at, self.step), slice(self.start + at, self.stop, length))
            for at in range(length)
        ]


class Pieces:
    """Runs of rows in the order in which they are to stand; those of one block follow one another in it.

    Attributes:
        rows: How many there are.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._in_rounds = False
        self._treedef: tree.Treedef | None = None
        self._pieces: list[_Piece] = []

    def fit(self, rows: Rows) -> bool:
        """Whether some of `rows` can stand in one block with those that are here."""
        found, treedef = rows.treedef, self._treedef
        return treedef is None or found is None or found is treedef or found == treedef

    def add(self, rows: Rows, start: int, stop: int) -> None:
        """Put the rows `start` to `stop` last."""
        count = stop - start
        self._note(rows)
        self._pieces.append(_Piece(rows, start, stop, self.rows, count, count))
        self.rows += count

    def add_rounds(self, shares: Sequence[tuple[Rows, int]], rounds: int, block_length: int) -> None:
        """Put `rounds` times `block_length` rows last of each share in turn, from the rows that are told on."""
        if len(shares) == 1:
            rows, start = shares[0]
            self.add(rows, start, start + rounds * block_length)
            return
        round_length = len(shares) * block_length
        for at, (rows, start) in enumerate(shares):
            self._note(rows)
            stop = start + rounds * block_length
            self._pieces.append(_Piece(rows, start, stop, self.rows + at * block_length, block_length, round_length))
        self.rows += rounds * round_length
        self._in_rounds = True

    def _note(self, rows: Rows) -> None:
        if self._treedef is None:
            self._treedef = rows.treedef

    def join(self) -> Block:
        """One block of all rows."""
        if len(self._pieces) == 1:
            piece = self._pieces[0]
            rows = piece.rows
            if isinstance(rows, Poured):
                return rows.pouring.join(rows.values[piece.start : piece.stop])
            return rows.slice(piece.start, piece.stop)
        return self._joined_at_once() or self._joined_blocks()

    def _joined_at_once(self) -> Block | None:
        """All rows joined by what poured them; None where some were not poured."""
        poured = [piece.rows for piece in self._pieces if isinstance(piece.rows, Poured)]
        if len(poured) < len(self._pieces):
            return None
        values = [None] * self.rows
        for piece, rows in zip(self._pieces, poured, strict=True):
            for places, picked in piece.runs():
                values[places] = rows.values[picked]
        return joined(poured, values)

    def _joined_blocks(self) -> Block:
        blocks = {
            id(piece.rows): piece.rows.block() if isinstance(piece.rows, Poured) else piece.rows
            for piece in self._pieces
        }
        parts = [(blocks[id(piece.rows)], piece) for piece in self._pieces]
        if len(blocks) == len(parts) and not self._in_rounds:
            return concatenate([block.slice(piece.start, piece.stop) for block, piece in parts])
        return _spread(parts, self.rows) or _shuffled(parts, self.rows)


def _spread(parts: list[tuple[Block, _Piece]], rows: int) -> Block | None:
    """The rows of `parts` at their places, copied once; None where they are not arrays of the same kind."""
    first = parts[0][0]
    columns: list[Dense] = []
    if any(block.errors or block.treedef != first.treedef for block, _ in parts):
        return None
    runs = [piece.runs() for _, piece in parts]
    for column in zip(*(block.columns for block, _ in parts), strict=True):
        arrays = [part.array for part in column if isinstance(part, Dense)]
        forms = {(array.dtype, array.shape[1:]) for array in arrays}
        if len(arrays) < len(column) or len(forms) > 1 or len({part.dtype for part in column}) > 1:
            return None
        spread = np.empty((rows, *arrays[0].shape[1:]), arrays[0].dtype)
        for array, own in zip(arrays, runs, strict=True):
            for places, picked in own:
                spread[places] = array[picked]
        columns.append(Dense(spread, column[0].dtype))
    provenance = None
    if any(block.provenance is not None for block, _ in parts):
        provenance = placed(
            [
                Part(block.provenance, block.rows, picked, places)
                for (block, _), own in zip(parts, runs, strict=True)
                for places, picked in own
            ],
            rows,
        )
    return Block(first.treedef, columns, rows, fresh=True, provenance=provenance)


def _shuffled(parts: list[tuple[Block, _Piece]], rows: int) -> Block:
    """The rows of `parts` at their places; each block is copied once as a whole, and its rows are picked after that."""
    spans: dict[int, tuple[Block, int, int]] = {}
    for block, piece in parts:
        _, start, _ = spans.get(id(block), (block, piece.start, 0))
        spans[id(block)] = block, start, piece.stop
    offsets: dict[int, int] = {}
    count = 0
    for key, (_, start, stop) in spans.items():
        offsets[key] = count - start
        count += stop - start
    order = np.empty(rows, np.intp)
    for block, piece in parts:
        offset = offsets[id(block)]
        for places, picked in piece.runs():
            order[places] = np.arange(offset + picked.start, offset + picked.stop, picked.step)
    return concatenate([block.slice(start, stop) for block, start, stop in spans.values()]).take(order)
