"""Threads that read fragments before they are asked for; their rows keep the order."""

from __future__ import annotations

import threading
import warnings
from collections import deque
from collections.abc import Callable

from penstock.parallel import IDLE
from penstock.reader import Position
from penstock.reading.pieces import Piece, Pieces, Read, held_bytes

_SECONDS_TO_STOP = 1.0
_MAX_AHEAD_BYTES = 1 << 26
_FRAGMENTS_PER_THREAD = 2


class _Line:
    """What was read of one fragment and waits: pieces with the bytes that they hold."""

    def __init__(self) -> None:
        self.pieces: deque[tuple[Piece, int]] = deque()
        self.num_bytes = 0
        self.is_done = False


class _Reading:
    """What the threads and the reader share; all is changed under `lock`, and each change is told by `changed`.

    Attributes:
        lines: The fragments that are being read or wait, from the one that the reader is at.
        next_number: The first fragment that no thread has begun.
    """

    def __init__(self, read: Read, count: int, number: int, position: Position | None, most_lines: int) -> None:
        self.read = read
        self.count = count
        self.next_number = number
        self.position = position
        self.most_lines = most_lines
        self.line_bytes = _MAX_AHEAD_BYTES // most_lines
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.lines: deque[_Line] = deque()
        self.idents: set[int] = set()
        self.threads = 0
        self.is_closed = False

    def serve(self) -> None:
        """Read one fragment after another, in a thread."""
        with self.lock:
            self.idents.add(threading.get_ident())
        try:
            while self._read_one():
                pass
        finally:
            # Whoever waits until it has left is not to find it under its name here: it is the pool's again.
            threading.current_thread().name = IDLE
            with self.lock:
                self.idents.discard(threading.get_ident())
                self.threads -= 1
                self.changed.notify_all()

    def _read_one(self) -> bool:
        with self.lock:
            self.changed.wait_for(lambda: self.is_closed or self.is_all_begun or len(self.lines) < self.most_lines)
            if self.is_closed or self.is_all_begun:
                return False
            line = _Line()
            self.lines.append(line)
            number, self.next_number = self.next_number, self.next_number + 1
            position, self.position = self.position, None
        pieces = self.read(number, position)
        try:
            for piece in pieces:
                if not self._put(line, piece):
                    return False
        finally:
            pieces.close()
            with self.lock:
                line.is_done = True
                self.changed.notify_all()
        return True

    @property
    def is_all_begun(self) -> bool:
        return self.next_number >= self.count

    def _put(self, line: _Line, piece: Piece) -> bool:
        num_bytes = held_bytes(piece.block)
        with self.lock:
            line.pieces.append((piece, num_bytes))
            line.num_bytes += num_bytes
            self.changed.notify_all()
            # One piece of each may always wait.
            self.changed.wait_for(lambda: self.is_closed or line.num_bytes < self.line_bytes or not line.pieces)
            return not self.is_closed

    def take(self) -> Piece | None:
        """The next piece of the fragment that the reader is at; waits for it. None at the end."""
        with self.lock:
            while self.lines or not self.is_all_begun:
                self.changed.wait_for(lambda: self.lines and (self.lines[0].pieces or self.lines[0].is_done))
                line = self.lines[0]
                if line.pieces:
                    piece, num_bytes = line.pieces.popleft()
                    line.num_bytes -= num_bytes
                    self.changed.notify_all()
                    return piece
                self.lines.popleft()
                self.changed.notify_all()
            return None


def read_ahead(
    read: Read,
    count: int,
    number: int,
    position: Position | None,
    calls: int,
    start_thread: Callable[[Callable[[], None], str], None],
) -> Pieces:
    """The pieces of all fragments from one on, in order, read by threads that end when this is closed.

    Up to twice as many fragments as threads are begun, and 64 MiB of their rows wait, or one piece of each.

    Args:
        read: Reads a fragment; called in the threads.
        count: How many fragments there are.
        number: The first that is read.
        position: Where in it to begin.
        calls: How many threads.
        start_thread: Runs a function in a thread of that name.
    """
    calls = min(calls, max(0, count - number))
    reading = _Reading(read, count, number, position, _FRAGMENTS_PER_THREAD * max(1, calls))
    try:
        for _ in range(calls):
            with reading.lock:
                reading.threads += 1
            start_thread(reading.serve, "penstock-read")
        while True:
            piece = reading.take()
            if piece is None:
                return
            yield piece
    finally:
        _stop(reading)


def _stop(reading: _Reading) -> None:
    with reading.lock:
        reading.is_closed = True
        reading.lines.clear()
        reading.changed.notify_all()
        # Garbage may be collected, and an iterator in it closed, in one of its own threads.
        if threading.get_ident() in reading.idents:
            return
        reading.changed.wait_for(lambda: not reading.threads, _SECONDS_TO_STOP)
        left_behind = reading.threads
    if left_behind:
        warnings.warn(
            f"{left_behind} threads still wait for a file and are left behind; what they read is thrown away",
            RuntimeWarning,
            stacklevel=2,
        )
