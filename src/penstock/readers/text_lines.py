"""Lines of text files: `TextLineDataset` and `from_text`."""

from __future__ import annotations

import codecs
import glob
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls, tree
from penstock.block import Block, Dense
from penstock.files import opening, paths
from penstock.files.lines import line_chunks, split_lines
from penstock.reader import Fragment, Position, Reader, Used, whole_files
from penstock.reading import ReadFiles, parallel_reads
from penstock.record import record
from penstock.spec import Spec, TensorSpec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

_FROM_SUFFIX = "from the suffix"


def text_line_dataset(
    cls: type[Dataset[Any]],
    filenames: Any,
    compression_type: str | None = None,
    buffer_size: int | None = None,
    num_parallel_reads: int | None = None,
    *,
    encoding: str | None = "utf-8",
    errors: str = "strict",
) -> Dataset[Any]:
    """See `penstock.TextLineDataset`."""
    method = "TextLineDataset"
    kind = opening.compression(method, compression_type)
    size = calls.count(method, "buffer_size", buffer_size, 0) if buffer_size is not None else 0
    settings = parallel_reads(method, num_parallel_reads)
    _check_encoding(method, encoding, errors)
    form = _Form(method, kind, size or None, encoding, errors)
    origin = calls.origin()
    if not isinstance(filenames, cls):
        names = paths.asked(method, "filenames", filenames)
        if settings is None or not names:
            return cls(ReadFiles(TextLines(whole_files(names), form), origin))
        filenames = cls.from_tensor_slices(np.array(names, object))
    files: Dataset[Any] = filenames
    read = _FileDataset(cls, form, origin)
    if num_parallel_reads is None:
        return files.flat_map(read, purity="stateless")
    return files.interleave(read, num_parallel_reads, 1, num_parallel_calls=num_parallel_reads, purity="stateless")


def from_text(
    cls: type[Dataset[Any]],
    file_pattern: Any,
    *,
    encoding: str | None = "utf-8",
    errors: str = "strict",
    num_parallel_reads: int | None = None,
) -> Dataset[Any]:
    """Make an element of each line of text files.

    >>> import fsspec
    >>> with fsspec.open("memory://poem.txt", "w") as file:
    ...     _ = file.write("so much depends\\n\\nupon")
    >>> list(Dataset.from_text("memory://poem.txt"))
    ['so much depends', '', 'upon']

    Lines end with a newline or a carriage return and a newline, which are left out. Empty lines are elements, and so is
    a last line without newline. Files whose names end in .gz, .zz (zlib) or .zst are uncompressed.

    Args:
        file_pattern: A path or URL, or a list of them, with `*`, `?`, `[...]` and `**`; files are read in the order of
            their names. They are looked for when this is called.
        encoding: As Python calls it; None gives `bytes`. One byte has to stand for a newline, as in all but UTF-16 and
            UTF-32.
        errors: What becomes of a line that is not of that encoding: "strict" (an error in its place), "replace",
            "ignore" or any other handler of Python's.
        num_parallel_reads: How many files threads read ahead; AUTOTUNE for as many as suit the machine. The order stays
            that of one after another.

    Spec: shape (), dtype `str`, or `bytes` without an encoding.
    Cardinality: unknown.
    Order: of the files' names, then of their lines.  Random access: no.
    Memory: a chunk of 128 KiB, or one line; with `num_parallel_reads` up to 64 MiB.
    State: the file and the byte; resuming seeks there, or uncompresses the file up to there.

    Raises:
        FileNotFoundError: No file matches; here. One that is gone when it is to be read: in its place.
        TypeError: `file_pattern` is no path, or `encoding` or `errors` no text.
        ValueError: There is no such encoding or error handler.
        UnicodeDecodeError: A line is not of that encoding; in its place, with path and byte.
        DataLossError: A compressed file is cut off or corrupt; in its place, after all whole lines before it.

    See also: list_files, from_json_lines, TextLineDataset.
    """
    method = "from_text"
    settings = parallel_reads(method, num_parallel_reads)
    _check_encoding(method, encoding, errors)
    names = paths.expand(method, paths.asked(method, "file_pattern", file_pattern))
    form = _Form(method, _FROM_SUFFIX, None, encoding, errors)
    return cls(ReadFiles(TextLines(whole_files(names), form), calls.origin(), settings))


