"""A keyed bijection of [0, n) in O(1) memory, for many places at a time.

A place is written as two digits, place = high * 2**k + low. Each round adds a keyed hash of one digit to the other one
(exclusive or for the low digit, addition modulo its range for the high digit), which can be undone and so is a
bijection whatever the hash (Luby and Rackoff, "How to Construct Pseudorandom Permutations from Pseudorandom Functions",
1988). The digits' range exceeds n by less than 2**k, about the square root of n; a result from n on is sent through
again until it lies below ("cycle walking": Black and Rogaway, "Ciphers with Arbitrary Finite Domains", 2002).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penstock.random.draws import Key, raw

_Digits = NDArray[np.uint32]

_NUM_ROUNDS = 8  # each changes one digit; fewer than 6 would be too few, and two more cost 2 ns a place
_FEWEST_BITS = 4  # of a digit: with 2, some permutations of 5 come out three times as often as others
_CHUNK_PLACES = 2**15  # four scratch arrays of 128 KiB: about a core's second cache
_CONSTANTS_PER_ROUND = 3
_SHORT_RANGE = 2**31  # up to here both digits fit 32 bits together, and the high one has at most 14
_MOST_SHORT_HIGH_BITS = 14
_15 = np.uint32(15)


class _Hash(NamedTuple):
    """The keyed hash of one round: multiply, add, xor-shift, multiply; its upper bits are the good ones."""

    factor: np.uint32
    offset: np.uint32
    last_factor: np.uint32

    def __call__(self, digits: _Digits, out: _Digits, scratch: _Digits) -> None:
        np.multiply(digits, self.factor, out=out)
        np.add(out, self.offset, out=out)
        np.right_shift(out, _15, out=scratch)
        np.bitwise_xor(out, scratch, out=out)
        np.multiply(out, self.last_factor, out=out)


class Feistel:
    """A bijection of [0, n), drawn for a key.

    Args:
        key: What the bijection is drawn for.
        n: From 1 to 2**62.
    """

    __slots__ = ("_hashes", "_high_range", "_is_short", "_low_bits", "_n")

    def __init__(self, key: Key, n: int) -> None:
        self._n = n
        self._is_short = n <= _SHORT_RANGE
        bits = (n - 1).bit_length()
        self._low_bits = max((bits + 1) // 2, _FEWEST_BITS)
        if self._is_short:
            self._low_bits = max(self._low_bits, bits - _MOST_SHORT_HIGH_BITS)
        self._high_range = max(((n - 1) >> self._low_bits) + 1, 2**_FEWEST_BITS)
        constants = raw(key, 0, _CONSTANTS_PER_ROUND * _NUM_ROUNDS).astype(np.uint32).reshape(-1, _CONSTANTS_PER_ROUND)
        constants[:, [0, 2]] |= np.uint32(1)  # an odd factor loses no bits
        self._hashes = [_Hash(*row) for row in constants]

    def __call__(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where each of `indices`, all in [0, n), is sent; an array of the same shape."""
        results = self._pass_in_chunks(np.ascontiguousarray(indices, dtype=np.int64).reshape(-1))
        walking = np.flatnonzero(results >= self._n)
        while walking.size:
            again = self._pass_in_chunks(results[walking])
            results[walking] = again
            walking = walking[again >= self._n]
        return results.reshape(np.shape(indices))

    def _pass_in_chunks(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        results = np.empty_like(places)
        scratch = np.empty((4, min(_CHUNK_PLACES, len(places))), np.uint32)
        for start in range(0, len(places), _CHUNK_PLACES):
            part = places[start : start + _CHUNK_PLACES]
            self._pass_once(part, results[start : start + _CHUNK_PLACES], scratch[:, : len(part)])
        return results

    def _pass_once(self, places: NDArray[np.int64], out: NDArray[np.int64], scratch: NDArray[np.uint32]) -> None:
        """Send places through all rounds, within the whole range of the two digits."""
        high, low, hashed, spare = scratch
        low_bits = self._low_bits
        np.copyto(low, places, casting="unsafe")  # the lower 32 bits
        if self._is_short:
            np.right_shift(low, np.uint32(low_bits), out=high)
        else:
            np.copyto(high, places >> low_bits, casting="unsafe")
        np.bitwise_and(low, np.uint32((1 << low_bits) - 1), out=low)
        down = np.uint32(32 - low_bits)
        for hash_high, hash_low in zip(self._hashes[::2], self._hashes[1::2], strict=True):
            hash_high(high, hashed, spare)
            np.right_shift(hashed, down, out=hashed)
            np.bitwise_xor(low, hashed, out=low)
            hash_low(low, hashed, spare)
            self._add_to_high(high, hashed, spare)
        if self._is_short:
            np.left_shift(high, np.uint32(low_bits), out=high)
            np.bitwise_or(high, low, out=high)
            np.copyto(out, high)
        else:
            np.copyto(out, high)
            np.left_shift(out, low_bits, out=out)
            np.bitwise_or(out, low, out=out)

    def _add_to_high(self, high: _Digits, hashed: _Digits, spare: _Digits) -> None:
        """Add hashes, scaled down to the high digit's range, modulo that range."""
        size = self._high_range
        if self._is_short:
            # The product of the hash's upper bits and the range just fits 32 bits. It leaves at least 16 values of the
            # hash to each digit, and to some one more: an unevenness that four such rounds multiply away.
            bits = size.bit_length()
            np.right_shift(hashed, np.uint32(bits), out=hashed)
            np.multiply(hashed, np.uint32(size), out=hashed)
            np.right_shift(hashed, np.uint32(32 - bits), out=hashed)
        else:
            np.copyto(hashed, (hashed * np.uint64(size)) >> np.uint64(32), casting="unsafe")
        np.add(high, hashed, out=high)
        # high - size wraps to a huge number where high < size, so the smaller of the two is the remainder.
        np.subtract(high, np.uint32(size), out=spare)
        np.minimum(high, spare, out=high)
