"""Consecutive elements joined into one: `batch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from penstock import calls
from penstock.block import Block
from penstock.consecutive import Consecutive
from penstock.group import group, group_ragged
from penstock.node import Context, Indices
from penstock.record import record

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")


def batch(
    self: Dataset[T],
    batch_size: int,
    drop_remainder: bool = False,
    num_parallel_calls: int | None = None,
    deterministic: bool | None = None,
) -> Dataset[T]:
    """Join each `batch_size` consecutive elements into one element.

    >>> ds = Dataset.range(5).batch(2)
    >>> [element.tolist() for element in ds]
    [[0, 1], [2, 3], [4]]

    Batches are the user's own: they may be written into and kept.

    Args:
        batch_size: Elements per batch; at least 1.
        drop_remainder: Drop a last batch shorter than `batch_size`.
        num_parallel_calls: Accepted for tf.data's sake; batches are made one after another as yet.
        deterministic: Accepted for tf.data's sake; the order is always kept.

    Spec: shape s becomes (None, *s), or (batch_size, *s) with `drop_remainder`; dtype is kept.
    Cardinality: ceil(n / batch_size); floor with `drop_remainder`.
    Order: kept.  Random access: if the input has it and n is known.
    Memory: one batch.  State: the input's.

    An element that is an error makes its batch that error; the batches after it are what they would have been.

    Raises:
        TypeError: `batch_size` is no whole number.
        ValueError: `batch_size` is below 1.
        SpecError: Shapes or dtypes differ within a batch; names the component, both forms and both positions.

    See also: unbatch, padded_batch.
    """
    size = calls.count("batch", "batch_size", batch_size, 1)
    calls.parallel("batch", num_parallel_calls)
    return self._then(Batch(self._node, size, bool(drop_remainder)))


@record
class Batch(Consecutive):
    """Element j stacks elements j * batch_size, ... of the input."""

    @property
    def stacks(self) -> bool:
        return True

    def join(self, block: Block, offsets: Indices, first: int | Indices, context: Context) -> Block:
        if block.rows == (len(offsets) - 1) * self.batch_size:
            return group(block, self.batch_size, "batch", first, context)
        return group_ragged(block, offsets, "batch", first, context)

    def signature(self) -> str:
        return f"batch({self.batch_size}{', drop_remainder=True' if self.drop_remainder else ''})"
