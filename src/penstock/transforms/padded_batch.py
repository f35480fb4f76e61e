"""Consecutive elements of unequal shapes joined into one: `padded_batch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls
from penstock.block import Block
from penstock.consecutive import Consecutive
from penstock.node import Context, Indices
from penstock.padder import Padder
from penstock.padding import Padding
from penstock.record import record
from penstock.spec import Spec

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def padded_batch(
    self: Dataset[T],
    batch_size: int,
    padded_shapes: Any = None,
    padding_values: Any = None,
    drop_remainder: bool = False,
) -> Dataset[T]:
    """Join each `batch_size` consecutive elements into one element, and fill up those that are smaller.

    >>> ds = Dataset.from_list([[1], [2, 3, 4], [5, 6]]).padded_batch(2)
    >>> [element.tolist() for element in ds]
    [[[1, 0, 0], [2, 3, 4]], [[5, 6]]]

    Batches are the user's own: they may be written into and kept.

    Args:
        batch_size: Elements per batch; at least 1.
        padded_shapes: What to pad to, in the elements' structure: for each component a tuple with a size for each
            axis, None or -1 for the largest of the batch. None alone is that for all axes of all components.
        padding_values: What stands behind the elements' own values: one value for all components, or one for each in
            the elements' structure; None for zero, False or "".
        drop_remainder: Drop a last batch shorter than `batch_size`.

    Spec: shape s becomes (None, *p), or (batch_size, *p) with `drop_remainder`, where p are the padded sizes; dtype is
        kept.
    Cardinality: ceil(n / batch_size); floor with `drop_remainder`.
    Order: kept.  Random access: if the input has it and n is known.
    Memory: one batch.  State: the input's.

    An element that is an error makes its batch that error, and so does one that does not fit; the batches after it are
    what they would have been.

    Raises:
        TypeError: `batch_size` or a size is no whole number, or a padding value is not of its component's dtype.
        ValueError: `batch_size` is below 1, or `padded_shapes` or `padding_values` has another structure than elements.
        SpecError: Elements are larger than `padded_shapes`, or differ in dtype or number of axes. All of these are
            raised at the call as far as the input's spec is known, else in the place of the batch.

    See also: batch, bucket_by_sequence_length, batch_by_tokens.
    """
    size = calls.count("padded_batch", "batch_size", batch_size, 1)
    padding = Padding("padded_batch", padded_shapes, padding_values)
    padding.check(self._node)
    return self._then(PaddedBatch(self._node, size, bool(drop_remainder), padding))


@record
class PaddedBatch(Consecutive):
    """Element j stacks elements j * batch_size, ... of the input, padded to one shape."""

    padding: Padding

    def known_spec(self) -> Spec | None:
        spec = self.input.known_spec()
        return None if spec is None else self.padding.spec(spec, self.batch_size if self.drop_remainder else None)

    def join(self, block: Block, offsets: Indices, first: int | Indices, context: Context) -> Block:
        padder = context.memo(self, lambda: Padder(self.padding))
        return padder.batches(block, offsets, first, context)

    def signature(self) -> str:
        given = [str(self.batch_size), *self.padding.arguments()]
        return f"padded_batch({', '.join(given)}{', drop_remainder=True' if self.drop_remainder else ''})"
