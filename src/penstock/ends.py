"""What ends a pipeline: iteration, `reduce`, `head`, cardinality, spec, explanation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls, tree
from penstock.block import Block
from penstock.engine.iterator import DatasetIterator
from penstock.errors import CardinalityError
from penstock.node import INFINITE, UNKNOWN, Node, walk
from penstock.optimizer.explain import explain as _explain
from penstock.optimizer.explain import show_spec
from penstock.optimizer.optimize import optimize
from penstock.spec import Spec, spec_of_element
from penstock.vectorize.function import ElementFunction

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")
S = TypeVar("S")


def prepare(written: Node, facts: Any = None) -> tuple[Node, Any]:
    """Bind a plan for one pass, newly or by the facts of another one, and optimise it."""
    found: list[Any] = []
    rest = None if facts is None else list(facts)
    plan = _bind(written, rest, found)
    return optimize(plan), found


def _bind(node: Node, facts: list[Any] | None, found: list[Any]) -> Node:
    """Bind every node, the last step first, so that facts have one order however the plan is rewritten later."""
    fact = facts.pop(0) if facts else None
    bound, fact = node.bind(fact)
    found.append(fact)
    inputs = bound.inputs
    if not inputs:
        return bound
    return bound.with_inputs([_bind(part, facts, found) for part in inputs])


def fingerprint(written: Node) -> dict[str, Any]:
    """What a state says of its pipeline: the steps, and a hash of each user function's code."""
    functions: dict[str, str] = {}
    for node in walk(written):
        for function in _functions(node):
            code = getattr(function.function, "__code__", None)
            if code is not None:
                text = repr((code.co_code, [c for c in code.co_consts if not hasattr(c, "co_code")], code.co_names))
                functions[node.signature()] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return {"plan": [node.signature() for node in reversed(walk(written))], "functions": functions}


def _functions(node: Node) -> list[ElementFunction]:
    found = []
    for name in ("function", "predicate", "functions"):
        value = getattr(node, name, None)
        found += [
            item for item in (value if isinstance(value, tuple) else [value]) if isinstance(item, ElementFunction)
        ]
    return found


def iterate(self: Dataset[T]) -> DatasetIterator[T]:
    """A new pass over the elements."""
    return DatasetIterator(self._node, prepare, fingerprint=fingerprint)


def iterator(self: Dataset[T], epoch: int | None = None) -> DatasetIterator[T]:
    """A new pass over the elements, of a chosen number if given.

    >>> ds = Dataset.range(100).shuffle(100, seed=1)
    >>> list(ds.iterator(epoch=3)) == list(ds.iterator(epoch=3))
    True

    Args:
        epoch: Number of the pass, from 0: what `shuffle` and `random_map` draw in the (epoch + 1)-th `for` loop over the
            dataset. By default the next one.

    Raises:
        TypeError: `epoch` is no whole number.
        ValueError: It is negative.

    See also: as_numpy_iterator.
    """
    if epoch is None:
        return iterate(self)
    number = calls.count("iterator", "epoch", epoch, 0)
    return DatasetIterator(self._node, prepare, _pass(self._node, number), fingerprint=fingerprint)


def _pass(node: Node, number: int) -> list[Any]:
    return [{"pass": number} for _ in walk(node)]


def as_numpy_iterator(self: Dataset[T]) -> DatasetIterator[T]:
    """A new pass over the elements as NumPy scalars and read-only arrays.

    >>> [int(n) for n in Dataset.range(2).as_numpy_iterator()]
    [0, 1]

    Raises:
        TypeError: A component is a dataset, as far as that is known.

    See also: iterator.
    """
    return DatasetIterator(self._node, prepare, read_only=True, fingerprint=fingerprint)


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
    if self._node.cardinality() == INFINITE:
        raise ValueError("reduce(): the dataset is endless; take(n) elements first")
    _, treedef = tree.flatten(initial_state)
    state = initial_state
    for number, element in enumerate(iterate(self)):
        state = reduce_func(state, element)
        found = tree.flatten(state)[1]
        if found != treedef:
            raise TypeError(f"reduce(): reduce_func returned {found} for element {number}; initial_state has {treedef}")
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
        found = [element for element, _ in zip(elements, range(2), strict=False)]
    if len(found) != 1:
        many = "no element" if not found else "more than one element"
        raise CardinalityError(f"get_single_element(): the dataset has {many}; use head(n) or take(1)")
    return found[0]


def cardinality(self: Dataset[Any]) -> int:
    """How many elements there are, INFINITE_CARDINALITY (-1) or UNKNOWN_CARDINALITY (-2); computes none.

    >>> Dataset.range(10).batch(4).cardinality(), Dataset.range(10).repeat().cardinality()
    (3, -1)
    """
    return self._node.cardinality()


def length(self: Dataset[Any]) -> int:
    """How many elements there are.

    Raises:
        TypeError: There are infinitely many, or it is unknown.
    """
    size = self._node.cardinality()
    if size == INFINITE:
        raise TypeError("len(): the dataset is infinite; use take(n), or cardinality() to find out")
    if size == UNKNOWN:
        raise TypeError("len(): the number of elements is unknown before they are read; count them with reduce()")
    return size


