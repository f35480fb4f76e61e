"""Calls that gave neither a result nor an error of their own: what stands in the place of their elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from penstock.block import Block, all_errors
from penstock.node import Context, Epochs, Step


def failed_calls(
    error: Exception, given: Block, step: Step, unit: int, context: Context | None, epoch: Epochs, first: int
) -> Block:
    """`error` in the place of each row, with what calls the user's function on it again, as `replay` does.

    Args:
        error: It.
        given: The rows that the step got; errors in them are those of earlier steps.
        step: Its method `call_on` says what such a call is, if it has one.
        unit: Rows that one call takes.
        context: That of the run; None where nobody knows it, and so no call either.
        epoch: The epoch of all rows.
        first: The index of the first row.
    """
    found = all_errors(error, given.rows)
    if unit == 1:
        found.errors.update(given.errors)
        found = found.with_provenance(given.provenance)
    call_on: Callable[..., Any] | None = getattr(step, "call_on", None)
    if call_on is None or context is None:
        return found
    for start in range(0, given.rows, unit):
        stop = min(start + unit, given.rows)
        call = call_on(given.slice(start, stop), context, epoch, first + start)
        for row in range(start, stop):
            if call is not None and row not in given.errors:
                found.errors[row].penstock_replay = call  # type: ignore[attr-defined]
    return found
