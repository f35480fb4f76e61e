"""A look at a dataset: its first elements, errors in their places, and how notebooks show it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import tree
from penstock.collecting import Collecting
from penstock.consecutive import Consecutive
from penstock.ends.describe import explain, seen_spec, show, show_size
from penstock.ends.run import glance
from penstock.node import Node
from penstock.seen import Look, Seen, components

if TYPE_CHECKING:
    from penstock.dataset import Dataset


def look(self: Dataset[Any], count: int) -> Look:
    """The first `count` elements, or as many rows of batches, and what is known of the rest.

    Reads no more than those, starts no thread, and does not count as a pass. An error stands in its element's place.
    """
    seen: list[Seen] = []
    first: Any = None
    are_batches = _are_batches(self._node)
    with closing(glance(self)) as elements:
        for number, (element, error) in enumerate(elements):
            if error is not None:
                seen.append(Seen(f"batch {number}" if are_batches else f"element {number}", error=error))
            else:
                first = element if first is None else first
                seen += _shown(number, element, are_batches)[: count - len(seen)]
            if len(seen) >= count:
                break
    return Look(show_size(self), _in_lines(self, first), explain(self), seen)


def _are_batches(node: Node) -> bool:
    """Whether the last step that joins or divides elements joins rows into batches."""
    waiting = [node]
    while waiting:
        step = waiting.pop()
        if isinstance(step, (Consecutive, Collecting)):
            continue
        if not step.inputs or not step.yields_batches:
            return False
        waiting += step.inputs
    return True


def _shown(number: int, element: Any, is_batch: bool) -> list[Seen]:
    """An element, or each row of a batch whose components have one entry for each."""
    leaves, treedef = tree.flatten(element)
    lengths = {len(leaf) if isinstance(leaf, np.ndarray) and leaf.ndim else -1 for leaf in leaves}
    if not is_batch or len(lengths) != 1 or -1 in lengths:
        return [Seen(f"element {number}", element)]
    return [
        Seen(f"batch {number}, row {row}", tree.unflatten(treedef, [leaf[row] for leaf in leaves]))
        for row in range(lengths.pop())
    ]


def _in_lines(self: Dataset[Any], first: Any) -> str:
    spec = seen_spec(self, first)
    if spec is None:
        return "unknown, as no element could be computed"
    return "\n".join(f"{name}: {leaf}" for name, leaf in components(spec.as_element()).items())


def show_html(self: Dataset[Any]) -> str:
    """A table of the first elements, for notebooks; computes no more than those."""
    from html import escape  # only notebooks need these

    from penstock.show.cards import cards_of, described
    from penstock.show.page import table_of

    try:
        with closing(glance(self)) as elements:
            seen = [Seen(str(number), *found) for number, found in zip(range(5), elements, strict=False)]
    except Exception as error:
        return f"<pre>{escape(show(self))}\n{escape(described(error))}</pre>"
    return f"<p>{escape(show(self))}</p>{table_of(cards_of(seen))}"
