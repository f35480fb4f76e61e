"""A small residual network (K. He et al., "Deep Residual Learning for Image Recognition", 2015, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from penstock.recipes.initial_weights import HeNormal
from penstock.recipes.models import ConvBlock, Shape

FIRST_FILTERS, MOST_FILTERS = 32, 256
LAST_EDGE = 4
"""Blocks halve the image until its edge has this many pixels, or less."""
LARGE_EDGE = 48
"""Images of this many pixels a side are halved by the very first convolution: there is enough left to see."""
DROPOUT = 0.2


@keras.saving.register_keras_serializable(package="penstock")
class ResidualBlock(keras.layers.Layer):
    """Two `ConvBlock`s whose result is added to what they were given.

    Where their shape is another, what is added goes through a `ConvBlock` of 1x1 pixels.

    >>> ResidualBlock(64, strides=2).compute_output_shape((None, 16, 16, 32))
    (None, 8, 8, 64)

    Args:
        filters: Channels of the output.
        strides: Step of the first kernel, in pixels.
        seed: Seed of the initial kernels; None draws one.
    """

    def __init__(self, filters: int, strides: int = 1, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.seed = seed
        seeds = [None] * 3 if seed is None else [seed, seed + 1, seed + 2]
        first, second, third = (HeNormal(each) for each in seeds)
        self.first = ConvBlock(filters, strides=strides, kernel_initializer=first)
        self.second = ConvBlock(filters, activation=None, kernel_initializer=second)
        self.shortcut = ConvBlock(filters, 1, strides, activation=None, kernel_initializer=third)
        self.is_same_shape = False

    def build(self, input_shape: Shape) -> None:
        self.first.build(input_shape)
        self.second.build(self.first.compute_output_shape(input_shape))
        self.is_same_shape = self.strides == 1 and input_shape[-1] == self.filters
        if not self.is_same_shape:
            self.shortcut.build(input_shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        kept = inputs if self.is_same_shape else self.shortcut(inputs, training=training)
        return keras.ops.relu(kept + self.second(self.first(inputs, training=training), training=training))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.first.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "strides": self.strides, "seed": self.seed}


@keras.saving.register_keras_serializable(package="penstock")
class ResidualClassifier(keras.Model):
    """A `ConvBlock`, `ResidualBlock`s that halve the image and double its channels, their mean, and a logit per class.

    Args:
        side: Height and width of an image, in pixels.
        class_names: What the logits stand for; the model keeps them.
        seed: Seed of the initial weights and of dropout.
    """

    def __init__(self, side: int, class_names: Sequence[str], seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.side = side
        self.class_names = tuple(class_names)
        self.seed = seed
        strides = 2 if side >= LARGE_EDGE else 1
        self.stem = ConvBlock(FIRST_FILTERS, strides=strides, kernel_initializer=HeNormal(seed))
        self.blocks = _blocks(-(-side // strides), seed + 1)
        self.mean = keras.layers.GlobalAveragePooling2D()
        self.dropout = keras.layers.Dropout(DROPOUT, seed=seed)
        self.scores = keras.layers.Dense(len(self.class_names), kernel_initializer=HeNormal(seed))

    def build(self, input_shape: Shape) -> None:
        shape = input_shape
        for layer in (self.stem, *self.blocks, self.mean, self.dropout, self.scores):
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, images: Any, training: bool | None = None) -> Any:
        features = self.stem(images, training=training)
        for block in self.blocks:
            features = block(features, training=training)
        return self.scores(self.dropout(self.mean(features), training=training))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], len(self.class_names))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "side": self.side, "class_names": list(self.class_names), "seed": self.seed}


def _blocks(edge: int, seed: int) -> list[ResidualBlock]:
    """The first block keeps the size of the image, each further one halves it."""
    blocks = [ResidualBlock(FIRST_FILTERS, seed=seed)]
    while edge > LAST_EDGE:
        filters = min(2 * blocks[-1].filters, MOST_FILTERS)
        blocks.append(ResidualBlock(filters, strides=2, seed=seed + 3 * len(blocks)))
        edge = -(-edge // 2)
    return blocks
