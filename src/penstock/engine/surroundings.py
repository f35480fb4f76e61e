"""What a worker process takes over from the one that it works for: directory, import path, environment, warnings."""

from __future__ import annotations

import os
import pickle
import re
import sys
import warnings
from dataclasses import dataclass
from typing import Any

from penstock.engine.pickles import dumps_for_worker

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}
"""Threads of mathematics libraries: those of several processes would fight for the same cores."""


@dataclass(frozen=True)
class Surroundings:
    """What functions may see of their process.

    Attributes:
        directory: The current one; None where it has been removed.
        path: Where modules are imported from.
        environment: Environment variables.
        filters: Filters of warnings, the first one that fits wins.
    """

    directory: str | None
    path: tuple[str, ...]
    environment: dict[str, str]
    filters: tuple[Any, ...]

    def pickled(self) -> bytes:
        """These, for a worker; without filters for classes that cannot travel."""
        filters = []
        for each in self.filters:
            try:
                filters.append(dumps_for_worker(each))
            except Exception:
                continue
        return pickle.dumps((self.directory, self.path, self.environment, filters))


def own_surroundings() -> Surroundings:
    """Those of this process."""
    try:
        directory = os.getcwd()
    except OSError:
        directory = None
    return Surroundings(
        directory, tuple(map(str, sys.path)), ONE_THREAD | dict(os.environ), tuple(getattr(warnings, "filters", ()))
    )


def take_over(pickled: bytes) -> None:
    """Make this process like the one that `pickled` came from."""
    directory, path, environment, filters = pickle.loads(pickled)
    if directory is not None and os.path.isdir(directory):
        os.chdir(directory)
    sys.path[:] = path
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    warnings.resetwarnings()
    for each in reversed(filters):
        try:
            action, message, category, module, line = pickle.loads(each)
        except Exception:  # of a class that is not to be found here
            continue
        warnings.filterwarnings(action, _pattern(message), category, _pattern(module), line)


def _pattern(of: re.Pattern[str] | str | None) -> str:
    if of is None:
        return ""
    # The interpreter's own filters name their module, where others have a pattern.
    return re.escape(of) + r"\Z" if isinstance(of, str) else of.pattern
