"""What a state or a file says of its pipeline: the steps, and what the user's functions and arrays look like."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import sys
from collections.abc import Iterator
from types import CodeType
from typing import Any

import numpy as np

from penstock.block import Block, Dense
from penstock.node import Node
from penstock.plan import walk
from penstock.spec import Spec, TensorSpec
from penstock.vectorize.function import ElementFunction

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Hashes of functions follow Python's bytecode, which is another one in each of its releases."""

_SAMPLE_ITEMS = 1 << 12
_SAMPLE_ROWS = 100
_WHOLE_BYTES = 1 << 24
_LONGEST_TEXT = 300
_DRAWN_SEEDS_FROM = 2**32
_NO_ARGUMENTS = frozenset(
    "counter pass_number settings executor cell facts complete rows is_bound pace spec origin".split()
)


def fingerprint(written: Node) -> dict[str, Any]:
    """The plan as lines, and for each user function a hash of its code, constants and captured values, and of which
    Python; for arrays a hash alone.
    """
    steps = list(reversed(walk(written)))
    functions: dict[str, str] = {}
    for number, node in enumerate(steps):
        for function in _functions(node):
            text = _text(function, set())
            code = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
            functions[f"{number}: {node.signature()}"] = f"{code} of Python {PYTHON}"
        block = getattr(node, "block", None)
        if isinstance(block, Block):
            arrays = [column.array for column in block.columns if isinstance(column, Dense)]
            functions[f"{number}: {node.signature()}"] = " ".join(_sample(array) for array in arrays)
    return {"plan": _lines(written), "functions": functions}


def contents(written: Node) -> dict[str, Any]:
    """What the elements of a plan are made of: of each step its line and arguments, and hashes of functions and data.

    Seeds of more than 32 bits are left out, since they are drawn where none are given. Arrays of up to 16 MiB are
    compared as wholes, larger ones by a sample of their items.
    """
    steps = list(reversed(walk(written)))
    plan: list[str] = []
    functions: dict[str, str] = {}
    for number, node in enumerate(steps):
        arguments = ", ".join(f"{name}={text}" for name, text in _arguments(node))
        plan.append(node.signature() + (f"  # {_short(arguments)}" if arguments else ""))
        texts = [f"{_text(function, set())} {_globals(function, set())}" for function in _all_functions(node)]
        if texts:
            functions[f"{number}: {node.signature()}"] = _hash(str(texts))
    return {"plan": plan, "functions": functions}


def _all_functions(node: Node) -> Iterator[Any]:
    """The user functions in the fields of a step."""
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, ElementFunction):
                yield item.function
            elif callable(item) and not isinstance(item, type):
                yield item


def _arguments(node: Node) -> Iterator[tuple[str, str]]:
    """Those fields of a step that its elements depend on."""
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        parts = value if type(value) is tuple else (value,)
        if field.name in _NO_ARGUMENTS or any(isinstance(part, Node) for part in parts):
            continue
        if field.name == "seed" and isinstance(value, int) and value >= _DRAWN_SEEDS_FROM:
            continue
        text = _argument(value)
        if text:
            yield field.name, text


def _argument(value: Any) -> str:
    """An argument as text that is the same in every process; "" where it is a function or has no such text."""
    if value is None or isinstance(value, ElementFunction):
        return ""
    if isinstance(value, (bool, int, float, str, bytes, np.generic, np.dtype, type)):
        return _short(repr(value))
    if isinstance(value, Block):
        return " ".join(_data(column) for column in value.columns)
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype} {_hash_of_array(value)}"
    if isinstance(value, (tuple, list)):
        return _short(f"({', '.join(_argument(part) for part in value)})")
    if isinstance(value, dict):
        return _short(", ".join(f"{key}: {_argument(part)}" for key, part in value.items()))
    if isinstance(value, (Spec, TensorSpec)):
        return _short(repr(value))
    if hasattr(value, "to_json"):
        return _short(str(value.to_json()))
    if dataclasses.is_dataclass(value):
        parts = [_argument(getattr(value, field.name)) for field in dataclasses.fields(value)]
        return _short(f"{type(value).__name__}({', '.join(parts)})")
    return ""


