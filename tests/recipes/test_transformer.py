"""The Transformer and its layers: what each place sees, weights by seed, saved and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from penstock.recipes.transformer import (
    CausalSelfAttention,
    FeedForward,
    TokenAndPositionEmbedding,
    TransformerBlock,
    TransformerLanguageModel,
)

IDS = np.random.default_rng(0).integers(0, 50, (3, 12)).astype(np.int32)
FEATURES = np.random.default_rng(1).standard_normal((3, 12, 8)).astype(np.float32)


def small_model(**changes: Any) -> TransformerLanguageModel:
    options = {"vocab_size": 50, "length": 12, "width": 8, "num_layers": 2, "num_heads": 2, "seed": 3}
    return TransformerLanguageModel(**{**options, **changes})


def outputs(layer: Any, inputs: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(layer(inputs)))


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("tied", [True, False])
class TestTransformerLanguageModel:
    def test_a_place_sees_itself_and_what_stands_before(self, tied: bool) -> None:
        model = small_model(tied=tied)
        before = outputs(model, IDS)
        changed = IDS.copy()
        changed[:, 7] = (changed[:, 7] + 1) % 50
        after = outputs(model, changed)
        np.testing.assert_allclose(after[:, :7], before[:, :7], atol=1e-6)
        assert (np.abs(after[:, 7:] - before[:, 7:]).max(axis=-1) > 1e-4).all()

    def test_saved_and_loaded_it_foretells_the_same(self, tied: bool, tmp_path: Path) -> None:
        model = small_model(tied=tied, dropout=0.25)
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert type(loaded) is TransformerLanguageModel
        assert loaded.get_config() == model.get_config()
        np.testing.assert_array_equal(outputs(loaded, IDS), outputs(model, IDS))

    def test_says_the_shape_that_it_gives(self, tied: bool) -> None:
        model = small_model(tied=tied)
        assert model.built
        assert model.compute_output_shape((None, 12)) == (None, 12, 50)
        assert outputs(model, IDS).shape == (3, 12, 50)


def test_tied_head_is_the_embedding() -> None:
    assert small_model(tied=False).count_params() - small_model().count_params() == 50 * 8


def test_seed_decides_the_weights() -> None:
    np.testing.assert_array_equal(outputs(small_model(), IDS), outputs(small_model(), IDS))
    assert not np.allclose(outputs(small_model(), IDS), outputs(small_model(seed=4), IDS))


def test_no_two_weights_begin_alike() -> None:
    kernels = [
        keras.ops.convert_to_numpy(weight).ravel()
        for weight in small_model(tied=False).trainable_weights
        if weight.shape[1:]
    ]
    beginnings = [tuple(kernel[:8].tolist()) for kernel in kernels]
    assert len(set(beginnings)) == len(beginnings) == 2 + 2 * 4 + 1


def test_every_dropout_is_told_whether_it_is_training(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []

    def call(self: keras.layers.Dropout, inputs: Any, training: bool = False) -> Any:
        told.append(training)
        return inputs

    monkeypatch.setattr(keras.layers.Dropout, "call", call)
    model = small_model()
    model(IDS, training=True)
    model(IDS, training=False)
    assert told == [True] * 5 + [False] * 5


def test_attention_is_that_of_the_paper() -> None:
    layer = CausalSelfAttention(num_heads=2, seed=5)
    found = outputs(layer, FEATURES)
    query, key, value = np.split(FEATURES @ keras.ops.convert_to_numpy(layer.projection.kernel), 3, axis=-1)
    heads = []
    for head in (slice(0, 4), slice(4, 8)):
        scores = query[..., head] @ key[..., head].swapaxes(1, 2) / 2.0
        scores[:, np.triu(np.ones((12, 12), bool), 1)] = -np.inf
        heads.append(softmax(scores) @ value[..., head])
    expected = np.concatenate(heads, axis=-1) @ keras.ops.convert_to_numpy(layer.output_projection.kernel)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match="num_heads is 3, which does not divide the width 8"):
        CausalSelfAttention(num_heads=3).build((None, 5, 8))


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (TokenAndPositionEmbedding(50, 12, 8, dropout=0.3, seed=2), IDS),
        (CausalSelfAttention(2, seed=2), FEATURES),
        (FeedForward(seed=2), FEATURES),
        (TransformerBlock(2, dropout=0.3, seed=2), FEATURES),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.Layer) else "",
)
def test_config_makes_an_equal_layer(layer: Any, inputs: np.ndarray) -> None:
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(outputs(again, inputs), outputs(layer, inputs))
    assert layer.compute_output_shape(inputs.shape) == outputs(layer, inputs).shape
