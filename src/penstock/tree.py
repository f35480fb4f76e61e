"""Nested structures to flat lists of components, and back.

Tuples, named tuples, dicts, dataclasses, attrs classes and None are structure; everything else is a component, lists
included. Dicts keep their insertion order; two dicts with the same keys have the same structure.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

import optree

_NAMESPACE = "penstock"
_registered: set[type] = set()
_components: set[type] = set()
"""Classes that were looked at, and are no structure."""

Treedef = optree.PyTreeSpec

LEAF: Treedef = optree.tree_structure(object(), namespace=_NAMESPACE)  # type: ignore[arg-type]
"""The structure of a bare component."""


def flatten(element: Any) -> tuple[list[Any], Treedef]:
    """Split `element` into its components and its structure.

    >>> flatten((1, {"b": 2, "a": [3, 4]}))[0]
    [1, [3, 4], 2]
    """
    if type(element) in _components:
        return [element], LEAF
    leaves, treedef = optree.tree_flatten(element, is_leaf=_is_list, namespace=_NAMESPACE)
    for leaf in leaves:
        if type(leaf) not in _components and _register(type(leaf)):
            return flatten(element)
    return leaves, treedef


def unflatten(treedef: Treedef, leaves: Iterable[Any]) -> Any:
    """Put components back into their structure; the inverse of `flatten`."""
    return optree.tree_unflatten(treedef, leaves)


def paths(treedef: Treedef) -> list[str]:
    """Name each component the way a user would write it: `[0]`, `["image"]`, `.label`; "" for a bare one."""
    accessors = optree.treespec_accessors(treedef)
    return [accessor.codify("") for accessor in accessors]


def show(treedef: Treedef) -> str:
    """A structure in a line, `*` for each component.

    >>> show(flatten((1, {"a": 2}))[1])
    "(*, {'a': *})"
    """
    return str(treedef).removeprefix("PyTreeSpec(").removesuffix(")").removesuffix(f", namespace={_NAMESPACE!r}")


def tuple_of(children: Iterable[Treedef]) -> Treedef:
    """The structure of a tuple whose items have the structures `children`."""
    return optree.treespec_tuple(children, namespace=_NAMESPACE)


class Form(enum.Enum):
    """The kinds of structure that are worth a way of their own."""

    BARE = "one component"
    FLAT_TUPLE = "a plain tuple of bare components, the commonest element by far"
    TUPLE = "any other plain tuple"
    OTHER = "anything else"


@lru_cache(maxsize=256)
def form(treedef: Treedef) -> Form:
    """Which kind of structure this is. Elements that are exactly tuples reach user functions as several arguments."""
    if treedef == LEAF:
        return Form.BARE
    if treedef.type is not tuple:
        return Form.OTHER
    return Form.FLAT_TUPLE if treedef.num_nodes == treedef.num_leaves + 1 else Form.TUPLE


def children(treedef: Treedef) -> list[Treedef]:
    """The structures one level down."""
    return treedef.children()


def own_classes(treedef: Treedef) -> list[type]:
    """The dataclasses and attrs classes that are structure in `treedef`."""
    found = [] if treedef.type is None or treedef.type not in _registered else [treedef.type]
    return found + [cls for child in treedef.children() for cls in own_classes(child)]


def make_structure(classes: Iterable[type]) -> None:
    """Let dataclasses and attrs classes be structure, before the first instance of one is seen."""
    for cls in classes:
        _register(cls)


def _is_list(node: Any) -> bool:
    return type(node) is list


def _register(cls: type) -> bool:
    """Make a dataclass or attrs class structure, on first sight; whether that changed anything."""
    if cls in _registered:
        return False
    names: list[str] | None = None
    if dataclasses.is_dataclass(cls):
        names = [field.name for field in dataclasses.fields(cls) if field.init]
    elif hasattr(cls, "__attrs_attrs__"):
        names = [field.alias for field in cls.__attrs_attrs__ if field.init]
    if names is None or getattr(cls, "__penstock_component__", False) or issubclass(cls, type):
        _components.add(cls)
        return False
    _registered.add(cls)
    fields = tuple(names)
    optree.register_pytree_node(
        cast(Any, cls),
        lambda instance: ([getattr(instance, name) for name in fields], None, fields),
        cast(Any, lambda _, values: cls(**dict(zip(fields, values, strict=True)))),
        path_entry_type=optree.GetAttrEntry,
        namespace=_NAMESPACE,
    )
    return True