def _check_encoding(method: str, encoding: Any, errors: Any) -> None:
    for name, value, such in (("encoding", encoding, "utf-8"), ("errors", errors, "replace")):
        if not (isinstance(value, str) or (name == "encoding" and value is None)):
            raise TypeError(f"{method}(): {name} must be text, such as {such!r}, but is {value!r}")
    try:
        codecs.lookup_error(errors)
    except LookupError:
        raise ValueError(
            f"{method}(): errors must be 'strict', 'replace', 'ignore' or another error handler, but is {errors!r}"
        ) from None
    if encoding is None:
        return
    try:
        newline = "\n".encode(_later(encoding))
    except LookupError:
        raise ValueError(f"{method}(): there is no encoding {encoding!r}; write one such as 'utf-8'") from None
    if newline != b"\n":
        raise ValueError(
            f"{method}(): a newline in {encoding} is {newline!r}, by which files cannot be cut into lines; convert the "
            "files to UTF-8"
        )


def _later(encoding: str) -> str:
    """The encoding of what does not stand at the beginning of a file: a byte order mark comes there alone."""
    return "utf-8" if codecs.lookup(encoding).name == "utf-8-sig" else encoding


@record(eq=True)
class _Form:
    """How lines are read, whatever the file."""

    method: str
    compression: str | None
    buffer_bytes: int | None
    encoding: str | None
    errors: str

    def compression_of(self, path: str) -> str | None:
        return opening.compression_of(path) if self.compression == _FROM_SUFFIX else self.compression


@record(eq=True)
class _FileDataset:
    """Called with a path, the dataset of its lines."""

    cls: type[Dataset[Any]]
    form: _Form
    origin: str

    def __call__(self, *path: Any) -> Dataset[Any]:
        if len(path) != 1 or not isinstance(path[0], (str, bytes)):
            found = path[0] if len(path) == 1 else path
            raise TypeError(f"TextLineDataset(): filenames must hold paths, but holds {found!r}")
        names = paths.asked(self.form.method, "filenames", path[0])
        return self.cls(ReadFiles(TextLines(whole_files(names), self.form), self.origin))


@record(eq=True)
class TextLines(Reader):
    """A fragment is a file; a position is the byte of the uncompressed file at which a line begins."""

    files: Sequence[Fragment]
    form: _Form

    @property
    def method(self) -> str:
        return self.form.method

    def known_spec(self) -> Spec | None:
        return Spec(tree.LEAF, (TensorSpec((), bytes if self.form.encoding is None else str),))

    def fragments(self) -> Sequence[Fragment]:
        return self.files

    def read(self, fragment: Fragment, used: Used, position: Position | None) -> Iterator[tuple[Position, Block]]:
        path, form = fragment.path, self.form
        start = 0 if position is None else int(position)
        try:
            for byte, chunk in line_chunks(path, form.compression_of(path), start, form.buffer_bytes):
                yield byte, self._block(path, byte, chunk)
        except FileNotFoundError as error:
            if glob.has_magic(path):
                error.add_note(f"{form.method}() reads files of these very names; Dataset.from_text() takes patterns")
            raise

    def _block(self, path: str, byte: int, chunk: bytes) -> Block:
        encoding = self.form.encoding
        if encoding is None:
            return _block_of(split_lines(chunk), bytes)
        if byte:
            encoding = _later(encoding)
        try:
            text = chunk.decode(encoding, self.form.errors)
        except UnicodeDecodeError:
            return self._with_errors(path, byte, chunk, encoding)
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        return _block_of(lines, str)

    def _with_errors(self, path: str, byte: int, chunk: bytes, encoding: str) -> Block:
        """The rows of a chunk, line by line, since some cannot be decoded."""
        lines: list[str] = []
        errors: dict[int, Exception] = {}
        for row, line in enumerate(chunk.removesuffix(b"\n").split(b"\n")):
            try:
                lines.append(line.removesuffix(b"\r").decode(encoding, self.form.errors))
            except UnicodeDecodeError as error:
                told = f"{error.reason}, at byte {byte + error.start} of {path}; give encoding=, or errors='replace'"
                errors[row] = UnicodeDecodeError(error.encoding, error.object, error.start, error.end, told)
                lines.append("")
            byte += len(line) + 1
            encoding = _later(encoding)
        block = _block_of(lines, str)
        return Block(block.treedef, block.columns, block.rows, errors)


def _block_of(lines: list[Any], kind: type) -> Block:
    # A third faster than an assignment to an empty array (bench_text_lines.py).
    array = np.fromiter(lines, object, len(lines))
    return Block(tree.LEAF, [Dense(array, kind)], len(lines), fresh=True)
