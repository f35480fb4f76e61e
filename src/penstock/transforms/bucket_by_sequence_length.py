"""Elements of like length joined into one: `bucket_by_sequence_length`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls
from penstock.collecting import Collecting, CutByCount, Cutter
from penstock.node import Node
from penstock.padding import Padding
from penstock.record import record
from penstock.vectorize.function import ElementFunction, purity_of

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_METHOD = "bucket_by_sequence_length"


def bucket_by_sequence_length(
    self: Dataset[T],
    element_length_func: Callable[..., Any],
    bucket_boundaries: Sequence[int],
    bucket_batch_sizes: Sequence[int],
    padded_shapes: Any = None,
    padding_values: Any = None,
    pad_to_bucket_boundary: bool = False,
    no_padding: bool = False,
    drop_remainder: bool = False,
    *,
    purity: str | None = None,
) -> Dataset[T]:
    """Join elements of like length into batches, so that little has to be filled up.

    >>> ds = Dataset.from_list([[1], [2, 3, 4, 5], [6, 7], [8, 9, 10]])
    >>> ds = ds.bucket_by_sequence_length(lambda x: len(x), [3], [2, 2])
    >>> [element.tolist() for element in ds]
    [[[1, 0], [6, 7]], [[2, 3, 4, 5], [8, 9, 10, 0]]]

    Batches are the user's own: they may be written into and kept.

    Args:
        element_length_func: Called like the function of `map`; returns a whole number.
        bucket_boundaries: Where each bucket but the first begins, rising: an element of length b is in bucket [b, ...).
        bucket_batch_sizes: Elements per batch, for each bucket: one more than there are boundaries.
        padded_shapes: As in `padded_batch`.
        padding_values: As in `padded_batch`.
        pad_to_bucket_boundary: Pad to the greatest length of the bucket, its next boundary minus 1, instead of the
            longest of the batch: each axis that is None in `padded_shapes`, or without those in the input's spec, or
            where neither is known the first axis of each component.
        no_padding: Stack elements as they are; those of a bucket must then be of one shape.
        drop_remainder: Drop the batches that are incomplete at the end.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code.

    Spec: shape s becomes (None, *p), where p are the padded sizes, None where they vary; dtype is kept.
    Cardinality: unknown; infinite if the input's is.
    Order: batches come when they are complete, elements within them in the order of the input; at the end those that
        are incomplete, the shortest bucket first.  Random access: no.
    Memory: the elements that wait, less than one batch a bucket, and some blocks of rows.
    State: the input's before the oldest element that waits, and how many wait in each bucket. The elements are read
        again to resume, and their lengths are taken again.

    An element that is an error, or whose length cannot be had, is one of its own, in its place; a batch that cannot be
    padded is an error in the batch's place.

    Raises:
        TypeError: `element_length_func` is no function, or a boundary, size or padding value is of another type.
        ValueError: Boundaries do not rise from 1 on, there is not one batch size more than boundaries, a size is below
            1, or `no_padding` is asked for along with padding.
        SpecError: A length is no whole number of at least 0, or with `pad_to_bucket_boundary` beyond the last boundary;
            or as in `padded_batch`.

    See also: batch_by_tokens, padded_batch.
    """
    calls.function(_METHOD, "element_length_func", element_length_func)
    boundaries = calls.rising(_METHOD, "bucket_boundaries", bucket_boundaries)
    sizes = _batch_sizes(bucket_batch_sizes, len(boundaries))
    padding = None
    if no_padding:
        _refuse_padding(padded_shapes, padding_values, pad_to_bucket_boundary)
    else:
        if pad_to_bucket_boundary and not boundaries:
            raise ValueError(f"{_METHOD}(): pad_to_bucket_boundary needs at least one of bucket_boundaries")
        if pad_to_bucket_boundary and padded_shapes is None:
            padded_shapes = _open_shapes(self._node)
        padding = Padding(_METHOD, padded_shapes, padding_values)
        padding.check(self._node)
    function = ElementFunction(element_length_func, _METHOD, calls.origin(), purity=purity_of(_METHOD, purity))
    fills = bool(pad_to_bucket_boundary)
    node = BucketBySequenceLength(
        self._node, function, boundaries, padding, _METHOD, sizes, fills, bool(drop_remainder)
    )
    return self._then(node)


def _batch_sizes(given: Sequence[int], num_boundaries: int) -> tuple[int, ...]:
    sizes = calls.counts(_METHOD, "bucket_batch_sizes", given, 1)
    if len(sizes) != num_boundaries + 1:
        raise ValueError(
            f"{_METHOD}(): {num_boundaries} bucket_boundaries make {num_boundaries + 1} buckets, but there are "
            f"{len(sizes)} bucket_batch_sizes; give one for each bucket"
        )
    return sizes


def _refuse_padding(padded_shapes: Any, padding_values: Any, pad_to_bucket_boundary: bool) -> None:
    asked = {
        "padded_shapes": padded_shapes is not None,
        "padding_values": padding_values is not None,
        "pad_to_bucket_boundary": pad_to_bucket_boundary,
    }
    for name in [name for name, is_asked in asked.items() if is_asked]:
        raise ValueError(f"{_METHOD}(): {name} says how to pad, but no_padding says not to; leave one of them out")


def _open_shapes(node: Node) -> Any:
    """The shapes of elements with None for each axis that varies; None where they are not known."""
    spec = node.known_spec()
    if spec is None or any(leaf.shape is None for leaf in spec.leaves):
        return None
    return spec.treedef.unflatten([leaf.shape for leaf in spec.leaves])


@record
class BucketBySequenceLength(Collecting):
    """Batches of the elements of each bucket, `batch_sizes[bucket]` at a time."""

    batch_sizes: tuple[int, ...]
    fills_buckets: bool
    drop_remainder: bool

    def cutter(self) -> Cutter:
        return CutByCount(self.batch_sizes)

    @property
    def longest(self) -> int | None:
        return self.boundaries[-1] - 1 if self.fills_buckets else None

    @property
    def advice(self) -> str:
        return "give a greater last one of bucket_boundaries, or filter() it out before"

    @property
    def drops_rest(self) -> bool:
        return self.drop_remainder

    def padding_of(self, bucket: int) -> Padding | None:
        if self.padding is None or not self.fills_buckets:
            return self.padding
        return replace(self.padding, filler=self.boundaries[bucket] - 1)

    def signature(self) -> str:
        given = [self.function.name, str(list(self.boundaries)), str(list(self.batch_sizes))]
        given += ["no_padding=True"] if self.padding is None else self.padding.arguments()
        flags = {"pad_to_bucket_boundary": self.fills_buckets, "drop_remainder": self.drop_remainder}
        given += [f"{name}=True" for name, is_on in flags.items() if is_on]
        return f"{_METHOD}({', '.join(given)})"
