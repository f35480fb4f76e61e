"""Nested structures to flat lists of components, and back.

Tuples, named tuples, dicts, dataclasses, attrs classes and None are structure; everything else is a component, lists
included. Dicts keep their insertion order; two dicts with the same keys have the same structure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, cast

import optree

_NAMESPACE = "penstock"
_registered: set[type] = set()

Treedef = optree.PyTreeSpec

LEAF: Treedef = optree.tree_structure(object(), namespace=_NAMESPACE)  # type: ignore[arg-type]
"""The structure of a bare component."""


def flatten(element: Any) -> tuple[list[Any], Treedef]:
    """Split `element` into its components and its structure.

    >>> flatten((1, {"b": 2, "a": [3, 4]}))[0]
    [1, [3, 4], 2]
    """
    leaves, treedef = optree.tree_flatten(element, is_leaf=_is_list, namespace=_NAMESPACE)
    if any(_register(type(leaf)) for leaf in leaves):
        return flatten(element)
    return leaves, treedef


def unflatten(treedef: Treedef, leaves: Iterable[Any]) -> Any:
    """Put components back into their structure; the inverse of `flatten`."""
    return optree.tree_unflatten(treedef, leaves)


def paths(treedef: Treedef) -> list[str]:
    """Name each component the way a user would write it: `[0]`, `["image"]`, `.label`; "" for a bare one."""
    accessors = optree.treespec_accessors(treedef)
    return [accessor.codify("") for accessor in accessors]


def tuple_of(children: Iterable[Treedef]) -> Treedef:
    """The structure of a tuple whose items have the structures `children`."""
    return optree.treespec_tuple(children, namespace=_NAMESPACE)


def is_flat_tuple(treedef: Treedef) -> bool:
    """Whether `treedef` is a plain tuple of bare components, the commonest element by far."""
    return treedef.type is tuple and treedef.num_nodes == treedef.num_leaves + 1


def is_tuple(treedef: Treedef) -> bool:
    """Whether an element is exactly a tuple, which user functions receive as several arguments."""
    return treedef.type is tuple


def children(treedef: Treedef) -> list[Treedef]:
    """The structures one level down."""
    return treedef.children()


def _is_list(node: Any) -> bool:
    return type(node) is list


def _register(cls: type) -> bool:
    """Make a dataclass or attrs class structure, on first sight; whether that changed anything."""
    if cls in _registered or issubclass(cls, type):
        return False
    names: list[str] | None = None
    if dataclasses.is_dataclass(cls):
        names = [field.name for field in dataclasses.fields(cls) if field.init]
    elif hasattr(cls, "__attrs_attrs__"):
        names = [field.alias for field in cls.__attrs_attrs__ if field.init]
    if names is None or getattr(cls, "__penstock_component__", False):
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
