"""The laws that every format keeps, for those who write one: on its `Reader`, below any dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from penstock import tree
from penstock.dataset import Dataset
from penstock.reader import Fragment, Position, Reader, Used
from penstock.testing.observe import block_items, observe, same
from penstock.testing.reference import Failure


def reader_of(dataset: Dataset[Any]) -> Reader:
    """The format that a dataset of files reads with, where nothing comes after it."""
    reader = getattr(dataset._node, "reader", None)
    assert isinstance(reader, Reader), f"{dataset!r} is no source over files"
    return reader


def fragments_cover_rows(reader: Reader, expected: Sequence[Any]) -> None:
    """Fragments read alone, one after another, hold each row once; as many as they say, where they say it."""
    found = []
    for fragment in reader.fragments():
        rows = _rows(reader, fragment, None)
        assert fragment.rows in (None, len(rows)), f"{fragment} has {len(rows)} rows"
        found += rows
    same(list(expected), found, "fragments_cover_rows")


def positions_lead_back(reader: Reader) -> None:
    """Reading from the position of any block gives the rest of the fragment; where rows are known, it counts them."""
    for fragment in reader.fragments():
        whole = _rows(reader, fragment, None)
        row = 0
        for position, block in reader.read(fragment, None, None):
            if fragment.rows is not None:
                assert position == row, f"positions_lead_back: row {row} of {fragment} is at position {position!r}"
            rest = _rows(reader, fragment, position)
            same(whole[row:], rest, f"positions_lead_back: from position {position!r} of {fragment}")
            row += block.rows


def unused_components_show_nowhere(reader: Reader, components: int) -> None:
    """Components that are used are the same whether or not the others are."""
    for fragment in reader.fragments():
        whole = [tree.flatten(row)[0] for row in _rows(reader, fragment, None)]
        for at in range(components):
            alone = [tree.flatten(row)[0] for row in _rows(reader, fragment, None, frozenset({at}))]
            what = f"unused_components_show_nowhere: component {at} of {fragment}"
            same([row[at] for row in whole], [row[at] for row in alone], what)


def _rows(reader: Reader, fragment: Fragment, position: Position | None, used: Used = None) -> list[Any]:
    return [item for _, block in reader.read(fragment, used, position) for item in block_items(block)]


def cut_off_anywhere(
    path: Path, build: Callable[[str], Dataset[Any]], may_end: Callable[[int], bool] = lambda size: False
) -> None:
    """A file that ends too early gives the elements before that place and then an error, which names path and byte.

    Args:
        path: A whole file; it is left as it was.
        build: Makes a dataset of it.
        may_end: Whether a file of so many bytes may be taken for a whole one.
    """
    data = path.read_bytes()
    whole = observe(iter(build(str(path))), limit=len(data))
    try:
        for size in range(len(data)):
            path.write_bytes(data[:size])
            found, errors = _elements_and_errors(path, build)
            what = f"cut_off_anywhere: the first {size} of {len(data)} bytes"
            if not errors:
                assert may_end(size), f"{what}: no error after {found}"
                continue
            elements = [item for item in found if not isinstance(item, Failure)]
            same(whole[: len(elements)], elements, what)
            assert isinstance(found[-1], Failure), f"{what}: elements after an error: {found}"
            assert str(path) in str(errors[-1]), f"{what}: {errors[-1]!r} does not name the file"
            assert "byte" in str(errors[-1]), f"{what}: {errors[-1]!r} does not name a byte"
    finally:
        path.write_bytes(data)


def _elements_and_errors(path: Path, build: Callable[[str], Dataset[Any]]) -> tuple[list[Any], list[Exception]]:
    errors: list[Exception] = []
    try:
        dataset = build(str(path))
    except Exception as error:  # formats that read their files' ends first find it when the dataset is made
        return [Failure(type(error), str(error))], [error]
    return observe(iter(dataset), limit=path.stat().st_size + 1000, errors=errors), errors