def element_spec(self: Dataset[Any]) -> Any:
    """The structure of an element, with a `TensorSpec` for each component.

    >>> Dataset.range(3).batch(2).element_spec
    TensorSpec((None,), int64)

    Where it is neither declared nor traced, the first element is computed once, when this is first asked for.
    """
    return _spec(self).as_element()


def _spec(self: Dataset[Any]) -> Spec:
    spec = self._node.known_spec() or self._found_spec
    if spec is None:
        elements = peek(self, 1)
        if not elements:
            raise CardinalityError(
                "element_spec: the dataset is empty, so its spec is unknown; declare output_signature"
            )
        spec = self._found_spec = _relaxed(spec_of_element(elements[0]), self._node)
    return spec


def _relaxed(spec: Spec, node: Node) -> Spec:
    """Batches keep an open first dimension in the spec, whatever the first one's size was."""
    if not node.yields_batches:
        return spec
    from penstock.spec import TensorSpec

    return spec.map_leaves(lambda leaf: TensorSpec((None, *leaf.shape[1:]), leaf.dtype) if leaf.shape else leaf)


def peek(self: Dataset[T], count: int) -> list[T]:
    """The first elements, without counting as a pass, in this thread, reading as little as there is."""
    node = _without_threads(self._node)
    elements = DatasetIterator[T](node, prepare, _pass(node, 0))
    elements._exact = True
    with elements:
        return [element for _, element in zip(range(count), elements, strict=False)]


def _without_threads(node: Node) -> Node:
    from penstock.node import rebuild
    from penstock.transforms.prefetch import Prefetch

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


def getitem(self: Dataset[T], index: Any) -> Any:
    """The element at an index, or a dataset of the elements in a slice.

    >>> int(Dataset.range(10).map(lambda n: n * n)[3])
    9

    Raises:
        TypeError: The plan has no access by index; names the first step that has none.
        IndexError: The index is out of range.
    """
    if isinstance(index, slice):
        return _slice(self, index)
    at = calls.count("Dataset[...]", "index", index)
    size = self._node.cardinality()
    plan, _ = prepare(self._node, _pass(self._node, 0))
    if not plan.access:
        step = next(node for node in reversed(walk(plan)) if not node.access)
        raise TypeError(f"Dataset[{at}]: {step.signature()} has no access by index; use skip({at}).take(1)")
    at = at + size if at < 0 <= size else at
    if at < 0 or at >= size >= 0:
        raise IndexError(f"Dataset[{index}]: the dataset has {size if size >= 0 else 'endless'} elements")
    from penstock.engine.run import RunContext

    block: Block = plan.resolve(0, np.array([at], np.int64), RunContext(prepare)).gather(0, 1)
    if block.errors:
        raise block.errors[0]
    if plan.yields_batches:
        block = block.private()
    return block.element(0, plan.yields_batches)


def _slice(self: Dataset[T], part: slice) -> Dataset[T]:
    size = self._node.cardinality()
    if part.step not in (None, 1) or (part.start or 0) < 0 or (part.stop is not None and part.stop < 0):
        if size < 0:
            raise TypeError(f"Dataset[{part}]: needs a known number of elements; use skip() and take()")
    start, stop, step = part.indices(size) if size >= 0 else (part.start or 0, part.stop, part.step or 1)
    if step < 1:
        raise ValueError(f"Dataset[{part}]: the step must be at least 1, but is {step}")
    found = self.skip(start)
    if stop is not None:
        found = found.take(max(0, stop - start))
    return found if step == 1 else found.shard(step, 0)


def explain(self: Dataset[Any]) -> str:
    """The plan as written and as run, with how each function runs and why; starts nothing.

    >>> print(Dataset.range(9).map(lambda n: n * 2).take(3).explain())
    as written:
      range(start=0, step=1, 9 numbers, int64)
      map(<lambda>)
      take(3)
    as run:
      gather  # by index from range(start=0, step=1, 9 numbers, int64)
        index: take(3)
      map(<lambda>)  # vectorised
    """
    plan, _ = prepare(self._node, _pass(self._node, 0))
    return _explain(self._node, plan)


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


def show(self: Dataset[Any]) -> str:
    """The last step, the spec as far as it is known, and the cardinality."""
    size = {INFINITE: "endless", UNKNOWN: "unknown length"}.get(
        self._node.cardinality(), f"{self._node.cardinality()} elements"
    )
    return f"<Dataset {self._node.signature()}: {size}, {show_spec(self._node.known_spec())}>"


def show_html(self: Dataset[Any]) -> str:
    """A table of the first elements, for notebooks; computes no more than those."""
    from html import escape

    try:
        elements = peek(self, 5)
    except Exception as error:
        return f"<pre>{escape(show(self))}\n{escape(repr(error))}</pre>"
    rows = []
    for number, element in enumerate(elements):
        leaves, _ = tree.flatten(element)
        cells = "".join(f"<td>{escape(_short(leaf))}</td>" for leaf in leaves)
        rows.append(f"<tr><th>{number}</th>{cells}</tr>")
    names = tree.paths(tree.flatten(elements[0])[1]) if elements else []
    header = "".join(f"<th>{escape(name or 'element')}</th>" for name in names)
    return f"<p>{escape(show(self))}</p><table><tr><th></th>{header}</tr>{''.join(rows)}</table>"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"{value.dtype} array of shape {value.shape}"
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
