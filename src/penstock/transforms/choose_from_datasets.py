"""Elements of several datasets in an order that another one tells: `choose_from_datasets`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from penstock import calls, tree
from penstock.depth import ask
from penstock.mixing.alike import unified
from penstock.mixing.mixture import Mixture
from penstock.mixing.picks import Picker, Told
from penstock.record import record

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_METHOD = "choose_from_datasets"


def choose_from_datasets(
    cls: type[Dataset[Any]],
    datasets: Sequence[Dataset[T]],
    choice_dataset: Dataset[Any],
    stop_on_empty_dataset: bool = True,
) -> Dataset[T]:
    """Take each element from the dataset whose number comes next in `choice_dataset`.

    >>> letters = [Dataset.from_list(["a", "b"]), Dataset.from_list(["x", "y"])]
    >>> list(Dataset.choose_from_datasets(letters, Dataset.from_list([0, 1, 1, 0])))
    ['a', 'x', 'y', 'b']

    Args:
        datasets: At least one; elements of the same structure and dtypes.
        choice_dataset: Whole numbers, 0 for the first dataset.
        stop_on_empty_dataset: The first choice of a dataset that has no element left ends everything; if False it is
            passed over, and the end comes with the last choice, or when all datasets have ended.

    Spec: dimensions that differ become None, a number of axes that differs makes the shape unknown.
    Cardinality: that of `choice_dataset` if all datasets are infinite, else unknown.
    Order: that of the choices.  Random access: if all datasets are infinite, and they and `choice_dataset` have it;
    choices are counted to find an element, so it is quick in growing order.
    Memory: none.  State: the inputs', and which have ended.

    A choice that is an error, no whole number or out of range is an error in the place of the element.

    Raises:
        TypeError: Something is no Dataset, or structures or dtypes are known and differ or, of the choices, are known
            and no whole numbers.
        ValueError: There is no dataset.

    See also: sample_from_datasets, interleave.
    """
    parts = calls.datasets(_METHOD, cls, datasets)
    if not isinstance(choice_dataset, cls):
        raise TypeError(f"{_METHOD}(): choice_dataset must be a Dataset, but is {choice_dataset!r}")
    known = ask(choice_dataset._node, lambda node: node.known_spec())
    if known is not None and not (
        known.treedef == tree.LEAF and known.leaves[0].shape == () and np.issubdtype(known.leaves[0].dtype, np.integer)
    ):
        raise TypeError(
            f"{_METHOD}(): choice_dataset must give scalar whole numbers such as int64, but gives {known.as_element()}"
        )
    nodes = tuple(part._node for part in parts)
    spec = unified(_METHOD, [ask(node, lambda asked: asked.known_spec()) for node in nodes])
    return cls(Choose(nodes, choice_dataset._node, bool(stop_on_empty_dataset), spec))


@record
class Choose(Mixture):
    """The part that the chooser says."""

    @property
    def method(self) -> str:
        return _METHOD

    def picker(self, epoch: int) -> Picker:
        return Told(_METHOD, len(self.parts))

    @property
    def gives_all(self) -> bool:
        return False

    def signature(self) -> str:
        return f"{_METHOD}({len(self.parts)} datasets, stop_on_empty_dataset={self.stop_on_empty})"
