"""How many rows a background thread is to be ahead, where that is left open."""

from __future__ import annotations

_READS_BEFORE_SHRINKING = 4  # of the whole buffer
_MOST_READS_BEFORE_SHRINKING = 256


class BufferSize:
    """As few rows as keep the reader from waiting for what could have been computed; knows no time.

    It begins with one. A reader that finds nothing, though the thread had rested since the buffer grew last, reads by
    fits and starts: twice as many rows would have been there. A thread that never rests is too slow, and no buffer
    helps. Where half of the buffer was never touched for a while, half of it goes; for a longer while each time that it
    had to grow again after that.

    Attributes:
        rows: How many.
    """

    def __init__(self) -> None:
        self.rows = 1
        self._least_ready: int | None = None
        self._rows_read = 0
        self._patience = _READS_BEFORE_SHRINKING
        self._has_shrunk = False

    def read(self, rows: int, ready: int, has_rested: bool, most: int) -> int:
        """By how many rows the buffer grows; negative where it shrinks.

        Args:
            rows: How many rows the reader has taken.
            ready: How many it found, those included.
            has_rested: Whether the thread has waited for room since the buffer grew.
            most: How many rows there is memory for; one is always kept.
        """
        before = self.rows
        if not ready and has_rested and 2 * before <= most:
            self.rows = 2 * before
            if self._has_shrunk:
                self._has_shrunk = False
                self._patience = min(4 * self._patience, _MOST_READS_BEFORE_SHRINKING)
        elif before > max(1, most):
            self.rows = max(1, most)
        elif self._is_untouched(rows, ready):
            self.rows = max(1, before // 2)
            self._has_shrunk = True
        if self.rows != before or not ready:
            self._least_ready, self._rows_read = None, 0
        return self.rows - before

    def _is_untouched(self, rows: int, ready: int) -> bool:
        """Whether half of the buffer was always ready, through as many reads as shrinking takes."""
        self._least_ready = ready if self._least_ready is None else min(ready, self._least_ready)
        self._rows_read += rows
        if self._rows_read < self._patience * self.rows:
            return False
        is_untouched = 2 * self._least_ready > self.rows > 1
        self._least_ready, self._rows_read = None, 0
        return is_untouched
