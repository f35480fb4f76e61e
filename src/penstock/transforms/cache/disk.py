"""Elements kept in a file: who writes it, when it may be read, and what becomes of it otherwise."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penstock.block import Block
from penstock.errors import CacheError, StateError
from penstock.fingerprint import PYTHON
from penstock.node import Context, Indices, Operator, Places, State, follow_one_another
from penstock.readers.arrow import ArrowFile
from penstock.transforms.cache.memory import CacheCell
from penstock.writers.arrow import ArrowWriter

_FORMAT = 1


class DiskCell:
    """A file, and what is known of it: opened when it is there, again when it has been replaced.

    Args:
        path: The file.
        describe: What its elements are made of.
    """

    def __init__(self, path: Path, describe: Callable[[], dict[str, Any]]) -> None:
        self.path = path
        self.facts: list[Any] | None = None
        self.failure = ""
        self._describe = describe
        self._described: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._file: ArrowFile | None = None
        self._identity: tuple[int, ...] | None = None
        self._is_used = False

    def __reduce__(self) -> Any:
        return DiskCell, (self.path, self._describe)

    def begin(self, facts: list[Any] | None) -> bool:
        with self._lock:
            if self.facts is None:
                self.facts = facts
            return self.facts == facts

    def begin_again(self, facts: list[Any]) -> bool:
        with self._lock:
            if not self._is_used and self._file is None:
                self.facts = facts
            return self.facts == facts

    def apart(self) -> CacheCell:
        return CacheCell()

    @property
    def complete(self) -> bool:
        return self.file() is not None

    @property
    def size(self) -> int | None:
        try:
            file = self.file()
        except Exception:  # is raised when an iteration begins; a look at the dataset shows what the input says
            return None
        return None if file is None else file.rows

    @property
    def described(self) -> str:
        name = f"of {str(self.path)!r}"
        try:
            file = self.file()
        except Exception as error:
            return f"{name}: {type(error).__name__}"
        return f"{name}: {self.failure or 'not written yet' if file is None else f'{file.rows} elements'}"

    def file(self) -> ArrowFile | None:
        """The file, if it is there.

        Raises:
            CacheError: It is of another pipeline; shows both.
            DataLossError: It is cut off or corrupt.
        """
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            with self._lock:
                self._file = self._identity = None
            return None
        identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        with self._lock:
            if self._identity != identity:
                file = ArrowFile(self.path)
                self._compare(file.about)
                # Its rows are of the pass in which it was written; what stands above keeps to that.
                self.facts = file.about["facts"]
                self._file, self._identity = file, identity
            return self._file

    def about(self, facts: list[Any] | None) -> dict[str, Any]:
        """What a file says of its elements."""
        if self._described is None:
            self._described = self._describe()
        return {"format": _FORMAT, "python": PYTHON, "facts": facts, **self._described}

    def _compare(self, theirs: dict[str, Any]) -> None:
        mine = self.about(None)
        hint = "delete the file to compute the elements anew, or give another name"
        if theirs.get("format") != _FORMAT:
            raise CacheError(f"cache(): {self.path} was written by another release of penstock; {hint}")
        if theirs["plan"] != mine["plan"]:
            lines = ["The file's:", *(f"  {step}" for step in theirs["plan"])]
            lines += ["This one:", *(f"  {step}" for step in mine["plan"])]
            raise CacheError(
                f"cache(): {self.path} is of another pipeline.\n" + "\n".join(lines) + f"\n{hint.capitalize()}"
            )
        changed = [name for name, code in mine["functions"].items() if theirs["functions"].get(name) != code]
        if changed and theirs["python"] == PYTHON:
            raise CacheError(
                f"cache(): {', '.join(changed)} has changed since {self.path} was written, in its code or in what it "
                f"captures; {hint}"
            )
        if changed:
            warnings.warn(
                f"cache(): {self.path} was written with Python {theirs['python']}, so whether {', '.join(changed)} has "
                "changed since cannot be told",
                UserWarning,
                stacklevel=2,
            )

    def places(self, indices: Indices, context: Context) -> Places:
        file = self.file()
        if file is None:
            raise StateError(
                f"load_state_dict(): the state was taken while {self.path} was there, and it cannot be written now "
                f"({self.failure or 'somebody else is writing it'}); load the state when it is complete"
            )
        return _Mapped(file, indices, context)

    def open(self, facts: list[Any] | None, size: int, open_input: Callable[[], Operator]) -> Operator:
        if not self.begin(facts):
            return self.apart().open(facts, size, open_input)
        self._is_used = True
        return _DiskOperator(self, facts, size, open_input)

    def writing(self, facts: list[Any] | None) -> _Writing | None:
        """The file to be; None while somebody else writes it, or where writing has failed before.

        Raises:
            OSError: It cannot be made.
        """
        if self.failure:
            return None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(self.path.name + ".partial")
        lock = _locked(partial)
        if lock is None:
            return None
        return _Writing(self.path, partial, lock, self.about(facts))


class _Mapped(Places):
    """Rows of the file; neighbours as they lie there."""

    __slots__ = ("_context", "_file", "_indices", "_neighbours")

    def __init__(self, file: ArrowFile, indices: Indices, context: Context) -> None:
        self.rows = len(indices)
        self._file = file
        self._indices = indices
        self._context = context
        self._neighbours = follow_one_another(indices)

    def gather(self, start: int, stop: int) -> Block:
        if self._neighbours and stop > start:
            first = int(self._indices[start])
            return self._file.block(first, first + stop - start, self._context.allocate)
        return self._file.take(self._indices[start:stop], self._context.allocate)


class _Writing:
    """A file that is being written, under another name and a lock that ends with the process."""

    def __init__(self, path: Path, partial: Path, lock: int, about: dict[str, Any]) -> None:
        self._path = path
        self._partial = partial
        self._lock: int | None = lock
        self._writer = ArrowWriter(partial, about, "cache()")

    def add(self, block: Block) -> None:
        self._writer.add(block)

    def commit(self) -> None:
        """Give the file its name: from now on it is there, and whole."""
        self._writer.finish()
        os.replace(self._writer.path, self._path)
        self._release()

    def abandon(self) -> None:
        """Leave nothing behind; nothing is done after `commit`, or a second time."""
        if self._lock is not None:
            self._writer.abandon()
            self._release()

    def _release(self) -> None:
        # Removed while the lock holds, so that nobody who waits for it takes a file that somebody else has begun.
        lock, self._lock = self._lock, None
        self._partial.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock of the file at `path`, which is made; None where somebody else holds it."""
    try:
        import fcntl
    except ImportError:
        try:  # without such locks, the file itself is one: after a crash, it has to be removed by hand
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return None
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        # Whoever held the lock has finished meanwhile, and the file that was opened has another name or none.
        os.close(descriptor)


