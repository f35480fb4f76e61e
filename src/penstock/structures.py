"""The structure of an element as JSON, for files: classes by their names, which are imported when it is read."""

from __future__ import annotations

import dataclasses
import importlib
from collections import OrderedDict
from typing import Any

from penstock import tree
from penstock.errors import SpecError

Json = Any


def structure_to_json(treedef: tree.Treedef) -> Json:
    """A structure as JSON; a number in the place of each component.

    >>> structure_to_json(tree.flatten((1, {"a": 2}))[1])
    {'tuple': [0, {'dict': [['a', 1]]}]}

    Raises:
        SpecError: It has a class that cannot be found by its name, or a key of a dict that is no text and no number.
    """
    return _to_json(tree.unflatten(treedef, range(treedef.num_leaves)))


def structure_from_json(form: Json) -> tree.Treedef:
    """The structure that `structure_to_json` made `form` of.

    Raises:
        SpecError: It has a class that is not found.
    """
    return tree.flatten(_from_json(form))[1]


def _to_json(value: Any) -> Json:
    if value is None or type(value) is int:
        return value
    if type(value) is tuple:
        return {"tuple": [_to_json(part) for part in value]}
    if type(value) in (dict, OrderedDict):
        for key in value:
            if not isinstance(key, (str, int)):
                raise SpecError(f"the key {key!r} of a dict cannot be written to a file; use text")
        name = "dict" if type(value) is dict else "ordered"
        return {name: [[key, _to_json(part)] for key, part in value.items()]}
    cls = type(value)
    name = f"{cls.__module__}:{cls.__qualname__}"
    if _find(name) is not cls or not _has_fields(cls):
        raise SpecError(
            f"the class {name} cannot be found by its name, or is no dataclass and no named tuple; use tuples, dicts "
            "or a dataclass at the top of a module"
        )
    return {"class": name, "fields": [[field, _to_json(getattr(value, field))] for field in _fields(cls)]}


def _has_fields(cls: type) -> bool:
    is_named_tuple = issubclass(cls, tuple) and hasattr(cls, "_fields")
    return is_named_tuple or dataclasses.is_dataclass(cls) or hasattr(cls, "__attrs_attrs__")


def _fields(cls: type) -> list[str]:
    """The names that are structure in a named tuple, a dataclass or a class of attrs, as its constructor takes them."""
    if issubclass(cls, tuple):
        return list(getattr(cls, "_fields", ()))
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls) if field.init]
    return [field.name for field in getattr(cls, "__attrs_attrs__", ()) if field.init]


def _from_json(form: Json) -> Any:
    if form is None or isinstance(form, int):
        return form
    if "tuple" in form:
        return tuple(_from_json(part) for part in form["tuple"])
    if "dict" in form:
        return {key: _from_json(part) for key, part in form["dict"]}
    if "ordered" in form:
        return OrderedDict((key, _from_json(part)) for key, part in form["ordered"])
    cls = _find(form["class"])
    if cls is None or not _has_fields(cls):
        raise SpecError(f"elements are of the class {form['class']}, which is not found; import what defines it")
    # By place: the constructor of attrs takes some names without their underscore.
    return cls(*(_from_json(part) for _, part in form["fields"]))


def _find(name: str) -> Any:
    module, _, qualname = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, type) else None
