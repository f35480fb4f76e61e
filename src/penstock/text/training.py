"""A tokenizer made from a dataset: `train_bpe`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from penstock import calls
from penstock.text import libraries

if TYPE_CHECKING:
    from penstock.dataset import Dataset


def train_bpe(
    ds: Dataset[str], vocab_size: int, *, special_tokens: Sequence[str] = (), min_count: int = 2, progress: bool = False
) -> Any:
    """Train a byte-level BPE tokenizer, as GPT-2 has, on all texts of a dataset.

    >>> tokenizer = text.train_bpe(Dataset.from_list(["to be, or not"] * 9), vocab_size=300, special_tokens=["<e>"])
    >>> tokenizer.encode("to be, <e>").tokens
    ['to', 'Ġbe', ',', 'Ġ', '<e>']

    It knows all 256 bytes, so that there is no unknown token and every text is decoded to itself. Save it with
    `tokenizer.save(path)`. Merges are learnt as in Sennrich, Haddow and Birch, "Neural Machine Translation of Rare
    Words with Subword Units" (2016), section 3.2, within words as GPT-2 splits them.

    Args:
        ds: A finite dataset of texts, read once.
        vocab_size: Tokens in all, at least 256 and the special ones.
        special_tokens: Tokens that are never taken apart; their ids are 0, 1, ...
        min_count: How often a pair must be seen to be merged.
        progress: Show the library's progress bar.

    Returns:
        A `tokenizers.Tokenizer`.

    Raises:
        TypeError: An element is no text.
        ValueError: `vocab_size` has no room for the bytes and the special tokens, or the dataset is endless.
        ImportError: tokenizers is not installed.

    See also: tokenize, vocabulary.
    """
    library = libraries.tokenizers("train_bpe")
    special = list(special_tokens)
    size = calls.count("text.train_bpe", "vocab_size", vocab_size, 256 + len(special), "; all bytes are tokens")
    least = calls.count("text.train_bpe", "min_count", min_count, 1)
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=least,
        special_tokens=special,
        initial_alphabet=library.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=progress,
    )
    with libraries.threads_within(ds.options().cpu_budget):
        tokenizer.train_from_iterator(texts_of("train_bpe", ds), trainer)
    return tokenizer


def texts_of(method: str, ds: Dataset[Any]) -> Iterator[str]:
    """The texts of a finite dataset.

    Raises:
        TypeError: An element is no text.
        ValueError: The dataset is endless.
    """
    from penstock import INFINITE_CARDINALITY

    if ds.cardinality() == INFINITE_CARDINALITY:
        raise ValueError(f"text.{method}(): the dataset is endless; take() as many elements as are to be read")
    with iter(ds) as elements:
        for at, element in enumerate(elements):
            if not isinstance(element, str):
                raise TypeError(
                    f"text.{method}(): element {at} is {element!r} ({type(element).__name__}), but must be a text; map "
                    'it first: ds.map(lambda row: row["text"])'
                )
            yield element
