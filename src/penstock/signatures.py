"""What `from_generator` was told of the elements: `output_signature`, or `output_types` and `output_shapes`."""

from __future__ import annotations

from typing import Any

from penstock import tree
from penstock.spec import Spec, TensorSpec


def declared(types: Any, shapes: Any, signature: Any) -> Spec | None:
    """The spec that `output_signature`, or the older two arguments, say; None where nothing is said.

    Raises:
        TypeError: They contradict each other, or hold something else.
    """
    if signature is not None:
        if types is not None or shapes is not None:
            raise TypeError("from_generator(): give output_signature, or output_types and output_shapes, not both")
        leaves, treedef = tree.flatten(signature)
        for leaf in leaves:
            if not isinstance(leaf, TensorSpec):
                raise TypeError(f"from_generator(): output_signature holds {leaf!r}; put a TensorSpec in each place")
        return Spec(treedef, tuple(leaves))
    if types is None:
        if shapes is not None:
            raise TypeError("from_generator(): output_shapes needs output_types too; or give output_signature")
        return None
    dtypes, treedef = tree.flatten(types)
    if any(isinstance(dtype, list) for dtype in dtypes):
        raise TypeError("from_generator(): output_types is a list; use a tuple for several components")
    return Spec(
        treedef, tuple(TensorSpec(shape, dtype) for dtype, shape in zip(dtypes, _shapes(shapes, treedef), strict=True))
    )


def _shapes(shapes: Any, treedef: tree.Treedef) -> list[Any]:
    if shapes is None:
        return [None] * treedef.num_leaves
    if treedef == tree.LEAF:
        if not isinstance(shapes, (tuple, list)) or not all(dim is None or isinstance(dim, int) for dim in shapes):
            raise TypeError(f"from_generator(): output_shapes is {shapes!r}; write a shape such as (None, 3)")
        return [shapes]
    found: list[Any] = list(shapes.values()) if isinstance(shapes, dict) else list(shapes)
    if len(found) != treedef.num_leaves:
        raise TypeError(f"from_generator(): {len(found)} output_shapes for {treedef.num_leaves} output_types")
    return found
