"""Bits of a text, with models made of NumPy: each token is counted once, with what stands before it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from penstock.recipes.language_model.bits import bits_of, unigram_bits_of
from tests.recipes.language_model.last_token import FIRST, TABLE, VOCAB_SIZE, follows


class TestBits:
    @pytest.mark.parametrize("window", [1, 2, 5, 8])
    @pytest.mark.parametrize("num_tokens", [0, 1, 4, 5, 6, 8, 16, 17, 150])
    def test_every_token_is_counted_once(self, window: int, num_tokens: int) -> None:
        ids = np.random.default_rng(num_tokens).integers(0, VOCAB_SIZE, num_tokens).astype(np.int32)
        exact = TABLE.astype(np.float64)
        log_shares = exact - np.log(np.exp(exact).sum(axis=1, keepdims=True))
        before = [FIRST, *ids[:-1]]
        expected = -sum(log_shares[old, new] for old, new in zip(before, ids, strict=bool(num_tokens)))
        assert bits_of(follows, ids, window, FIRST) == pytest.approx(expected / math.log(2), rel=1e-12)

    def test_tokens_after_the_first_window_see_half_a_window_at_least(self) -> None:
        ids = np.arange(1, 41, dtype=np.int32)  # Each is one more than the token before it.

        def knows_with_four_before(inputs: np.ndarray) -> np.ndarray:
            logits = np.zeros((*inputs.shape, 50), np.float32)
            rows, places = np.nonzero((np.arange(8) >= 4) | (inputs <= 8))
            logits[rows, places, (inputs[rows, places] + 1) % 50] = 60
            return logits

        assert bits_of(knows_with_four_before, ids, 8, first=0) < 1e-9

    def test_unigram(self) -> None:
        # Counted once more each: 3, 2 and 1 of 6.
        bits = unigram_bits_of(np.array([0, 1, 2, 2]), [np.array([[0, 1]]), np.array([0])], vocab_size=3)
        assert bits == pytest.approx(math.log2(6 / 3) + math.log2(6 / 2) + 2 * math.log2(6 / 1))
