"""Sources that hold their elements in memory: `from_tensor_slices`, `from_tensors`, `from_list`."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import tree
from penstock.block import Block, block_from_components, block_from_elements
from penstock.building import component, is_masked
from penstock.columns import (
    Column,
    Dense,
    Sparse,
    SparseTensor,
)
from penstock.errors import SpecError
from penstock.node import Indices, Source
from penstock.record import record
from penstock.spec import Spec, TensorSpec, array_of_like, array_of_list, spec_of_value, unify

if TYPE_CHECKING:
    from penstock.dataset import Dataset

_ONE_SPEC = (float, bool, complex, str, bytes)
"""Classes whose instances all have the same spec."""


def from_tensor_slices(cls: type[Dataset[Any]], tensors: Any) -> Dataset[Any]:
    """Make one element of each row of `tensors`, along the first axis of every component.

    >>> ds = Dataset.from_tensor_slices(([1, 2, 3], ["a", "b", "c"]))
    >>> [(int(number), text) for number, text in ds]
    [(1, 'a'), (2, 'b'), (3, 'c')]

    The arrays are read where they are, never copied as a whole; do not change them while the dataset is in use.

    Args:
        tensors: An array, or nested tuples and dicts of arrays, shape (n, ...) each; lists become arrays. A pandas
            DataFrame counts as a dict of its columns.

    Spec: shape (n, *s) becomes s; dtype is kept, text becomes `str`.
    Cardinality: n.
    Order: that of the rows.  Random access: yes.
    Memory: none beyond `tensors`.  State: an index.

    Raises:
        ValueError: There is no component, one has no axis, or their first axes differ; names the components.

    See also: from_tensors, from_list.
    """
    if hasattr(tensors, "columns") and hasattr(tensors, "iloc"):
        tensors = {str(name): tensors[name].to_numpy() for name in tensors.columns}
    leaves, treedef = tree.flatten(tensors)
    if not leaves:
        raise ValueError("from_tensor_slices(): there is no component to slice; pass at least one array")
    names = [f"component{path or ''}" for path in tree.paths(treedef)]
    columns = [_column(leaf, name) for leaf, name in zip(leaves, names, strict=True)]
    sizes = [len(column) for column in columns]
    if len(set(sizes)) > 1:
        found = ", ".join(f"{name} has {size} rows" for name, size in zip(names, sizes, strict=True))
        raise ValueError(f"from_tensor_slices(): all components need the same first axis, but {found}")
    return cls(TensorSlices(Block(treedef, columns, sizes[0]), "from_tensor_slices"))


def from_tensors(cls: type[Dataset[Any]], tensors: Any) -> Dataset[Any]:
    """Make one single element of `tensors`.

    >>> [element.tolist() for element in Dataset.from_tensors([1, 2, 3])]
    [[1, 2, 3]]

    Args:
        tensors: The element: an array, number, text or nested tuples and dicts of them.

    Spec: that of `tensors`.
    Cardinality: 1.
    Order: of one.  Random access: yes.
    Memory: none beyond `tensors`.  State: an index.

    Raises:
        ValueError: `tensors` has no component, or a list in it is not rectangular.

    See also: from_tensor_slices, from_list.
    """
    leaves, treedef = tree.flatten(tensors)
    if not leaves:
        raise ValueError("from_tensors(): there is no component; pass at least one array")
    try:
        element = tree.unflatten(treedef, [component(leaf) for leaf in leaves])
    except ValueError as error:
        raise type(error)(f"from_tensors(): {error}") from None
    return cls(TensorSlices(block_from_elements([element]), "from_tensors"))


def from_list(cls: type[Dataset[Any]], elements: list[Any]) -> Dataset[Any]:
    """Make one element of each entry of a list; shapes may differ from entry to entry.

    >>> [element.tolist() for element in Dataset.from_list([[1], [2, 3]])]
    [[1], [2, 3]]

    Args:
        elements: At least one element; all of one structure and of the same dtypes.

    Spec: the most general one that all elements fit.
    Cardinality: the list's length.
    Order: that of the list.  Random access: yes.
    Memory: the elements as columns.  State: an index.

    Raises:
        TypeError: `elements` is no list.
        ValueError: It is empty.
        SpecError: Structures differ; names the entry.

    See also: from_tensor_slices.
    """
    if not isinstance(elements, list):
        raise TypeError(f"from_list(): elements must be a list, but is a {type(elements).__name__}; use list(...)")
    if not elements:
        raise ValueError("from_list(): the list is empty; pass at least one element")
    flat = [tree.flatten(element) for element in elements]
    treedef = flat[0][1]
    for at, (_, other) in enumerate(flat):
        if other is not treedef and other != treedef:
            found = f"entry {at} has the structure {tree.show(other)}, entry 0 has {tree.show(treedef)}"
            raise SpecError(f"from_list(): {found}; give all entries one structure")
    components = [[leaves[place] for leaves, _ in flat] for place in range(treedef.num_leaves)]
    specs = tuple(_unified_spec(values) for values in components)
    return cls(TensorSlices(block_from_components(treedef, components, len(flat)), "from_list", Spec(treedef, specs)))


def _form(value: Any, at: int) -> Any:
    """What components with the same spec have in common, told without making that; `at` where only a look tells."""
    kind = type(value)
    if kind is np.ndarray and value.dtype.kind != "O":
        return value.shape, value.dtype
    if kind in _ONE_SPEC or (kind is int and -(2**63) <= value < 2**63):
        return kind
    return at


def _unified_spec(values: list[Any]) -> TensorSpec:
    """The narrowest spec that all these components fit."""
    first_of: dict[Any, int] = {}
    for at, value in enumerate(values):
        first_of.setdefault(_form(value, at), at)
    found = spec_of_value(values[0])
    for at in first_of.values():
        spec = spec_of_value(values[at])
        wider = unify(found, spec)
        if wider is None:
            raise SpecError(
                f"from_list(): entry {at} has dtype {spec.dtype} where those before have {found.dtype}; "
                "convert the entries to one dtype"
            )
        found = wider
    return found


@record
class TensorSlices(Source):
    """Rows that lie in memory."""

    block: Block = field(repr=False)
    method: str
    spec: Spec | None = None

    def known_spec(self) -> Spec | None:
        return self.spec or self.block.spec()

    def cardinality(self) -> int:
        return self.block.rows

    def gather(self, indices: Indices) -> Block:
        return self.block.take(indices)

    def slice(self, start: int, stop: int) -> Block | None:
        part = self.block.slice(start, stop)
        # Not fresh, whoever made the block: these rows are read again in each epoch.
        return Block(part.treedef, part.columns, part.rows)

    def signature(self) -> str:
        return f"{self.method}({self.block.rows} elements of {_show(self.known_spec())})"


def _column(leaf: Any, name: str) -> Column:
    if isinstance(leaf, SparseTensor):
        return _sparse_rows(leaf)
    if is_masked(type(leaf)):
        raise ValueError(f"from_tensor_slices(): {name} is a masked array; say what stands there with .filled(value)")
    try:
        array = array_of_list(leaf) if isinstance(leaf, list) else array_of_like(leaf)
    except ValueError as error:
        raise ValueError(f"from_tensor_slices(): {name}: {error}") from None
    if array.ndim == 0:
        raise ValueError(f"from_tensor_slices(): {name} is {leaf!r}, which has no axis to slice; use from_tensors")
    if array.dtype.kind in "UST":
        kind = bytes if array.dtype.kind == "S" else str
        return Dense(array.astype(object), kind)
    if array.dtype.kind == "O":
        kinds = set(map(type, array.flat))
        return Dense(array, kinds.pop() if kinds in ({str}, {bytes}) else object)
    return Dense(array)


def _sparse_rows(leaf: SparseTensor) -> Sparse:
    order = np.argsort(leaf.indices[:, 0], kind="stable")
    offsets = np.searchsorted(leaf.indices[order, 0], np.arange(leaf.shape[0] + 1))
    return Sparse(leaf.indices[order, 1:], leaf.values[order], offsets.astype(np.int64), leaf.shape[1:])


def _show(spec: Spec | None) -> str:
    if spec is None:
        return "unknown spec"
    return str(spec.as_element()).replace("TensorSpec", "")
