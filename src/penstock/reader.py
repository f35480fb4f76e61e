"""The protocol of a file format: what is known of its rows, which parts of files can be read alone, and how.

A format supplies a `Reader`. All else comes with `penstock.reading`: the source node, operators with a state inside
files, access by index where numbers of rows are known, threads that read ahead, errors in their places.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.block import Block
from penstock.spec import Spec

Position = Any
"""A place inside a fragment: a JSON tree that only its format understands, or the number of the row; never None."""

Used = frozenset[int] | None
"""Which components are looked at by later steps, by their numbers; None for all."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a file that can be read alone; all fragments together hold each row once.

    Attributes:
        path: The file, as its user wrote it.
        number: Which part of the file, counted as the format likes.
        rows: How many rows; None where that shows only when they are read.
        first_row: The number of its first row among the rows of the file, from 0; None where that is not known.
    """

    path: str
    number: int = 0
    rows: int | None = None
    first_row: int | None = None


def whole_files(paths: Iterable[str]) -> tuple[Fragment, ...]:
    """Fragments that are files, whose rows show only when they are read."""
    return tuple(Fragment(path, first_row=0) for path in paths)


class Reader(ABC):
    """A format over some files. Subclasses are frozen, picklable, and hold no open file.

    What has to be read to know spec and fragments is read when the reader is made, so that asking for them is cheap.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def method(self) -> str:
        """The public function that the user called, for messages."""

    @abstractmethod
    def known_spec(self) -> Spec | None:
        """The spec that all elements fit; None where only the first one tells."""

    @abstractmethod
    def fragments(self) -> Sequence[Fragment]:
        """All parts of all files, in order; the same sequence each time."""

    @abstractmethod
    def read(self, fragment: Fragment, used: Used, position: Position | None) -> Iterator[tuple[Position, Block]]:
        """The rows of a fragment in blocks, each with the position of its first row.

        It may run in any thread, and several calls at once; a generator that is closed lets go of its file. The rows
        from a position on are the same however they are cut into blocks. Rows that cannot be read alone stand as
        errors in their blocks. What is raised stands after the rows before it and ends the fragment; the next one
        follows. Where `fragment.rows` is known, so many rows come, and the position is the number of the row.

        Args:
            fragment: One of `fragments()`.
            used: Components that have to be right; in the others any value of their dtype and shape may stand.
            position: Where to begin, as given beside a block; None for the first row.
        """

    @property
    def skips_unused(self) -> bool:
        """Whether `read` is cheaper where some components are not used, so that finding out which is worth while."""
        return False

    def signature(self) -> str:
        """The source in a line, without what changes no element."""
        number = len({fragment.path for fragment in self.fragments()})
        return f"{self.method}({number} file{'' if number == 1 else 's'})"
