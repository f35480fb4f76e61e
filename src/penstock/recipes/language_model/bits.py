"""Bits per byte: how short a model could write a text, whatever its tokens are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.recipes.training.job import Array, Predict

Ids = NDArray[np.int32]

_ROWS = 16
"""Windows that are scored together."""


def bits_of(predict: Predict, ids: Ids, window: int, first: int) -> float:
    """Bits in which a model writes `ids`: the sum of -log2 of the probability that it gives to each of them.

    Each token is counted once, the very first and those at the edges of windows too. Windows overlap by half, so that
    from the second window on a token is foretold from at least half a window of what stands before it.

    Args:
        predict: From windows of shape (rows, window) to logits of shape (rows, window, vocab_size), of which those at
            a place depend on tokens up to there alone.
        ids: The text, shape (num_tokens,).
        window: Tokens that the model sees at once.
        first: A token that is taken to stand before the text.
    """
    if not len(ids):
        return 0.0
    stride = max(1, window // 2)
    line = np.concatenate([[first], ids]).astype(np.int32)
    num_windows = 1 + max(0, -(-(len(ids) - window) // stride))
    num_windows += -num_windows % _ROWS  # so that the model is compiled for one shape alone
    padded = np.zeros((num_windows - 1) * stride + window + 1, np.int32)
    padded[: len(line)] = line
    seen = np.lib.stride_tricks.sliding_window_view(padded, window + 1)[::stride]
    nats = 0.0
    for start in range(0, num_windows, _ROWS):
        rows = seen[start : start + _ROWS]
        inputs, targets = rows[:, :-1], rows[:, 1:]
        numbers = np.arange(start, start + len(rows))[:, None]
        within = np.arange(window)
        is_new = (within >= window - stride) | (numbers == 0)
        is_counted = is_new & (numbers * stride + within < len(ids))
        nats += float(_surprise(predict(np.ascontiguousarray(inputs)), targets)[is_counted].sum())
    return nats / math.log(2)


def unigram_bits_of(ids: Ids, learnt_from: Iterable[Ids], vocab_size: int) -> float:
    """Bits in which a model writes `ids` that knows nothing but how often each token comes: what a model must beat.

    Args:
        ids: The text.
        learnt_from: Arrays of tokens, of any shape, that the counts are taken from; each token counts once more.
        vocab_size: Number of tokens.
    """
    counts = np.ones(vocab_size)
    for tokens in learnt_from:
        counts += np.bincount(np.ravel(tokens), minlength=vocab_size)
    return float(-np.log2(counts[ids] / counts.sum()).sum())


def _surprise(logits: Array, targets: Array) -> NDArray[Any]:
    """-log of the probability of each target, in float64."""
    exact = logits.astype(np.float64)
    exact -= exact.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(exact, targets[..., None], axis=-1)[..., 0]
    return np.asarray(np.log(np.exp(exact).sum(axis=-1)) - chosen)
