"""JSON objects as columns: which spec they have, and whether they fit one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from penstock import tree
from penstock.building import column_from_rows
from penstock.columns import Column, Dense, Varlen
from penstock.spec import Spec, TensorSpec, array_of_list

_SHOWN = 60
_KINDS: dict[type, Any] = {bool: np.bool_, int: np.int64, float: np.float64, str: str}
_ACCEPTED: dict[str, set[type]] = {"b": {bool}, "i": {int}, "u": {int}, "f": {int, float}}
_EMPTY_LIST = TensorSpec((None,), np.float64)
"""What lists are that are all empty."""


class Misfit(Exception):
    """An object that does not fit a spec; the message says where and how."""


def can_be_json(spec: TensorSpec) -> bool:
    """Whether a component of JSON can be of this spec."""
    return spec.dtype is str or (isinstance(spec.dtype, np.dtype) and spec.dtype.kind in _ACCEPTED)


def infer(objects: Sequence[dict[str, Any]]) -> Spec | None:
    """The spec that most is known to fit: of the first object that has one, widened by those after it.

    Whole numbers beside others become float64; lists may have any length.
    """
    found: list[TensorSpec | None] = []
    treedef = None
    for value in objects:
        if _has_nulls(value):
            continue
        leaves, structure = tree.flatten(value)
        try:
            specs = [_spec_of(leaf) for leaf in leaves]
        except (KeyError, ValueError):
            continue
        if treedef is None:
            treedef, found = structure, specs
        elif structure == treedef:
            found = [_widened(old, new) for old, new in zip(found, specs, strict=True)]
    return None if treedef is None or not found else Spec(treedef, tuple(leaf or _EMPTY_LIST for leaf in found))


def why_no_spec(value: Any) -> str:
    """What is said of a line where none of the first objects has a spec: what keeps this one from having one."""
    if not isinstance(value, dict):
        return f"the line is {_shown(value)}, but an object was expected"
    found = "it has no keys" if not value else _without_spec(value, "")
    since = f", since {found}" if found else ""
    return (
        f"no spec was found in the first lines of any file{since}; declare output_signature=, name other keys in "
        "columns=, or map() the lines of from_text() with json.loads"
    )


def _without_spec(value: Any, name: str) -> str | None:
    """The first component that no spec fits, as a clause; None where there is none."""
    if isinstance(value, dict):
        below = (_without_spec(part, f"{name}[{key!r}]") for key, part in value.items())
        return next(filter(None, below), None)
    try:
        _spec_of(value)
    except (KeyError, ValueError):
        return f"{_called(name)} is {_shown(value)}"
    return None


def _has_nulls(value: Any) -> bool:
    # None is structure to `tree`, and would make all rows with a value there misfits.
    return value is None or (isinstance(value, dict) and any(map(_has_nulls, value.values())))


def _spec_of(leaf: Any) -> TensorSpec | None:
    """The spec of a value; None for an empty list, whose dtype is that of the first that is not empty."""
    if type(leaf) is not list:
        return TensorSpec((), _KINDS[type(leaf)])
    array = array_of_list(leaf)
    if not array.size:
        return None
    dtype = type(array.flat[0]) if array.dtype.kind == "O" else array.dtype
    spec = TensorSpec((None,) * array.ndim, dtype)
    if not can_be_json(spec):
        raise ValueError(leaf)
    return spec


def _widened(old: TensorSpec | None, new: TensorSpec | None) -> TensorSpec | None:
    if old is None or new is None:
        other = old or new
        return other if other is None or other.shape else old
    is_wider = old.dtype == np.int64 and new.dtype == np.float64 and old.shape == new.shape
    return new if is_wider else old


class Fitting:
    """Takes objects apart into the components of a spec.

    Args:
        spec: Of dicts, nested or not.
        exact: Whether objects may have no other keys.
    """

    def __init__(self, spec: Spec, exact: bool) -> None:
        self._spec = spec
        self._exact = exact
        self._names = tree.paths(spec.treedef)
        self._template: Any = tree.unflatten(spec.treedef, range(len(spec.leaves)))

    def columns(self, objects: list[Any]) -> list[Column]:
        """A column for each component, one row for each object.

        Raises:
            Misfit: One of them does not fit; says how where there is one only.
        """
        columns: list[Any] = [None] * len(self._spec.leaves)
        self._take_apart(self._template, objects, "", columns)
        return columns

    def _take_apart(self, template: Any, values: list[Any], name: str, columns: list[Any]) -> None:
        if not isinstance(template, dict):
            columns[template] = _column(self._spec.leaves[template], values, name)
            return
        if set(map(type, values)) != {dict}:
            raise Misfit(f"{_called(name)} is {_shown(values[0])}, but an object was expected")
        if self._exact and max(map(len, values)) > len(template):
            more = next(key for value in values for key in value if key not in template)
            raise Misfit(
                f"{_called(name)} has the key {more!r}, which the first objects have not; name what is to be read in "
                "columns=, or declare it in output_signature="
            )
        for key, part in template.items():
            try:
                below = [value[key] for value in values]
            except KeyError:
                raise Misfit(
                    f"{_called(name)} has no {key!r}; leave it out with columns=, or fill it in beforehand"
                ) from None
            self._take_apart(part, below, f"{name}[{key!r}]", columns)


def _column(spec: TensorSpec, values: list[Any], name: str) -> Column:
    try:
        if spec.shape == ():
            array = _scalars(spec, values)
            return Dense(array, spec.dtype)
        if set(map(type, values)) != {list}:
            raise TypeError
        if spec.shape is not None and len(spec.shape) == 1:
            return _lists(spec, values)
        return column_from_rows([_array(spec, value) for value in values])
    except (TypeError, ValueError, OverflowError):
        raise Misfit(
            f"{_called(name)} is {_shown(values[0])}, but the spec says {spec}; declare another output_signature=, or "
            "leave it out with columns="
        ) from None


def _scalars(spec: TensorSpec, values: list[Any]) -> Any:
    kinds = set(map(type, values))
    if spec.dtype is str:
        if kinds - {str}:
            raise TypeError
        array = np.empty(len(values), object)
        array[:] = values
        return array
    assert isinstance(spec.dtype, np.dtype)
    if kinds - _ACCEPTED[spec.dtype.kind]:
        raise TypeError
    return np.array(values, spec.dtype)


def _lists(spec: TensorSpec, values: list[list[Any]]) -> Column:
    assert spec.shape is not None
    lengths = list(map(len, values))
    size = spec.shape[0]
    if size is not None and set(lengths) != {size}:
        raise ValueError
    array = _scalars(spec, list(chain.from_iterable(values)))
    if len(set(lengths)) == 1:
        return Dense(array.reshape(len(values), lengths[0]), spec.dtype)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    if spec.dtype is str:
        rows = zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        return column_from_rows([array[start:stop] for start, stop in rows])
    return Varlen(array, offsets)


def _array(spec: TensorSpec, value: list[Any]) -> Any:
    """One list of lists as an array of the spec's dtype and shape."""
    array = array_of_list(value)
    flat = array.ravel().tolist()
    found = _scalars(spec, flat).reshape(array.shape)
    if not spec.is_compatible_with(TensorSpec(found.shape, spec.dtype)):
        raise ValueError
    return found


def _called(name: str) -> str:
    return f"component{name}" if name else "the line"


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
