"""One small convolutional network, written in each of the ways that Keras offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

Shape = tuple[Any, ...]
"""Sizes of axes; None for a batch of any size."""

FILTERS = (32, 64, 96, 128)
KERNEL_SIZES = (5, 3, 3, 3)
"""Of the blocks, in pixels."""

SMALLEST_EDGE = 3
"""A block halves its image unless it is this small, in pixels."""

DROPOUT = 0.4


@keras.saving.register_keras_serializable(package="penstock")
class ConvBlock(keras.layers.Layer):
    """Convolution, batch normalisation and an activation as one layer.

    The convolution has no bias: batch normalisation subtracts the mean at once and brings its own offset.

    >>> block = ConvBlock(16, strides=2)
    >>> block.compute_output_shape((None, 28, 28, 1))
    (None, 14, 14, 16)

    Args:
        filters: Channels of the output.
        kernel_size: Edge of the square kernel, in pixels.
        strides: Step of the kernel, in pixels.
        padding: "same" or "valid".
        seed: Seed of the initial kernel; None draws one.
        activation: Name of a function of Keras; None for none.
        kernel_initializer: Draws the initial kernel; by default Keras' `HeNormal` of `seed`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        strides: int = 1,
        padding: str = "same",
        seed: int | None = None,
        activation: str | None = "relu",
        kernel_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.seed = seed
        self.activation = activation
        self.activate = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.convolution = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            use_bias=False,
            kernel_initializer=self.kernel_initializer or keras.initializers.HeNormal(seed=seed),
        )
        self.normalization = keras.layers.BatchNormalization(momentum=0.97)

    def build(self, input_shape: Shape) -> None:
        self.convolution.build(input_shape)
        self.normalization.build(self.convolution.compute_output_shape(input_shape))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.activate(self.normalization(self.convolution(inputs), training=training))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape: Shape = self.convolution.compute_output_shape(input_shape)
        return shape

    def get_config(self) -> dict[str, Any]:
        names = ("filters", "kernel_size", "strides", "padding", "seed", "activation")
        own = {name: getattr(self, name) for name in names}
        if self.kernel_initializer is not None:
            own["kernel_initializer"] = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="penstock")
class SubclassedClassifier(keras.Model):
    """The network as a subclass of `keras.Model` that calls its layers itself.

    Args:
        input_shape: Height, width and channels of an image.
        num_classes: Number of outputs.
        seed: Seed of the initial weights and of dropout.
    """

    def __init__(self, input_shape: Shape, num_classes: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image_shape = tuple(input_shape)
        self.num_classes = num_classes
        self.seed = seed
        self.blocks = _blocks(input_shape, seed)
        self.flatten, self.dropout, self.scores = _head(num_classes, seed)

    def build(self, input_shape: Shape) -> None:
        shape = input_shape
        for layer in (*self.blocks, self.flatten, self.dropout, self.scores):
            layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, images: Any, training: bool | None = None) -> Any:
        features = images
        for block in self.blocks:
            features = block(features, training=training)
        return self.scores(self.dropout(self.flatten(features), training=training))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.num_classes)

    def get_config(self) -> dict[str, Any]:
        config = {"input_shape": self.image_shape, "num_classes": self.num_classes, "seed": self.seed}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="penstock")
class NestedClassifier(keras.Model):
    """The network as a subclassed model that holds a Sequential and a Functional model.

    Args:
        input_shape: Height, width and channels of an image.
        num_classes: Number of outputs.
        seed: Seed of the initial weights and of dropout.
    """

    def __init__(self, input_shape: Shape, num_classes: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image_shape = tuple(input_shape)
        self.num_classes = num_classes
        self.seed = seed
        self.features = keras.Sequential(
            [keras.Input(self.image_shape), *_blocks(self.image_shape, seed)], name="features"
        )
        maps = scores = keras.Input(self.features.output_shape[1:])
        for layer in _head(num_classes, seed):
            scores = layer(scores)
        self.classifier = keras.Model(maps, scores, name="classifier")

    def build(self, input_shape: Shape) -> None:
        del input_shape  # Both parts were built by their own inputs.
        self.built = True

    def call(self, images: Any, training: bool | None = None) -> Any:
        return self.classifier(self.features(images, training=training), training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.num_classes)

    def get_config(self) -> dict[str, Any]:
        config = {"input_shape": self.image_shape, "num_classes": self.num_classes, "seed": self.seed}
        return {**super().get_config(), **config}


def build_model(style: str, input_shape: Shape, num_classes: int, seed: int = 0) -> keras.Model:
    """The network in one of the four styles, built, with initial weights that depend on `seed` alone.

    It returns one logit per class. The four styles compute the same function and start from the same weights.

    >>> build_model("functional", (28, 28, 1), 10).output_shape
    (None, 10)

    Args:
        style: "sequential", "functional", "subclassed" or "nested".
        input_shape: Height, width and channels of an image.
        num_classes: Number of classes.
        seed: Seed of the initial weights.

    Raises:
        ValueError: `style` is none of the four.
    """
    if style not in _BUILDERS:
        raise ValueError(f"build_model(): style is {style!r}; write one of {', '.join(_BUILDERS)}")
    model = _BUILDERS[style](tuple(input_shape), num_classes, seed)
    if not model.built:
        model.build((None, *input_shape))
    return model


def _sequential(input_shape: Shape, num_classes: int, seed: int) -> keras.Model:
    return keras.Sequential([keras.Input(input_shape), *_blocks(input_shape, seed), *_head(num_classes, seed)])


def _functional(input_shape: Shape, num_classes: int, seed: int) -> keras.Model:
    images = features = keras.Input(input_shape)
    for layer in (*_blocks(input_shape, seed), *_head(num_classes, seed)):
        features = layer(features)
    return keras.Model(images, features)


def _subclassed(input_shape: Shape, num_classes: int, seed: int) -> keras.Model:
    return SubclassedClassifier(input_shape, num_classes, seed)


def _nested(input_shape: Shape, num_classes: int, seed: int) -> keras.Model:
    return NestedClassifier(input_shape, num_classes, seed)


def _blocks(input_shape: Shape, seed: int) -> list[ConvBlock]:
    blocks: list[ConvBlock] = []
    edge = min(input_shape[:2])
    for filters, kernel_size in zip(FILTERS, KERNEL_SIZES, strict=True):
        strides = 2 if edge > SMALLEST_EDGE else 1
        blocks.append(ConvBlock(filters, kernel_size, strides, seed=seed + len(blocks)))
        edge = -(-edge // strides)
    return blocks


def _head(num_classes: int, seed: int) -> list[keras.layers.Layer]:
    """Maps to one vector, dropout, and one logit per class."""
    initializer = keras.initializers.GlorotUniform(seed=seed + len(FILTERS))
    scores = keras.layers.Dense(num_classes, kernel_initializer=initializer)
    return [keras.layers.Flatten(), keras.layers.Dropout(DROPOUT, seed=seed), scores]


_BUILDERS: dict[str, Callable[[Shape, int, int], keras.Model]] = {
    "sequential": _sequential,
    "functional": _functional,
    "subclassed": _subclassed,
    "nested": _nested,
}

STYLES = tuple(_BUILDERS)
"""The names that `build_model` takes."""
