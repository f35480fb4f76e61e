"""A source that calls the user's generator: `from_generator`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls, tree
from penstock.block import Block, all_errors, block_from_elements, concatenate
from penstock.columns import component
from penstock.errors import SpecError
from penstock.node import UNKNOWN, Context, Node, Operator, Purity, State
from penstock.spec import Spec, TensorSpec, spec_of_value

if TYPE_CHECKING:
    from penstock.dataset import Dataset


def from_generator(
    cls: type[Dataset[Any]],
    generator: Callable[..., Any],
    output_types: Any = None,
    output_shapes: Any = None,
    args: Sequence[Any] | None = None,
    output_signature: Any = None,
) -> Dataset[Any]:
    """Make elements of what a generator function yields.

    >>> def squares(stop):
    ...     for n in range(int(stop)):
    ...         yield n * n
    >>> [int(n) for n in Dataset.from_generator(squares, args=(4,))]
    [0, 1, 4, 9]

    Args:
        generator: Called anew for each iteration and each epoch of a `repeat`; returns anything iterable.
        output_types: A dtype for each component, in the structure of an element; the older form of `output_signature`.
        output_shapes: A shape for each component; goes with `output_types`.
        args: What `generator` is called with, as NumPy values.
        output_signature: A `TensorSpec` for each component. Elements are converted to its dtypes, and refused where
            they do not fit. Without one, elements are taken as they come.

    Spec: `output_signature`, if given.
    Cardinality: unknown.
    Order: the generator's.  Random access: no.
    Memory: one element.  State: how many elements were taken; they are generated again on resume, and dropped.

    Raises:
        TypeError: `generator` cannot be called, or the signature holds something else than specs.
        SpecError: An element does not fit; raised in its place, names component, element and what was declared.

    See also: from_tensor_slices, from_list.
    """
    calls.function("from_generator", "generator", generator)
    signature = _signature(output_types, output_shapes, output_signature)
    if args is not None and not isinstance(args, (tuple, list)):
        raise TypeError(f"from_generator(): args must be a tuple, but is {args!r}; write args=({args!r},)")
    values = tuple(component(value) for value in args or ())
    return cls(Generator(generator, values, signature, calls.origin()))


@dataclass(frozen=True, slots=True, eq=False)
class Generator(Node):
    """Calls `function(*args)` and takes what it yields."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    spec: Spec | None
    origin: str

    def known_spec(self) -> Spec | None:
        return self.spec

    def cardinality(self) -> int:
        return UNKNOWN

    @property
    def purity(self) -> Purity:
        return Purity.STATEFUL

    def open(self, context: Context) -> Operator:
        return _GeneratorOperator(self)

    def signature(self) -> str:
        return f"from_generator({_name(self.function)})"


