"""A failed call made again, for a debugger: `replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.block import block_from_elements
from penstock.node import Node
from penstock.plan import walk
from penstock.vectorize.function import ElementFunction, Replay

if TYPE_CHECKING:
    from penstock.dataset import Dataset
    from penstock.quarantined import FailedElement


def replay(self: Dataset[Any], error: BaseException | FailedElement) -> Any:
    """Call the function that raised `error` again, on the same element, in this thread: for a debugger.

    >>> ds = Dataset.range(3).map(lambda n: 1 // int(n))
    >>> try:
    ...     list(ds)
    ... except ZeroDivisionError as error:
    ...     failure = error
    >>> try:
    ...     ds.replay(failure)
    ... except ZeroDivisionError as again:
    ...     print(again)
    integer division or modulo by zero

    Args:
        error: An error that was raised in iterating, or a record of a quarantine file, whose element is unpickled: only
            of files that you trust. For a record, the function is that of this dataset's step of the same name.

    Returns:
        What the function returns this time, if it does not raise.

    Raises:
        ValueError: `error` did not come from a function of a dataset, the dataset has no or several such steps, or the
            element was not kept.

    See also: read_quarantine.
    """
    from penstock.quarantined import FailedElement

    if isinstance(error, FailedElement):
        return _call_again(self._node, error)
    again = getattr(error, "penstock_replay", None)
    if again is None:
        raise ValueError(
            f"replay(): {error!r} was not raised by a function of a dataset; there is nothing to call again"
        )
    return again()


def _call_again(node: Node, record: FailedElement) -> Any:
    function = _function_of(node, record)
    element, last = record.arguments()
    return Replay(function, block_from_elements([element]), None if last is None else lambda: last)()


def _function_of(node: Node, record: FailedElement) -> ElementFunction:
    """The one function of a plan that a record is of: of several, the one that was added at its line."""
    found = [
        function
        for function in _functions(node)
        if (function.transformation, function.name) == (record.transformation, record.function)
    ]
    if len(found) > 1:
        found = [function for function in found if function.origin == record.origin]
    if len(found) != 1:
        raise ValueError(
            f"replay(): the dataset has {len(found) or 'no'} steps {record.transformation}({record.function}) added at "
            f"{record.origin}; replay the record on the dataset that it is of"
        )
    return found[0]


def _functions(node: Node) -> list[ElementFunction]:
    found = {}
    for step in walk(node):
        for value in (
            getattr(step, "function", None),
            getattr(step, "predicate", None),
            *getattr(step, "functions", ()),
        ):
            if isinstance(value, ElementFunction):
                found[id(value)] = value
    return list(found.values())
