"""A text made ready to be learnt from: a tokenizer, windows of tokens for training, and the tokens of the test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from numpy.typing import NDArray

from penstock import AUTOTUNE, text
from penstock.dataset import Dataset
from penstock.errors import CacheError
from penstock.recipes.language_model.corpus import TEST_EVERY, Corpus
from penstock.recipes.language_model.settings import TextSettings
from penstock.recipes.training.checkpoint import replacing

Ids = NDArray[np.int32]

_VERSION = 1


@dataclass(frozen=True)
class TestText:
    """The part of a text that a model is tested on.

    Attributes:
        ids: Its tokens.
        num_bytes: Its length as UTF-8, cleaned.
    """

    __test__ = False  # It is no test itself, whatever pytest makes of its name.

    ids: Ids
    num_bytes: int


class PreparedText:
    """Tokenizer and training windows in the folder of a run; made there when first asked for.

    Both depend on the text and the settings alone, so a run that goes on, or begins anew with the same settings, finds
    them ready.

    Args:
        settings: Which text, how many tokens and how long a window; its `save_dir` is the folder.
    """

    def __init__(self, settings: TextSettings) -> None:
        self._settings = settings
        self._folder = settings.save_dir
        self._windows_path = self._folder / "windows.arrow"
        self.tokenizer = self._tokenizer()

    def windows(self) -> Dataset[Ids]:
        """Windows of the training text, each with one token more than the model sees, one after another.

        Raises:
            ValueError: The text is too short for a single one.
        """
        try:
            windows = self._cached_windows()
        except CacheError:  # Of another version of penstock, or of files that have been moved.
            self._windows_path.unlink()
            windows = self._cached_windows()
        if not len(windows):
            raise ValueError(
                f"{_names(self._settings.corpus)}: too little text: the part to learn from has fewer than the "
                f"{self._settings.window + 1} tokens of a single window; name more text, or write a smaller --window"
            )
        return windows

    def test_text(self) -> TestText:
        """The part to test on, as tokens.

        Raises:
            ValueError: There is none.
        """
        lines = self._settings.corpus.test_lines()
        num_bytes = sum(len(line.encode()) for line in lines)
        if not num_bytes:
            raise ValueError(
                f"{_names(self._settings.corpus)}: too little text: one paragraph of {TEST_EVERY} is kept for testing, "
                "the second first, and there is no second; name more text"
            )
        return TestText(np.concatenate([*lines.map(text.tokenize(self.tokenizer))]), num_bytes)

    def _cached_windows(self) -> Dataset[Ids]:
        tokens = self._settings.corpus.train_lines().map(text.tokenize(self.tokenizer), num_parallel_calls=AUTOTUNE)
        packed = tokens.pack(self._settings.window + 1, strategy="split", drop_remainder=True)
        windows = packed.map(lambda row: row["tokens"]).cache(self._windows_path)
        # One whole pass writes the file, and from then on their number is known and each can be read by its own.
        for _ in windows.batch(1024):
            pass
        return windows

    def _tokenizer(self) -> Any:
        """The tokenizer in the folder, if it is of this text and these settings; else a new one, trained and saved."""
        said_path, path = self._folder / "prepared.json", self._folder / "tokenizer.json"
        said = {**self._settings.tokens_identity(), "version": _VERSION}
        if path.exists() and _read_json(said_path) == said:
            return tokenizers.Tokenizer.from_file(str(path))
        # What was said of the old files goes first and comes last: whenever this is cut off, all is made anew.
        for old in (said_path, self._windows_path):
            old.unlink(missing_ok=True)
        tokenizer = text.train_bpe(self._settings.corpus.train_lines(), self._settings.vocab_size)
        with replacing(path) as file:
            file.write(tokenizer.to_str().encode())
        with replacing(said_path) as file:
            file.write(json.dumps(said).encode())
        return tokenizer


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _names(corpus: Corpus) -> str:
    names: Iterator[str] = map(str, corpus.paths)
    return ", ".join(names)
