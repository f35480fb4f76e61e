"""As many elements in a batch as a budget of tokens allows: `batch_by_tokens`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from penstock import calls
from penstock.collecting import Collecting, CutByTokens, Cutter
from penstock.padding import Padding
from penstock.record import record
from penstock.vectorize.function import ElementFunction, purity_of

if TYPE_CHECKING:
    from penstock.dataset import Dataset

T = TypeVar("T")

_METHOD = "batch_by_tokens"


def batch_by_tokens(
    self: Dataset[T],
    max_tokens: int,
    length_function: Callable[..., Any],
    padded: bool = True,
    *,
    bucket_boundaries: Sequence[int] = (),
    padded_shapes: Any = None,
    padding_values: Any = None,
    drop_remainder: bool = False,
    purity: str | None = None,
) -> Dataset[T]:
    """Join elements into batches of as many tokens as there may be, whatever number of elements that is.

    >>> ds = Dataset.from_list([[1], [2, 3], [4, 5, 6, 7], [8]]).batch_by_tokens(4, lambda x: len(x))
    >>> [element.tolist() for element in ds]
    [[[1, 0], [2, 3]], [[4, 5, 6, 7]], [[8]]]

    Batches are padded, and the user's own: they may be written into and kept.

    Args:
        max_tokens: Tokens per batch at most.
        length_function: Called like the function of `map`; returns an element's number of tokens.
        padded: Whether padding counts: each element with the length of the longest in its batch. Without, each counts
            with its own length.
        bucket_boundaries: Batches are made of elements of one bucket, as in `bucket_by_sequence_length`; by default
            all are in one, and batches are of consecutive elements.
        padded_shapes: As in `padded_batch`.
        padding_values: As in `padded_batch`.
        drop_remainder: Drop the batches that are incomplete at the end.
        purity: "pure", "stateless" or "stateful" overrides what is read from the function's code.

    Spec: shape s becomes (None, *p), where p are the padded sizes, None where they vary; dtype is kept.
    Cardinality: unknown; infinite if the input's is.
    Order: batches come when they are complete, which is when they have `max_tokens` or when an element comes that is
        too much; elements within them in the order of the input. At the end come those that are incomplete, the
        shortest bucket first.  Random access: no.
    Memory: the elements that wait, less than one batch a bucket, and some blocks of rows.
    State: as in `bucket_by_sequence_length`.

    An element that is an error, or whose length cannot be had, is one of its own, in its place; a batch that cannot be
    padded is an error in the batch's place.

    Raises:
        TypeError: `length_function` is no function, or a number or padding value is of another type.
        ValueError: `max_tokens` is below 1, or boundaries do not rise from 1 on.
        SpecError: A length is no whole number of at least 0, or above `max_tokens`; or as in `padded_batch`.

    See also: bucket_by_sequence_length, padded_batch.
    """
    tokens = calls.count(_METHOD, "max_tokens", max_tokens, 1)
    calls.function(_METHOD, "length_function", length_function)
    boundaries = calls.rising(_METHOD, "bucket_boundaries", bucket_boundaries)
    padding = Padding(_METHOD, padded_shapes, padding_values)
    padding.check(self._node)
    function = ElementFunction(length_function, _METHOD, calls.origin(), purity=purity_of(_METHOD, purity))
    node = BatchByTokens(self._node, function, boundaries, padding, _METHOD, tokens, bool(padded), bool(drop_remainder))
    return self._then(node)


@record
class BatchByTokens(Collecting):
    """Batches of the elements of each bucket, up to `max_tokens` in each."""

    max_tokens: int
    counts_padding: bool
    drop_remainder: bool

    def cutter(self) -> Cutter:
        return CutByTokens(self.max_tokens, self.counts_padding)

    @property
    def longest(self) -> int | None:
        return self.max_tokens

    @property
    def advice(self) -> str:
        return "give a greater max_tokens, cut it with map() or filter() it out before"

    @property
    def drops_rest(self) -> bool:
        return self.drop_remainder

    def signature(self) -> str:
        given = [str(self.max_tokens), self.function.name, *([] if self.counts_padding else ["padded=False"])]
        given += [f"bucket_boundaries={list(self.boundaries)}"] if self.boundaries else []
        assert self.padding is not None
        given += self.padding.arguments()
        return f"{_METHOD}({', '.join(given)}{', drop_remainder=True' if self.drop_remainder else ''})"
