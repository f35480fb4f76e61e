"""A small Transformer language model, of custom Keras layers nested in one another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

Shape = tuple[Any, ...]
"""Sizes of axes; None for a batch of any size."""

_MASKED = -1e9
"""A score that softmax makes zero, and that is finite in float32 and bfloat16."""

_FEED_FORWARD_FACTOR = 4
_SEEDS_PER_BLOCK = 10


@keras.saving.register_keras_serializable(package="penstock")
class TokenAndPositionEmbedding(keras.layers.Layer):
    """A learnt vector for each token plus one for its place in the window.

    Args:
        vocab_size: Number of tokens.
        length: Longest window, in tokens.
        width: Size of a vector.
        dropout: Share of the sum's entries that training sets to zero.
        seed: Seed of the initial vectors and of dropout.
    """

    def __init__(
        self, vocab_size: int, length: int, width: int, dropout: float = 0.0, seed: int = 0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.length = length
        self.width = width
        self.rate = dropout
        self.seed = seed
        self.tokens = keras.layers.Embedding(vocab_size, width, embeddings_initializer=_vectors(width, seed))
        self.positions = keras.layers.Embedding(length, width, embeddings_initializer=_vectors(width, seed + 1))
        self.dropout = keras.layers.Dropout(dropout, seed=seed)

    def build(self, input_shape: Shape) -> None:
        self.tokens.build(input_shape)
        self.positions.build(input_shape[1:])
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        places = keras.ops.arange(inputs.shape[1], dtype="int32")
        return self.dropout(self.tokens(inputs) + self.positions(places), training=training)

    def logits(self, features: Any) -> Any:
        """How well each token's vector fits to `features`: the output of a model that has no head of its own."""
        return keras.ops.matmul(features, keras.ops.transpose(self.tokens.embeddings))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.width)

    def get_config(self) -> dict[str, Any]:
        config = {name: getattr(self, name) for name in ("vocab_size", "length", "width", "seed")}
        return {**super().get_config(), **config, "dropout": self.rate}


