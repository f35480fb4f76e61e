"""Shape and dtype of each component, and the arithmetic that transformations do on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from penstock import tree
from penstock.errors import SpecError

_NOT_RECTANGULAR = (
    "a list becomes one array, but this one is not rectangular: its rows differ in length; "
    "pad its rows, or use from_list() with an entry for each element"
)

_NO_ARRAY_LIKES = (np.ndarray, np.generic, int, float, complex, str, bytes, list, tuple, dict)
"""Arrays themselves, text, which has a buffer too, and what is met often and is told apart sooner so."""

_MAKE_ARRAYS = (np.ndarray, np.generic, int, float, complex, list, tuple)

Shape = tuple[int | None, ...]
DType = np.dtype[Any] | type


@dataclass(frozen=True, slots=True, init=False)
class TensorSpec:
    """Shape and dtype of one component.

    >>> TensorSpec((None, 28, 28), "float32")
    TensorSpec((None, 28, 28), float32)

    Args:
        shape: One entry per axis, None where the size varies; None alone for an unknown number of axes.
        dtype: Anything NumPy takes as a numeric dtype, or `str`, `bytes`, `object`.
    """

    __penstock_component__: ClassVar[bool] = True
    """A component, though a dataclass, where specs stand in the structure of an element."""

    shape: Shape | None
    dtype: DType

    def __init__(self, shape: Iterable[int | None] | None, dtype: Any = "float32") -> None:
        dims = None if shape is None else tuple(None if dim is None or dim == -1 else int(dim) for dim in shape)
        object.__setattr__(self, "shape", dims)
        object.__setattr__(self, "dtype", canonical_dtype(dtype))

    def __repr__(self) -> str:
        return f"TensorSpec({self.shape}, {getattr(self.dtype, '__name__', self.dtype)})"

    def is_compatible_with(self, value: TensorSpec) -> bool:
        """Whether every element that fits `value` fits this spec too."""
        if self.dtype != value.dtype:
            return False
        if self.shape is None:
            return True
        if value.shape is None or len(self.shape) != len(value.shape):
            return False
        return all(mine is None or mine == theirs for mine, theirs in zip(self.shape, value.shape, strict=True))


@dataclass(frozen=True, slots=True)
class Spec:
    """Spec of a whole element: its structure, and one `TensorSpec` (or `DatasetSpec`) per component."""

    treedef: tree.Treedef
    leaves: tuple[TensorSpec, ...]

    def as_element(self) -> Any:
        """The structure with a `TensorSpec` in each place, as `element_spec` shows it."""
        return tree.unflatten(self.treedef, self.leaves)

    def map_leaves(self, change: Any) -> Spec:
        """A spec of the same structure with `change` applied to each component."""
        return Spec(self.treedef, tuple(change(leaf) for leaf in self.leaves))


def canonical_dtype(dtype: Any) -> DType:
    """`str`, `bytes` and `object` as they are; NumPy's text dtypes as those; everything else as `np.dtype`."""
    if dtype is str or dtype is bytes or dtype is object:
        plain: type = dtype
        return plain
    found: np.dtype[Any] = np.dtype(dtype)
    texts: dict[str, DType] = {"U": str, "T": str, "S": bytes, "O": object}
    return texts.get(found.kind, found)


def spec_of_element(element: Any) -> Spec:
    """The spec of one element, as `batch` would see it."""
    leaves, treedef = tree.flatten(element)
    return Spec(treedef, tuple(spec_of_value(leaf) for leaf in leaves))


def spec_of_value(value: Any) -> TensorSpec:
    """The spec of one component."""
    if isinstance(value, (str, bytes)):
        return TensorSpec((), str if isinstance(value, str) else bytes)
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind != "O":
        return TensorSpec(value.shape, value.dtype)
    if isinstance(value, np.ndarray):
        return TensorSpec(value.shape, _object_dtype(value))
    if isinstance(value, (np.generic, int, float, complex, list)) or is_array_like(value):
        array = array_of_list(value) if isinstance(value, list) else array_of_like(value)
        return TensorSpec(array.shape, _object_dtype(array))
    return TensorSpec((), object)


