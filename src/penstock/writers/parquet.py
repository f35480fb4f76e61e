"""Elements into a Parquet file: `to_parquet`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls, tree
from penstock.block import block_from_elements
from penstock.columns import Column, Dense, Varlen
from penstock.errors import SpecError
from penstock.files import paths
from penstock.node import INFINITE
from penstock.spec import Spec, TensorSpec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

_METHOD = "to_parquet"
_ROWS_AT_ONCE = 256
_ROW_GROUP_BYTES = 1 << 26
_ROW_GROUP_ROWS = 1 << 17


def to_parquet(self: Dataset[Any], path: Any, *, row_group_rows: int = _ROW_GROUP_ROWS) -> None:
    """Write all elements into a Parquet file, now: a row for each, a column for each key.

    >>> ds = Dataset.from_tensor_slices({"word": ["a", "b", "c"], "at": [[0, 1], [2, 3], [4, 5]]})
    >>> ds.to_parquet("memory://words.parquet", row_group_rows=2)
    >>> [(row["word"], row["at"].tolist()) for row in Dataset.from_parquet("memory://words.parquet")]
    [('a', [0, 1]), ('b', [2, 3]), ('c', [4, 5])]

    Elements are dicts, which may hold dicts; other structures have no names for their columns. Components of shape
    (None, ...) become lists, those of other shapes lists of a fixed size. Pages have checksums, which `from_parquet`
    compares. A local file appears, or is replaced, when it is whole; what fails leaves none behind.

    Args:
        path: A path or URL, whose folder exists.
        row_group_rows: The most rows of a row group, which is what is read and shuffled at once; fewer where they take
            64 MiB.

    Memory: one row group.

    Raises:
        TypeError: `path` is no path, or elements are no dicts of text keys.
        SpecError: A component is no number, time or text, has an unknown shape, or an element does not fit
            `element_spec`; names the component.
        ValueError: The dataset is endless, or `row_group_rows` is below 1.
        FileNotFoundError: The folder of `path` does not exist.
        IsADirectoryError: `path` is a folder.

    See also: from_parquet, cache.
    """
    target = calls.path(_METHOD, "path", path)
    calls.count(_METHOD, "row_group_rows", row_group_rows, 1)
    if self.cardinality() == INFINITE:
        raise ValueError(f"{_METHOD}(): the dataset is endless; take(n) elements first")
    if not paths.is_remote(target):
        _check_place(target)
    leaves, treedef = tree.flatten(self.element_spec)
    spec = Spec(treedef, tuple(leaves))
    schema = _schema(self.element_spec, spec)
    with _appearing(target) as file, iter(self) as elements:
        _write(elements, spec, schema, file, row_group_rows)


def _check_place(path: str) -> None:
    """Before anything is computed, which may take hours."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"{_METHOD}(): {path} is a folder; give the name of a file in it")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{_METHOD}(): the folder {folder} does not exist; create it first")


@contextmanager
def _appearing(path: str) -> Iterator[Any]:
    """A file to write; it stands under its name when all went well."""
    if paths.is_remote(path):
        system, inner = paths.system_of(path)
        try:
            with system.open(inner, "wb") as file:
                yield file
        except BaseException:
            with suppress(OSError):
                system.rm(inner)
            raise
        return
    unfinished = f"{path}.{os.getpid()}.unfinished"
    try:
        with open(unfinished, "wb") as file:
            yield file
        os.replace(unfinished, path)
    except BaseException as error:
        error.add_note(f"in {_METHOD}(), writing {path}")  # "no space left" alone does not say where
        with suppress(OSError):
            os.unlink(unfinished)
        raise


def _write(elements: Iterator[Any], spec: Spec, schema: Any, file: Any, row_group_rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, schema, write_page_checksum=True) as writer:
        held: list[Any] = []
        rows = held_bytes = 0
        while True:
            some = list(islice(elements, min(_ROWS_AT_ONCE, row_group_rows - rows)))
            if some:
                held.append(_record_batch(some, spec, schema))
                rows += len(some)
                held_bytes += held[-1].nbytes
            if held and (not some or rows == row_group_rows or held_bytes >= _ROW_GROUP_BYTES):
                writer.write_table(pa.Table.from_batches(held, schema), row_group_size=rows)
                held, rows, held_bytes = [], 0, 0
            if not some:
                return


