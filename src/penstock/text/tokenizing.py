"""Text to the numbers of its tokens, by tokenizers of Hugging Face or of tiktoken: `tokenize`."""

from __future__ import annotations

import functools
import hashlib
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.columns import Varlen
from penstock.text import libraries

Ids = NDArray[np.int32]


def tokenize(tokenizer: Any, *, add_special_tokens: bool = True, attention_mask: bool = False) -> Tokenize:
    """The function that turns a text into the ids of its tokens, for `Dataset.map`.

    >>> tokenizer = text.train_bpe(Dataset.from_list(["low lower lowest"] * 9), vocab_size=300)
    >>> ds = Dataset.from_list(["lower", "low low"]).map(text.tokenize(tokenizer))
    >>> [tokenizer.decode(ids) for ids in ds]
    ['lower', 'low low']

    The texts of a block are tokenized together, without the GIL, in one thread a call: `num_parallel_calls` says how
    many cores are used. The tokenizer travels to worker processes; it must not be changed while it is in use.

    Args:
        tokenizer: A `tokenizers.Tokenizer`, an object that holds one (`PreTrainedTokenizerFast` of transformers), or a
            tiktoken `Encoding`. Its truncation applies, and its padding to a fixed length.
        add_special_tokens: Add what its post-processor adds, such as [CLS] and [SEP]. Tiktoken adds none; there, the
            name of a special token within a text is plain text.
        attention_mask: Return a dict of "ids" and "attention_mask" (1 for tokens, 0 for padding) instead of ids.

    Returns:
        A function of one text that returns an int32 array of shape (num_tokens,), or a dict of two.

    Raises:
        TypeError: It is no tokenizer of these libraries.
        ValueError: It pads to the longest text of a batch, which no element can know.
        ImportError: Neither library is installed.

    See also: train_bpe, pad, truncate, Dataset.padded_batch.
    """
    return Tokenize(_known(tokenizer, bool(add_special_tokens)), bool(attention_mask))


class Tokenize:
    """What `tokenize` returns: a function of one text, also written for many.

    Args:
        backend: The tokenizer behind one interface.
        attention_mask: Whether it returns the mask too.
    """

    lets_go_of_gil = True

    def __init__(self, backend: _Backend, attention_mask: bool) -> None:
        self._backend = backend
        self._attention_mask = attention_mask
        self.__qualname__ = f"text.tokenize({backend.name})"

    def __call__(self, text: str) -> Ids | dict[str, Ids]:
        if not isinstance(text, str):
            raise TypeError(
                f"text.tokenize(): takes a text, but was given {text!r} ({type(text).__name__}); decode bytes with "
                'text.clean, and of a structure map its text: ds.map(lambda row: row["text"])'
            )
        ids, mask = self._backend.one(text)
        found = np.array(ids, np.int32)
        return {"ids": found, "attention_mask": np.array(mask, np.int32)} if self._attention_mask else found

    def for_rows(self, texts: list[str]) -> Varlen | dict[str, Varlen]:
        """The ids of many texts, tokenized together."""
        if not self._attention_mask:
            return _column(self._backend.ids(texts))
        pairs = self._backend.ids_and_masks(texts)
        return {"ids": _column(ids for ids, _ in pairs), "attention_mask": _column(mask for _, mask in pairs)}

    def identity(self) -> str:
        """What the results depend on, in a text that is the same in every process."""
        return f"{self.__qualname__} {self._attention_mask} {self._backend.identity}"


class _Backend(ABC):
    """A tokenizer of some library."""

    name: str

    @abstractmethod
    def one(self, text: str) -> tuple[list[int], list[int]]:
        """The ids of a text and its attention mask."""

    @abstractmethod
    def ids(self, texts: list[str]) -> Iterable[list[int]]:
        """The ids of each text."""

    @abstractmethod
    def ids_and_masks(self, texts: list[str]) -> list[tuple[list[int], list[int]]]:
        """The ids and the attention mask of each text."""

    @property
    @abstractmethod
    def identity(self) -> str:
        """A hash of all that the tokenizer is."""


