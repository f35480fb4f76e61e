"""Tokens drawn from what a model of NumPy foretells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock.recipes.language_model.sampling import sample_ids
from tests.recipes.language_model.last_token import FIRST, TABLE, follows


class TestSampleIds:
    def test_temperature_zero_and_top_1_take_the_likeliest(self) -> None:
        expected, last = [], FIRST
        for _ in range(10):
            last = int(TABLE[last].argmax())
            expected.append(last)
        assert sample_ids(follows, [FIRST], 10, window=4, temperature=0) == expected
        assert sample_ids(follows, [FIRST], 10, window=4, top_k=1, seed=9) == expected

    def test_seed_decides(self) -> None:
        first, again, other = (sample_ids(follows, [FIRST], 30, window=4, seed=seed) for seed in (1, 1, 2))
        assert first == again != other

    @pytest.mark.parametrize(("temperature", "top_k"), [(1.0, None), (0.5, None), (1.0, 3)])
    def test_tokens_come_as_often_as_the_model_says(self, temperature: float, top_k: int | None) -> None:
        logits = np.array([2.0, 0.0, 1.0, 0.5, -1.0])
        drawn = sample_ids(
            lambda inputs: np.broadcast_to(logits, (*inputs.shape, 5)),
            [0],
            4000,
            4,
            temperature=temperature,
            top_k=top_k,
        )
        shares = np.exp(logits / temperature) * (logits >= np.sort(logits)[-(top_k or 5)])
        found = np.bincount(drawn, minlength=5) / 4000
        np.testing.assert_allclose(found, shares / shares.sum(), atol=0.03)
        assert (found[shares == 0] == 0).all()

    def test_the_model_sees_the_last_tokens_of_a_window(self) -> None:
        seen: list[Any] = []

        def successor(inputs: np.ndarray) -> np.ndarray:
            seen.append(inputs[0].tolist())
            return np.eye(30)[inputs + 1]

        assert sample_ids(successor, [0, 1], 4, window=3, temperature=0) == [2, 3, 4, 5]
        assert seen == [[0, 1, 0], [0, 1, 2], [1, 2, 3], [2, 3, 4]]

    @pytest.mark.parametrize(
        ("begin", "options", "message"),
        [
            ([], {}, "begin is empty"),
            ([1], {"temperature": -0.5}, r"temperature is -0\.5; it must be at least 0"),
            ([1], {"top_k": 0}, "top_k is 0; it must be at least 1, or None"),
        ],
    )
    def test_arguments_that_cannot_be(self, begin: list[int], options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            sample_ids(follows, begin, 1, 4, **options)
