"""What operators over files are fed with: runs of rows, each with the place where it begins."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple

from penstock.block import Block, Dense, all_errors, another
from penstock.errors import DataLossError
from penstock.reader import Fragment, Position, Reader, Used

_ERRORS_AT_ONCE = 1024
_SAMPLE = 32


class Piece(NamedTuple):
    """Some rows that follow one another.

    Attributes:
        number: Of which fragment.
        position: Where they begin in it; None for an error that ends a fragment, which no position leads to.
        block: The rows.
    """

    number: int
    position: Position | None
    block: Block


Pieces = Generator[Piece, None, None]
Read = Callable[[int, Position | None], Pieces]
"""The pieces of one fragment, from a position on."""


def held_bytes(block: Block) -> int:
    """About the bytes that a block keeps in memory; text, which its columns count by its pointers, by a sample."""
    total = block.num_bytes
    for column in block.columns:
        if isinstance(column, Dense) and is_one_value(column):
            total -= column.num_bytes
        elif isinstance(column, Dense) and column.array.dtype.hasobject and column.array.size:
            flat = column.array.reshape(-1)
            sample = flat[:: max(1, flat.size // _SAMPLE)]
            total += flat.size * sum(map(sys.getsizeof, sample)) // sample.size
    return total


def is_one_value(column: Dense) -> bool:
    """Whether all rows are the same memory, as where a component is not used."""
    return len(column) > 1 and not column.has_scalars and not column.array.strides[0]


def blocks_of(
    reader: Reader, fragment: Fragment, used: Used, position: Position | None, origin: str
) -> Iterator[tuple[Position, Block]]:
    """The blocks of a fragment that have rows, each with its position.

    Raises:
        DataLossError: There are more or fewer rows than the format said.
        Exception: What the format raises, with a note that says where it comes from.
    """
    note = f"in {reader.method}(), added at {origin}, reading {fragment.path}"
    try:
        row = 0 if position is None or fragment.rows is None else int(position)
        for place, block in reader.read(fragment, used, position):
            row += block.rows
            if fragment.rows is not None and row > fragment.rows:
                break
            for error in block.errors.values():
                error.add_note(note)
            if block.rows:
                yield place, block
        if fragment.rows is not None and row != fragment.rows:
            raise DataLossError(
                f"{reader.method}(): {fragment.path} had {fragment.rows} rows in part {fragment.number} when the "
                f"dataset was made, and has {'more' if row > fragment.rows else row} now; make the dataset again"
            )
    except Exception as error:
        error.add_note(note)
        raise


def pieces_of(
    reader: Reader, fragment: Fragment, number: int, used: Used, position: Position | None, origin: str
) -> Pieces:
    """The pieces of a fragment; where reading fails, the error is the last row, or all that are missing if known."""
    row = 0 if position is None or fragment.rows is None else int(position)
    try:
        for place, block in blocks_of(reader, fragment, used, position, origin):
            row += block.rows
            yield Piece(number, place, block)
        return
    except Exception as error:
        failed = error
    missing = 1 if fragment.rows is None else fragment.rows - row
    while missing > 0:
        rows = min(missing, _ERRORS_AT_ONCE)
        yield Piece(number, None, all_errors(another(failed), rows))
        missing -= rows


def in_order(read: Read, count: int, number: int, position: Position | None) -> Pieces:
    """The pieces of all fragments from one on, read by whoever asks for them.

    Args:
        read: Reads a fragment.
        count: How many there are.
        number: The first that is read.
        position: Where in it to begin.
    """
    while number < count:
        yield from read(number, position)
        number, position = number + 1, None
