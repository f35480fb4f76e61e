"""The text that a language model learns from: files that are text, cut into paragraphs, some of them for testing."""

from __future__ import annotations

import codecs
import glob
import hashlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from penstock import text
from penstock.dataset import Dataset
from penstock.errors import DataLossError
from penstock.files.opening import compression_of, open_bytes
from penstock.recipes.training.checkpoint import replacing

TEST_EVERY = 20
"""Of so many paragraphs, one is for testing: the second, so that two paragraphs are enough for a test."""

_TEST_PARAGRAPH = 1
_LONGEST_PARAGRAPH_LINES = 20
"""Lines without an empty one between them are cut after so many, or verses and tables would be one paragraph."""

_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Corpus:
    """Text files, looked through.

    Attributes:
        paths: The files, at least one.
        num_bytes: Their size, uncompressed.
        digest: A hash of what they hold, in their order.
    """

    paths: tuple[Path, ...]
    num_bytes: int
    digest: str

    def train_lines(self) -> Dataset[str]:
        """The lines that the model learns from, each with its newline."""
        return self._numbered_lines().filter(lambda number, line: not _is_for_testing(number)).map(_line_alone)

    def test_lines(self) -> Dataset[str]:
        """The lines of every twentieth paragraph, which the model does not see before it is tested."""
        return self._numbered_lines().filter(lambda number, line: _is_for_testing(number)).map(_line_alone)

    def _numbered_lines(self) -> Dataset[tuple[int, str]]:
        """Each line, cleaned, with the number of its paragraph."""
        lines = Dataset.from_text([glob.escape(str(path)) for path in self.paths], encoding="utf-8-sig")
        return lines.map(clean_line).scan((0, 0, False), _number_paragraphs)


def look_through(paths: Sequence[Path]) -> Corpus:
    """Read text files once to know what they hold, and that they are text.

    Args:
        paths: Plain files in UTF-8, or compressed ones whose names end in .gz, .zz or .zst.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        ValueError: No file is named, or one is empty.
        DataLossError: A file is no text; names it and the byte.
    """
    if not paths:
        raise ValueError("look_through(): no file is named; name at least one")
    digest = hashlib.sha256()
    num_bytes = 0
    for path in paths:
        size = _look_through(path, digest)
        digest.update(size.to_bytes(8, "little"))  # so that a text moved from one file to the next is another
        num_bytes += size
    return Corpus(tuple(paths), num_bytes, digest.hexdigest())


def write_topics(path: Path) -> None:
    """Write the topics of `help()` that every CPython carries, half a megabyte of English and Python, into one file."""
    from pydoc_data.topics import topics

    with replacing(path) as file:
        file.write("\n\n".join(topics[name].strip("\n") for name in sorted(topics)).encode() + b"\n")


def clean_line(line: str) -> str:
    """A line made regular, with its indentation, as that means something in code, and with a newline."""
    return text.clean(line, whitespace="keep").rstrip() + "\n"


def _number_paragraphs(state: tuple[int, int, bool], line: str) -> tuple[tuple[int, int, bool], tuple[int, str]]:
    """Carry the number of the paragraph, its lines so far, and whether an empty line has ended it."""
    number, num_lines, is_ended = state
    is_empty = line == "\n"
    if not is_empty and (is_ended or num_lines == _LONGEST_PARAGRAPH_LINES):
        number, num_lines = number + 1, 0
    return (number, num_lines + (not is_empty), is_empty and num_lines > 0), (number, line)


def _line_alone(number: int, line: str) -> str:
    return line


def _is_for_testing(number: int) -> bool:
    return number % TEST_EVERY == _TEST_PARAGRAPH


def _look_through(path: Path, digest: hashlib._Hash) -> int:
    """Feed what the file holds into `digest`; its size in bytes."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name its files, such as {path}/*.txt")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file; name a text file, or none for Python's help topics")
    decoder = codecs.getincrementaldecoder("utf-8")()
    num_bytes = 0
    with closing(open_bytes(str(path), compression_of(str(path)))) as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
            _check_is_text(path, decoder, piece, num_bytes)
            num_bytes += len(piece)
    if not num_bytes:
        raise ValueError(f"{path} is empty; name a file that holds text")
    _check_is_text(path, decoder, b"", num_bytes)
    return num_bytes


def _check_is_text(path: Path, decoder: codecs.IncrementalDecoder, piece: bytes, start: int) -> None:
    """Raise a DataLossError if what stands at `start` of `path` is no text; an empty `piece` is the end of the file."""
    advice = "name text files in UTF-8"
    at = piece.find(b"\0")
    if at >= 0:
        raise DataLossError(f"{path} is no text: byte {start + at:,} is zero, as in binary files; {advice}")
    waiting = len(decoder.getstate()[0])  # the first bytes of a character that the last piece has cut
    try:
        decoder.decode(piece, final=not piece)
    except UnicodeDecodeError as error:
        found = error.object[error.start]
        where = start - waiting + error.start
        raise DataLossError(f"{path} is no text in UTF-8: byte {where:,} is {found:#04x}; {advice}") from error
