"""Budgets and defaults for a pipeline: `with_options`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from penstock.options import Options

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def with_options(self: Dataset[T], options: Options) -> Dataset[T]:
    """The same elements, computed within other budgets.

    >>> ds = Dataset.range(3).with_options(Options(memory_budget_bytes=1 << 20))
    >>> ds.options().memory_budget_bytes
    1048576

    Args:
        options: What they leave open stays as it was.

    Spec, cardinality, order, random access, state: kept. Options hold for all steps before and after.

    Raises:
        TypeError: `options` are no `Options`.

    See also: options.
    """
    if not isinstance(options, Options):
        raise TypeError(f"with_options(): options must be Options(...), but is {options!r}")
    found = self._then(self._node)
    found._options = options.over(self._options)
    return found


def options_of(self: Dataset[T]) -> Options:
    """The budgets and defaults of this dataset.

    >>> Dataset.range(3).options()
    Options(cpu_budget=None, memory_budget_bytes=None, element_timeout_seconds=None)
    """
    return self._options
