"""A function of each element: `map`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls, policies
from penstock.block import Block
from penstock.blockwise import Blockwise
from penstock.node import Context, Epochs, Indices, Node, Operator, Purity, State, advance
from penstock.parallel import Parallel
from penstock.record import record
from penstock.spec import Spec
from penstock.vectorize.function import ElementFunction, Replay, purity_of

if TYPE_CHECKING:
    from penstock.dataset import Dataset
    from penstock.faults import OnError

R = TypeVar("R")


def map_(
    self: Dataset[Any],
    map_func: Callable[..., R],
    num_parallel_calls: int | None = None,
    deterministic: bool | None = None,
    *,
    executor: str = "auto",
    vectorize: bool = True,
    purity: str | None = None,
    on_error: OnError = "raise",
    max_errors: int | float | None = None,
) -> Dataset[R]:
    """Replace each element by what `map_func` makes of it.

    >>> ds = Dataset.from_tensor_slices(([1, 2], [3, 4])).map(lambda x, y: x * 10 + y)
    >>> [int(n) for n in ds]
    [13, 24]

    An element that is exactly a tuple is passed as several arguments; a list that is returned counts as a tuple, and
    what stands for an array (an image of Pillow, a buffer, a `range`) becomes that array. The function may write into
    its arguments: they are its own. A function that only does arithmetic with NumPy runs on whole blocks where that
    gives the same bits; `explain()` says whether it does, and if not, why.

    Args:
        map_func: Gets an element's components as NumPy scalars and arrays, text as `str`.
        num_parallel_calls: How many calls may run at the same time; AUTOTUNE for as many as help. By default they run
            one after another.
        deterministic: False hands parallel results out as they are done, whatever the order; else it is kept. Without
            `num_parallel_calls` it is kept in any case, and False warns of that.
        executor: "thread", "process" or "auto": threads where the function lets go of the GIL, processes where it does
            not, by measurement on the first elements; `explain()` says which and why. Functions travel to processes by
            cloudpickle, elements through shared memory.
        vectorize: False runs the function once an element in any case.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code. Stateless functions
            (which may read files) run in any order, stateful ones once an element, in order, when it is asked for.
        on_error: What becomes of an element that this step fails on: "raise", "skip", `penstock.retry(...)`,
            `substitute(...)` or `quarantine(...)`. Errors of earlier steps stay what they are.
        max_errors: How many elements may be left out in one pass: an int for a count, a float for a share of the
            elements, judged from the 100th on and at the end.

    Spec: that of the function's results.
    Cardinality: the input's; unknown where elements that fail are left out.
    Order: kept.  Random access: if the input has it, the function is not stateful, and no element is left out.
    Memory: one block; with parallel calls some runs of elements for each.  State: the input's.

    Raises:
        TypeError: `map_func` is no function.
        ValueError: `num_parallel_calls`, `executor`, `purity`, `on_error` or `max_errors` is none of the values above.
        SpecError: The function returns another structure than before; raised in the place of that element.
        TooManyErrorsError: More elements failed than `max_errors`; raised in the place of the first that is too many.

    See also: ignore_errors, map_batches, random_map, filter, flat_map.
    """
    calls.function("map", "map_func", map_func)
    settings = calls.parallel("map", num_parallel_calls, deterministic, executor)
    policy = policies.asked("map", on_error, max_errors)
    function = policy.function(map_func, calls.origin(), vectorize, purity_of("map", purity))
    return self._then(policy.around(Map(self._node, (function,), settings), function.name, function.origin))


@record
class Map(Blockwise):
    """`functions` of each element, one after another; more than one where maps were fused."""

    input: Node
    functions: tuple[ElementFunction, ...]
    settings: Parallel | None = None

    @property
    def purity(self) -> Purity:
        return max(function.purity for function in self.functions)

    @property
    def purity_to_pass(self) -> Purity:
        # Maps with different workers are not fused, but their states are to fit where they are: the same steps move.
        return max(self.purity, self.input.purity_to_pass) if isinstance(self.input, Map) else self.purity

    @property
    def is_vectorised(self) -> bool:
        return all(function.is_vectorised for function in self.functions)

    @property
    def lets_go_of_gil(self) -> bool:
        return any(function.verdict.lets_go_of_gil for function in self.functions)

    def known_spec(self) -> Spec | None:
        spec = self.input.known_spec()
        for function in self.functions:
            spec = function.output_spec(spec)
        return spec

    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        for function in self.functions:
            block = function.apply(block, context, indices)
        return block

    def open(self, context: Context) -> Operator:
        operator = Blockwise.open(self, context)
        if not isinstance(self.input, Map):
            return operator
        return _MapOverMap(operator, is_free=self.settings is not None and not self.settings.deterministic)

    def call_on(self, row: Block, context: Context, epoch: Epochs, index: int) -> Replay | None:
        """What calls the function on a row again; None where there are several, and no telling which was at work."""
        return Replay(self.functions[0], row, None, index) if len(self.functions) == 1 else None

    def simplify(self) -> Node:
        if isinstance(self.input, Map) and self.input.settings == self.settings:
            return replace(self, input=self.input.input, functions=self.input.functions + self.functions)
        return self

    def sequential(self) -> Node:
        return self if self.settings is None else replace(self, settings=None)

    def signature(self) -> str:
        return ", ".join(f"map({function.name})" for function in self.functions)

    def label(self) -> str:
        spec = self.input.known_spec()
        lines = []
        for function in self.functions:
            how = "" if self.settings is None else f"; {self.settings}"
            lines.append(f"map({function.name})  # {function.describe(spec)}{how}")
            spec = function.output_spec(spec)
        return "\n".join(lines)


class _MapOverMap:
    """A map over a map that has other workers; its state is that of one map, which they are where both have the same.

    Both count the same rows. So the state is that of the map below, where `taken` also counts the rows that this one
    has handed over since; or, where this one gives up the order, with what it says of that.
    """

    def __init__(self, operator: Operator, *, is_free: bool) -> None:
        self._operator = operator
        self._is_free = is_free
        self.next_block = operator.next_block
        self.close = operator.close
        if hasattr(operator, "queue_statistics"):
            self.queue_statistics = operator.queue_statistics

    def get_state(self) -> State:
        return self._as_one(self._operator.get_state())

    def set_state(self, state: State) -> None:
        self._operator.set_state(self._as_two(state))

    def advance(self, state: State, rows: int) -> State | None:
        after = advance(self._operator, self._as_two(state), rows)
        return None if after is None else self._as_one(after)

    def _as_one(self, state: Any) -> State:
        below = state["input"]
        if _is_free(state):
            return {**state, _TWO: True} if _is_free(below) else _with_order(state, below)
        later = _handed_over(state) - _handed_over(below)
        if not later:
            return below
        # Which rows these are is known from the order in which those below come; one map would not look there.
        return {**state, _TWO: True} if _is_free(below) else {**below, "taken": below.get("taken", 0) + later}

    def _as_two(self, state: Any) -> State:
        if _TWO in state:
            return {name: value for name, value in state.items() if name != _TWO}
        if _is_free(state) and self._is_free:
            return {**state, "input": {"rows": state["rows"], "input": state["input"]}}
        return {"rows": _handed_over(state), "input": state}


_TWO = "of_two_maps"
"""Stands in the state of maps of which one or both give up the order, so that it is none of one map."""


def _with_order(state: Any, below: Any) -> State:
    """What a map says of its order, as if it were at the beginning of what the one below has in hand."""
    skipped = below.get("taken", 0)
    spans = [[below["rows"], skipped, -1], *state.get("spans", [])] if skipped else state.get("spans")
    return {**state, "rows": below["rows"], "input": below["input"], **({"spans": spans} if spans else {})}


def _is_free(state: Any) -> bool:
    return "order" in state or "spans" in state


def _handed_over(state: Any) -> int:
    """How many rows a map whose state this is had handed over."""
    later = sum(rows if taken < 0 else taken for _, rows, taken in state.get("spans", []))
    return int(state["rows"] + state.get("taken", 0) + later)
