"""Iteration: a plan bound, optimised and run, from its first element or for a look at a few."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls, tree
from penstock.depth import SHORT_PLAN_STEPS, ask, refuse_too_deep, too_deep
from penstock.engine.iterator import DatasetIterator, Prepare
from penstock.engine.pass_facts import pass_facts
from penstock.errors import TooManyErrorsError
from penstock.fingerprint import fingerprint
from penstock.node import Node
from penstock.optimizer.optimize import optimize
from penstock.plan import rebuild, walk

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def prepare(written: Node, facts: Any = None) -> tuple[Node, Any]:
    """Bind a plan for one pass, newly or by the facts of another one, and optimise it."""
    return _optimized(*bind(written, facts))


def _prepare_without_threads(written: Node, facts: Any = None) -> tuple[Node, Any]:
    # Threads go after binding: facts, those that a cache keeps among them, are of all steps as written.
    plan, found = bind(written, facts)
    return _optimized(rebuild(plan, lambda step: step.sequential()), found)


def _optimized(plan: Node, found: Any) -> tuple[Node, Any]:
    try:
        optimized = optimize(plan)
    except RecursionError:
        raise too_deep(plan) from None
    if len(found) > SHORT_PLAN_STEPS:
        refuse_too_deep(optimized)
    return optimized, found


def bind(written: Node, facts: Any = None) -> tuple[Node, Any]:
    """Bind a plan for one pass, newly or by the facts of another one; it runs as it was written."""
    found: list[Any] = []
    done: list[Node] = []
    sizes = _sizes(written)
    # Without recursion, since chains can be long. The last step first, so that facts have one order however the plan
    # is rewritten later; a node comes back, with the place of its own fact, when all below it are bound.
    waiting: list[tuple[Node, list[Any] | None, int | None]] = [(written, facts, None)]
    while waiting:
        node, given, at = waiting.pop()
        if at is not None:
            parts = len(node.inputs)
            inputs, done[-parts:] = done[-parts:], []
            done.append(node.with_inputs(inputs).bound_below(found[at + 1 :], given))
            continue
        bound, fact = node.bind(given[0] if given else None)
        found.append(fact)
        if not bound.inputs:
            done.append(bound)
            continue
        below = (given[1:] or None) if given else None
        waiting.append((bound, below, len(found) - 1))
        wanted = bound.facts_below(below)
        start = 0
        visits: list[tuple[Node, list[Any] | None, int | None]] = []
        for part in bound.inputs:
            stop = start + sizes[id(part)]
            visits.append((part, None if wanted is None else list(wanted[start:stop]), None))
            start = stop
        waiting += reversed(visits)
    return done[0], found


def _sizes(node: Node) -> dict[int, int]:
    """How many nodes there are from each one down, by its identity."""
    found: dict[int, int] = {}
    for step in reversed(walk(node)):
        found[id(step)] = 1 + sum(found[id(part)] for part in step.inputs)
    return found


def iterate(self: Dataset[T]) -> DatasetIterator[T]:
    """A new pass over the elements."""
    return DatasetIterator(
        self._node, prepare, fingerprint=fingerprint, allocator=self._allocator, options=self._options
    )


def _iterator(
    self: Dataset[T], facts: Any = None, prepare: Prepare = prepare, read_only: bool = False
) -> DatasetIterator[T]:
    return DatasetIterator(
        self._node,
        prepare,
        facts,
        read_only,
        fingerprint=fingerprint,
        allocator=self._allocator,
        options=self._options,
    )


def iterator(self: Dataset[T], epoch: int | None = None) -> DatasetIterator[T]:
    """A new pass over the elements, of a chosen number if given.

    >>> ds = Dataset.range(100).shuffle(100, seed=1)
    >>> list(ds.iterator(epoch=3)) == list(ds.iterator(epoch=3))
    True

    Args:
        epoch: Number of the pass, from 0: what the (epoch + 1)-th `for` loop over a dataset built anew gives. By
            default the next one.

    Raises:
        TypeError: `epoch` is no whole number.
        ValueError: It is negative.

    See also: as_numpy_iterator.
    """
    if epoch is None:
        return iterate(self)
    number = calls.count("iterator", "epoch", epoch, 0)
    return DatasetIterator(
        self._node,
        prepare,
        pass_facts(self._node, number),
        fingerprint=fingerprint,
        allocator=self._allocator,
        options=self._options,
    )


def as_numpy_iterator(self: Dataset[T]) -> DatasetIterator[T]:
    """A new pass over the elements as NumPy scalars and read-only arrays.

    >>> [int(n) for n in Dataset.range(2).as_numpy_iterator()]
    [0, 1]

    Raises:
        TypeError: A component is a dataset, as far as that is known before an element is computed.

    See also: iterator.
    """
    spec = ask(self._node, lambda node: node.known_spec(), optimize)
    if spec is not None and any(leaf.dtype is object for leaf in spec.leaves):
        for element in peek(self, 1):
            if any(isinstance(leaf, type(self)) for leaf in tree.flatten(element)[0]):
                raise TypeError("as_numpy_iterator(): a component is a dataset; flatten it with flat_map() first")
    return DatasetIterator(
        self._node, prepare, read_only=True, fingerprint=fingerprint, allocator=self._allocator, options=self._options
    )


def peek(self: Dataset[T], count: int) -> list[T]:
    """The first elements, without counting as a pass, in this thread, reading as little as there is."""
    with _quiet_iterator(self) as elements:
        return [element for _, element in zip(range(count), elements, strict=False)]


def glance(self: Dataset[T]) -> Generator[tuple[T | None, Exception | None], None, None]:
    """Elements as `peek` gives them, or the error that stands in an element's place."""
    with _quiet_iterator(self) as elements:
        while True:
            try:
                yield next(elements), None
            except StopIteration:
                return
            except Exception as error:
                yield None, error
                # Where not an element failed but the step that makes them, or too many did, it would go on so for ever.
                if elements._block is None or isinstance(error, TooManyErrorsError):
                    return


def _quiet_iterator(self: Dataset[T]) -> DatasetIterator[T]:
    elements = DatasetIterator[T](
        self._node,
        _prepare_without_threads,
        pass_facts(self._node, 0),
        fingerprint=fingerprint,
        allocator=self._allocator,
        options=self._options,
    )
    elements._grows = False
    return elements


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
