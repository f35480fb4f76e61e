"""Training a language model on a text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras

from penstock import text
from penstock.dataset import Dataset
from penstock.recipes.language_model.bits import unigram_bits_of
from penstock.recipes.language_model.prepared import PreparedText, TestText
from penstock.recipes.language_model.settings import TextSettings
from penstock.recipes.language_model.trained import LanguageModel
from penstock.recipes.training.job import Predict, loss_and_accuracy
from penstock.recipes.transformer import TransformerLanguageModel

_LEARNING_RATE_DECAY = 0.8
"""Per epoch."""

_DROPOUT = 0.1
_COUNTED_ROWS = 1024


@dataclass(frozen=True)
class TextOutcome:
    """What a language model can do.

    Attributes:
        bits_per_byte: Bits in which it writes the text it is tested on, for each byte of that.
        unigram_bits_per_byte: The same of a model that knows nothing but how often each token comes.
        num_test_bytes: Bytes of that text.
        sample: What it writes itself.
    """

    bits_per_byte: float
    unigram_bits_per_byte: float
    num_test_bytes: int
    sample: str


class TextJob:
    """A small Transformer that foretells the next token; its outcome are bits per byte, and a sample.

    Args:
        settings: What to train.
    """

    def __init__(self, settings: TextSettings) -> None:
        self.settings = settings

    @cached_property
    def _prepared(self) -> PreparedText:
        return PreparedText(self.settings)

    @cached_property
    def _test_text(self) -> TestText:
        return self._prepared.test_text()

    @cached_property
    def _windows(self) -> Dataset[Any]:
        return self._prepared.windows()

    def train_batches(self) -> Dataset[Any]:
        """Batches (tokens, next tokens) of shape (rows, window), shuffled anew in each pass.

        What is left behind the last whole batch waits for the next pass: a shorter batch would be compiled anew.
        """
        windows, settings = self._windows, self.settings
        _ = self._test_text  # Here already: a text that leaves nothing to test on should not be trained on first.
        shuffled = windows.shuffle(len(windows), seed=settings.seed)
        rows = min(settings.batch_size, len(windows))
        return shuffled.map(text.shift_targets).batch(rows, drop_remainder=True).prefetch(2)

    def model(self) -> keras.Model:
        """The Transformer, of as many tokens as the text has given."""
        settings = self.settings
        return TransformerLanguageModel(
            self._prepared.tokenizer.get_vocab_size(),
            settings.window,
            width=settings.width,
            num_layers=settings.num_layers,
            num_heads=settings.num_heads,
            dropout=_DROPOUT,
            seed=settings.seed,
        )

    def optimizer(self, num_batches: int) -> keras.optimizers.Optimizer:
        """Adam, with gradients of limited length and a rate that falls from epoch to epoch."""
        rate = keras.optimizers.schedules.ExponentialDecay(
            self.settings.learning_rate, num_batches, _LEARNING_RATE_DECAY
        )
        return keras.optimizers.Adam(rate, global_clipnorm=1.0)

    def told_of_epoch(self, metrics: dict[str, float]) -> str:
        """Loss in nats per token, and how many tokens were foretold right."""
        return loss_and_accuracy(metrics)

    def test(self, predict: Predict) -> TextOutcome:
        """Bits per byte of the part that was kept for testing, and a sample."""
        settings, prepared, tested = self.settings, self._prepared, self._test_text
        model = LanguageModel(predict, prepared.tokenizer, settings.window)
        counted = self._windows.batch(_COUNTED_ROWS)
        unigram_bits = unigram_bits_of(tested.ids, counted, prepared.tokenizer.get_vocab_size())
        return TextOutcome(
            model.bits_of_ids(tested.ids) / tested.num_bytes,
            unigram_bits / tested.num_bytes,
            tested.num_bytes,
            model.sample(settings.prompt, settings.sample_tokens, seed=settings.seed),
        )