def _data(column: Any) -> str:
    """A hash of a column's rows."""
    if isinstance(column, Dense) and not column.array.dtype.hasobject:
        return _hash_of_array(column.array)
    return _hash(str([_argument(row) or repr(type(row)) for row in column.values(True)]))


def _hash_of_array(array: np.ndarray[Any, Any]) -> str:
    if array.dtype.hasobject:
        return _hash(str(array.tolist()))
    if array.nbytes > _WHOLE_BYTES:
        return _sample(array)
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=8).hexdigest()


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:40]}... {_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _globals(function: Any, seen: set[int]) -> list[str]:
    """The values that a function reads by name: numbers, text, arrays, and functions of its own package."""
    code, names = getattr(function, "__code__", None), getattr(function, "__globals__", None)
    if not isinstance(code, CodeType) or names is None or id(code) in seen:
        return []
    seen.add(id(code))
    package = str(names.get("__name__", "")).partition(".")[0]
    found: list[str] = []
    for name in _names(code):
        value = names.get(name)
        simple = (bool, int, float, complex, str, bytes, np.generic, np.ndarray, tuple)
        if isinstance(value, simple) or _has_identity(value):
            found.append(f"{name}={_text(value, set())}")
        elif str(getattr(value, "__module__", "")).partition(".")[0] == package and hasattr(value, "__code__"):
            found.append(f"{name}={_text(value, set())} {_globals(value, seen)}")
    for value in _captured(function):
        found += _globals(value, seen)
    return found


def _names(code: CodeType) -> list[str]:
    inner = [name for part in code.co_consts if isinstance(part, CodeType) for name in _names(part)]
    return [*code.co_names, *inner]


def _lines(written: Node) -> list[str]:
    """The steps, the first one first; a shard says of how many it is where its states mean nothing to others."""
    lines: list[str] = []
    stack = [(written, True)]
    while stack:
        node, is_common = stack.pop()
        shards = node.global_index(1)
        lines.append(node.signature() if is_common or shards == 1 else f"{node.signature()} of {shards}")
        stack.extend((part, is_common and node.keeps_pace) for part in reversed(node.inputs))
    return lines[::-1]


def _functions(node: Node) -> list[Any]:
    found: list[Any] = []
    for name in ("function", "predicate", "functions"):
        value = getattr(node, name, None)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, ElementFunction):
                found.append(item.function)
            elif callable(item):
                found.append(item)
    return found


def _text(value: Any, seen: set[int]) -> str:
    """A value as text that is the same in every process."""
    if id(value) in seen:
        return "..."
    if isinstance(value, CodeType):
        return f"{value.co_code.hex()} {value.co_names} {[_text(part, seen) for part in value.co_consts]}"
    if isinstance(value, (int, float, complex, str, bytes, type(None), np.generic)):
        return repr(value)
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype} {_sample(value)}"
    seen = seen | {id(value)}
    if isinstance(value, (tuple, list)):
        return str([len(value), *(_text(part, seen) for part in value[:_SAMPLE_ROWS])])
    code = getattr(value, "__code__", None)
    if isinstance(code, CodeType):
        owner = getattr(value, "__self__", None)
        captured = (*_captured(value), *(value.__defaults__ or ()), *([] if owner is None else [owner]))
        return f"{_text(code, seen)} {[_text(part, seen) for part in captured]}"
    if isinstance(value, functools.partial):
        return _text((value.func, value.args, tuple(value.keywords.items())), seen)
    return f"{type(value).__qualname__} {value.identity()}" if _has_identity(value) else type(value).__qualname__


def _has_identity(value: Any) -> bool:
    """Whether an object says itself what its results depend on, as those of `penstock.text` do."""
    # Asked of its class: NumPy as a module has a function of that name.
    return callable(getattr(type(value), "identity", None))


def _captured(function: Any) -> list[Any]:
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # a name that is assigned only later
            found.append(None)
    return found


def _sample(array: np.ndarray[Any, Any]) -> str:
    if array.dtype.hasobject:
        return ""
    flat = array.reshape(-1)
    step = max(1, flat.size // _SAMPLE_ITEMS)
    return hashlib.blake2b(np.ascontiguousarray(flat[::step]).tobytes(), digest_size=8).hexdigest()
