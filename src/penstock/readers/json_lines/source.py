"""The public function and the format."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls, tree
from penstock.block import Block
from penstock.errors import DataLossError, SpecError
from penstock.files import opening, paths
from penstock.files.lines import line_chunks, split_lines
from penstock.reader import Fragment, Position, Reader, Used, whole_files
from penstock.readers.json_lines.fitting import Fitting, Misfit, can_be_json, infer, why_no_spec
from penstock.reading import ReadFiles, parallel_reads
from penstock.record import record
from penstock.spec import Spec, TensorSpec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

_METHOD = "from_json_lines"
_BYTES_LOOKED_AT = 1 << 16


def from_json_lines(
    cls: type[Dataset[Any]],
    file_pattern: Any,
    columns: Sequence[str] | None = None,
    *,
    output_signature: Any = None,
    num_parallel_reads: int | None = None,
) -> Dataset[dict[str, Any]]:
    """Make an element of each line of files that hold a JSON object in each.

    >>> import fsspec
    >>> with fsspec.open("memory://ratings.jsonl", "w") as file:
    ...     _ = file.write('{"user": "ann", "stars": [5, 3]}\\n{"user": "bob", "stars": [4]}\\n')
    >>> [(row["user"], row["stars"].tolist()) for row in Dataset.from_json_lines("memory://ratings.jsonl")]
    [('ann', [5, 3]), ('bob', [4])]

    Objects become dicts, nested ones too, and lists arrays. Empty lines are left out. Files whose names end in .gz, .zz
    (zlib) or .zst are uncompressed.

    Args:
        file_pattern: A path or URL, or a list of them, with `*`, `?`, `[...]` and `**`; files are read in the order of
            their names. They are looked for when this is called.
        columns: The keys to read; by default all, and each line must have the same.
        output_signature: A `TensorSpec` for each key to read, in dicts nested like the objects; dtypes are bool,
            integers, floats and `str`. By default found from the first lines: whole numbers are int64, or float64 where
            others stand among them; lists may have any length.
        num_parallel_reads: How many files threads read ahead; AUTOTUNE for as many as suit the machine. The order stays
            that of one after another.

    Spec: `output_signature`, or that of the first lines.
    Cardinality: unknown.
    Order: of the files' names, then of their lines.  Random access: no.
    Memory: a chunk of 128 KiB, or one line; with `num_parallel_reads` up to 64 MiB.
    State: the file, the byte and the line; resuming seeks there, or uncompresses the file up to there.

    Raises:
        FileNotFoundError: No file matches; here. One that is gone when it is to be read: in its place.
        TypeError: `columns` is no list of names, or `output_signature` no dict of specs.
        ValueError: None of the first objects has all of `columns`.
        SpecError: An object does not fit; in its place, with path, line and component.
        DataLossError: A line is no JSON, or a compressed file is cut off or corrupt; in its place, with path and line
            or byte.

    See also: from_text, list_files.
    """
    settings = parallel_reads(_METHOD, num_parallel_reads)
    names = _names(columns)
    declared = _declared(output_signature, names)
    found = tuple(paths.expand(_METHOD, paths.asked(_METHOD, "file_pattern", file_pattern)))
    spec = _first_spec(found, names) if declared is None else declared
    reader = JsonLines(whole_files(found), spec, names is None and declared is None)
    return cls(ReadFiles(reader, calls.origin(), settings))


def _names(columns: Any) -> list[str] | None:
    if columns is None:
        return None
    names = [] if isinstance(columns, str) or not isinstance(columns, Iterable) else list(columns)
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{_METHOD}(): columns must be a list of keys, but is {columns!r}")
    return names


def _declared(signature: Any, names: list[str] | None) -> Spec | None:
    if signature is None:
        return None
    if names is not None:
        raise TypeError(f"{_METHOD}(): give columns or output_signature, not both; output_signature names its keys")
    leaves, treedef = tree.flatten(signature)
    if not _is_of_dicts(signature) or not leaves:
        raise TypeError(
            f"{_METHOD}(): output_signature must be a dict with a TensorSpec for each key, but is {signature!r}"
        )
    for leaf in leaves:
        if not can_be_json(leaf):
            raise TypeError(f"{_METHOD}(): output_signature holds {leaf}; JSON has bool, integers, floats and str")
    return Spec(treedef, tuple(leaves))


def _is_of_dicts(signature: Any) -> bool:
    return type(signature) is dict and all(
        isinstance(part, TensorSpec) or _is_of_dicts(part) for part in signature.values()
    )


def _first_spec(found: Sequence[str], names: list[str] | None) -> Spec | None:
    """The spec of the first objects, in the first file that begins with any.

    Raises:
        ValueError: None of them has all keys that were asked for.
    """
    objects = next(filter(None, map(_first_objects, found)), [])
    if names is None or not objects:
        return infer(objects)
    having = [{name: value[name] for name in names} for value in objects if value.keys() >= set(names)]
    if not having:
        raise ValueError(
            f"{_METHOD}(): columns are {names}, but of the first {len(objects)} objects none has them all; the first "
            f"has {list(objects[0])}"
        )
    return infer(having)


def _first_objects(path: str) -> list[dict[str, Any]]:
    """The objects at the beginning of a file."""
    found: list[dict[str, Any]] = []
    # A file that is broken is met in its place.
    with contextlib.suppress(OSError, DataLossError):
        for byte, chunk in line_chunks(path, opening.compression_of(path), 0, None):
            found += [value for value in _Parser().values(chunk, 0)[1] if isinstance(value, dict)]
            if byte + len(chunk) >= _BYTES_LOOKED_AT:
                break
    return found


@record(eq=True)
class JsonLines(Reader):
    """A fragment is a file; a position is the byte of the uncompressed file at which a line begins, and its number."""

    files: Sequence[Fragment]
    spec: Spec | None
    exact: bool

    @property
    def method(self) -> str:
        return _METHOD

    def known_spec(self) -> Spec | None:
        return self.spec

    def fragments(self) -> Sequence[Fragment]:
        return self.files

    def read(self, fragment: Fragment, used: Used, position: Position | None) -> Iterator[tuple[Position, Block]]:
        start, line = (0, 1) if position is None else position
        rows = _Rows(fragment.path, self.spec, self.exact)
        for byte, chunk in line_chunks(fragment.path, opening.compression_of(fragment.path), start, None):
            yield [byte, line], rows.block(chunk, line)
            line += chunk.count(b"\n")


class _Parser:
    """Parses lines; for one thread."""

    def __init__(self) -> None:
        # Not json.loads() for each line: what it does around this takes as long as the parsing of a short line.
        decoder: Any = json.JSONDecoder()
        self._scan = decoder.scan_once

    def values(self, chunk: bytes, first_line: int) -> tuple[list[int], list[Any]]:
        """The numbers of the lines that are not empty, and what is in them: a value, or the error in its place."""
        try:
            text = chunk.decode().removeprefix("\ufeff")
            lines: Sequence[str | bytes] = (text.replace("\r\n", "\n") if "\r" in text else text).split("\n")
        except UnicodeDecodeError:
            lines = split_lines(chunk)
        numbers = [number for number, line in enumerate(lines, first_line) if line and not line.isspace()]
        return numbers, [self._value(lines[number - first_line]) for number in numbers]

    def _value(self, line: str | bytes) -> Any:
        if isinstance(line, str):
            try:
                value, end = self._scan(line, 0)
                if end == len(line):
                    return value
            except (StopIteration, ValueError, RecursionError):
                pass
        try:
            return json.loads(line if isinstance(line, str) else line.decode())
        except (ValueError, RecursionError) as error:
            return error


class _Rows:
    """Makes blocks of the lines of one file."""

    def __init__(self, path: str, spec: Spec | None, exact: bool) -> None:
        self._path = path
        self._spec = spec
        self._parser = _Parser()
        self._fitting = None if spec is None else Fitting(spec, exact)

    def block(self, chunk: bytes, first_line: int) -> Block:
        """The rows of a chunk whose first line has this number."""
        numbers, values = self._parser.values(chunk, first_line)
        errors: dict[int, Exception] = {
            row: self._no_json(numbers[row], value) for row, value in enumerate(values) if isinstance(value, Exception)
        }
        good = [row for row in range(len(values)) if row not in errors]
        columns = self._columns([values[row] for row in good]) if good else None
        if columns is None:
            good = [row for row in good if not self._misfit(errors, row, numbers[row], values[row])]
            columns = self._columns([values[row] for row in good]) if good else None
        if columns is None or self._spec is None:
            return Block(None, (), len(values), errors)
        block = Block(self._spec.treedef, columns, len(good), fresh=True)
        if not errors:
            return block
        # In the places of errors any row may stand.
        places = np.zeros(len(values), np.intp)
        places[good] = np.arange(len(good))
        spread = block.take(places)
        return Block(spread.treedef, spread.columns, spread.rows, errors, spread.fresh)

    def _columns(self, values: list[Any]) -> list[Any] | None:
        """A column for each component; None where some value does not fit."""
        if self._fitting is None:
            return None
        try:
            return self._fitting.columns(values)
        except Misfit:
            return None

    def _misfit(self, errors: dict[int, Exception], row: int, line: int, value: Any) -> bool:
        """Whether a value does not fit; then its error is put down."""
        if self._fitting is None:
            told = why_no_spec(value)
        else:
            try:
                self._fitting.columns([value])
                return False
            except Misfit as misfit:
                told = str(misfit)
        errors[row] = SpecError(f"{_METHOD}(): line {line} of {self._path}: {told}")
        return True

    def _no_json(self, line: int, error: Exception) -> DataLossError:
        told = str(error)
        if isinstance(error, json.JSONDecodeError):
            told = f"{error.msg} in column {error.colno}"
            if error.doc.strip() in ("[", "{"):
                told += "; each line must hold a whole object, but this one only begins a value"
        found = DataLossError(f"{_METHOD}(): line {line} of {self._path} is no JSON: {told}")
        found.__cause__ = error
        return found
