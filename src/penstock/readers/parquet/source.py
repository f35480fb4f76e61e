"""The public function and the format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls
from penstock.block import Block
from penstock.columns import Column
from penstock.errors import DataLossError, SpecError
from penstock.files import paths
from penstock.reader import Fragment, Position, Reader, Used
from penstock.readers.parquet.decoding import Decoded, decode, never_looked_at, null_value, stands_for_nothing
from penstock.readers.parquet.footers import METHOD, Layout, Leaf, layout_of, opened, read_footer
from penstock.reading import ReadFiles, parallel_reads
from penstock.record import record
from penstock.spec import Spec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

_MOST_FOOTERS_AT_ONCE = 16
_BLOCK_ROWS = 1 << 14


def from_parquet(
    cls: type[Dataset[Any]],
    file_pattern: Any,
    columns: Sequence[str] | None = None,
    *,
    nulls: Mapping[str, Any] | None = None,
    num_parallel_reads: int | None = None,
) -> Dataset[dict[str, Any]]:
    """Make an element of each row of Parquet files: a dict of its columns.

    >>> import fsspec, pyarrow, pyarrow.parquet
    >>> table = pyarrow.table({"user": ["ann", "bob"], "stars": [[5, 3], [4]]})
    >>> with fsspec.open("memory://ratings.parquet", "wb") as file:
    ...     pyarrow.parquet.write_table(table, file)
    >>> ds = Dataset.from_parquet("memory://ratings.parquet")
    >>> [(row["user"], row["stars"].tolist()) for row in ds]
    [('ann', [5, 3]), ('bob', [4])]
    >>> len(ds), str(ds[1]["user"])
    (2, 'bob')

    Structs become dicts, lists arrays, timestamps `datetime64` (in UTC where they have a zone), times of day
    `timedelta64`. Columns that a traced `map` behind this does not look at are not read, also with `take`, `skip`,
    `shard` or `shuffle` between; those in which a null may stand are.

    Args:
        file_pattern: A path or URL, or a list of them, with `*`, `?`, `[...]` and `**`; files are read in the order of
            their names. Their footers are read when this is called.
        columns: The columns to read; by default all, and each file must have the same.
        nulls: A value for the nulls of each column named here, "column.field" inside structs; a null list becomes an
            empty one. By default a null is NaN among floats and NaT among times, and an error in the place of its
            element anywhere else.
        num_parallel_reads: How many row groups threads read ahead where elements are read in order; AUTOTUNE for as
            many as suit the machine. Both ways pyarrow uses all cores for the columns of a row group.

    Spec: a dict, as the first file's schema says; lists have shape (None,).
    Cardinality: the number of rows.
    Order: of the files' names, then of their rows.  Random access: yes, by whole row groups.
    Memory: a row group; by index those used last, up to `memory_budget_bytes` (256 MiB), twice as much while all of
        them become one block.  State: an index, or the row group and the row.

    Raises:
        FileNotFoundError: No file matches.
        DataLossError: A file is cut off or no Parquet file; in the place of its rows where that shows only later.
        ValueError: A file has no column of that name.
        TypeError: `columns` is no list of names, or `nulls` no dict of values of the columns' dtypes.
        SpecError: A column is of a kind that no array holds (decimals, maps, lists of lists or structs), or files have
            different columns; here. A null: in its place, with path, row and column.

    See also: from_json_lines, shuffle, shard.
    """
    settings = parallel_reads(METHOD, num_parallel_reads)
    names = _names(columns)
    if nulls is not None and not isinstance(nulls, Mapping):
        raise TypeError(f"{METHOD}(): nulls must be a dict of a value for each column, but is {nulls!r}")
    found = paths.expand(METHOD, paths.asked(METHOD, "file_pattern", file_pattern))
    if not found:
        raise ValueError(f"{METHOD}(): file_pattern is empty; give at least one path")
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_MOST_FOOTERS_AT_ONCE, len(found))) as pool:
        footers = list(pool.map(read_footer, found))
    row_groups = tuple(
        Fragment(footer.path, number, rows, first_row)
        for footer in footers
        for number, (rows, first_row) in enumerate(zip(footer.rows, accumulate(footer.rows, initial=0), strict=False))
    )
    reader = ParquetRows(row_groups, layout_of(footers, names, nulls or {}), names, len(found))
    return cls(ReadFiles(reader, calls.origin(), settings))


def _names(columns: Any) -> list[str] | None:
    if columns is None:
        return None
    names = [] if isinstance(columns, str) or not isinstance(columns, Iterable) else list(columns)
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise TypeError(f"{METHOD}(): columns must be a list of different names, but is {columns!r}")
    return names


@record(eq=True)
class ParquetRows(Reader):
    """A fragment is a row group.

    Attributes:
        row_groups: All row groups of all files.
        layout: The components.
        names: The columns that the user named; None for all.
        num_files: How many files.
    """

    row_groups: Sequence[Fragment]
    layout: Layout
    names: Sequence[str] | None
    num_files: int

    @property
    def method(self) -> str:
        return METHOD

    def known_spec(self) -> Spec | None:
        return self.layout.spec

    def fragments(self) -> Sequence[Fragment]:
        return self.row_groups

    @property
    def skips_unused(self) -> bool:
        return True

    def signature(self) -> str:
        told = [f"{self.num_files} file{'' if self.num_files == 1 else 's'}"]
        if self.names is not None:
            told.append(f"columns={self.names}")
        fills = {leaf.name: leaf.fill for leaf in self.layout.leaves if leaf.fill is not None}
        if fills:
            told.append(f"nulls={fills}")
        return f"{METHOD}({', '.join(told)})"

    def read(self, fragment: Fragment, used: Used, position: Position | None) -> Iterator[tuple[Position, Block]]:
        start = 0 if position is None else int(position)
        with opened(fragment.path) as file:
            first_row, is_read = self._wanted(file.metadata, fragment, used)
            table = _row_group(file, fragment, [leaf.column for leaf in self.layout.leaves if is_read[leaf.name]])
        rows = fragment.rows if table is None else table.num_rows
        assert rows is not None
        # Rows of Python objects take much more memory than Arrow's, and there is no hurry to make them.
        has_objects = any(is_read[leaf.name] and leaf.spec.dtype in (str, bytes) for leaf in self.layout.leaves)
        size = _BLOCK_ROWS if has_objects else max(1, rows)
        for at in range(start, rows, size):
            part = None if table is None else table.slice(at, size)
            yield at, self._block(part, min(size, rows - at), is_read, fragment.path, first_row + at)

    def _wanted(self, metadata: Any, fragment: Fragment, used: Used) -> tuple[int, dict[str, bool]]:
        """The row of the file at which a row group begins, and which components are to be read."""
        if fragment.number >= metadata.num_row_groups:
            raise DataLossError(
                f"{METHOD}(): {fragment.path} had a row group {fragment.number} when the dataset was made, and has "
                f"{metadata.num_row_groups} now; make the dataset again"
            )
        first_row = sum(metadata.row_group(number).num_rows for number in range(fragment.number))
        without = _without_nulls(metadata.row_group(fragment.number)) if used is not None else set()
        return first_row, {
            # An error is no less an error for standing in a component that nobody looks at.
            leaf.name: used is None or number in used or (_may_be_missing(leaf) and leaf.column not in without)
            for number, leaf in enumerate(self.layout.leaves)
        }

    def _block(self, table: Any, rows: int, is_read: dict[str, bool], path: str, first_row: int) -> Block:
        columns: list[Column] = []
        errors: dict[int, Exception] = {}
        for leaf in self.layout.leaves:
            if not is_read[leaf.name]:
                columns.append(never_looked_at(leaf.spec, rows))
                continue
            column, is_missing = _decoded(table, leaf, path, range(first_row, first_row + rows))
            columns.append(column)
            if is_missing is not None:
                for row in np.flatnonzero(is_missing).tolist():
                    errors.setdefault(row, _null(leaf, path, first_row + row))
        return Block(self.layout.spec.treedef, columns, rows, errors)


def _row_group(file: Any, fragment: Fragment, columns: list[str]) -> Any:
    """The columns of a row group as an Arrow table; None where none is wanted."""
    import pyarrow as pa

    if not columns:
        return None
    try:
        return file.read_row_group(fragment.number, list(dict.fromkeys(columns)), use_threads=True)
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None):
            raise
        raise DataLossError(
            f"{METHOD}(): row group {fragment.number} of {fragment.path} is corrupt: {error}; fetch or write the file "
            "again"
        ) from error


def _decoded(table: Any, leaf: Leaf, path: str, rows: range) -> Decoded:
    import pyarrow as pa

    try:
        return decode(_array(table, leaf), leaf.fill)
    except (pa.ArrowException, ValueError) as error:
        why = "holds text that is not UTF-8" if leaf.spec.dtype is str else f"cannot be decoded: {error}"
        raise DataLossError(
            f"{METHOD}(): column {leaf.name!r} of {path}, in rows {rows.start} to {rows.stop - 1}, {why}; write the "
            "file again, as binary if it is no text, or leave the column out with columns="
        ) from error


def _may_be_missing(leaf: Leaf) -> bool:
    assert leaf.spec.shape is not None
    return leaf.fill is None and (None in leaf.spec.shape or not stands_for_nothing(leaf.spec.dtype))


def _without_nulls(row_group: Any) -> set[str]:
    """The columns of a row group of which its statistics say that no null stands in them."""
    clean: dict[str, bool] = {}
    for number in range(row_group.num_columns):
        chunk = row_group.column(number)
        found = chunk.statistics
        name = chunk.path_in_schema.split(".", 1)[0]
        clean[name] = clean.get(name, True) and found is not None and found.has_null_count and not found.null_count
    return {name for name, is_clean in clean.items() if is_clean}


def _array(table: Any, leaf: Leaf) -> Any:
    import pyarrow as pa

    column = table.column(leaf.column)
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    for field in leaf.fields:
        # Not .field(), which forgets where the struct itself is null.
        array = array.flatten()[array.type.get_field_index(field)]
    return array


def _null(leaf: Leaf, path: str, row: int) -> SpecError:
    value = null_value(leaf.spec.dtype)
    shown = value.item() if isinstance(value, np.number | np.bool_) else value
    return SpecError(
        f"{METHOD}(): column {leaf.name!r} is null in row {row} of {path}; give a value for its nulls, "
        f"nulls={{{leaf.name!r}: {shown!r}}}, leave it out with columns=, or leave out such rows with ignore_errors()"
    )
