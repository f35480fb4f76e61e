"""How generators and operators end when nobody asks for more."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any


def end(rows: Any, what: str) -> None:
    """Close what rows came from, if it can be closed, now that nobody asks for any more.

    What its own code raises then has no place among the rows, and is not to keep all else from being closed: it becomes
    a warning, but never an error, not even where warnings are. A generator that is running goes on: when the garbage
    collector ends a pipeline, it may end a generator of it at the same time, in another thread.
    """
    with contextlib.suppress(Exception):
        try:
            getattr(rows, "close", _do_nothing)()
        except Exception as error:
            if str(error) != "generator already executing":
                warnings.warn(f"closing {what} raised {error!r}", RuntimeWarning, stacklevel=2)


def _do_nothing() -> None:
    pass
