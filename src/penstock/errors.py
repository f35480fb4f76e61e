"""Every error that penstock raises on purpose and that Python has no name for.

Wrong arguments are plain `ValueError` and `TypeError`, raised by the call that was given them. An error of the user's
own function keeps its type and gets notes.
"""

from __future__ import annotations

from typing import Any


class PenstockError(Exception):
    """The base of the errors below."""


class SpecError(PenstockError, ValueError):
    """Elements have another structure, shape or dtype than the pipeline needs."""


class StateError(PenstockError, ValueError):
    """A saved state does not fit the pipeline that it is loaded into."""


class CacheError(PenstockError, ValueError):
    """A file of `cache(filename)` holds the elements of another pipeline."""


class CardinalityError(PenstockError, ValueError):
    """A dataset has another number of elements than was asked for."""


class ElementTimeoutError(PenstockError, TimeoutError):
    """A call for an element took longer than `Options(element_timeout_seconds=...)` allows."""


class DataLossError(PenstockError):
    """A file is broken: cut off, corrupt, or not what its checksum says."""


class DownloadError(PenstockError, OSError):
    """A file could not be fetched from any of its addresses."""


class PipelineFileError(PenstockError):
    """The Python file or module that holds a pipeline raised; the message ends in the traceback, from its code on."""


class TooManyErrorsError(PenstockError):
    """More elements of a step failed than its `max_errors` allows; the last error is its `__cause__`."""


class WorkerDied(PenstockError):
    """A worker process ended while it worked.

    Attributes:
        cause: How it ended, "exit code 3" or the name of the signal, such as "SIGKILL".
    """

    def __init__(self, message: str, cause: str) -> None:
        super().__init__(message, cause)
        self.cause = cause

    def __str__(self) -> str:
        return str(self.args[0])


def refuse_without_order(state: Any) -> None:
    """Refuse a state of a step that was handing its rows over as they were done; for operators that keep the order.

    Raises:
        StateError: It is one, and the order of the rows in it matters.
    """
    if state.get("spans") or state.get("order"):
        raise StateError(
            "load_state_dict(): the state was taken of a step with deterministic=False, and has rows that were handed "
            "over out of order; give the step num_parallel_calls here too"
        )
