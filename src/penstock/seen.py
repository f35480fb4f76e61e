"""What was seen of a dataset: its first elements, each with its place, and what is known of the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Any

from penstock import tree
from penstock.record import record


@record(eq=True)
class Seen:
    """One element, one row of a batch, or the error that stands in its place."""

    place: str
    """Where it was found: "element 3", or "batch 0, row 3"."""
    element: Any = None
    error: Exception | None = None


@record(eq=True)
class Look:
    """The first elements, and the dataset in words."""

    summary: str
    """How many elements there are, in words."""
    spec: str
    """A line for each component."""
    plan: str
    seen: Sequence[Seen] = field(default=())


def components(element: Any) -> dict[str, Any]:
    """The components of an element by name, in the order in which its dicts were written.

    >>> components(({"b": 1, "a": {"left": 2}}, 3))
    {'[0].b': 1, '[0].a.left': 2, '[1]': 3}
    >>> components({"image": 1}), components(1)
    ({'image': 1}, {'element': 1})
    """
    leaves, treedef = tree.flatten(element)
    names = [_plain_name(path) for path in tree.paths(treedef)]
    return {names[at]: leaves[at] for at in _as_written(tree.unflatten(treedef, range(len(leaves))))}


def _plain_name(path: str) -> str:
    """A component's name without what only a program needs."""
    names = re.sub(r"""\[(['"])([^\]'"]+)\1\]""", r".\2", path)
    return names.removeprefix(".") or "element"


def _as_written(numbers: Any) -> Iterator[int]:
    """The numbers that stand for components; `tree.flatten` sorts those of dicts."""
    if isinstance(numbers, int):
        yield numbers
    elif isinstance(numbers, (dict, tuple)):
        for part in numbers.values() if isinstance(numbers, dict) else numbers:
            yield from _as_written(part)
    else:
        yield from tree.flatten(numbers)[0]
