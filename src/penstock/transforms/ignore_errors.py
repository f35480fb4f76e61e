"""The elements that are no errors: `ignore_errors`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def ignore_errors(self: Dataset[T], log_warning: bool = False, *, max_errors: int | float | None = None) -> Dataset[T]:
    """Leave out the elements that are errors, whichever step above they come from.

    >>> ds = Dataset.range(4).map(lambda n: 6 // int(n)).ignore_errors()
    >>> [int(n) for n in ds]
    [6, 3, 2]

    After a `batch`, whole batches are left out: put this before it, or give the step that fails an `on_error`.

    Args:
        log_warning: Log each error as a warning of the logger "penstock", which writes to stderr if not configured.
        max_errors: How many elements may fail in one pass: an int for a count, a float for a share of the elements; the
            next one that fails is a TooManyErrorsError. A share is judged from the 100th element on, and at the end.

    Spec: kept.
    Cardinality: unknown.
    Order: kept.  Random access: no.
    Memory: one block.  State: the input's, the counts of elements and of errors.

    Raises:
        TypeError: `max_errors` is no number.
        ValueError: It is negative, or a share that is not between 0 and 1.
        TooManyErrorsError: More elements failed; raised in the place of the first that is too many.

    See also: map, filter.
    """
    # Imported when called: importing takes time, and most programs leave nothing out.
    from penstock import faults
    from penstock.failing import DropErrors, Step

    step = Step("ignore_errors", "", calls.origin(), is_aligned=False)
    most = faults.budget("ignore_errors", max_errors)
    node: Any = DropErrors(self._node, step, most, None, faults.FaultCounts(), bool(log_warning))
    return self._then(node)
