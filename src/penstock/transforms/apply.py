"""The user's own transformation: `apply`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls

if TYPE_CHECKING:
    from penstock.dataset import Dataset

R = TypeVar("R")


def apply(self: Dataset[Any], transformation_func: Callable[[Dataset[Any]], Dataset[R]]) -> Dataset[R]:
    """Hand the dataset to a function and go on with the dataset that it returns.

    >>> def evens(ds):
    ...     return ds.filter(lambda n: n % 2 == 0)
    >>> [int(n) for n in Dataset.range(5).apply(evens)]
    [0, 2, 4]

    Args:
        transformation_func: Takes a Dataset and returns one; called once, now.

    Raises:
        TypeError: `transformation_func` is no function or returned something else.

    See also: map.
    """
    calls.function("apply", "transformation_func", transformation_func)
    result = transformation_func(self)
    if not isinstance(result, type(self)):
        raise TypeError(f"apply(): the function returned {result!r}; return a Dataset")
    return result