class _DiskOperator:
    """Reads the file, if it is there when the first row is asked for; else the input, and writes what it reads."""

    def __init__(self, cell: DiskCell, facts: list[Any] | None, size: int, open_input: Callable[[], Operator]) -> None:
        self._cell = cell
        self._facts = facts
        self._size = size
        self._open_input = open_input
        self._file: ArrowFile | None = None
        self._input: Operator | None = None
        self._input_rows = 0
        self._writing: _Writing | None = None
        self._next = 0

    def next_block(self, rows: int) -> Block | None:
        if self._file is None and self._input is None:
            self._begin()
        block = self._compute(rows) if self._file is None else self._read(self._file, rows)
        if block is not None:
            self._next += block.rows
        return block

    def _begin(self) -> None:
        file = self._cell.file()
        if file is None:
            self._writing = self._cell.writing(self._facts)
            # It may have been finished between a look for the file and one for the lock.
            file = None if self._writing is None else self._cell.file()
        if file is None:
            self._input = self._open_input()
            return
        self._stop_writing()
        # A file that came to be since this pass began may be of another one, and its elements others.
        if file.about["facts"] == self._facts:
            self._file = file
        else:
            self._input = self._open_input()

    def _read(self, file: ArrowFile, rows: int) -> Block | None:
        stop = min(file.rows, self._next + rows)
        return file.block(self._next, stop) if stop > self._next else None

    def _compute(self, rows: int) -> Block | None:
        assert self._input is not None
        while self._input_rows < self._next:
            if self._pull(self._next - self._input_rows) is None:
                return None
        block = self._pull(rows)
        if block is None or self._writing is None:
            return block
        # What is held to be written is not to be written into.
        return Block(block.treedef, block.columns, block.rows, block.errors, False, block.provenance)

    def _pull(self, rows: int) -> Block | None:
        """Further rows of the input, which are written, too; the file is complete when the last one is there."""
        assert self._input is not None
        block = self._input.next_block(rows)
        if block is not None:
            self._input_rows += block.rows
        writing = self._writing
        if writing is None:
            return block
        if block is not None and block.errors:
            self._stop_writing()
            return block
        try:
            if block is not None:
                writing.add(block)
            if block is None or self._input_rows == self._size:
                writing.commit()
                self._writing = None
        except OSError as error:
            self._cell.failure = f"could not be written: {error.strerror or error}"
            self._stop_writing()
            warnings.warn(
                f"cache(): {self._cell.path} {self._cell.failure}; the elements are handed on and not kept",
                UserWarning,
                stacklevel=2,
            )
        except BaseException:
            self._stop_writing()
            raise
        return block

    def _stop_writing(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.abandon()

    def get_state(self) -> State:
        return {"next": self._next}

    def set_state(self, state: Any) -> None:
        self._next = int(state["next"])

    def advance(self, state: State, rows: int) -> State | None:
        return {"next": state["next"] + rows}

    def close(self) -> None:
        self._stop_writing()
        if self._input is not None:
            self._input.close()
