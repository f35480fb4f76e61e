"""What the ends of Parquet files say: which columns there are, and how many rows each row group has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import numpy as np

from penstock import tree
from penstock.errors import DataLossError, SpecError
from penstock.files.opening import open_file
from penstock.files.paths import is_remote
from penstock.readers.parquet.decoding import Unreadable, component_of
from penstock.record import record
from penstock.spec import Spec, TensorSpec

METHOD = "from_parquet"


@contextmanager
def opened(path: str) -> Iterator[Any]:
    """A Parquet file whose footer was read.

    Raises:
        OSError: There is no such file, or it may not be read.
        DataLossError: It is cut off, or no Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    # pyarrow reads local files itself, without the GIL.
    with open_file(path) if is_remote(path) else pa.OSFile(path) as file:
        try:
            # Where pages have no checksum, none is computed.
            found = pq.ParquetFile(file, pre_buffer=is_remote(path), page_checksum_verification=True)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if getattr(error, "errno", None):
                raise
            file.seek(0, 2)
            raise DataLossError(
                f"{METHOD}(): {path} is cut off or no Parquet file: it ends at byte {file.tell()} and has "
                f"no whole footer there ({error}); fetch or write it again"
            ) from error
        yield found


class Footer(NamedTuple):
    """What is known of a file: its schema, and the number of rows of each row group."""

    path: str
    schema: Any
    rows: list[int]


def read_footer(path: str) -> Footer:
    """The footer of a file; raises what `opened` does."""
    with opened(path) as file:
        rows = [file.metadata.row_group(number).num_rows for number in range(file.metadata.num_row_groups)]
        return Footer(path, file.schema_arrow, rows)


@record(eq=True)
class Leaf:
    """A component: a column of the file, or a field inside a column of structs.

    Attributes:
        column: The column of the file.
        fields: The names of the fields below it, outermost first.
        spec: Shape and dtype.
        fill: What stands for nulls; None where nothing was given.
    """

    __penstock_component__: ClassVar[bool] = True
    """A component, though a dataclass, while the structure of elements is found."""

    column: str
    fields: tuple[str, ...]
    spec: TensorSpec
    fill: Any = None

    @property
    def name(self) -> str:
        """The name as the user writes it."""
        return ".".join((self.column, *self.fields))


class Layout(NamedTuple):
    """The components of each element."""

    spec: Spec
    leaves: tuple[Leaf, ...]


def layout_of(footers: Sequence[Footer], columns: Sequence[str] | None, nulls: Mapping[str, Any]) -> Layout:
    """The components that all files have.

    Raises:
        ValueError: There is no such column.
        SpecError: A column cannot be read, or the files differ.
    """
    first = footers[0]
    names = first.schema.names if columns is None else columns
    for footer in footers:
        _check_names(footer, names, is_asked=columns is not None, first=first)
    found = _layout(first, names, nulls)
    for footer in footers[1:]:
        # Most files of a set are written alike, and comparing is cheaper than laying out.
        if not footer.schema.equals(first.schema):
            _compare(found, _layout(footer, names, nulls), first.path, footer.path)
    return found


def _check_names(footer: Footer, names: Sequence[str], is_asked: bool, first: Footer) -> None:
    there: list[str] = footer.schema.names
    twice = {name for name in there if there.count(name) > 1} if len(set(there)) < len(there) else set()
    if twice & set(names):
        raise SpecError(
            f"{METHOD}(): {footer.path} has two columns named {sorted(twice)[0]!r}; rename one, or leave both out with "
            "columns="
        )
    for name in names:
        if name not in there:
            if not is_asked:
                raise _differ(first.path, footer.path, f"only the former has the column {name!r}")
            raise ValueError(f"{METHOD}(): {footer.path} has no column {name!r}; {_did_you_mean(name, there)}")
    more = [name for name in there if name not in names]
    if more and not is_asked:
        raise _differ(first.path, footer.path, f"only the latter has the column {more[0]!r}")


def _did_you_mean(name: str, there: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, there, 1)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, there))}"


def _differ(first: str, other: str, what: str) -> SpecError:
    return SpecError(
        f"{METHOD}(): {first} and {other} have different columns: {what}; name those to read with columns=, or make a "
        "dataset of each kind of file"
    )


def _layout(footer: Footer, names: Sequence[str], nulls: Mapping[str, Any]) -> Layout:
    element = {name: _component(footer, name, (), footer.schema.field(name).type) for name in names}
    leaves, treedef = tree.flatten(element)
    there = [leaf.name for leaf in leaves]
    for name in nulls:
        if name not in there:
            raise ValueError(f"{METHOD}(): nulls names {name!r}, which is not read; {_did_you_mean(name, there)}")
    filled = tuple(Leaf(leaf.column, leaf.fields, leaf.spec, _fill(leaf, nulls)) for leaf in leaves)
    return Layout(Spec(treedef, tuple(leaf.spec for leaf in leaves)), filled)


def _component(footer: Footer, column: str, fields: tuple[str, ...], kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return {field.name: _component(footer, column, (*fields, field.name), field.type) for field in kind}
    try:
        return Leaf(column, fields, component_of(kind))
    except Unreadable as error:
        raise SpecError(
            f"{METHOD}(): column {'.'.join((column, *fields))!r} of {footer.path} is {kind}, {error}, or leave it out "
            "with columns="
        ) from None


def _fill(leaf: Leaf, nulls: Mapping[str, Any]) -> Any:
    """The value that was given for nulls of a component, in its dtype."""
    value = nulls.get(leaf.name)
    if value is None:
        return None
    dtype = leaf.spec.dtype
    if not isinstance(dtype, np.dtype):
        if isinstance(value, dtype):
            return value
    elif np.ndim(value) == 0 and not isinstance(value, (str, bytes)):
        found = np.asarray(value)
        cast = found.astype(dtype) if np.can_cast(found.dtype, dtype, "same_kind") or found.dtype.kind in "iu" else None
        if cast is not None and (cast == found or found != found):
            return cast[()]
    raise TypeError(
        f"{METHOD}(): nulls gives {value!r} for {leaf.name!r}, which holds {getattr(dtype, '__name__', dtype)}; give "
        "one value of that dtype"
    )


def _compare(found: Layout, other: Layout, first: str, path: str) -> None:
    if found.spec == other.spec:
        return
    mine = {leaf.name: leaf.spec for leaf in found.leaves}
    theirs = {leaf.name: leaf.spec for leaf in other.leaves}
    for name in [*mine, *theirs]:
        if mine.get(name) != theirs.get(name):
            raise _differ(
                first, path, f"{name!r} is {mine.get(name)} in the former and {theirs.get(name)} in the latter"
            )
    raise _differ(first, path, "their structs have other fields")
