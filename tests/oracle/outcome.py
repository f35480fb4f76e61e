"""What a pipeline shows of itself on either side, in terms that can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

import penstock

LIMIT = 40
"""Elements that are looked at; of endless pipelines, the first so many."""

KINDS_OF_ERRORS: tuple[tuple[type[Exception], type[Exception]], ...] = (
    (tf.errors.InvalidArgumentError, ValueError),
    (ValueError, ValueError),
    (TypeError, TypeError),
)
"""TensorFlow's class for a bad argument counts as Python's."""


@dataclass(frozen=True)
class Failed:
    """An error, at the call or in the place of an element.

    Attributes:
        kind: ValueError, TypeError, or whatever else it was.
    """

    kind: type[Exception]

    @classmethod
    def of(cls, error: Exception) -> Failed:
        return cls(next((plain for found, plain in KINDS_OF_ERRORS if isinstance(error, found)), type(error)))


@dataclass(frozen=True)
class Component:
    """What `element_spec` says of one component; dtype "string" stands for text and bytes."""

    shape: tuple[int | None, ...] | None
    dtype: str


def attempt(build: Callable[..., Any], *arguments: Any) -> Any:
    """What `build` returns, or how it failed."""
    try:
        return build(*arguments)
    except Exception as error:
        return Failed.of(error)


def elements(dataset: Any, limit: int = LIMIT) -> list[Any]:
    """Up to `limit` elements, a `Failed` in the place of each error."""
    return observe(iter(dataset.as_numpy_iterator()), limit)


def observe(iterator: Iterator[Any], limit: int = LIMIT) -> list[Any]:
    """Up to `limit` items; iteration goes on after an error."""
    found: list[Any] = []
    while len(found) < limit:
        try:
            found.append(next(iterator))
        except StopIteration:
            break
        except Exception as error:
            found.append(Failed.of(error))
    return found


def spec(dataset: Any) -> Any:
    """`element_spec` with a `Component` in each place."""
    return _plain(dataset.element_spec)


def cardinality(dataset: Any) -> int:
    """The cardinality as an int."""
    return int(dataset.cardinality())


def _plain(found: Any) -> Any:
    if isinstance(found, penstock.TensorSpec):
        return Component(found.shape, "string" if found.dtype in (str, bytes) else np.dtype(found.dtype).name)
    if isinstance(found, tf.TensorSpec):
        return Component(None if found.shape.rank is None else tuple(found.shape.as_list()), found.dtype.name)
    if type(found).__name__ == "NoneTensorSpec":
        return None
    return rebuilt(found, _plain) if is_structure(found) else found


def is_structure(value: Any) -> bool:
    """Whether `value` is a tuple, named tuple, dict or attrs object."""
    return isinstance(value, (tuple, dict)) or hasattr(type(value), "__attrs_attrs__")


def parts(structure: Any) -> dict[Any, Any]:
    """The items of a structure by index, key or field."""
    if isinstance(structure, dict):
        return dict(structure)
    if isinstance(structure, tuple):
        return dict(enumerate(structure))
    return {field.name: getattr(structure, field.name) for field in type(structure).__attrs_attrs__}


def rebuilt(structure: Any, change: Callable[[Any], Any]) -> Any:
    """The structure with each item replaced by what `change` makes of it."""
    items = {key: change(item) for key, item in parts(structure).items()}
    if isinstance(structure, dict):
        return type(structure)(items)
    if hasattr(structure, "_fields") or not isinstance(structure, tuple):
        return type(structure)(*items.values())
    return tuple(items.values())


def difference(ours: Any, theirs: Any, literals: bool = False) -> str:
    """How an element or spec of penstock differs from TensorFlow's; "" where it does not.

    Args:
        ours: Penstock's; text as `str` stands for TensorFlow's bytes.
        theirs: TensorFlow's.
        literals: The numbers were Python's own, which become int64 and float64 here, int32 and float32 there.
    """
    if is_structure(ours) or is_structure(theirs):
        return _structures_differ(ours, theirs, literals)
    if isinstance(ours, (np.ndarray, np.generic)) and isinstance(theirs, (np.ndarray, np.generic)):
        return _arrays_differ(ours, theirs, literals)
    if isinstance(ours, Component) and isinstance(theirs, Component):
        same = ours.shape == theirs.shape and _same_dtype(ours.dtype, theirs.dtype, literals)
        return "" if same else f"{ours}, not {theirs}"
    plain = ours.encode() if isinstance(ours, str) else ours
    return "" if type(plain) is type(theirs) and plain == theirs else f"{ours!r}, not {theirs!r}"


def _structures_differ(ours: Any, theirs: Any, literals: bool) -> str:
    if type(ours) is not type(theirs):
        return f"a {type(ours).__name__} {ours!r}, not a {type(theirs).__name__} {theirs!r}"
    mine, others = parts(ours), parts(theirs)
    if list(mine) != list(others):
        return f"items {list(mine)}, not {list(others)}"
    told = {key: difference(mine[key], others[key], literals) for key in mine}
    return "; ".join(f"in {key!r}: {text}" for key, text in told.items() if text)


def _arrays_differ(ours: Any, theirs: Any, literals: bool) -> str:
    if isinstance(ours, np.ndarray) is not isinstance(theirs, np.ndarray):
        return f"a {type(ours).__name__}, not a {type(theirs).__name__}"
    if ours.shape != theirs.shape or not _same_dtype(ours.dtype.name, theirs.dtype.name, literals):
        return f"shape {ours.shape} and {ours.dtype}, not {theirs.shape} and {theirs.dtype}"
    if ours.dtype.kind == "O":
        told = [difference(*pair, literals) for pair in zip(ours.flat, theirs.flat, strict=True)]
        return next((text for text in told if text), "")
    same = np.array_equal(ours, theirs, equal_nan=ours.dtype.kind in "fc")
    return "" if same else f"{ours!r}, not {theirs!r}"


def _same_dtype(ours: str, theirs: str, literals: bool) -> bool:
    widened = {"int32": "int64", "float32": "float64"}.get(theirs, theirs) if literals else theirs
    return ours == widened
