"""A language model that was trained: it says how likely a text is, and writes text of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tokenizers

from penstock.recipes.language_model.bits import bits_of
from penstock.recipes.language_model.corpus import clean_line
from penstock.recipes.language_model.sampling import sample_ids
from penstock.recipes.training.fit_loop import predictor
from penstock.recipes.training.job import Predict
from penstock.recipes.transformer import TransformerLanguageModel


@dataclass(frozen=True)
class LanguageModel:
    """A model with its tokenizer.

    Attributes:
        predict: From windows of tokens to logits.
        tokenizer: The `tokenizers.Tokenizer` that its tokens are of.
        window: Tokens that the model sees at once.
    """

    predict: Predict
    tokenizer: Any
    window: int

    def bits_per_byte(self, text: str) -> float:
        """Bits in which the model writes `text`, for each byte of it as UTF-8; lines are cleaned as in training.

        Raises:
            ValueError: There is no text.
        """
        if not text:
            raise ValueError("bits_per_byte(): there is no text; give at least one line")
        lines = [clean_line(line) for line in text.removesuffix("\n").split("\n")]
        ids = [encoded.ids for encoded in self.tokenizer.encode_batch(lines, add_special_tokens=False)]
        return self.bits_of_ids(np.concatenate(ids)) / sum(len(line.encode()) for line in lines)

    def bits_of_ids(self, ids: Any) -> float:
        """Bits in which the model writes the tokens of a text that begins with a line."""
        return bits_of(self.predict, ids, self.window, self._newline)

    def sample(
        self,
        prompt: str = "",
        num_tokens: int = 200,
        *,
        temperature: float = 0.8,
        top_k: int | None = 40,
        seed: int = 0,
    ) -> str:
        """Go on with `prompt`, at the beginning of a line, for so many tokens; see `sampling.sample_ids`."""
        begin = [self._newline, *self.tokenizer.encode(prompt, add_special_tokens=False).ids]
        options: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "seed": seed}
        drawn = sample_ids(self.predict, begin, num_tokens, self.window, **options)
        return prompt + str(self.tokenizer.decode(drawn, skip_special_tokens=False))

    @property
    def _newline(self) -> int:
        """The token before the beginning of a line; a newline alone is one, as all bytes are."""
        return int(self.tokenizer.encode("\n", add_special_tokens=False).ids[-1])


def load(folder: str | Path) -> LanguageModel:
    """Load what `penstock train text` has saved.

    Args:
        folder: The folder of the run, with `model.keras` and `tokenizer.json`.

    Raises:
        FileNotFoundError: It has no such files.
    """
    paths = {name: Path(folder) / name for name in ("model.keras", "tokenizer.json")}
    for name, path in paths.items():
        if not path.exists():
            raise FileNotFoundError(f"load(): {folder} has no {name}; name a folder in which penstock train text ended")
    model: TransformerLanguageModel = keras.saving.load_model(paths["model.keras"])
    return LanguageModel(predictor(model), tokenizers.Tokenizer.from_file(str(paths["tokenizer.json"])), model.length)
