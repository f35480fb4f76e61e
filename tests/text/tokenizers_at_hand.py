"""Small tokenizers of both libraries, made here: no test reads one from the network."""

from __future__ import annotations

import functools
from typing import Any

import tiktoken
from tokenizers import Tokenizer, processors

from penstock import Dataset, text

LINES = [
    line
    for number in range(40)
    for line in (
        f"The quick brown fox number {number} jumps over the lazy dog.",
        "",
        f"caf\xe9 {number} \u65e5\u672c\u8a9e \U0001f98a",
        "low lower lowest " * (number % 5),
    )
]


@functools.cache
def trained() -> str:
    """A BPE tokenizer with a post-processor, as JSON."""
    tokenizer = text.train_bpe(Dataset.from_list(LINES), vocab_size=400, special_tokens=["[CLS]", "[SEP]", "[PAD]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    written: str = tokenizer.to_str()
    return written


def hugging_face() -> Any:
    """A tokenizer of its own for each test, for it can be changed."""
    return Tokenizer.from_str(trained())


def tiktoken_encoding() -> Any:
    """All bytes, and three merges."""
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"lo": 256, b"low": 257, b"er": 258}
    return tiktoken.Encoding("small", pat_str=r"\S+|\s+", mergeable_ranks=ranks, special_tokens={"<|end|>": 259})
