"""Reads files one after another; its state is a place in one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.block import Block, another
from penstock.ending import end
from penstock.errors import DataLossError
from penstock.node import State
from penstock.provenance import Consecutive
from penstock.reader import Fragment, Position
from penstock.reading.pieces import Piece, Pieces


class ReadingOperator:
    """Hands out the rows of pieces.

    The state is where the last piece with a position begins, and how many rows of it and after it were handed over.
    Between two pieces that is the first of them, so an iterator that goes back to the state before a block reads two
    pieces again at most.

    Args:
        read: Starts reading at a position of a fragment.
        rows_are_known: Whether a fragment that cannot be read is an error for each of its rows, so that they can be
            counted.
        files: All fragments, where somebody wants to know which rows of them are handed out; the state then has the
            number of the row at its position too.
    """

    def __init__(
        self,
        read: Callable[[int, Position | None], Pieces],
        rows_are_known: bool = False,
        files: Sequence[Fragment] | None = None,
    ) -> None:
        self._read = read
        self._rows_are_known = rows_are_known
        self._files = files
        self._row: int | None = 0  # of its fragment, at which the last piece with a position begins
        self._next_row: tuple[int, int | None] = (0, 0)  # fragment and row at which the next piece does
        self._pieces: Pieces | None = None
        self._number = 0
        self._position: Position | None = None
        self._taken = 0
        self._to_skip = 0
        self._block: Block | None = None
        self._used = 0
        self._ended = False

    def next_block(self, rows: int) -> Block | None:
        while self._block is not None or self._next_piece():
            if self._to_skip:
                self._to_skip -= self._hand_over(self._to_skip).rows
            else:
                return self._hand_over(rows)
        return None

    def _next_piece(self) -> bool:
        if self._ended:
            return False
        resumes = self._pieces is None and self._position is not None
        if self._pieces is None:
            self._pieces = self._read(self._number, self._position)
        piece: Piece | None = next(self._pieces, None)
        if resumes and piece is not None and piece.position is None and not self._rows_are_known:
            # As one row it would stand for all that were read here, and rows of the next file be skipped for them.
            self.close()
            raise another(piece.block.errors[0])
        if piece is None:
            self.close()
            if self._to_skip:
                elements = f"{self._to_skip} element{'' if self._to_skip == 1 else 's'}"
                raise DataLossError(f"the files hold {elements} less than when the state was saved; were they changed?")
            return False
        row = self._next_row[1] if piece.number == self._next_row[0] else 0
        self._next_row = piece.number, None if row is None else row + piece.block.rows
        if piece.position is not None:
            self._number, self._position, self._taken, self._row = piece.number, piece.position, 0, row
        self._block, self._used = piece.block, 0
        if self._files is not None:
            self._block = piece.block.with_provenance(_provenance(self._files[piece.number], piece, row))
        return True

    def _hand_over(self, rows: int) -> Block:
        assert self._block is not None
        block, start = self._block, self._used
        self._used = stop = min(block.rows, start + rows)
        self._taken += stop - start
        if stop == block.rows:
            # Not kept for longer than needed: an error in it, once raised, refers back to the whole pipeline.
            self._block = None
        return block.slice(start, stop)

    def get_state(self) -> State:
        state = {"fragment": self._number, "position": self._position, "taken": self._taken + self._to_skip}
        if self._files is None or self._position is None:
            return state
        return {**state, "row": self._row}

    def advance(self, state: State, rows: int) -> State:
        return {**state, "taken": state["taken"] + rows}

    def set_state(self, state: State) -> None:
        self._number, self._position = int(state["fragment"]), state["position"]
        self._taken, self._to_skip = 0, int(state["taken"])
        # A state that was taken when nobody wanted to know lacks it.
        self._row = 0 if self._position is None else state.get("row")
        self._next_row = self._number, self._row

    def close(self) -> None:
        self._ended, self._block = True, None
        pieces, self._pieces = self._pieces, None
        end(pieces, "a file")


def _provenance(file: Fragment, piece: Piece, row: int | None) -> Consecutive:
    """Where the rows of a piece are that begins at a row of a fragment; an error that ends that is no row of it."""
    if row is None or file.first_row is None or piece.position is None:
        return Consecutive(file.path, None)
    return Consecutive(file.path, file.first_row + row)