class _GeneratorOperator:
    """Holds the running generator and how many elements it has given."""

    def __init__(self, node: Generator) -> None:
        self._node = node
        self._iterator: Iterator[Any] | None = None
        self._taken = 0
        self._ended = False
        self._treedef = None if node.spec is None else node.spec.treedef

    def next_block(self, rows: int) -> Block | None:
        if self._ended:
            return None
        blocks: list[Block] = []
        elements: list[Any] = []
        for _ in range(rows):
            try:
                element = next(self._start())
            except StopIteration:
                self.close()
                break
            except Exception as error:
                error.add_note(f"{self._where()}, element {self._taken}")
                self._taken += 1
                self.close()
                blocks += [block_from_elements(elements)] if elements else []
                return concatenate([*blocks, all_errors(error)])
            try:
                elements.append(self._checked(element))
            except Exception as error:
                error.add_note(f"{self._where()}, element {self._taken}")
                blocks += [block_from_elements(elements)] if elements else []
                blocks.append(all_errors(error))
                elements = []
            self._taken += 1
        if elements:
            blocks.append(block_from_elements(elements))
        return concatenate(blocks) if blocks else None

    def _start(self) -> Iterator[Any]:
        if self._iterator is None:
            made = self._node.function(*self._node.args)
            try:
                self._iterator = iter(made)
            except TypeError:
                raise TypeError(
                    f"from_generator(): {self._node.function!r} returned a {type(made).__name__}, which cannot be "
                    "iterated over; return a generator, a list or another iterable"
                ) from None
            for _ in range(self._taken):
                next(self._iterator, None)
        return self._iterator

    def _checked(self, element: Any) -> Any:
        spec = self._node.spec
        leaves, treedef = tree.flatten(element)
        # The generator may write into what it yielded when it goes on.
        leaves = [leaf.copy() if isinstance(leaf, np.ndarray) and leaf.flags.writeable else leaf for leaf in leaves]
        if spec is not None and treedef != spec.treedef and spec.treedef == tree.LEAF:
            leaves, treedef = [np.asarray(element)], tree.LEAF
        if element is None or (not leaves and self._treedef is None):
            raise SpecError(f"from_generator(): the generator yielded {element!r}, which has no component")
        if self._treedef is None:
            self._treedef = treedef
        if treedef != self._treedef:
            found = f"the structure {tree.show(treedef)}, not {tree.show(self._treedef)}"
            raise SpecError(f"from_generator(): an element has {found}; yield the same structure each time")
        if spec is None:
            return tree.unflatten(treedef, [component(leaf) for leaf in leaves])
        names = tree.paths(treedef)
        fitted = [_fit(*found) for found in zip(leaves, spec.leaves, names, strict=True)]
        return tree.unflatten(treedef, fitted)

    def _where(self) -> str:
        return f"in from_generator({_name(self._node.function)}), added at {self._node.origin}"

    def get_state(self) -> State:
        return {"taken": self._taken, "ended": self._ended}

    def set_state(self, state: State) -> None:
        self._taken, self._ended = int(state["taken"]), bool(state["ended"])

    def close(self) -> None:
        self._ended = True
        iterator, self._iterator = self._iterator, None
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def _name(function: Callable[..., Any]) -> str:
    """The function's qualified name, the same in every process."""
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def _fit(value: Any, spec: TensorSpec, name: str) -> Any:
    """`value` as the declared dtype, if that loses no kind of information, and of the declared shape."""
    if isinstance(spec.dtype, type):
        found = component(value)
    else:
        raw = np.asarray(value)
        if raw.dtype != spec.dtype and not _may_become(raw.dtype, spec.dtype):
            raise SpecError(f"from_generator(): component{name} is {raw.dtype}, but output_signature says {spec.dtype}")
        found = raw.astype(spec.dtype, copy=False)[()]
    fits = spec_of_value(found)
    if not spec.is_compatible_with(fits):
        raise SpecError(f"from_generator(): component{name} is {fits}, but output_signature says {spec}")
    return found


def _may_become(found: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    numeric = "biufc"
    return found.kind in numeric and wanted.kind in numeric and not (found.kind == "c" and wanted.kind != "c")


def _signature(types: Any, shapes: Any, signature: Any) -> Spec | None:
    if signature is not None:
        if types is not None or shapes is not None:
            raise TypeError("from_generator(): give output_signature, or output_types and output_shapes, not both")
        leaves, treedef = tree.flatten(signature)
        for leaf in leaves:
            if not isinstance(leaf, TensorSpec):
                raise TypeError(f"from_generator(): output_signature holds {leaf!r}; put a TensorSpec in each place")
        return Spec(treedef, tuple(leaves))
    if types is None:
        if shapes is not None:
            raise TypeError("from_generator(): output_shapes needs output_types too; or give output_signature")
        return None
    dtypes, treedef = tree.flatten(types)
    if any(isinstance(dtype, list) for dtype in dtypes):
        raise TypeError("from_generator(): output_types is a list; use a tuple for several components")
    return Spec(
        treedef, tuple(TensorSpec(shape, dtype) for dtype, shape in zip(dtypes, _shapes(shapes, treedef), strict=True))
    )


def _shapes(shapes: Any, treedef: tree.Treedef) -> list[Any]:
    if shapes is None:
        return [None] * treedef.num_leaves
    if treedef == tree.LEAF:
        if not isinstance(shapes, (tuple, list)) or not all(dim is None or isinstance(dim, int) for dim in shapes):
            raise TypeError(f"from_generator(): output_shapes is {shapes!r}; write a shape such as (None, 3)")
        return [shapes]
    found: list[Any] = list(shapes.values()) if isinstance(shapes, dict) else list(shapes)
    if len(found) != treedef.num_leaves:
        raise TypeError(f"from_generator(): {len(found)} output_shapes for {treedef.num_leaves} output_types")
    return found
