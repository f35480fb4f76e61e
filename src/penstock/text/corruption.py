"""Spans of tokens taken out for a model to say, as T5 is trained: `span_corruption`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import calls
from penstock.text.masking import checked_ids

Ids = NDArray[Any]


def span_corruption(
    sentinel_ids: Iterable[int], *, density: float = 0.15, mean_span_length: float = 3.0, eos_id: int | None = None
) -> SpanCorruption:
    """The function that takes spans out of a sequence for a model to say, for `Dataset.random_map`.

    >>> corrupt = text.span_corruption(range(99, 89, -1), density=0.3, mean_span_length=2.0)
    >>> inputs, targets = next(iter(Dataset.from_list([np.arange(10, 20)]).random_map(corrupt, seed=1)))
    >>> inputs.tolist(), targets.tolist()
    ([10, 11, 99, 13, 14, 15, 16, 17, 98], [99, 12, 98, 18, 19])
    >>> corrupt.lengths(10)
    (9, 5)

    Of n tokens, round(n * density) (at least one, and not all) are noise, in round(noise / mean_span_length) spans (at
    least one, and no more than there is of either kind). The lengths of the spans, and of what is between them, are
    drawn evenly among all ways to divide them, and the sequence ends with noise. In the inputs the next sentinel stands
    for each span; in the targets, each span stands behind its sentinel. So the lengths depend on n alone: this is
    `random_spans_noise_mask` of Raffel et al., "Exploring the Limits of Transfer Learning" (2020), section 3.1.4.

    Args:
        sentinel_ids: Tokens that stand for spans, in order; `range(32099, 31999, -1)` for T5's.
        density: The share of tokens that is noise, above 0 and below 1.
        mean_span_length: How long a span is on average; at least 1.
        eos_id: A token to end both with.

    Returns:
        A function of an integer array of shape (n,), n at least 2, and a generator, that returns inputs and targets in
        its dtype; its `lengths(n)` are theirs.

    Raises:
        TypeError: An argument is no number.
        ValueError: `density` or `mean_span_length` is out of range, or there is no sentinel or one twice. When it is
            called: the sequence is shorter than two tokens, contains a sentinel, or needs more of them.

    See also: mask_tokens, shift_targets, Dataset.random_map.
    """
    sentinels = calls.counts("text.span_corruption", "sentinel_ids", sentinel_ids, 0)
    if not sentinels or len(set(sentinels)) < len(sentinels):
        raise ValueError(
            f"text.span_corruption(): sentinel_ids must be different tokens, at least one, but are {sentinels}"
        )
    if not 0 < density < 1:
        raise ValueError(f"text.span_corruption(): density must be above 0 and below 1, but is {density!r}")
    if not mean_span_length >= 1:
        raise ValueError(f"text.span_corruption(): mean_span_length must be at least 1, but is {mean_span_length!r}")
    end = None if eos_id is None else calls.count("text.span_corruption", "eos_id", eos_id, 0)
    return SpanCorruption(sentinels, float(density), float(mean_span_length), end)


class SpanCorruption:
    """What `span_corruption` returns; its arguments are those, checked."""

    def __init__(self, sentinels: tuple[int, ...], density: float, mean_span_length: float, eos_id: int | None) -> None:
        self.__qualname__ = "text.span_corruption"
        self._sentinels = np.array(sentinels, np.int64)
        self._range = (min(sentinels), max(sentinels))
        self._density = density
        self._mean_span_length = mean_span_length
        self._eos_id = eos_id

    def __call__(self, ids: Ids, rng: np.random.Generator) -> tuple[Ids, Ids]:
        found = checked_ids("span_corruption", ids, None)
        noise, spans = self._counts(found)
        kept_lengths = _divided(len(found) - noise, spans, rng)
        noise_lengths = _divided(noise, spans, rng)
        sentinels = self._sentinels[:spans].astype(found.dtype)
        # Kept and noise take turns; a sentinel goes behind each stretch of what is kept, and before each of noise.
        is_noise = np.repeat(np.arange(2 * spans) % 2 == 1, np.stack([kept_lengths, noise_lengths], 1).ravel())
        inputs = np.insert(found[~is_noise], np.cumsum(kept_lengths), sentinels)
        targets = np.insert(found[is_noise], np.cumsum(noise_lengths) - noise_lengths, sentinels)
        if self._eos_id is None:
            return inputs, targets
        end = np.array([self._eos_id], found.dtype)
        return np.concatenate([inputs, end]), np.concatenate([targets, end])

    def lengths(self, length: int) -> tuple[int, int]:
        """How long inputs and targets of `length` tokens are.

        Raises:
            ValueError: `length` is below 2.
        """
        noise, spans = self._divided_counts(length)
        ends = self._eos_id is not None
        return length - noise + spans + ends, noise + spans + ends

    def _divided_counts(self, length: int) -> tuple[int, int]:
        """How many tokens of `length` are noise, and in how many spans."""
        if length < 2:
            raise ValueError(
                f"text.span_corruption(): needs at least 2 tokens, but has {length}; leave shorter rows out with "
                "ds.filter(lambda ids: len(ids) > 1)"
            )
        noise = min(max(round(length * self._density), 1), length - 1)
        return noise, min(max(round(noise / self._mean_span_length), 1), length - noise)

    def _counts(self, ids: Ids) -> tuple[int, int]:
        """The same for a sequence that is looked at.

        Raises:
            ValueError: It has another shape, contains a sentinel, or needs more of them.
        """
        if ids.ndim != 1:
            raise ValueError(f"text.span_corruption(): takes an array of shape (length,), but was given {ids.shape}")
        noise, spans = self._divided_counts(len(ids))
        low, high = self._range
        near = ids[(ids >= low) & (ids <= high)]
        if near.size and np.isin(near, self._sentinels).any():
            at = int(np.flatnonzero(np.isin(ids, self._sentinels))[0])
            raise ValueError(
                f"text.span_corruption(): token {ids[at]} at position {at} is one of sentinel_ids, which no text may "
                "contain; give tokens that the tokenizer never makes"
            )
        if spans > len(self._sentinels):
            raise ValueError(
                f"text.span_corruption(): {len(ids)} tokens have {spans} spans, but there are {len(self._sentinels)} "
                "sentinel_ids; give more, or truncate() the sequence"
            )
        return noise, spans

    def identity(self) -> str:
        """What the results depend on, in a text that is the same in every process."""
        return repr((self._sentinels.tolist(), self._density, self._mean_span_length, self._eos_id))


def _divided(total: int, parts: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`total` as a sum of `parts` numbers of at least 1, each way as likely."""
    cuts = np.sort(rng.permutation(total - 1)[: parts - 1]) + 1
    return np.diff(cuts, prepend=0, append=total)
