"""Which text a language model learns from, and how large the model is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from penstock.recipes.language_model.corpus import Corpus
from penstock.recipes.training.settings import Settings

SMALLEST_VOCABULARY = 256
"""All bytes are tokens."""

_HEAD_WIDTH = 32


@dataclass(frozen=True, kw_only=True)
class TextSettings(Settings):
    """One training on text.

    Args:
        corpus: The text.
        vocab_size: Tokens that the tokenizer has at most; a short text may not give as many.
        window: Tokens that the model sees at once.
        width: Size of the model's vectors; a multiple of 32, or below.
        num_layers: Transformer blocks.
        learning_rate: Of the first step; it falls from epoch to epoch.
        prompt: What the sample begins with, at the beginning of a line.
        sample_tokens: Length of the sample.

    Raises:
        ValueError: A name is unknown, or a number too small.
    """

    corpus: Corpus
    vocab_size: int = 2048
    window: int = 128
    width: int = 128
    num_layers: int = 2
    learning_rate: float = 3e-3
    prompt: str = ""
    sample_tokens: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("window", "width", "num_layers", "sample_tokens"):
            self.check_at_least_1(field)
        if self.vocab_size < SMALLEST_VOCABULARY:
            raise ValueError(
                f"Settings(): vocab_size is {self.vocab_size}; it must be at least {SMALLEST_VOCABULARY}, as all bytes "
                "are tokens"
            )
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"Settings(): learning_rate is {self.learning_rate}; it must be above 0, such as 0.001")
        if self.width > _HEAD_WIDTH and self.width % _HEAD_WIDTH:
            raise ValueError(f"Settings(): width is {self.width}; it must be a multiple of {_HEAD_WIDTH}, or below")

    @property
    def num_heads(self) -> int:
        """Heads of the attention: of 32 entries each."""
        return max(1, self.width // _HEAD_WIDTH)

    def tokens_identity(self) -> dict[str, Any]:
        """What the tokens depend on, as JSON."""
        return {"text": self.corpus.digest[:16], "vocab_size": self.vocab_size, "window": self.window}

    def identity(self) -> dict[str, Any]:
        """The settings that a run must keep to go on as it began."""
        names = ("width", "num_layers", "learning_rate")
        return {**self.tokens_identity(), **{name: getattr(self, name) for name in names}, **super().identity()}
