"""The file of failed elements: lines of JSON, written whole, and read back as records."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import pickle
import threading
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from penstock import calls
from penstock.errors import DataLossError
from penstock.provenance import Place

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LARGEST_ELEMENT_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FailedElement:
    """One failed call, as a line of a quarantine file holds it.

    Attributes:
        transformation: The method, such as "map".
        function: The qualified name of the user's function; "" where there was none.
        origin: The user's line that added the step, "file:line".
        position: Index of the element in the step's input; of the first one of the run for `map_batches`. Where no call
            of a function failed, its index in the step's output; None where that says nothing.
        pass_number: The pass over the dataset.
        epoch: The epoch within a `repeat`.
        error_type: The class of the error.
        error: Its message.
        traceback: From the user's code on, with notes.
        source_file: The file that the element was read from, or that it is the path of; None where it is of no file, or
            comes of several elements, such as a batch.
        source_row: Its number among the rows of that file, from 0: the line of text, the row of Parquet, the JSON
            object, where empty lines do not count. None where there is no such number, or it is not known.
        pickled: The element, and the random generator of a `random_map`, pickled and in base64; None where they cannot
            be pickled or take more than a mebibyte, and where no call with one element failed: a source did, or a
            vectorised function took too long, which is called with many.
    """

    transformation: str
    function: str
    origin: str
    position: int | None
    pass_number: int
    epoch: int
    error_type: str
    error: str
    traceback: str
    source_file: str | None
    source_row: int | None
    pickled: str | None

    def arguments(self) -> tuple[Any, Any]:
        """The element, and the generator that `random_map` handed in or None. Unpickles: only of files that you trust.

        Raises:
            ValueError: The element was not kept.
        """
        if self.pickled is None:
            raise ValueError(
                f"the element at position {self.position} of {self.transformation}({self.function}) was not kept: no "
                "call of a function with one element failed, or the element takes more than a mebibyte or cannot be "
                "pickled"
            )
        element, last = pickle.loads(base64.b64decode(self.pickled))
        return element, last

    def element(self) -> Any:
        """The element. Unpickles it: only of files that you trust.

        Raises:
            ValueError: It was not kept.
        """
        return self.arguments()[0]

    @property
    def identity(self) -> str:
        """What is the same for two records of one element that failed in the same way."""
        what = self.pickled if self.pickled is not None else f"{self.position} {self.error}"
        text = "\0".join([self.transformation, self.function, self.error_type, what])
        return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()

    @property
    def place(self) -> tuple[int, int, int | None]:
        """Pass, epoch and position."""
        return self.pass_number, self.epoch, self.position


def read_quarantine(path: str | os.PathLike[str]) -> list[FailedElement]:
    """The records of a quarantine file, in the order in which they were written.

    `Dataset.replay(record)` calls the function again.

    Raises:
        TypeError: `path` is no path.
        FileNotFoundError: There is no such file.
        DataLossError: A line is none of a quarantine file; names it. A last line that was cut off is left out.

    See also: quarantine, Dataset.replay.
    """
    name = calls.path("read_quarantine", "path", path)
    with open(name, "rb") as file:
        lines = file.read().split(b"\n")
    # What follows the last line's end is a line that was cut off, or nothing.
    return [_record(line, name, number) for number, line in enumerate(lines[:-1], 1)]


_FIELDS = frozenset(field.name for field in fields(FailedElement))


def _record(line: bytes, path: str, number: int) -> FailedElement:
    try:
        found = json.loads(line)
        return FailedElement(**{name: found[name] for name in _FIELDS})
    except (ValueError, KeyError, TypeError) as error:
        raise DataLossError(f"read_quarantine(): line {number} of {path} is none of a quarantine file") from error


class QuarantineFile:
    """Adds records to a file; used by any number of threads. Pickles as new.

    A record is left out where the same element failed in the same way in another pass, or at the same place. What
    others add to the file meanwhile counts, and a file that was taken away is begun anew.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file: tuple[int, int] | None = None  # which one was read, as far as:
        self._read_bytes = self._read_lines = 0
        self._places: dict[str, set[tuple[int, int, int | None]]] = {}

    def __reduce__(self) -> Any:
        return QuarantineFile, (self.path,)

    def add(self, record: FailedElement) -> None:
        """Write a record, unless it is there.

        Raises:
            OSError: It cannot be written.
            DataLossError: What is in the file are no records.
        """
        with self._lock, _opened(self.path) as descriptor:
            self._read_on(descriptor)
            places = self._places.get(record.identity, set())
            if not any(place[:2] != record.place[:2] or place == record.place for place in places):
                _append(descriptor, self._read_bytes, json.dumps(asdict(record)).encode() + b"\n")

    def _read_on(self, descriptor: int) -> None:
        """Learn of the records that were added since this was last called; of all, if it is another file."""
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != self._file or found.st_size < self._read_bytes:
            self._file, self._places = (found.st_dev, found.st_ino), {}
            self._read_bytes = self._read_lines = 0
        lines = _whole_lines(descriptor, self._read_bytes, found.st_size)
        for number, line in enumerate(lines, self._read_lines + 1):
            record = _record(line, self.path, number)
            self._places.setdefault(record.identity, set()).add(record.place)
        self._read_lines += len(lines)
        self._read_bytes += sum(len(line) + 1 for line in lines)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """The descriptor of the file, which no other writer has meanwhile."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        if fcntl is not None:
            # Other processes add to the same file; the lock goes when the file is closed.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _whole_lines(descriptor: int, start: int, stop: int) -> list[bytes]:
    """The lines between two bytes of a file, without one that was cut off."""
    os.lseek(descriptor, start, os.SEEK_SET)
    found = bytearray()
    while len(found) < stop - start:
        more = os.read(descriptor, stop - start - len(found))
        if not more:
            break
        found += more
    return bytes(found).split(b"\n")[:-1]


def _append(descriptor: int, end: int, line: bytes) -> None:
    """Add a line; what an earlier writer left of a half one is taken away, and so is what this one could not end."""
    os.ftruncate(descriptor, end)
    os.lseek(descriptor, end, os.SEEK_SET)
    written = 0
    try:
        while written < len(line):
            written += os.write(descriptor, line[written:])
    except BaseException:
        os.ftruncate(descriptor, end)
        raise


def failed_element(
    error: Exception,
    transformation: str,
    function: str,
    origin: str,
    position: int | None,
    pass_number: int,
    epoch: int,
    read_from: Place,
) -> FailedElement:
    """The record of an error; what the failed call says of itself goes before the arguments."""
    call = getattr(error, "penstock_replay", None)
    return FailedElement(
        transformation=transformation if call is None else call.function.transformation,
        function=function if call is None else call.function.name,
        origin=origin if call is None else call.function.origin,
        position=position if call is None else call.index,
        pass_number=pass_number,
        epoch=epoch,
        error_type=type(error).__qualname__,
        error=calls.message(error),
        traceback=_users_traceback(error),
        source_file=read_from.path,
        source_row=read_from.row,
        pickled=None if call is None else _pickled(call),
    )


def _pickled(call: Any) -> str | None:
    if call.row.num_bytes > LARGEST_ELEMENT_BYTES:
        return None
    try:
        last = None if call.last is None else call.last()
        found = pickle.dumps((call.row.element(0, True), last))
    except Exception:
        # Whatever the element's classes raise: the record is worth having without it.
        return None
    return None if len(found) > LARGEST_ELEMENT_BYTES else base64.b64encode(found).decode()


def _users_traceback(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and calls.is_ours(trace.tb_frame):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))