def _schema(element: Any, spec: Spec) -> Any:
    """The schema of elements of a spec."""
    import pyarrow as pa

    _check_names(element)
    names = tree.paths(spec.treedef)
    kinds = [_type(leaf, name) for leaf, name in zip(spec.leaves, names, strict=True)]
    named = tree.unflatten(spec.treedef, kinds)
    return pa.schema([(name, _struct_type(part)) for name, part in named.items()])


def _check_names(element: Any) -> None:
    if type(element) is not dict or not element or not all(isinstance(key, str) for key in element):
        raise TypeError(
            f"{_METHOD}(): elements must be dicts with a text for each column, but hold {element!r}; map() them to such"
        )
    for part in element.values():
        if not isinstance(part, TensorSpec):
            _check_names(part)


def _struct_type(part: Any) -> Any:
    import pyarrow as pa

    return pa.struct([(key, _struct_type(inner)) for key, inner in part.items()]) if isinstance(part, dict) else part


def _type(leaf: TensorSpec, name: str) -> Any:
    """The Arrow type of a component."""
    import pyarrow as pa

    try:
        if leaf.dtype is str or leaf.dtype is bytes:
            found = pa.string() if leaf.dtype is str else pa.binary()
        else:
            found = pa.from_numpy_dtype(leaf.dtype)
    except (pa.ArrowException, TypeError):
        found = None
    if found is None or leaf.shape is None or None in leaf.shape[1:] or 0 in leaf.shape:
        raise SpecError(
            f"{_METHOD}(): component{name} is {leaf}, for which Parquet has no column; map() it to numbers or text of "
            "a known shape, of which only the first axis may differ"
        )
    for size in reversed(leaf.shape):
        found = pa.list_(found) if size is None else pa.list_(found, size)
    return found


def _record_batch(elements: list[Any], spec: Spec, schema: Any) -> Any:
    import pyarrow as pa

    block = block_from_elements(elements) if all(tree.flatten(e)[1] == spec.treedef for e in elements) else None
    if block is None:
        raise SpecError(
            f"{_METHOD}(): elements have another structure than {tree.show(spec.treedef)}; map() them to it"
        )
    names = tree.paths(spec.treedef)
    arrays = [_array(*each) for each in zip(block.columns, spec.leaves, names, strict=True)]
    named = tree.unflatten(spec.treedef, arrays)
    return pa.record_batch([_struct(part) for part in named.values()], schema=schema)


def _struct(part: Any) -> Any:
    import pyarrow as pa

    if not isinstance(part, dict):
        return part
    return pa.StructArray.from_arrays([_struct(inner) for inner in part.values()], list(part))


def _array(column: Column, leaf: TensorSpec, name: str) -> Any:
    """The rows of a component as an Arrow array of its type."""
    import pyarrow as pa

    assert leaf.shape is not None
    if not isinstance(column, Dense | Varlen) or not leaf.is_compatible_with(column.spec()):
        raise SpecError(
            f"{_METHOD}(): component{name} is {column.spec()} in some elements, but {leaf} in element_spec; map() them "
            "to one dtype and shape"
        )
    offsets = None
    array = column.array
    if isinstance(column, Varlen):
        offsets = column.offsets - column.offsets[0]
        array = array[column.offsets[0] : column.offsets[-1]]
    elif leaf.shape and leaf.shape[0] is None:
        offsets = np.arange(len(column) + 1) * array.shape[1]
        array = array.reshape(-1, *array.shape[2:])
    found = pa.array(np.ascontiguousarray(array).reshape(-1), _type(TensorSpec((), leaf.dtype), name))
    for size in reversed(leaf.shape if offsets is None else leaf.shape[1:]):
        found = pa.FixedSizeListArray.from_arrays(found, size)
    return found if offsets is None else pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), found)
