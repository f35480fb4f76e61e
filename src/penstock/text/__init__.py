"""Text: cleaned, tokenized and made into what language models are trained on.

Functions of one text or one sequence of tokens, for `Dataset.map` and `Dataset.random_map`; tokenizers come with
`pip install "penstock[text]"`.
"""

from penstock.text.cleaning import clean
from penstock.text.corruption import span_corruption
from penstock.text.deduplicate import deduplicate
from penstock.text.lengths import pad, truncate
from penstock.text.masking import mask_tokens
from penstock.text.mix import mix
from penstock.text.targets import shift_targets
from penstock.text.tokenizing import tokenize
from penstock.text.training import train_bpe
from penstock.text.vocabularies import Vocabulary, vocabulary

__all__ = [
    "clean",
    "tokenize",
    "train_bpe",
    "vocabulary",
    "Vocabulary",
    "pad",
    "truncate",
    "mask_tokens",
    "span_corruption",
    "shift_targets",
    "deduplicate",
    "mix",
]
