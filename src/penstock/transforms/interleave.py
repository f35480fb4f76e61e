"""Datasets for several elements, read in turn: `interleave`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls, policies
from penstock.nested import CycleOperator, Flattening, feed
from penstock.node import Context, Operator
from penstock.passes import PassCounter
from penstock.record import record
from penstock.vectorize.function import purity_of

if TYPE_CHECKING:
    from penstock.dataset import Dataset
    from penstock.faults import OnError

R = TypeVar("R")

_CYCLE_LENGTH = 16


def interleave(
    self: Dataset[Any],
    map_func: Callable[..., Dataset[R]],
    cycle_length: int | None = None,
    block_length: int | None = None,
    num_parallel_calls: int | None = None,
    deterministic: bool | None = None,
    *,
    purity: str | None = None,
    on_error: OnError = "raise",
    max_errors: int | float | None = None,
) -> Dataset[R]:
    """Read the datasets that `map_func` makes of elements in turn, `block_length` elements of each.

    >>> ds = Dataset.range(1, 4).interleave(lambda n: Dataset.from_tensors(n).repeat(3), cycle_length=2, block_length=2)
    >>> [int(n) for n in ds]
    [1, 1, 2, 2, 1, 2, 3, 3, 3]

    A dataset that ends gives up its turn; the next element's takes its place when that turn comes again.

    Args:
        map_func: Called like the function of `map`; returns a Dataset, which may be empty.
        cycle_length: How many datasets are open at the same time, 16 by default; AUTOTUNE stands for that too.
        block_length: Consecutive elements of each; 1 by default.
        num_parallel_calls: How many threads open and read datasets ahead, those of the cycle and the next ones to come;
            AUTOTUNE for as many as help. By default all is done in the thread that asks, when it asks.
        deterministic: False takes elements of whichever open dataset has some ready, with `num_parallel_calls`; else
            the order is kept.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code. With parallel calls,
            a function that may be stateful is called ahead too, but in order and by the thread that asks.
        on_error: As in `map`; for the function, for opening and reading the dataset that it returned, which ends there,
            and for each element that is an error in it. "skip" thus leaves out a dataset that cannot be opened, or the
            rest of one that breaks off, but no more than the element where only that fails. `retry(...)` calls the
            function alone.
        max_errors: As in `map`.

    Spec: unknown until the first element.
    Cardinality: unknown.
    Order: by turns, and the same on every machine.  Random access: no.
    Memory: that of `cycle_length` datasets; with parallel calls up to `memory_budget_bytes` (64 MiB) of their elements,
        or one of each.
    State: the input's and each open dataset's; the function is called again.

    Elements are memory of their own that may be written into, as it has to be where they are batches.

    Raises:
        TypeError: `map_func` is no function, or returned something else than a Dataset (in the place of that element).
        ValueError: `cycle_length` or `block_length` is below 1, or one of the others none of the values above.
        TooManyErrorsError: More elements failed than `max_errors`; raised in the place of the first that is too many.

    See also: flat_map, concatenate, zip.
    """
    calls.function("interleave", "map_func", map_func)
    length = _CYCLE_LENGTH if cycle_length in (None, -1) else calls.count("interleave", "cycle_length", cycle_length, 1)
    block = 1 if block_length is None else calls.count("interleave", "block_length", block_length, 1)
    settings = calls.parallel("interleave", num_parallel_calls, deterministic, "thread")
    policy = policies.asked("interleave", on_error, max_errors)
    function = policy.function(map_func, calls.origin(), False, purity_of("interleave", purity))
    node = Interleave(
        self._node, function, type(self), PassCounter(), settings=settings, cycle_length=length, block_length=block
    )
    return self._then(policy.around(node, function.name, function.origin, is_aligned=False))


@record
class Interleave(Flattening):
    """Up to `cycle_length` datasets at a time, `block_length` elements of each in turn."""

    cycle_length: int = _CYCLE_LENGTH
    block_length: int = 1

    def open(self, context: Context) -> Operator:
        in_order = self.settings is None or self.settings.deterministic
        return CycleOperator(feed(self, context, self.cycle_length), self.cycle_length, self.block_length, in_order)

    def signature(self) -> str:
        return f"interleave({self.function.name}, cycle_length={self.cycle_length}, block_length={self.block_length})"
