"""`on_error` and `max_errors` of a method: nothing to do for most steps, and all else imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from penstock.node import Node, Purity
from penstock.vectorize.function import ElementFunction

if TYPE_CHECKING:
    from penstock.faults import FaultCounts, OnError
    from penstock.protection import Policy


class Unprotected:
    """The policy of a step whose errors are raised; what it offers is that of `protection.Policy`."""

    def __init__(self, method: str) -> None:
        self._method = method

    def function(
        self, function: Callable[..., Any], origin: str, vectorize: bool = True, purity: Purity | None = None
    ) -> ElementFunction:
        """The user's function."""
        return ElementFunction(function, self._method, origin, vectorize, purity)

    def around(self, node: Node, function: str, origin: str, is_aligned: bool = True) -> Node:
        """The step as it is."""
        return node


def asked(method: str, on_error: OnError, max_errors: Any, refused: tuple[str, ...] = ()) -> Policy | Unprotected:
    """The policy that `on_error` and `max_errors` ask for.

    Args:
        method: Whose arguments they are.
        on_error: What the user passed.
        max_errors: What the user passed.
        refused: Kinds of `on_error`, by the names of their functions, that make no sense for this method.

    Raises:
        TypeError: One of them is of a wrong type.
        ValueError: One of them is none of the values that it may have, or `max_errors` has nothing to count.
    """
    if max_errors is None and isinstance(on_error, str) and on_error == "raise":
        return Unprotected(method)
    from penstock.protection import policy_of

    return policy_of(method, on_error, max_errors, refused)


def fault_counts(node: Node | None) -> list[FaultCounts]:
    """The counts of a node and of its functions, each once; none where it has no policy."""
    functions = getattr(node, "functions", ())
    owners = [node, getattr(node, "function", None), getattr(node, "predicate", None), *functions]
    found = [faults for owner in owners if (faults := getattr(owner, "faults", None)) is not None]
    if not found:
        return []
    from penstock.faults import FaultCounts

    return list({id(faults): faults for faults in found if isinstance(faults, FaultCounts)}.values())
