"""The policy of a step for elements that fail: checked at the call, and laid around the step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from penstock import tree
from penstock.block import Block, block_from_elements
from penstock.failing import DropErrors, Shelter, Step, SubstituteErrors
from penstock.faults import FaultCounts, OnError, Quarantine, Retry, Substitute, budget, known
from penstock.node import Node, Purity
from penstock.quarantined import QuarantineFile
from penstock.vectorize.function import ElementFunction
from penstock.vectorize.retried import RetriedFunction


@dataclass(frozen=True, slots=True)
class Policy:
    """What one step does with elements that fail.

    Attributes:
        method: The transformation.
        retry: How often its function is called again; None for never.
        then: What is done where that does not help; no Retry.
        max_errors: How many may fail, as a count or a share; None for any number.
        faults: What was left out or replaced so far; the function counts its further calls itself.
    """

    method: str
    retry: Retry | None
    then: OnError
    max_errors: int | float | None
    faults: FaultCounts = field(default_factory=FaultCounts)

    def function(
        self, function: Callable[..., Any], origin: str, vectorize: bool = True, purity: Purity | None = None
    ) -> ElementFunction:
        """The user's function, called again where it fails if so asked for."""
        if self.retry is None:
            return ElementFunction(function, self.method, origin, vectorize, purity)
        return RetriedFunction(function, self.method, origin, vectorize, purity, self.retry, FaultCounts())

    def around(self, node: Node, function: str, origin: str, is_aligned: bool = True) -> Node:
        """The step that does `node`'s work under this policy.

        Args:
            node: The step.
            function: The name of its function.
            origin: The user's line that added it.
            is_aligned: Whether its row i comes of element i.
        """
        if self.then == "raise":
            return node
        node = node.with_inputs([Shelter(part) for part in node.inputs]) if node.inputs else node
        step = Step(self.method, function, origin, is_aligned)
        if isinstance(self.then, Substitute):
            return SubstituteErrors(node, step, _block(self.method, self.then), repr(self.then), self.faults)
        file = QuarantineFile(self.then.path) if isinstance(self.then, Quarantine) else None
        return DropErrors(node, step, self.max_errors, file, self.faults)


def policy_of(method: str, on_error: OnError, max_errors: Any, refused: tuple[str, ...] = ()) -> Policy:
    """As `policies.asked`, where something is asked for."""
    chosen = known(method, "on_error", on_error)
    most = budget(method, max_errors)
    retry = chosen if isinstance(chosen, Retry) else None
    then = chosen.then if isinstance(chosen, Retry) else chosen
    for part in (chosen, then):
        if type(part).__name__.lower() in refused:
            raise ValueError(f'{method}(): on_error={part!r} makes no sense here; use "skip" or quarantine(path)')
    if most is not None and (then == "raise" or isinstance(then, Substitute)):
        raise ValueError(
            f"{method}(): max_errors={max_errors!r} counts elements that are left out, but on_error is {on_error!r}; "
            'use on_error="skip" or quarantine(path)'
        )
    if isinstance(then, Substitute):
        _block(method, then)
    return Policy(method, retry, then, most)


def _block(method: str, chosen: Substitute) -> Block:
    value = tuple(chosen.value) if type(chosen.value) is list else chosen.value
    if value is None or not tree.flatten(value)[0]:
        raise ValueError(f"{method}(): on_error={chosen!r}: the value has no component; substitute an element")
    return block_from_elements([value])
