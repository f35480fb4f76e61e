"""A function of each element: `map`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls
from penstock.block import Block
from penstock.node import Blockwise, Context, Epochs, Indices, Node, Purity
from penstock.spec import Spec
from penstock.vectorize.function import ElementFunction, purity_of

if TYPE_CHECKING:
    from penstock.dataset import Dataset

R = TypeVar("R")


def map_(
    self: Dataset[Any],
    map_func: Callable[..., R],
    num_parallel_calls: int | None = None,
    deterministic: bool | None = None,
    *,
    vectorize: bool = True,
    purity: str | None = None,
) -> Dataset[R]:
    """Replace each element by what `map_func` makes of it.

    >>> ds = Dataset.from_tensor_slices(([1, 2], [3, 4])).map(lambda x, y: x * 10 + y)
    >>> [int(n) for n in ds]
    [13, 24]

    An element that is exactly a tuple is passed as several arguments; a list that is returned counts as a tuple. The
    function may write into its arguments: they are its own. A function that only does arithmetic with NumPy runs on
    whole blocks where that gives the same bits; `explain()` says whether it does, and if not, why.

    Args:
        map_func: Gets an element's components as NumPy scalars and arrays, text as `str`.
        num_parallel_calls: Accepted for tf.data's sake; calls run one after another as yet.
        deterministic: Accepted for tf.data's sake; the order is always kept as yet.
        vectorize: False runs the function once an element in any case.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code. Stateless functions
            (which may read files) run in any order, stateful ones once an element, in order, when it is asked for.

    Spec: that of the function's results.
    Cardinality: the input's.
    Order: kept.  Random access: if the input has it and the function is not stateful.
    Memory: one block.  State: the input's.

    Raises:
        TypeError: `map_func` is no function.
        ValueError: `num_parallel_calls` or `purity` is none of the values above.
        SpecError: The function returns another structure than before; raised in the place of that element.

    See also: map_batches, random_map, filter, flat_map.
    """
    calls.function("map", "map_func", map_func)
    calls.parallel("map", num_parallel_calls)
    function = ElementFunction(map_func, "map", calls.origin(), vectorize, purity_of("map", purity))
    return self._then(Map(self._node, (function,)))


@dataclass(frozen=True, slots=True, eq=False)
class Map(Blockwise):
    """`functions` of each element, one after another; more than one where maps were fused."""

    input: Node
    functions: tuple[ElementFunction, ...]

    @property
    def purity(self) -> Purity:
        return max(function.purity for function in self.functions)

    def known_spec(self) -> Spec | None:
        spec = self.input.known_spec()
        for function in self.functions:
            spec = function.output_spec(spec)
        return spec

    def apply(self, block: Block, context: Context, epochs: Epochs, indices: Indices | int) -> Block:
        for function in self.functions:
            block = function.apply(block, context, indices)
        return block

    def simplify(self) -> Node:
        if isinstance(self.input, Map):
            return Map(self.input.input, self.input.functions + self.functions)
        return self

    def signature(self) -> str:
        return ", ".join(f"map({function.name})" for function in self.functions)

    def label(self) -> str:
        spec = self.input.known_spec()
        lines = []
        for function in self.functions:
            lines.append(f"map({function.name})  # {function.describe(spec)}")
            spec = function.output_spec(spec)
        return "\n".join(lines)
