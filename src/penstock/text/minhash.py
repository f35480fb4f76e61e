"""How alike texts are, by signatures: MinHash (Broder, 1997) over hashed shingles, and LSH bands to find like ones.

Broder, "On the resemblance and containment of documents", 1997; bands: Indyk and Motwani, "Approximate nearest
neighbors", 1998, as in Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4. All hashes are of 64
bits and made for whole blocks of texts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from penstock import random

Hashes = NDArray[np.uint64]

_SEED = random.Key(seed=0, name="deduplicate", pass_number=0, epoch=0)
_BASE = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0xD1342543DE82EF95)
_BLANK, _END = np.uint32(32), np.uint32(10)
_RECALL = 0.95
_CHARACTERS_AT_ONCE = 1 << 17


def normal_form(text: str) -> str:
    """The text without what does not tell texts apart: letter case, white space, compatibility forms of Unicode."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def bands_for(threshold: float, num_permutations: int) -> tuple[int, int]:
    """How many bands of how many rows: the most rows with which two texts that are just so alike share a band in 95 %.

    >>> bands_for(0.8, 128)
    (18, 7)
    """
    for rows in range(num_permutations, 1, -1):
        bands = num_permutations // rows
        if 1 - (1 - threshold**rows) ** bands >= _RECALL:
            return bands, rows
    return num_permutations, 1


class Signer:
    """Makes signatures: two texts agree at each of their numbers with the probability that is their similarity.

    Args:
        shingle_words: Words in a shingle. The similarity of two texts is the share of shingles that both have among
            all that one of them has; a text of fewer words is one shingle.
        num_permutations: Numbers in a signature.
    """

    def __init__(self, shingle_words: int, num_permutations: int) -> None:
        self._words = shingle_words
        drawn = random.raw(_SEED, 0, 2 * num_permutations)
        self._factors = drawn[:num_permutations] | np.uint64(1)
        self._summands = drawn[num_permutations:]

    def sign(self, forms: Sequence[str]) -> NDArray[np.uint32]:
        """The signatures of texts in their normal form, shape (texts, num_permutations)."""
        found = np.empty((len(forms), len(self._factors)), np.uint32)
        start = characters = 0
        for at, form in enumerate(forms):
            characters += len(form)
            if characters >= _CHARACTERS_AT_ONCE or at == len(forms) - 1:
                found[start : at + 1] = self._sign(forms[start : at + 1])
                start, characters = at + 1, 0
        return found

    def _sign(self, forms: Sequence[str]) -> NDArray[np.uint32]:
        shingles, starts = self._shingles(forms)
        found = np.empty((len(forms), len(self._factors)), np.uint32)
        own: Hashes = np.empty_like(shingles)
        for at, (factor, summand) in enumerate(zip(self._factors, self._summands, strict=True)):
            np.multiply(shingles, factor, out=own)
            own += summand
            found[:, at] = np.minimum.reduceat(own, starts) >> np.uint64(32)
        return found

    def _shingles(self, forms: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
        """Hashes of the shingles of all texts, at least one of each, and where each text's begin."""
        words, counts = _hash_words(forms)
        width = self._words
        # Short texts are filled up with words of hash 0, so that each has a shingle.
        filled = np.maximum(counts, width)
        starts = np.cumsum(filled) - filled
        spread: Hashes = np.zeros(int(filled.sum()), np.uint64)
        spread[np.arange(len(words)) + np.repeat(starts - (np.cumsum(counts) - counts), counts)] = words
        num_shingles = filled - width + 1
        first = np.cumsum(num_shingles) - num_shingles
        places = np.arange(int(num_shingles.sum())) + np.repeat(starts - first, num_shingles)
        joined: Hashes = np.zeros(len(places), np.uint64)
        for at in range(width):
            joined *= _STEP
            joined += spread[places + at]
        return _mixed(joined), first


def _hash_words(forms: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """A hash of each word of each text, and how many words each text has.

    The hash is a polynomial of the word's code points, mixed before and after. All are had by one running sum: what it
    is between two places, divided by the power of the first, does not depend on where the word stands.
    """
    joined = "\n".join(forms) + "\n"
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    is_end = codes == _END
    stops = np.flatnonzero((codes == _BLANK) | is_end)
    starts = np.concatenate([[0], stops[:-1] + 1])
    text = np.cumsum(is_end)[stops] - is_end[stops]
    is_word = stops > starts
    starts, stops, text = starts[is_word], stops[is_word], text[is_word]
    powers = np.multiply.accumulate(np.append(np.uint64(1), np.full(len(codes), _BASE)))
    sums: Hashes = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(_mixed(codes.astype(np.uint64) + np.uint64(1)) * powers[:-1], out=sums[1:])
    inverse = np.uint64(pow(int(_BASE), -1, 1 << 64))
    back = np.multiply.accumulate(np.append(np.uint64(1), np.full(int(starts.max(initial=0)), inverse)))
    hashes = _mixed((sums[stops] - sums[starts]) * back[starts])
    return hashes, np.bincount(text, minlength=len(forms)).astype(np.int64)


def _mixed(hashes: Hashes) -> Hashes:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014): each bit depends on all."""
    mixed: Hashes = hashes ^ (hashes >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


class NearIndex:
    """Signatures of texts of which no two are alike, found by their bands.

    Args:
        threshold: From which share of equal numbers on two signatures are alike.
        num_permutations: Numbers in a signature.
    """

    def __init__(self, threshold: float, num_permutations: int) -> None:
        self._threshold = threshold
        self._bands, self._rows = bands_for(threshold, num_permutations)
        self._signatures: NDArray[np.uint32] = np.empty((64, num_permutations), np.uint32)
        self._count = 0
        self._table: dict[int, int | tuple[int, ...]] = {}

    def add_new(self, signatures: NDArray[np.uint32]) -> list[bool]:
        """For each in turn, whether it is like none before it that was added; then it is added."""
        keys = self._keys(signatures).tolist()
        return [self._add_one(signature, own) for signature, own in zip(signatures, keys, strict=True)]

    def _keys(self, signatures: NDArray[np.uint32]) -> Hashes:
        """A hash for each band of each signature, another one for equal numbers in another band."""
        banded = signatures[:, : self._bands * self._rows].reshape(len(signatures), self._bands, self._rows)
        keys: Hashes = np.tile(np.arange(self._bands, dtype=np.uint64), (len(signatures), 1))
        for at in range(self._rows):
            keys = _mixed(keys * _STEP + banded[:, :, at])
        return keys

    def _add_one(self, signature: NDArray[np.uint32], keys: list[int]) -> bool:
        found: set[int] = set()
        for key in keys:
            others = self._table.get(key)
            if others is not None:
                found.update((others,) if isinstance(others, int) else others)
        if found:
            shares = (self._signatures[list(found)] == signature).mean(axis=1)
            if float(shares.max()) >= self._threshold:
                return False
        self._keep(signature)
        for key in keys:
            others = self._table.get(key)
            self._table[key] = (
                self._count if others is None else (*((others,) if isinstance(others, int) else others), self._count)
            )
        self._count += 1
        return True

    def _keep(self, signature: NDArray[np.uint32]) -> None:
        if self._count == len(self._signatures):
            longer = np.empty((2 * self._count, self._signatures.shape[1]), np.uint32)
            longer[: self._count] = self._signatures
            self._signatures = longer
        self._signatures[self._count] = signature
