"""Text that a language model writes: one token after another, drawn from what it foretells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.recipes.training.job import Predict


def sample_ids(
    predict: Predict,
    begin: Sequence[int],
    num_tokens: int,
    window: int,
    *,
    temperature: float = 0.8,
    top_k: int | None = 40,
    seed: int = 0,
) -> list[int]:
    """Draw tokens that follow `begin`; the model sees the last `window` of all there are.

    Args:
        predict: From windows of shape (1, window) to logits of shape (1, window, vocab_size).
        begin: What stands before; at least one token.
        num_tokens: How many to draw.
        window: Tokens that the model sees at once.
        temperature: Divides the logits: below 1 makes likely tokens likelier, 0 always takes the likeliest.
        top_k: Draw from the so many likeliest alone; None for all.
        seed: Seed of the draws; the same model, arguments and seed give the same tokens.

    Raises:
        ValueError: `begin` is empty, or a number is too small.
    """
    if not len(begin):
        raise ValueError("sample_ids(): begin is empty; give at least one token, such as that of a newline")
    if temperature < 0:
        raise ValueError(f"sample_ids(): temperature is {temperature}; it must be at least 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"sample_ids(): top_k is {top_k}; it must be at least 1, or None")
    draws = np.random.Generator(np.random.Philox(seed)).random(num_tokens)
    ids = list(begin)
    for draw in draws:
        seen = ids[-window:]
        inputs = np.zeros((1, window), np.int32)  # Of one shape always: what comes after a place does not count there.
        inputs[0, : len(seen)] = seen
        ids.append(_choose(predict(inputs)[0, len(seen) - 1], temperature, top_k, draw))
    return ids[len(begin) :]


def _choose(logits: NDArray[Any], temperature: float, top_k: int | None, draw: float) -> int:
    """The token in whose share of the line from 0 to 1 `draw` falls, the likeliest first."""
    order = np.argsort(-logits, kind="stable")[:top_k]
    if not temperature:
        return int(order[0])
    scaled = logits[order].astype(np.float64) / temperature
    ends = np.cumsum(np.exp(scaled - scaled[0]))
    return int(order[min(np.searchsorted(ends, draw * ends[-1], side="right"), len(order) - 1)])
