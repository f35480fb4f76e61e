"""Iteration: a plan bound, optimised and run, from its first element or for a look at a few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls, tree
from penstock.ends.fingerprint import fingerprint
from penstock.engine.iterator import DatasetIterator
from penstock.node import Node, rebuild, walk
from penstock.optimizer.optimize import optimize
from penstock.transforms.prefetch import Prefetch

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def prepare(written: Node, facts: Any = None) -> tuple[Node, Any]:
    """Bind a plan for one pass, newly or by the facts of another one, and optimise it."""
    plan, found = bind(written, facts)
    return optimize(plan), found


def bind(written: Node, facts: Any = None) -> tuple[Node, Any]:
    """Bind a plan for one pass, newly or by the facts of another one; it runs as it was written."""
    found: list[Any] = []
    rest = None if facts is None else list(facts)
    return _bind(written, rest, found), found


def _bind(node: Node, facts: list[Any] | None, found: list[Any]) -> Node:
    """Bind every node, the last step first, so that facts have one order however the plan is rewritten later."""
    fact = facts.pop(0) if facts else None
    bound, fact = node.bind(fact)
    found.append(fact)
    inputs = bound.inputs
    if not inputs:
        return bound
    given = None
    if facts:
        size = len(walk(bound)) - 1
        given, facts[:size] = facts[:size], []
    below: list[Any] = []
    wanted = bound.facts_below(given)
    rest = None if wanted is None else list(wanted)
    bound = bound.with_inputs([_bind(part, rest, below) for part in inputs])
    found += below
    return bound.bound_below(below, given)


def iterate(self: Dataset[T]) -> DatasetIterator[T]:
    """A new pass over the elements."""
    return DatasetIterator(self._node, prepare, fingerprint=fingerprint, allocator=self._allocator)


def iterator(self: Dataset[T], epoch: int | None = None) -> DatasetIterator[T]:
    """A new pass over the elements, of a chosen number if given.

    >>> ds = Dataset.range(100).shuffle(100, seed=1)
    >>> list(ds.iterator(epoch=3)) == list(ds.iterator(epoch=3))
    True

    Args:
        epoch: Number of the pass, from 0: what `shuffle` and `random_map` draw in the (epoch + 1)-th `for` loop over
            the dataset. By default the next one.

    Raises:
        TypeError: `epoch` is no whole number.
        ValueError: It is negative.

    See also: as_numpy_iterator.
    """
    if epoch is None:
        return iterate(self)
    number = calls.count("iterator", "epoch", epoch, 0)
    return DatasetIterator(
        self._node, prepare, pass_facts(self._node, number), fingerprint=fingerprint, allocator=self._allocator
    )


def pass_facts(node: Node, number: int) -> list[Any]:
    """Facts that bind every node of a plan to one pass."""
    return [{"pass": number} for _ in walk(node)]


def as_numpy_iterator(self: Dataset[T]) -> DatasetIterator[T]:
    """A new pass over the elements as NumPy scalars and read-only arrays.

    >>> [int(n) for n in Dataset.range(2).as_numpy_iterator()]
    [0, 1]

    Raises:
        TypeError: A component is a dataset, as far as that is known before an element is computed.

    See also: iterator.
    """
    spec = self._node.known_spec()
    if spec is not None and any(leaf.dtype is object for leaf in spec.leaves):
        for element in peek(self, 1):
            if any(isinstance(leaf, type(self)) for leaf in tree.flatten(element)[0]):
                raise TypeError("as_numpy_iterator(): a component is a dataset; flatten it with flat_map() first")
    return DatasetIterator(self._node, prepare, read_only=True, fingerprint=fingerprint, allocator=self._allocator)


def peek(self: Dataset[T], count: int) -> list[T]:
    """The first elements, without counting as a pass, in this thread, reading as little as there is."""
    node = _without_threads(self._node)
    elements = DatasetIterator[T](
        node, prepare, pass_facts(node, 0), fingerprint=fingerprint, allocator=self._allocator
    )
    elements._grows = False
    with elements:
        return [element for _, element in zip(range(count), elements, strict=False)]


def _without_threads(node: Node) -> Node:
    return rebuild(node, lambda step: step.input if isinstance(step, Prefetch) else step)


def head(self: Dataset[T], count: int = 5) -> list[T]:
    """The first elements as a list, to look at; starts no thread and does not count as a pass.

    >>> [int(n) for n in Dataset.range(100).head(3)]
    [0, 1, 2]

    Args:
        count: How many at most.

    Raises:
        TypeError: `count` is no whole number.
        ValueError: It is negative.

    See also: take.
    """
    return peek(self, calls.count("head", "count", count, 0))


def replay(self: Dataset[Any], error: BaseException) -> Any:
    """Call the function that raised `error` again, on the same element, in this thread: for a debugger.

    >>> ds = Dataset.range(3).map(lambda n: 1 // int(n))
    >>> try:
    ...     list(ds)
    ... except ZeroDivisionError as error:
    ...     failure = error
    >>> try:
    ...     ds.replay(failure)
    ... except ZeroDivisionError as again:
    ...     print(again)
    integer division or modulo by zero

    Returns:
        What the function returns this time, if it does not raise.

    Raises:
        ValueError: `error` did not come from a function of a dataset.
    """
    again = getattr(error, "penstock_replay", None)
    if again is None:
        raise ValueError(
            f"replay(): {error!r} was not raised by a function of a dataset; there is nothing to call again"
        )
    return again()