def is_array_like(value: Any) -> bool:
    """Whether a value stands for an array, though it is none: it says so to NumPy, has a buffer, or is a `range`.

    >>> [is_array_like(value) for value in (range(3), bytearray(b"ab"), b"ab", 1, object())]
    [True, True, False, False, False]

    Tables do not, which would lose the names of their columns, nor images of Pillow, whose methods the next function
    may call.
    """
    if isinstance(value, _NO_ARRAY_LIKES):
        return False
    if isinstance(value, range):
        return True
    if hasattr(value, "__array__"):
        return not hasattr(value, "columns")
    try:
        with memoryview(value):
            return True
    except (TypeError, ValueError, BufferError):  # it has none, or no longer
        return False


def array_of_like(value: Any) -> np.ndarray[Any, Any]:
    """The array that an array-like, or a number, stands for; over its memory where that can be."""
    return np.arange(value.start, value.stop, value.step) if isinstance(value, range) else np.asarray(value)


def array_of_list(value: list[Any]) -> np.ndarray[Any, Any]:
    """The one array that a list stands for; text and things that are no numbers as objects.

    >>> array_of_list([[1, 2], [3, 4]]).shape, array_of_list(["a", "bc"]).dtype
    ((2, 2), dtype('O'))

    Raises:
        ValueError: It is not rectangular, holds dicts or sets, or text beside something else.
    """
    first: Any = value
    while isinstance(first, (list, tuple)) and len(first):
        first = first[0]
    if isinstance(first, (dict, set, frozenset)):
        raise ValueError(
            f"a list becomes one array and cannot hold a {type(first).__name__}; "
            "use from_list() with an entry for each element, or a dict of lists"
        )
    if isinstance(first, (str, bytes)):
        return _array_of_text(value)
    if not isinstance(first, _MAKE_ARRAYS) and not is_array_like(first):
        # One by one, since NumPy looks into all that has a length: datasets too.
        array = np.empty(len(value), object)
        array[:] = value
        return array
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(_NOT_RECTANGULAR) from None
    if array.dtype.kind in "US":
        return _array_of_text(value)
    return array


def _array_of_text(value: list[Any]) -> np.ndarray[Any, Any]:
    # As objects from the start: NumPy's own text would lose zero bytes at the end.
    array = np.array(value, object)
    kinds = set(map(type, array.flat))
    if list in kinds or tuple in kinds:
        raise ValueError(_NOT_RECTANGULAR)
    for kind in (str, bytes):
        if kinds == {kind}:
            return array
        if all(issubclass(found, kind) for found in kinds):
            array.flat[:] = [kind(item) for item in array.flat]
            return array
    names = sorted(found.__name__ for found in kinds)
    raise ValueError(
        f"a list becomes one array, but this one holds {' and '.join(names)}; use a tuple of two components"
    )


def batched(leaf: TensorSpec, rows: int | None) -> TensorSpec:
    """The spec of `rows` such components stacked; None where the number varies."""
    return TensorSpec(None if leaf.shape is None else (rows, *leaf.shape), leaf.dtype)


def unbatched(leaf: TensorSpec) -> TensorSpec:
    """The spec of one row of a stacked component.

    Raises:
        SpecError: The component has no leading axis.
    """
    if leaf.shape == ():
        raise SpecError("unbatch(): a component is a scalar and has no axis to split; batch() first, or drop it")
    return TensorSpec(None if leaf.shape is None else leaf.shape[1:], leaf.dtype)


def unify(left: TensorSpec, right: TensorSpec) -> TensorSpec | None:
    """The narrowest spec that both fit, or None where the dtypes differ."""
    if left.dtype != right.dtype:
        return None
    if left.shape is None or right.shape is None or len(left.shape) != len(right.shape):
        return TensorSpec(None, left.dtype)
    pairs = zip(left.shape, right.shape, strict=True)
    return TensorSpec(tuple(a if a == b else None for a, b in pairs), left.dtype)


def _object_dtype(array: np.ndarray[Any, Any]) -> DType:
    if array.dtype.kind != "O" or array.size == 0:
        return canonical_dtype(array.dtype)
    kinds = {type(item) for item in array.flat}
    return kinds.pop() if kinds in ({str}, {bytes}) else object
