"""A function of each element and a random generator: `random_map`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls, policies, random
from penstock.block import Block
from penstock.blockwise import Blockwise
from penstock.node import Context, Epochs, Indices, Node, Purity
from penstock.parallel import Parallel
from penstock.passes import PassCounter, bind_pass
from penstock.record import record
from penstock.spec import Spec
from penstock.vectorize.function import ElementFunction, Replay, purity_of

if TYPE_CHECKING:
    from penstock.dataset import Dataset
    from penstock.faults import OnError

R = TypeVar("R")


def random_map(
    self: Dataset[Any],
    map_func: Callable[..., R],
    seed: int | None = None,
    num_parallel_calls: int | None = None,
    deterministic: bool | None = None,
    *,
    executor: str = "auto",
    rerandomize_each_iteration: bool = True,
    purity: str | None = None,
    on_error: OnError = "raise",
    max_errors: int | float | None = None,
) -> Dataset[R]:
    """Replace each element by what `map_func` makes of it with random numbers of the element's own.

    >>> ds = Dataset.range(3).random_map(lambda n, rng: n + rng.integers(100), seed=7)
    >>> first, second = list(ds), list(ds)
    >>> first == second, list(ds.iterator(epoch=0)) == first
    (False, True)

    The numbers depend on the seed, the pass and the element's index alone: not on how many elements are computed at
    once or where, nor on what was drawn for other elements.

    Args:
        map_func: Called like the function of `map`, with a `numpy.random.Generator` as a further, last argument, which
            it must not keep.
        seed: Any whole number; drawn from the operating system if not given.
        num_parallel_calls: As in `map`.
        deterministic: As in `map`.
        executor: As in `map`.
        rerandomize_each_iteration: Draw other numbers in each iteration and epoch.
        purity: "stateless" or "stateful" overrides what is read from the function's code.
        on_error: As in `map`; a further call gets the same random numbers.
        max_errors: As in `map`.

    Spec: that of the function's results.
    Cardinality: the input's.
    Order: kept.  Random access: if the input has it and the function is not stateful.
    Memory: one block.  State: the input's.

    Raises:
        TypeError: `map_func` is no function, or `seed` no whole number.
        ValueError: `num_parallel_calls`, `executor`, `purity`, `on_error` or `max_errors` is none of those values.
        TooManyErrorsError: More elements failed than `max_errors`; raised in the place of the first that is too many.

    See also: map, random.
    """
    calls.function("random_map", "map_func", map_func)
    settings = calls.parallel("random_map", num_parallel_calls, deterministic, executor)
    number = calls.seed("random_map", seed)
    chosen = purity_of("random_map", purity)
    policy = policies.asked("random_map", on_error, max_errors)
    function = policy.function(map_func, calls.origin(), False, chosen)
    key = random.fresh_seed() if number is None else number
    counter = PassCounter()
    node = RandomMap(self._node, function, key, counter, bool(rerandomize_each_iteration), settings)
    return self._then(policy.around(node, function.name, function.origin))


@record
class RandomMap(Blockwise):
    """`function(*element, generator)`, the generator keyed by seed, pass, epoch and index."""

    input: Node
    function: ElementFunction
    seed: int
    counter: PassCounter = field(repr=False)
    rerandomizes: bool
    settings: Parallel | None = None
    pass_number: int = 0

    @property
    def purity(self) -> Purity:
        # Drawing from the generator that is handed in has no effect outside, so it is judged like any other argument.
        return max(self.function.purity, Purity.STATELESS)

    @property
    def lets_go_of_gil(self) -> bool:
        return self.function.verdict.lets_go_of_gil

    def known_spec(self) -> Spec | None:
        return None

    def bind(self, fact: Any | None) -> tuple[Node, Any | None]:
        fact = bind_pass(self.counter, self.seed, fact)
        return replace(self, seed=fact["seed"], pass_number=fact["pass"] if self.rerandomizes else 0), fact

    @property
    def is_positional(self) -> bool:
        return True

    def sequential(self) -> Node:
        return self if self.settings is None else replace(self, settings=None)

    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        if block.treedef is None:
            return block
        rows = np.arange(indices, indices + block.rows) if isinstance(indices, int) else indices
        own = epochs if isinstance(epochs, int) else epochs.tolist()
        return self.function.apply_keyed(block, rows, lambda row: self._generator(own, rows, row))

    def call_on(self, row: Block, context: Context, epoch: Epochs, index: int) -> Replay:
        """What calls the function on a row again, with the same random numbers."""
        return Replay(self.function, row, partial(self._generator, epoch, np.array([index]), 0), index)

    def _generator(self, epochs: Any, indices: Indices, row: int) -> Any:
        epoch = epochs if isinstance(epochs, int) else epochs[row]
        key = random.Key(self.seed, "random_map", self.pass_number, epoch if self.rerandomizes else 0)
        return random.generator_at(key, int(indices[row]))

    def signature(self) -> str:
        return f"random_map({self.function.name})"

    def label(self) -> str:
        how = [f"per element: {self.function.verdict.reason}"] if self.lets_go_of_gil else []
        how += [] if self.settings is None else [str(self.settings)]
        return f"{self.signature()}  # {'; '.join(how)}" if how else self.signature()
