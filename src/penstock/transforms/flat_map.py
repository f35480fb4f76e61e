"""A dataset for each element, one after another: `flat_map`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls, policies
from penstock.nested import CycleOperator, Flattening, feed
from penstock.node import Context, Operator, State
from penstock.passes import PassCounter
from penstock.record import record
from penstock.vectorize.function import purity_of

if TYPE_CHECKING:
    from penstock.dataset import Dataset
    from penstock.faults import OnError

R = TypeVar("R")

_WITHOUT_END = 2**63


def flat_map(
    self: Dataset[Any],
    map_func: Callable[..., Dataset[R]],
    *,
    num_parallel_calls: int | None = None,
    purity: str | None = None,
    on_error: OnError = "raise",
    max_errors: int | float | None = None,
) -> Dataset[R]:
    """Replace each element by the elements of the dataset that `map_func` makes of it.

    >>> [int(n) for n in Dataset.range(4).flat_map(lambda n: Dataset.range(n))]
    [0, 0, 1, 0, 1, 2]

    Args:
        map_func: Called like the function of `map`; returns a Dataset, which may be empty.
        num_parallel_calls: How many threads open and read datasets ahead, the one whose turn it is and the next ones;
            AUTOTUNE for as many as help. By default all is done in the thread that asks, when it asks.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code. With parallel calls,
            a function that may be stateful is called ahead too, but in order and by the thread that asks.
        on_error: As in `interleave`.
        max_errors: As in `map`.

    Spec: unknown until the first element.
    Cardinality: unknown.
    Order: kept, one dataset after another.  Random access: no.
    Memory: that of one inner dataset; with parallel calls up to `memory_budget_bytes` (64 MiB) of elements, or one
        of each dataset read ahead.
    State: the input's and the inner dataset's; the function is called again.

    Elements are memory of their own that may be written into, as it has to be where they are batches.

    Raises:
        TypeError: `map_func` is no function, or returned something else than a Dataset (in the place of that element).
        ValueError: One of the others is none of the values above.
        TooManyErrorsError: More elements failed than `max_errors`; raised in the place of the first that is too many.

    See also: interleave, map, unbatch.
    """
    calls.function("flat_map", "map_func", map_func)
    policy = policies.asked("flat_map", on_error, max_errors)
    function = policy.function(map_func, calls.origin(), False, purity_of("flat_map", purity))
    settings = calls.parallel("flat_map", num_parallel_calls, executor="thread")
    node = FlatMap(self._node, function, type(self), PassCounter(), settings=settings)
    return self._then(policy.around(node, function.name, function.origin, is_aligned=False))


@record
class FlatMap(Flattening):
    """The elements of every dataset that `function` returns."""

    def open(self, context: Context) -> Operator:
        return _FlatMapOperator(feed(self, context, 1), 1, _WITHOUT_END)

    def signature(self) -> str:
        return f"flat_map({self.function.name})"


class _FlatMapOperator(CycleOperator):
    """A cycle of one dataset, whose state says no more than that takes."""

    def get_state(self) -> State:
        state = super().get_state()
        inner = state["slots"][0] if state["slots"] else None
        if inner is None:
            return {"number": state["number"], "input": state["input"], "inner": None}
        place = {name: value for name, value in inner.items() if name != "number"}
        return {"number": inner["number"], "input": state["input"], "inner": place}

    def set_state(self, state: State) -> None:
        number, inner = int(state["number"]), state["inner"]
        slots = [] if inner is None else [{"number": number, **inner}]
        number += inner is not None
        super().set_state({"number": number, "input": state["input"], "at": 0, "in_block": 0, "slots": slots})