class _HuggingFace(_Backend):
    name = "tokenizers"

    def __init__(self, tokenizer: Any, add_special_tokens: bool) -> None:
        self._tokenizer = tokenizer
        self._add = add_special_tokens

    def one(self, text: str) -> tuple[list[int], list[int]]:
        found = self._tokenizer.encode(text, add_special_tokens=self._add)
        return found.ids, found.attention_mask

    def ids(self, texts: list[str]) -> Iterable[list[int]]:
        return [found.ids for found in self._encoded(texts)]

    def ids_and_masks(self, texts: list[str]) -> list[tuple[list[int], list[int]]]:
        return [(found.ids, found.attention_mask) for found in self._encoded(texts)]

    def _encoded(self, texts: list[str]) -> list[Any]:
        with libraries.one_thread():
            found: list[Any] = self._tokenizer.encode_batch_fast(texts, add_special_tokens=self._add)
        return found

    @functools.cached_property
    def identity(self) -> str:
        return f"{self._add} {hashlib.blake2b(self._tokenizer.to_str().encode(), digest_size=16).hexdigest()}"


class _Tiktoken(_Backend):
    name = "tiktoken"

    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding

    def one(self, text: str) -> tuple[list[int], list[int]]:
        ids = self._encoding.encode_ordinary(text)
        return ids, [1] * len(ids)

    def ids(self, texts: list[str]) -> Iterable[list[int]]:
        return map(self._encoding.encode_ordinary, texts)

    def ids_and_masks(self, texts: list[str]) -> list[tuple[list[int], list[int]]]:
        return list(map(self.one, texts))

    @functools.cached_property
    def identity(self) -> str:
        known = self._encoding
        parts = (known.name, known._pat_str, sorted(known._mergeable_ranks.items()), sorted(known._special_tokens))
        return hashlib.blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _known(tokenizer: Any, add_special_tokens: bool) -> _Backend:
    """The tokenizer behind one interface."""
    hugging_face, tiktoken = libraries.loaded("tokenizers"), libraries.loaded("tiktoken")
    if tiktoken is not None and isinstance(tokenizer, tiktoken.Encoding):
        return _Tiktoken(tokenizer)
    for found in (tokenizer, getattr(tokenizer, "backend_tokenizer", None), getattr(tokenizer, "_tokenizer", None)):
        if hugging_face is not None and isinstance(found, hugging_face.Tokenizer):
            return _HuggingFace(_not_padding_to_longest(found), add_special_tokens)
    if not libraries.is_any_installed():
        raise ImportError(
            "text.tokenize() needs a tokenizer of tokenizers or tiktoken, and neither is installed; "
            'pip install "penstock[text]"'
        )
    raise TypeError(
        f"text.tokenize(): tokenizer must be a tokenizers.Tokenizer or a tiktoken Encoding, but is {tokenizer!r} "
        f"({type(tokenizer).__name__}); load one with tokenizers.Tokenizer.from_file(path), or train one with "
        "text.train_bpe(ds, vocab_size=8000)"
    )


def _not_padding_to_longest(tokenizer: Any) -> Any:
    if tokenizer.padding is not None and tokenizer.padding["length"] is None:
        raise ValueError(
            "text.tokenize(): the tokenizer pads to the longest text of a batch, which no element can know; call its "
            "no_padding(), and pad batches with Dataset.padded_batch, or enable_padding(length=...)"
        )
    return tokenizer


def _column(rows: Iterable[list[int]]) -> Varlen:
    """Lists of numbers as one column; `fromlist` reads them three times as fast as NumPy does (bench_text.py)."""
    values, ends = array("i"), array("q", [0])
    for row in rows:
        values.fromlist(row)
        ends.append(len(values))
    ids = np.frombuffer(values, np.int32) if values else np.empty(0, np.int32)
    return Varlen(ids, np.frombuffer(ends, np.int64))
