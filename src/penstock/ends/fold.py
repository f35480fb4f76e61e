"""All elements in one value: `reduce`, `get_single_element`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from penstock import calls, tree
from penstock.depth import ask
from penstock.ends.run import iterate
from penstock.errors import CardinalityError
from penstock.node import INFINITE
from penstock.optimizer.optimize import optimize

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")
S = TypeVar("S")


def reduce(self: Dataset[T], initial_state: S, reduce_func: Callable[[S, T], S]) -> S:
    """Fold all elements into one value, now.

    >>> int(Dataset.range(5).reduce(0, lambda total, n: total + n))
    10

    Args:
        initial_state: What an empty dataset gives.
        reduce_func: Called with the value so far and an element; a tuple is passed whole. Returns the new value, of the
            structure of `initial_state`.

    Raises:
        TypeError: `reduce_func` is no function, or returned another structure.
        ValueError: The dataset is endless.

    See also: get_single_element.
    """
    calls.function("reduce", "reduce_func", reduce_func)
    if ask(self._node, lambda node: node.cardinality(), optimize) == INFINITE:
        raise ValueError("reduce(): the dataset is endless; take(n) elements first")
    _, treedef = tree.flatten(initial_state)
    state = initial_state
    for number, element in enumerate(iterate(self)):
        state = reduce_func(state, element)
        found = tree.flatten(state)[1]
        if found != treedef:
            structures = f"{tree.show(found)} for element {number}; initial_state has {tree.show(treedef)}"
            raise TypeError(f"reduce(): reduce_func returned the structure {structures}; return the same one")
    return state


def get_single_element(self: Dataset[T]) -> T:
    """The element of a dataset that has exactly one.

    >>> int(Dataset.range(10).reduce(0, max)), int(Dataset.from_tensors(7).get_single_element())
    (9, 7)

    Raises:
        CardinalityError: The dataset has none, or more than one.

    See also: head, reduce.
    """
    with iterate(self) as elements:
        found = [element for _, element in zip(range(2), elements, strict=False)]
    if len(found) != 1:
        many = "no element" if not found else "more than one element"
        raise CardinalityError(f"get_single_element(): the dataset has {many}; use head(n) or take(1)")
    return found[0]
