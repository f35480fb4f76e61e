"""What is known of a dataset: cardinality, spec and plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from penstock.depth import ask
from penstock.ends.run import peek, prepare
from penstock.engine.pass_facts import pass_facts
from penstock.errors import CardinalityError
from penstock.nested import Flattening
from penstock.node import INFINITE, UNKNOWN, Node
from penstock.optimizer.explain import explain as explain_plans
from penstock.optimizer.explain import show_spec
from penstock.optimizer.optimize import optimize
from penstock.plan import rebuild, walk
from penstock.spec import Spec, TensorSpec, spec_of_element

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def cardinality(self: Dataset[Any]) -> int:
    """How many elements there are, INFINITE_CARDINALITY (-1) or UNKNOWN_CARDINALITY (-2); computes none.

    >>> Dataset.range(10).batch(4).cardinality(), Dataset.range(10).repeat().cardinality()
    (3, -1)
    """
    return ask(self._node, lambda node: node.cardinality(), optimize)


def length(self: Dataset[Any]) -> int:
    """How many elements there are.

    Raises:
        TypeError: There are infinitely many, or it is unknown.
    """
    size = cardinality(self)
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
    spec = _known(self) or self._found_spec
    if spec is None:
        elements = peek(self, 1)
        if not elements:
            raise CardinalityError(
                "element_spec: the dataset is empty, so its spec is unknown; declare output_signature"
            )
        spec = _remember_spec(self, elements[0])
    return spec


def seen_spec(self: Dataset[Any], first: Any) -> Spec | None:
    """The spec, found in the first element where it is not known; None if that is None, too."""
    spec = _known(self) or self._found_spec
    return _remember_spec(self, first) if spec is None and first is not None else spec


def _remember_spec(self: Dataset[Any], element: Any) -> Spec:
    are_batches = ask(self._node, _are_surely_batches, optimize)
    spec = self._found_spec = _relaxed(spec_of_element(element), are_batches)
    return spec


def _known(self: Dataset[Any]) -> Spec | None:
    return ask(self._node, lambda node: node.known_spec(), optimize)


def _are_surely_batches(node: Node) -> bool:
    """Whether elements are batches whatever is in the datasets that a function makes: its step counts as a source."""
    return rebuild(node, lambda step: walk(step)[-1] if isinstance(step, Flattening) else step).yields_batches


def _relaxed(spec: Spec, are_batches: bool) -> Spec:
    """Batches keep an open first dimension in the spec, whatever the first one's size was."""
    if not are_batches:
        return spec
    return spec.map_leaves(lambda leaf: TensorSpec((None, *leaf.shape[1:]), leaf.dtype) if leaf.shape else leaf)


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
    plan, _ = prepare(self._node, pass_facts(self._node, 0))
    return explain_plans(self._node, plan)


def show(self: Dataset[Any]) -> str:
    """The last step, the spec as far as it is known, and the cardinality."""
    return f"<Dataset {self._node.signature()}: {show_size(self)}, {show_spec(_known(self))}>"


def show_size(self: Dataset[Any]) -> str:
    """The cardinality in words."""
    number = cardinality(self)
    return {INFINITE: "endless", UNKNOWN: "unknown length"}.get(number, f"{number} elements")
