"""Tokens hidden for a model to guess, as BERT is trained: `mask_tokens`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock import calls

Ids = NDArray[Any]


def mask_tokens(
    vocab_size: int,
    mask_id: int,
    *,
    probability: float = 0.15,
    special_ids: Iterable[int] = (),
    mask_share: float = 0.8,
    random_share: float = 0.1,
    ignore_index: int = -100,
) -> MaskTokens:
    """The function that hides some tokens of a sequence for a model to guess, for `Dataset.random_map`.

    >>> ds = Dataset.from_list([np.arange(5, 11)]).random_map(text.mask_tokens(30, mask_id=4), seed=4)
    >>> inputs, labels = next(iter(ds))
    >>> inputs.tolist(), labels.tolist()
    ([5, 6, 7, 8, 4, 10], [-100, -100, -100, -100, 9, -100])

    Each token is chosen with `probability`; of those chosen, 80 % become `mask_id`, 10 % another token drawn evenly of
    all that are not special, and 10 % stay. Special tokens are never chosen. This is the procedure of Devlin et al.,
    "BERT" (2019), section 3.1, with each token drawn for itself.

    Args:
        vocab_size: Tokens are 0 to `vocab_size` - 1.
        mask_id: The token that hides another; it counts as special.
        probability: Of a token being chosen.
        special_ids: Tokens that are never chosen nor drawn: [CLS], [SEP], padding.
        mask_share: The share of chosen tokens that become `mask_id`.
        random_share: The share that become a random token.
        ignore_index: The label of tokens that were not chosen.

    Returns:
        A function of an integer array and a generator that returns inputs and labels, in its shape and dtype.

    Raises:
        TypeError: An argument is no number, or `special_ids` no numbers.
        ValueError: A probability or share is not within 0 and 1, a token not within the vocabulary, or no token of the
            vocabulary is left to be drawn.

    See also: span_corruption, Dataset.random_map.
    """
    size = calls.count("text.mask_tokens", "vocab_size", vocab_size, 1)
    special = {calls.count("text.mask_tokens", "mask_id", mask_id, 0)}
    special |= set(calls.counts("text.mask_tokens", "special_ids", special_ids, 0))
    if max(special) >= size:
        raise ValueError(
            f"text.mask_tokens(): token {max(special)} is not within the vocabulary of {size}; vocab_size counts "
            "special tokens too, as tokenizer.get_vocab_size() does"
        )
    chances = {"probability": probability, "mask_share": mask_share, "random_share": random_share}
    for name, chance in {**chances, "mask_share + random_share": mask_share + random_share}.items():
        if not 0 <= chance <= 1 + 1e-9:
            raise ValueError(f"text.mask_tokens(): {name} must be within 0 and 1, but is {chance!r}")
    return MaskTokens(size, int(mask_id), sorted(special), probability, mask_share, random_share, int(ignore_index))


class MaskTokens:
    """What `mask_tokens` returns; its arguments are those, checked."""

    def __init__(
        self,
        vocab_size: int,
        mask_id: int,
        special: list[int],
        probability: float,
        mask_share: float,
        random_share: float,
        ignore_index: int,
    ) -> None:
        self.__qualname__ = "text.mask_tokens"
        self._settings = (vocab_size, mask_id, special, probability, mask_share, random_share, ignore_index)
        self._vocab_size = vocab_size
        self._mask_id = mask_id
        self._ignore_index = ignore_index
        self._is_special = np.zeros(vocab_size, np.bool_)
        self._is_special[special] = True
        self._regular = np.flatnonzero(~self._is_special)
        if random_share and not len(self._regular):
            raise ValueError(
                f"text.mask_tokens(): all {vocab_size} tokens of the vocabulary are special, so that none is left to "
                "be drawn; write random_share=0"
            )
        # One draw a token says both whether it is chosen and what becomes of it.
        self._below = (probability, probability * mask_share, probability * (mask_share + random_share))

    def __call__(self, ids: Ids, rng: np.random.Generator) -> tuple[Ids, Ids]:
        found = checked_ids("mask_tokens", ids, self._vocab_size)
        chosen, masked, changed = self._below
        draws = rng.random(found.shape)
        draws[self._is_special[found]] = 1.0
        inputs, labels = found.copy(), found.copy()
        labels[draws >= chosen] = self._ignore_index
        others = np.flatnonzero((draws >= masked) & (draws < changed))
        if len(others):
            inputs.flat[others] = self._regular[rng.integers(len(self._regular), size=len(others))]
        inputs[draws < masked] = self._mask_id
        return inputs, labels

    def identity(self) -> str:
        """What the results depend on, in a text that is the same in every process."""
        return repr(self._settings)


def checked_ids(method: str, ids: Any, vocab_size: int | None) -> Ids:
    """`ids` as a signed integer array.

    Raises:
        TypeError: They are no integers.
        ValueError: One is negative or not within the vocabulary.
    """
    found = np.asarray(ids)
    if found.dtype.kind not in "iu":
        raise TypeError(
            f"text.{method}(): takes an array of token ids, integers, but was given {found.dtype}; tokenize first"
        )
    if found.dtype.kind == "u":
        found = found.astype(np.int64)
    if found.size and (found.min() < 0 or (vocab_size is not None and found.max() >= vocab_size)):
        wrong = int(found.min()) if found.min() < 0 else int(found.max())
        bound = "" if vocab_size is None else f" to {vocab_size - 1}"
        raise ValueError(
            f"text.{method}(): token {wrong} is not within the vocabulary, 0{bound}; pass the vocab_size of the "
            "tokenizer that made the ids"
        )
    return found
