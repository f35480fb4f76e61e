"""Elements of several datasets that become those of one: of one structure, and of the same dtypes."""

from __future__ import annotations

from collections.abc import Sequence

from penstock import tree
from penstock.block import Block, all_errors
from penstock.errors import SpecError
from penstock.spec import Spec, TensorSpec, unify


def unified(method: str, specs: Sequence[Spec | None]) -> Spec | None:
    """The narrowest spec that elements of all datasets fit; None where one is not known.

    Raises:
        TypeError: Structures or dtypes are known and differ.
    """
    found: Spec | None = None
    for spec in specs:
        if spec is not None:
            found = spec if found is None else _unified(method, found, spec)
    return None if None in specs else found


def _unified(method: str, left: Spec, right: Spec) -> Spec:
    if left.treedef != right.treedef:
        shown = f"{tree.show(left.treedef)} and {tree.show(right.treedef)}"
        raise TypeError(f"{method}(): elements have the structures {shown}; map() them to one")
    leaves: list[TensorSpec] = []
    for mine, theirs in zip(left.leaves, right.leaves, strict=True):
        wider = unify(mine, theirs)
        if wider is None:
            raise TypeError(f"{method}(): components are {mine} and {theirs}; map() them to one dtype")
        leaves.append(wider)
    return Spec(left.treedef, tuple(leaves))


def alike(method: str, treedef: tree.Treedef | None, block: Block) -> Block:
    """`block`, or errors for its rows where they have another structure than `treedef`."""
    if treedef is None or block.treedef is None or treedef == block.treedef:
        return block
    forms = f"{tree.show(treedef)} and {tree.show(block.treedef)}"
    return all_errors(SpecError(f"{method}(): elements have the structures {forms}; map() them to one"), block.rows)
