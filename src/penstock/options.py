"""Budgets and defaults of one pipeline: `Options`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Budgets and defaults of a dataset and of all that is made of it; there is no global setting.

    >>> ds = Dataset.range(3).with_options(Options(cpu_budget=2))
    >>> [int(n) for n in ds]
    [0, 1, 2]

    Args:
        cpu_budget: Cores that AUTOTUNE may keep busy at the same time, at least 1; by default those that the process
            may run on. Calls that wait rather than compute may be more.
        memory_budget_bytes: Bytes of results that a parallel step or a prefetch may hold for its reader, and of row
            groups that a source of files read by index may keep, at least 1; by default 256 MiB, 64 MiB for a prefetch.
        element_timeout_seconds: Seconds that parallel calls for one element may take, above 0; after that an
            `ElementTimeoutError` stands in the element's place, which names function and position, and the stream goes
            on. Elements that were handed over together, as quick ones are, have as much time for each and fail
            together. By default for ever, with a warning after a minute. Calls in the thread that asks cannot be left.

    Raises:
        TypeError: An argument is no number.
        ValueError: It is too small.
    """

    cpu_budget: int | None = None
    memory_budget_bytes: int | None = None
    element_timeout_seconds: float | None = None

    def __post_init__(self) -> None:
        _check("cpu_budget", self.cpu_budget, int, "an integer of at least 1", 1)
        _check("memory_budget_bytes", self.memory_budget_bytes, int, "an integer of at least 1", 1)
        _check("element_timeout_seconds", self.element_timeout_seconds, (int, float), "a number above 0", 0)
        if self.element_timeout_seconds == 0:
            raise ValueError("Options(): element_timeout_seconds must be a number above 0, but is 0")

    def over(self, other: Options) -> Options:
        """These options, and those of `other` where these leave one open."""
        return Options(
            cpu_budget=other.cpu_budget if self.cpu_budget is None else self.cpu_budget,
            memory_budget_bytes=(
                other.memory_budget_bytes if self.memory_budget_bytes is None else self.memory_budget_bytes
            ),
            element_timeout_seconds=(
                other.element_timeout_seconds if self.element_timeout_seconds is None else self.element_timeout_seconds
            ),
        )


def _check(name: str, value: Any, kind: Any, wanted: str, least: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"Options(): {name} must be {wanted}, but is {value!r}")
    if not value >= least:
        raise ValueError(f"Options(): {name} must be {wanted}, but is {value!r}")
