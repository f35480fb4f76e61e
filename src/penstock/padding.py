"""What batches are padded to, and with what: what `padded_batch` and the steps that batch by length were asked for."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from penstock import calls, tree
from penstock.errors import SpecError
from penstock.node import Node
from penstock.record import record
from penstock.spec import DType, Shape, Spec, TensorSpec


@record(eq=True)
class Padding:
    """What was asked for: shapes and values as the user gave them, since the structure of elements may come later.

    Attributes:
        method: The public method, for errors.
        shapes: `padded_shapes`.
        values: `padding_values`.
        filler: The size of each axis that is None in `shapes`, or without those of the first axis; None for the
            largest of the batch.
    """

    method: str
    shapes: Any = None
    values: Any = None
    filler: int | None = None

    def check(self, node: Node) -> None:
        """Refuse what does not fit the elements of `node`, as far as these are known.

        Raises:
            TypeError: A size is no whole number, or a value is not of its component's dtype.
            ValueError: Structures differ.
            SpecError: Numbers of axes differ, or a size is too small for what is known.
        """
        spec = None if self.shapes is None and self.values is None else node.known_spec()
        if spec is None:
            return
        for part, leaf in zip(self.components(spec.treedef), spec.leaves, strict=True):
            if leaf.shape is not None:
                part.spec(leaf)
            if leaf.shape != ():
                part.fill(leaf.dtype)

    def arguments(self) -> list[str]:
        """What was asked for as it stands in a call."""
        shapes = [] if self.shapes is None else [f"padded_shapes={self.shapes!r}"]
        return shapes if self.values is None else [*shapes, f"padding_values={self.values!r}"]

    def spec(self, spec: Spec, rows: int | None) -> Spec:
        """The spec of `rows` such elements; None where the number varies."""
        parts = zip(self.components(spec.treedef), spec.leaves, strict=True)
        leaves = [part.spec(leaf) for part, leaf in parts]
        stacked = [TensorSpec(None if leaf.shape is None else (rows, *leaf.shape), leaf.dtype) for leaf in leaves]
        return Spec(spec.treedef, tuple(stacked))

    def components(self, treedef: tree.Treedef) -> list[PaddedComponent]:
        """How each component of elements of this structure is padded."""
        count = treedef.num_leaves
        shapes = [None] * count if self.shapes is None else self._leaves("padded_shapes", self.shapes, treedef)
        if self.values is None or tree.flatten(self.values)[1] == tree.LEAF:
            values = [self.values] * count
        else:
            values = self._leaves("padding_values", self.values, treedef)
        return [
            PaddedComponent(self.method, name, self._shape(shape), value, self.filler)
            for name, shape, value in zip(tree.paths(treedef), shapes, values, strict=True)
        ]

    def _leaves(self, name: str, given: Any, treedef: tree.Treedef) -> list[Any]:
        try:
            return treedef.flatten_up_to(given)
        except (TypeError, ValueError):
            raise ValueError(
                f"{self.method}(): {name} {given!r} is not of the elements' structure {tree.show(treedef)}; "
                "give an entry for each component"
            ) from None

    def _shape(self, given: Any) -> Shape | None:
        if given is None:
            return None
        if not isinstance(given, (tuple, list, np.ndarray)) or any(isinstance(size, (tuple, list)) for size in given):
            raise ValueError(
                f"{self.method}(): padded_shapes is not of the elements' structure: it must hold a sequence of sizes "
                f"for each component, such as [None], but one is {given!r}"
            )
        return tuple(
            None if size is None or size == -1 else calls.count(self.method, "a size in padded_shapes", size, 0)
            for size in given
        )


@record(eq=True)
class PaddedComponent:
    """How one component is padded.

    Attributes:
        method: The public method, for errors.
        name: The component's, "" for a bare one.
        shape: What each axis is padded to: a size, or None; None for no such wish.
        value: What stands where nothing else does; None for zero, False or "".
        filler: The size of each axis that is None in `shape`, or without that of the first axis; None for the largest
            of the batch.
    """

    method: str
    name: str
    shape: Shape | None
    value: Any
    filler: int | None

    def spec(self, leaf: TensorSpec) -> TensorSpec:
        """The spec of an element of `leaf` once it is padded."""
        if leaf.shape is None:
            return leaf if self.shape is None else TensorSpec(self.shape, leaf.dtype)
        self.target(tuple(0 if size is None else size for size in leaf.shape))
        wanted = self._wanted(len(leaf.shape))
        if self.shape is None:
            wanted = tuple(own if size is None else size for own, size in zip(leaf.shape, wanted, strict=True))
        return TensorSpec(wanted, leaf.dtype)

    def _wanted(self, rank: int) -> Shape:
        """The size of each axis; None for the largest of the batch."""
        if self.shape is None:
            return (self.filler, *[None] * (rank - 1)) if rank else ()
        return tuple(self.filler if size is None else size for size in self.shape)

    def target(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """The shape that rows with these largest sizes are padded to.

        Raises:
            SpecError: They do not fit what was asked for.
        """
        if self.shape is None and self.filler is None:
            return sizes
        wanted = self._wanted(len(sizes))
        if len(wanted) != len(sizes):
            raise SpecError(
                f"{self.method}(): component{self.name} has {len(sizes)} axes, but padded_shapes has {wanted}; "
                "give a size, or None, for each axis"
            )
        found = tuple(own if size is None else size for own, size in zip(sizes, wanted, strict=True))
        if any(own > size for own, size in zip(sizes, found, strict=True)):
            raise SpecError(
                f"{self.method}(): component{self.name} has elements of up to {sizes}, more than the shape {found} "
                "to pad to; cut them with map() first, or give None for that axis"
            )
        return found

    def fill(self, dtype: DType) -> Any:
        """What stands where nothing else does.

        Raises:
            TypeError: The value that was given is not of this dtype.
        """
        if dtype is str or dtype is bytes:
            kind = dtype
            if self.value is None or type(self.value) is kind:
                return kind() if self.value is None else self.value
        elif not isinstance(dtype, np.dtype):
            return self.value
        elif self.value is None:
            return _zero(dtype)
        elif _fits(self.value, dtype):
            return np.asarray(self.value).astype(dtype)[()]
        named = getattr(dtype, "__name__", dtype)
        raise TypeError(
            f"{self.method}(): the padding value {self.value!r} does not fit component{self.name} of dtype {named}; "
            f"give one of that dtype, or None for {'an empty text' if isinstance(dtype, type) else 'zero'}"
        )


@functools.cache
def _zero(dtype: np.dtype[Any]) -> Any:
    return np.zeros((), dtype)[()]


def _fits(value: Any, dtype: np.dtype[Any]) -> bool:
    """Whether a value is of this dtype, or a number of Python that it holds exactly enough."""
    if isinstance(value, (np.generic, np.ndarray)):
        return bool(value.dtype == dtype and value.ndim == 0)
    if isinstance(value, bool) or dtype.kind == "b":
        return isinstance(value, bool) and dtype.kind == "b"
    if isinstance(value, int) and dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return int(limits.min) <= value <= int(limits.max)
    kinds = {int: "fcV", float: "fcV", complex: "c"}
    return dtype.kind in kinds.get(type(value), "")
