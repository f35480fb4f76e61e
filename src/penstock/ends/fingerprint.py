"""What a state says of its pipeline: the steps, and what the user's functions and arrays look like."""

from __future__ import annotations

import hashlib
from types import CodeType
from typing import Any

import numpy as np

from penstock.block import Block, Dense
from penstock.node import Node
from penstock.plan import walk
from penstock.vectorize.function import ElementFunction

_SAMPLE_ITEMS = 1 << 12
_SAMPLE_ROWS = 100


def fingerprint(written: Node) -> dict[str, Any]:
    """The plan as lines, and for each user function a hash of its code, constants and captured values."""
    steps = list(reversed(walk(written)))
    functions: dict[str, str] = {}
    for number, node in enumerate(steps):
        for function in _functions(node):
            text = _text(function, set())
            functions[f"{number}: {node.signature()}"] = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        block = getattr(node, "block", None)
        if isinstance(block, Block):
            arrays = [column.array for column in block.columns if isinstance(column, Dense)]
            functions[f"{number}: {node.signature()}"] = " ".join(_sample(array) for array in arrays)
    return {"plan": _lines(written), "functions": functions}


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
        captured = (*_captured(value), *(value.__defaults__ or ()))
        return f"{_text(code, seen)} {[_text(part, seen) for part in captured]}"
    return type(value).__qualname__


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
