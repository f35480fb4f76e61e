"""Numbers for words: `vocabulary` and the `Vocabulary` that it makes."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock import calls

if TYPE_CHECKING:
    from penstock.dataset import Dataset

_VERSION = 1


def vocabulary(
    ds: Dataset[Any],
    *,
    max_size: int | None = None,
    min_count: int = 1,
    special: Sequence[str] = ("<unk>",),
    unknown: str | None = "<unk>",
) -> Vocabulary:
    """Count the words of a dataset and number them, the most frequent ones first.

    >>> ds = Dataset.from_list(["b a b", "c b a"]).map(lambda line: np.array(line.split(), object))
    >>> words = text.vocabulary(ds, max_size=3)
    >>> words.tokens
    ('<unk>', 'b', 'a')
    >>> [ids.tolist() for ids in ds.map(words)]
    [[1, 2, 1], [0, 1, 2]]

    Args:
        ds: A finite dataset, read once; each element is a word, or an array or list of words.
        max_size: Words in all, special ones included; by default all.
        min_count: How often a word must be seen.
        special: Words with the ids 0, 1, ..., whether seen or not.
        unknown: The special word that stands for all that have no id; None makes those an error.

    Returns:
        A `Vocabulary`. Words seen equally often are in alphabetical order, so that it depends on counts alone.

    Memory: a count for each word that was seen.

    Raises:
        TypeError: An element holds something else than text.
        ValueError: `max_size` has no room for the special words, `unknown` is none of them, or the dataset is endless.

    See also: Vocabulary, train_bpe.
    """
    from penstock import INFINITE_CARDINALITY

    first = tuple(special)
    most = None if max_size is None else calls.count("text.vocabulary", "max_size", max_size, max(1, len(first)))
    least = calls.count("text.vocabulary", "min_count", min_count, 1)
    Vocabulary(first, unknown=unknown)  # what is wrong with these shows before the data is read
    if ds.cardinality() == INFINITE_CARDINALITY:
        raise ValueError("text.vocabulary(): the dataset is endless; take() as many elements as are to be read")
    counts: Counter[str] = Counter()
    with iter(ds) as elements:
        for element in elements:
            counts.update(_words("vocabulary", element))
    for word in first:
        counts.pop(word, None)
    found = sorted((word for word, count in counts.items() if count >= least), key=lambda word: (-counts[word], word))
    return Vocabulary([*first, *found][:most], unknown=unknown)


class Vocabulary:
    """Words and their ids, both ways; a function of words, for `Dataset.map`.

    >>> words = text.Vocabulary(["<unk>", "to", "be"])
    >>> words("be"), words.lookup(["to", "bee"]), words.inverse([2, 1])
    (np.int32(2), array([1, 0], dtype=int32), array(['be', 'to'], dtype=object))

    Args:
        tokens: The words; the id of each is its place.
        unknown: The word whose id stands for all others; None makes those an error.

    Raises:
        TypeError: A word is no text.
        ValueError: A word is there twice, or `unknown` is none of them.
    """

    def __init__(self, tokens: Iterable[str], *, unknown: str | None = "<unk>") -> None:
        self.tokens = tuple(tokens)
        self.unknown = unknown
        self._ids = {token: place for place, token in enumerate(self.tokens)}
        if len(self._ids) < len(self.tokens):
            twice = next(token for token, count in Counter(self.tokens).items() if count > 1)
            raise ValueError(f"text.Vocabulary(): {twice!r} is there twice; give each word once")
        for token in self.tokens:
            if not isinstance(token, str):
                raise TypeError(f"text.Vocabulary(): words must be texts, but one is {token!r}")
        if unknown is not None and unknown not in self._ids:
            raise ValueError(
                f"text.Vocabulary(): unknown={unknown!r} is no word of it; put it among the (special) words, or write "
                "unknown=None"
            )
        self._array = np.array(self.tokens, object)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} words, unknown={self.unknown!r})"

    def __call__(self, words: Any) -> Any:
        """As `lookup`."""
        return self.lookup(words)

    def lookup(self, words: Any) -> Any:
        """The id of a word as an int32, or of each word of an array or list as an int32 array of its shape.

        Raises:
            TypeError: Something is no text.
            ValueError: A word has no id, and `unknown` is None.
        """
        if isinstance(words, str):
            return np.int32(self._id(words))
        flat = _words("Vocabulary.lookup", words)
        return np.array([self._id(word) for word in flat], np.int32).reshape(np.shape(words))

    def inverse(self, ids: Any) -> Any:
        """The word of an id, or of each id of an array, as an array of its shape.

        Raises:
            TypeError: Ids are no integers.
            ValueError: An id is not within the vocabulary.
        """
        found = np.asarray(ids)
        if found.dtype.kind not in "iu" and found.size:
            raise TypeError(f"Vocabulary.inverse(): ids must be integers, but are {found.dtype}")
        if found.size and (found.min() < 0 or found.max() >= len(self)):
            wrong = found.min() if found.min() < 0 else found.max()
            raise ValueError(
                f"Vocabulary.inverse(): id {wrong} is not within the vocabulary, 0 to {len(self) - 1}; the ids were "
                "made with another one"
            )
        return self._array[found.astype(np.intp)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JSON."""
        text = json.dumps({"version": _VERSION, "unknown": self.unknown, "tokens": self.tokens}, ensure_ascii=False)
        Path(path).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Read what `save` wrote.

        Raises:
            ValueError: The file holds something else.
        """
        try:
            found = json.loads(Path(path).read_text(encoding="utf-8"))
            version, tokens, unknown = found["version"], found["tokens"], found["unknown"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"Vocabulary.load(): {os.fspath(path)} is no vocabulary ({type(error).__name__}: {error}); write one "
                "with Vocabulary.save"
            ) from None
        if version != _VERSION:
            raise ValueError(
                f"Vocabulary.load(): {os.fspath(path)} has version {version!r}, and this penstock reads {_VERSION}"
            )
        return cls(tokens, unknown=unknown)

    def identity(self) -> str:
        """What the results depend on, in a text that is the same in every process."""
        return repr((self.tokens, self.unknown))

    def __reduce__(self) -> Any:
        return _made, (self.tokens, self.unknown)

    def _id(self, word: str) -> int:
        found = self._ids.get(word)
        if found is not None:
            return found
        if self.unknown is None:
            raise ValueError(
                f"Vocabulary.lookup(): {word!r} is no word of it, and there is none for unknown ones; make it of more "
                "text, or with unknown="
            )
        return self._ids[self.unknown]


def _made(tokens: Sequence[str], unknown: str | None) -> Vocabulary:
    return Vocabulary(tokens, unknown=unknown)


def _words(method: str, element: Any) -> list[str]:
    """The words of an element.

    Raises:
        TypeError: It holds something else.
    """
    flat = [element] if isinstance(element, str) else np.asarray(element, object).ravel().tolist()
    for word in flat:
        if not isinstance(word, str):
            raise TypeError(
                f"text.{method}(): words must be texts, but one is {word!r} ({type(word).__name__}); split lines with "
                "ds.map(lambda line: np.array(line.split(), object))"
            )
    return flat
