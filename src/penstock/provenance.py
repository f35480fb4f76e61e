"""Where the rows of a block were read from: a file and a row of it, told for any row when somebody asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.integer[Any]]

_UNKNOWN = -1


class Place(NamedTuple):
    """Where one row was read from.

    Attributes:
        path: The file; None where that is not known.
        row: Its number among the rows of that file, from 0; None where that is not known.
    """

    path: str | None
    row: int | None


class Provenance(ABC):
    """Where the rows of a block were read from; goes with them wherever they go, and costs little until it is asked."""

    __slots__ = ()

    @abstractmethod
    def at(self, row: int) -> Place:
        """Where one row is from."""

    @abstractmethod
    def slice(self, start: int, stop: int) -> Provenance:
        """That of rows `start` to `stop`."""

    @abstractmethod
    def take(self, indices: Indices) -> Provenance:
        """That of the rows at `indices`."""

    @abstractmethod
    def spread(self, rows: int) -> Scattered:
        """The same, told of each of the `rows` rows by itself."""


class Consecutive(Provenance):
    """Rows of one file that follow one another from row `first` on; None where rows have no numbers."""

    __slots__ = ("first", "path")

    def __init__(self, path: str, first: int | None) -> None:
        self.path = path
        self.first = first

    def at(self, row: int) -> Place:
        return Place(self.path, None if self.first is None else self.first + row)

    def slice(self, start: int, stop: int) -> Provenance:
        return Consecutive(self.path, None if self.first is None else self.first + start)

    def take(self, indices: Indices) -> Provenance:
        return self._scattered(indices)

    def spread(self, rows: int) -> Scattered:
        return self._scattered(np.arange(rows))

    def _scattered(self, rows: Indices) -> Scattered:
        paths = np.full(len(rows), self.path, object)
        return Scattered(paths, np.full(len(rows), _UNKNOWN) if self.first is None else rows + self.first)


class Scattered(Provenance):
    """Rows of any files: the path of each, None where it is not known, and its number, -1 where that is not."""

    __slots__ = ("paths", "rows")

    def __init__(self, paths: NDArray[Any], rows: Indices) -> None:
        self.paths = paths
        self.rows = rows

    def at(self, row: int) -> Place:
        number = int(self.rows[row])
        return Place(self.paths[row], None if number == _UNKNOWN else number)

    def slice(self, start: int, stop: int) -> Provenance:
        return Scattered(self.paths[start:stop], self.rows[start:stop])

    def take(self, indices: Indices) -> Provenance:
        return Scattered(self.paths[indices], self.rows[indices])

    def spread(self, rows: int) -> Scattered:
        return self


class FileTable:
    """Files whose rows are counted one after another.

    Args:
        paths: The file of each part.
        starts: The index of the first row of each part, and after the last one that of the end.
        first_rows: The number of that row in its file; None where that is not known.
    """

    def __init__(self, paths: Sequence[str], starts: Indices, first_rows: Sequence[int | None]) -> None:
        self._paths = np.array([*paths, None], object)
        self._starts = starts
        self._is_numbered = np.array([first is not None for first in first_rows], np.bool_)
        self._first_rows = np.array([first or 0 for first in first_rows], np.int64)

    def places(self, indices: Indices) -> Scattered:
        """Where the rows at these indices are."""
        parts = np.searchsorted(self._starts, indices, side="right") - 1
        rows = indices - self._starts[parts] + self._first_rows[parts]
        return Scattered(self._paths[parts], np.where(self._is_numbered[parts], rows, _UNKNOWN))


class Indexed(Provenance):
    """Rows by their indices in a table of files."""

    __slots__ = ("_indices", "_table")

    def __init__(self, table: FileTable, indices: Indices) -> None:
        self._table = table
        self._indices = indices

    def at(self, row: int) -> Place:
        return self._table.places(self._indices[row : row + 1]).at(0)

    def slice(self, start: int, stop: int) -> Provenance:
        return Indexed(self._table, self._indices[start:stop])

    def take(self, indices: Indices) -> Provenance:
        return Indexed(self._table, self._indices[indices])

    def spread(self, rows: int) -> Scattered:
        return self._table.places(self._indices)

    def __reduce__(self) -> Any:
        # The table may be of many files.
        found = self.spread(len(self._indices))
        return Scattered, (found.paths, found.rows)


def paths_themselves(paths: NDArray[Any]) -> Provenance:
    """That of elements which are the paths of files, each for itself."""
    return Scattered(paths, np.full(len(paths), _UNKNOWN))


class Part(NamedTuple):
    """Some rows of a block on their way into another.

    Attributes:
        provenance: Where the rows of the block are from.
        rows: How many it has.
        taken: Which of them are taken.
        places: Where these stand in the other block.
    """

    provenance: Provenance | None
    rows: int
    taken: Any
    places: Any


def joined(parts: Sequence[tuple[Provenance | None, int]]) -> Provenance | None:
    """That of all rows of some blocks, one after another; each block is given with how many it has."""
    (first, rows), *others = parts
    if isinstance(first, Consecutive) and first.first is not None:
        path, end = first.path, first.first + rows
        for part, rows in others:
            if not isinstance(part, Consecutive) or part.path != path or part.first != end:
                break
            end += rows
        else:
            return first
    starts = [0, *np.cumsum([rows for _, rows in parts]).tolist()]
    each = zip(parts, starts, strict=False)
    return placed([Part(*part, slice(None), slice(start, start + part[1])) for part, start in each], starts[-1])


def placed(parts: Sequence[Part], rows: int) -> Provenance | None:
    """That of a block of so many rows that were taken of others; None where nothing is known of any."""
    if all(part.provenance is None for part in parts):
        return None
    paths, numbers = np.full(rows, None, object), np.full(rows, _UNKNOWN)
    for part in parts:
        if part.provenance is not None:
            found = part.provenance.spread(part.rows)
            paths[part.places], numbers[part.places] = found.paths[part.taken], found.rows[part.taken]
    return Scattered(paths, numbers)
