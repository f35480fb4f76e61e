"""The network in its four styles: one function, saved and loaded, right in training and inference."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from penstock.recipes.models import ConvBlock, build_model
from penstock.recipes.small_images.settings import STYLES

IMAGES = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)


def relu_of_normalized(inputs: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    return np.maximum((inputs - mean) / np.sqrt(variance + 1e-3), 0)


def convolved(block: ConvBlock) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(block.convolution(IMAGES)))


class TestConvBlock:
    def test_training_normalizes_by_the_batch_and_learns_its_statistics(self) -> None:
        block = ConvBlock(4, seed=1)
        block.build(IMAGES.shape)
        inputs = convolved(block)
        mean, variance = inputs.mean(axis=(0, 1, 2)), inputs.var(axis=(0, 1, 2))
        found = keras.ops.convert_to_numpy(block(IMAGES, training=True))
        np.testing.assert_allclose(found, relu_of_normalized(inputs, mean, variance), atol=1e-4)
        moving = keras.ops.convert_to_numpy(block.normalization.moving_mean)
        np.testing.assert_allclose(moving, 0.03 * mean, atol=1e-5)

    def test_inference_normalizes_by_the_learnt_statistics_and_changes_nothing(self) -> None:
        block = ConvBlock(4, seed=1)
        block.build(IMAGES.shape)
        mean, variance = np.full(4, 0.3, np.float32), np.full(4, 2.0, np.float32)
        block.normalization.moving_mean.assign(mean)
        block.normalization.moving_variance.assign(variance)
        found = keras.ops.convert_to_numpy(block(IMAGES, training=False))
        np.testing.assert_allclose(found, relu_of_normalized(convolved(block), mean, variance), atol=1e-5)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(block.normalization.moving_mean), mean)

    @pytest.mark.parametrize(
        ("options", "shape"),
        [
            ({}, (5, 8, 8, 3)),
            ({"strides": 2}, (5, 4, 4, 3)),
            ({"padding": "valid"}, (5, 6, 6, 3)),
            ({"kernel_size": 5, "padding": "valid"}, (5, 4, 4, 3)),
        ],
    )
    def test_says_the_shape_that_it_gives(self, options: dict[str, object], shape: tuple[int, ...]) -> None:
        block = ConvBlock(3, **options)
        assert block.compute_output_shape(IMAGES.shape) == shape
        assert block(IMAGES).shape == shape

    def test_config_makes_an_equal_layer(self) -> None:
        block = ConvBlock(3, kernel_size=5, strides=2, padding="valid", seed=7, name="first")
        again = ConvBlock.from_config(block.get_config())
        assert again.get_config() == block.get_config()
        assert (again.filters, again.kernel_size, again.strides, again.padding) == (3, 5, 2, "valid")
        np.testing.assert_array_equal(predicted(block), predicted(again))


@pytest.mark.parametrize("style", STYLES)
class TestBuildModel:
    def test_all_styles_are_one_function(self, style: str) -> None:
        expected = build_model("functional", (8, 8, 1), 10, seed=3)
        model = build_model(style, (8, 8, 1), 10, seed=3)
        assert model.count_params() == expected.count_params()
        np.testing.assert_allclose(predicted(model), predicted(expected), atol=1e-5)

    def test_seed_decides_the_weights(self, style: str) -> None:
        model = build_model(style, (8, 8, 1), 10, seed=3)
        np.testing.assert_array_equal(predicted(model), predicted(build_model(style, (8, 8, 1), 10, seed=3)))
        assert not np.allclose(predicted(model), predicted(build_model(style, (8, 8, 1), 10, seed=4)))

    def test_saved_and_loaded_it_predicts_the_same(self, style: str, tmp_path: Path) -> None:
        model = build_model(style, (8, 8, 1), 10, seed=3)
        for variable in model.non_trainable_variables:
            if "moving" in variable.name:  # As after training: saved statistics must not be the initial ones.
                variable.assign(variable + 0.25)
        path = tmp_path / "model.keras"
        model.save(path)
        loaded = keras.saving.load_model(path)
        assert type(loaded) is type(model)
        np.testing.assert_array_equal(predicted(loaded), predicted(model))

    def test_knows_its_shapes_before_it_sees_an_image(self, style: str) -> None:
        model = build_model(style, (28, 28, 1), 10)
        assert model.built
        assert model.compute_output_shape((None, 28, 28, 1)) == (None, 10)


def predicted(model: keras.Layer) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(model(IMAGES, training=False)))


def test_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="style is 'recursive'; write one of sequential, functional"):
        build_model("recursive", (8, 8, 1), 10)
