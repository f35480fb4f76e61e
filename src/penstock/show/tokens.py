"""Token ids as text: what `--tokenizer` makes of them."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from penstock.show.parts import Decode


def load_decoder(path: Path) -> Decode:
    """What decodes with the tokenizer of a file, as Hugging Face's `tokenizers` writes them.

    Ids that it has no token for, such as the -100 of labels that do not count, stand in the text as numbers.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no tokenizer.
        ImportError: `tokenizers` is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"--tokenizer: {path} does not exist; give the JSON file of a tokenizer")
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ImportError(
            '--tokenizer needs tokenizers, which is not installed; pip install "penstock[text]"'
        ) from None
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise ValueError(
            f"--tokenizer: {path} holds no tokenizer ({error}); give the JSON file that Tokenizer.save() writes"
        ) from error

    def decode(ids: NDArray[Any]) -> str:
        return _decode(tokenizer, ids.tolist())

    return decode


def _decode(tokenizer: Any, ids: list[int]) -> str:
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    pieces = []
    for known, run in groupby(ids, key=lambda token: 0 <= token < size):
        tokens = list(run)
        if known:
            pieces.append(tokenizer.decode(tokens, skip_special_tokens=False))
        else:
            pieces += [_unknown(token, len(list(alike))) for token, alike in groupby(tokens)]
    return "".join(pieces)


def _unknown(token: int, times: int) -> str:
    return f" [{token}]" if times == 1 else f" [{token} x {times}]"
