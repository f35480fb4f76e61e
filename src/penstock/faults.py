"""What becomes of an element whose step raises: the values of `on_error`, and counts of what became of them."""

from __future__ import annotations

import math
import os
import threading
from dataclasses import dataclass
from typing import Any, Literal

from penstock import calls

_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Call again; see `retry`."""

    times: int
    backoff_seconds: float
    then: OnError

    def pause_seconds(self, attempt: int) -> float:
        """How long to wait before further call `attempt`, from 0: twice as long each time, a minute at most."""
        return min(self.backoff_seconds * 2.0 ** min(attempt, 64), _LONGEST_PAUSE_SECONDS)

    def __repr__(self) -> str:
        then = "" if self.then == "raise" else f", then={self.then!r}"
        return f"retry({self.times}, {self.backoff_seconds}{then})"


@dataclass(frozen=True, slots=True, eq=False)
class Substitute:
    """Put a value in the element's place; see `substitute`."""

    value: Any

    def __repr__(self) -> str:
        return f"substitute({self.value!r})"


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Leave the element out and write it down; see `quarantine`."""

    path: str

    def __repr__(self) -> str:
        return f"quarantine({self.path!r})"


OnError = Literal["raise", "skip"] | Retry | Substitute | Quarantine
"""What `on_error` may be."""


def retry(times: int, backoff_seconds: float = 0.1, then: OnError = "raise") -> Retry:
    """For `on_error`: call the function again, on the same element, up to `times` times.

    >>> calls = []
    >>> def flaky(n):
    ...     calls.append(n)
    ...     return n if len(calls) > 2 else 1 // 0
    >>> [int(n) for n in Dataset.range(2).map(flaky, on_error=penstock.retry(3, backoff_seconds=0))]
    [0, 1]

    The element is unchanged by earlier calls, and `random_map` hands in the same random numbers. Only what the function
    raises is tried again, not a result that is no element. The element keeps its place.

    Args:
        times: Further calls, at least 1.
        backoff_seconds: The pause before the first of them; twice as long before each further one, a minute at most.
        then: What to do where all fail: "raise", "skip", `substitute(...)` or `quarantine(...)`.

    Raises:
        TypeError: `times` is no whole number, `backoff_seconds` no number, or `then` none of the above.
        ValueError: `times` is below 1, or `backoff_seconds` negative or not finite.

    See also: substitute, quarantine.
    """
    count = calls.count("retry", "times", times, 1)
    try:
        seconds = float(backoff_seconds)
    except (TypeError, ValueError):
        raise TypeError(f"retry(): backoff_seconds must be a number, but is {backoff_seconds!r}") from None
    if not 0 <= seconds < math.inf:
        raise ValueError(f"retry(): backoff_seconds must be at least 0 and finite, but is {backoff_seconds!r}")
    if isinstance(then, Retry):
        raise TypeError(f"retry(): then is {then!r}; add up the times instead")
    return Retry(count, seconds, known("retry", "then", then))


def substitute(value: Any) -> Substitute:
    """For `on_error`: put `value` in the place of an element whose function raises.

    >>> ds = Dataset.range(3).map(lambda n: 4 // int(n), on_error=penstock.substitute(-1))
    >>> [int(n) for n in ds]
    [-1, 4, 2]

    The element keeps its place, so the cardinality and the access by index of the input stay. For `map_batches` the
    value is that of one element, and stands in the place of each element of the run; for `filter` it is the verdict.

    Args:
        value: Of the structure and dtypes that the function returns. Where it is not, the element is a SpecError that
            says so.

    See also: retry, quarantine.
    """
    return Substitute(value)


def quarantine(path: str | os.PathLike[str]) -> Quarantine:
    """For `on_error`: leave the element out, and write it to a file to be looked at and tried again later.

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/bad.jsonl"
    >>> ds = Dataset.range(3).map(lambda n: 4 // int(n), on_error=penstock.quarantine(path))
    >>> [int(n) for n in ds]
    [4, 2]
    >>> (record,) = penstock.read_quarantine(path)
    >>> record.position, record.error_type, int(record.element())
    (0, 'ZeroDivisionError', 0)

    Each failed call is one line of JSON: see `FailedElement` for what it holds. Lines are written whole, by any number
    of threads and processes. An element that failed in the same way before a resume, or in an earlier pass, is not
    written again. Lines are about elements that were computed, which may be some further than those that were read.

    Args:
        path: The file, which is made or added to; its folder must exist.

    Raises:
        TypeError: `path` is no path.
        FileNotFoundError: The folder of `path` does not exist.
        IsADirectoryError: `path` is a folder.

    See also: read_quarantine, retry, substitute.
    """
    found = os.path.abspath(calls.path("quarantine", "path", path))
    folder = os.path.dirname(found)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"quarantine(): the folder {folder} does not exist; create it first")
    if os.path.isdir(found):
        raise IsADirectoryError(f"quarantine(): {found} is a folder; give the path of a file")
    return Quarantine(found)


def known(method: str, name: str, value: Any) -> OnError:
    """`value` if it is one of `OnError`.

    Raises:
        TypeError: It is not even text.
        ValueError: It is text that says nothing.
    """
    if isinstance(value, (Retry, Substitute, Quarantine)):
        return value
    if isinstance(value, str):
        for word in ("raise", "skip"):
            if value == word:
                return word
    kind = ValueError if isinstance(value, str) else TypeError
    called = "; call it with its arguments" if callable(value) else ""
    raise kind(
        f'{method}(): {name} must be "raise", "skip", retry(times), substitute(value) or quarantine(path), '
        f"but is {value!r}{called}"
    )


def budget(method: str, max_errors: Any) -> int | float | None:
    """`max_errors` as a count or a share; None for any number.

    Raises:
        TypeError: It is no number.
        ValueError: A negative count, or a share that is not between 0 and 1.
    """
    if max_errors is None:
        return None
    if not isinstance(max_errors, float):
        return calls.count(method, "max_errors", max_errors, 0, "; or give a share such as 0.01")
    if not 0 < max_errors < 1:
        raise ValueError(
            f"{method}(): max_errors as a share must be above 0 and below 1, but is {max_errors!r}; "
            "give an int for a count"
        )
    return float(max_errors)


class FaultCounts:
    """What became of failed elements in all runs of one step; kept by identity, pickles as new.

    Further calls in worker processes count when their rows come back: not those of a process that died meanwhile.

    Attributes:
        skipped: Elements left out.
        retried: Further calls of the function.
        substituted: Elements that another value stands for.
        quarantined: Elements left out and written down; those that were in the file already among them.
    """

    __slots__ = ("skipped", "retried", "substituted", "quarantined", "_lock")

    def __init__(self) -> None:
        self.skipped = 0
        self.retried = 0
        self.substituted = 0
        self.quarantined = 0
        self._lock = threading.Lock()

    def add(self, *, skipped: int = 0, retried: int = 0, substituted: int = 0, quarantined: int = 0) -> None:
        """Count some more; from any thread."""
        with self._lock:
            self.skipped += skipped
            self.retried += retried
            self.substituted += substituted
            self.quarantined += quarantined

    def take_retried(self) -> int:
        """The further calls since this was last asked, for another process to count."""
        with self._lock:
            retried, self.retried = self.retried, 0
        return retried

    def __reduce__(self) -> Any:
        return FaultCounts, ()

    def __repr__(self) -> str:
        names = ("skipped", "retried", "substituted", "quarantined")
        return f"FaultCounts({', '.join(f'{name}={getattr(self, name)}' for name in names)})"