@keras.saving.register_keras_serializable(package="penstock")
class CausalSelfAttention(keras.layers.Layer):
    """Attention of several heads in which each place sees itself and what stands before it.

    Scaled dot products as in Vaswani et al., "Attention Is All You Need" (2017), section 3.2, without bias. One dense
    layer makes query, key and value: `keras.layers.MultiHeadAttention` would give all three one seeded initializer, and
    they would begin as the same matrix.

    Args:
        num_heads: Heads; they share the width of the input equally.
        seed: Seed of the initial weights.
    """

    def __init__(self, num_heads: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.seed = seed

    def build(self, input_shape: Shape) -> None:
        width = input_shape[-1]
        if width % self.num_heads:
            raise ValueError(
                f"CausalSelfAttention(): num_heads is {self.num_heads}, which does not divide the width {width}; write "
                "a number that does"
            )
        self.projection = keras.layers.Dense(3 * width, use_bias=False, kernel_initializer=_kernel(self.seed))
        self.output_projection = keras.layers.Dense(width, use_bias=False, kernel_initializer=_kernel(self.seed + 1))
        self.projection.build(input_shape)
        self.output_projection.build(input_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        ops = keras.ops
        length, width = inputs.shape[1:]
        head_width = width // self.num_heads
        parts = ops.reshape(self.projection(inputs), (-1, length, 3, self.num_heads, head_width))
        # Axes: query, key or value; batch; head; place; entry.
        query, key, value = ops.unstack(ops.transpose(parts, (2, 0, 3, 1, 4)), axis=0)
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) * head_width**-0.5
        places = ops.arange(length, dtype="int32")
        is_seen = places[:, None] >= places[None, :]
        weights = ops.softmax(ops.where(is_seen, scores, ops.cast(_MASKED, scores.dtype)), axis=-1)
        mixed = ops.swapaxes(ops.matmul(weights, value), 1, 2)
        return self.output_projection(ops.reshape(mixed, (-1, length, width)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads, "seed": self.seed}


@keras.saving.register_keras_serializable(package="penstock")
class FeedForward(keras.layers.Layer):
    """Two dense layers with GELU between them, on each place alone; the inner one is four times as wide.

    Args:
        seed: Seed of the initial weights.
    """

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed

    def build(self, input_shape: Shape) -> None:
        width = input_shape[-1]
        inner_shape = (*input_shape[:-1], _FEED_FORWARD_FACTOR * width)
        self.wide = keras.layers.Dense(inner_shape[-1], activation="gelu", kernel_initializer=_kernel(self.seed))
        self.narrow = keras.layers.Dense(width, kernel_initializer=_kernel(self.seed + 1))
        self.wide.build(input_shape)
        self.narrow.build(inner_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.narrow(self.wide(inputs))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package="penstock")
class TransformerBlock(keras.layers.Layer):
    """Attention and a feed-forward part; each reads a normalised copy of its input and adds to it what it finds.

    Args:
        num_heads: Heads of the attention.
        dropout: Share of what is added that training sets to zero.
        seed: Seed of the initial weights and of dropout.
    """

    def __init__(self, num_heads: int, dropout: float = 0.0, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.rate = dropout
        self.seed = seed
        self.attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.attention = CausalSelfAttention(num_heads, seed=seed)
        self.attention_dropout = keras.layers.Dropout(dropout, seed=seed)
        self.feed_forward_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.feed_forward = FeedForward(seed=seed + 2)
        self.feed_forward_dropout = keras.layers.Dropout(dropout, seed=seed + 1)

    def build(self, input_shape: Shape) -> None:
        for layer in (self.attention_norm, self.attention, self.feed_forward_norm, self.feed_forward):
            layer.build(input_shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        attended = self.attention(self.attention_norm(inputs))
        features = inputs + self.attention_dropout(attended, training=training)
        found = self.feed_forward(self.feed_forward_norm(features))
        return features + self.feed_forward_dropout(found, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_heads": self.num_heads, "dropout": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package="penstock")
class TransformerLanguageModel(keras.Model):
    """Token ids of shape (batch, length) to logits of shape (batch, length, vocab_size): the token that comes next.

    The logits at a place depend on the ids up to it alone. Built when it is made.

    >>> model = TransformerLanguageModel(vocab_size=50, length=16, width=8, num_layers=2, num_heads=2)
    >>> model.compute_output_shape((4, 16))
    (4, 16, 50)

    Args:
        vocab_size: Number of tokens.
        length: Longest window, in tokens.
        width: Size of the vectors between layers; `num_heads` divides it.
        num_layers: Blocks.
        num_heads: Heads of each block's attention.
        dropout: Share of entries that training sets to zero, behind the embedding and behind both parts of a block.
        tied: Score tokens by their embeddings; else by weights of their own.
        seed: Seed of the initial weights and of dropout.
    """

    def __init__(
        self,
        vocab_size: int,
        length: int,
        width: int = 128,
        num_layers: int = 2,
        num_heads: int = 4,
        dropout: float = 0.1,
        tied: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.length = length
        self.width = width
        self.num_heads = num_heads
        self.rate = dropout
        self.seed = seed
        self.embedding = TokenAndPositionEmbedding(vocab_size, length, width, dropout, seed)
        starts = [seed + _SEEDS_PER_BLOCK * (1 + place) for place in range(num_layers)]
        self.blocks = [TransformerBlock(num_heads, dropout, start) for start in starts]
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)
        head = keras.layers.Dense(vocab_size, use_bias=False, kernel_initializer=_kernel(seed + 2))
        self.head = None if tied else head
        self.build((None, length))

    def build(self, input_shape: Shape) -> None:
        self.embedding.build(input_shape)
        shape = self.embedding.compute_output_shape(input_shape)
        for layer in (*self.blocks, self.norm, *([] if self.head is None else [self.head])):
            layer.build(shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        features = self.embedding(inputs, training=training)
        for block in self.blocks:
            features = block(features, training=training)
        features = self.norm(features)
        return self.embedding.logits(features) if self.head is None else self.head(features)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.vocab_size)

    def get_config(self) -> dict[str, Any]:
        config = {name: getattr(self, name) for name in ("vocab_size", "length", "width", "num_heads", "seed")}
        parts = {"num_layers": len(self.blocks), "dropout": self.rate, "tied": self.head is None}
        return {**super().get_config(), **config, **parts}


def _kernel(seed: int) -> Callable[..., Any]:
    """Draws weights that keep the size of what they are multiplied with, whatever its width."""
    return lambda shape, dtype=None: _normal(shape, shape[0] ** -0.5, seed, dtype)


def _vectors(width: int, seed: int) -> Callable[..., Any]:
    """Draws embeddings that give logits of size 1/2 where they also score tokens."""
    return lambda shape, dtype=None: _normal(shape, 0.5 * width**-0.5, seed, dtype)


def _normal(shape: Shape, stddev: float, seed: int, dtype: Any) -> Any:
    """Numbers of NumPy: the same on every backend, and nothing that JAX would compile for each shape."""
    numbers = np.random.Generator(np.random.Philox(seed)).standard_normal(shape, np.float32)
    return keras.ops.convert_to_tensor(np.float32(stddev) * numbers, dtype)
