"""Draws as pure functions of a key and an index.

The numbers come from Philox 4x64-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011), a generator
whose state is a key and a counter, so that any number of its stream is had without those before it. `numpy.random` is
imported by the first draw, because importing it takes longer than importing the rest of penstock.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from numpy.random import Generator, Philox

_NUMBERS_PER_COUNTER = 4  # one counter of Philox 4x64 gives four 64-bit numbers
_NARROW_BOUND = 2**16  # bounds up to here are drawn from 32 bits, as uint16
_MIDDLE_BOUND = 2**32  # bounds up to here are drawn from 64 bits, as uint32
_WIDE_BOUND = 2**63
_LOW_32_BITS = np.uint64(2**32 - 1)
_32 = np.uint64(32)

# The last word of the counter says what a number is for, so that no two purposes share one.
_FOR_ARRAYS = 0
_FOR_GENERATORS = 1


@dataclass(frozen=True, slots=True)
class Key:
    """What a random decision depends on, besides its index.

    Attributes:
        seed: The user's seed, or `fresh_seed()`.
        name: The name of the transformation that draws, for example "shuffle".
        pass_number: How often the transformation had been opened before; 0 where each pass draws alike.
        epoch: The epoch of the place that is drawn for, an unsigned 64-bit number.
    """

    seed: int
    name: str
    pass_number: int
    epoch: int


def fresh_seed() -> int:
    """Return a 64-bit seed from the operating system."""
    return int.from_bytes(os.urandom(8), "little")


def raw(key: Key, start: int, count: int) -> NDArray[np.uint64]:
    """Return the 64-bit numbers from `start` to `start + count` of the stream of `key`.

    >>> from penstock.random import Key, raw
    >>> key = Key(seed=7, name="shuffle", pass_number=0, epoch=0)
    >>> bool((raw(key, 0, 10)[6:] == raw(key, 6, 4)).all())
    True

    The cost depends on `count` alone: about 2 µs and 4 ns a number.
    """
    counter, skipped = divmod(start, _NUMBERS_PER_COUNTER)
    bits = _source().philox_at(key, (counter, 0, 0, _FOR_ARRAYS))
    numbers: NDArray[np.uint64] = bits.random_raw(skipped + count)
    return numbers[skipped:]


def integers(key: Key, start: int, count: int, bound: int) -> NDArray[Any]:
    """Return the draws from `start` to `start + count`, uniform in [0, `bound`).

    >>> from penstock.random import Key, integers
    >>> integers(Key(seed=7, name="shuffle", pass_number=0, epoch=0), 11, 5, 6)
    array([4, 5, 0, 2, 0], dtype=uint16)

    A draw depends on `key`, its number and `bound` only. It is a binary fraction of the stream multiplied by the bound
    (Lemire, "Fast Random Integer Generation in an Interval", 2019, without the rejection, which would cost random
    access): 32 bits for bounds up to 2**16, 64 bits above. So a value's probability differs from 1 / `bound` by less
    than 2**-32, or 2**-64.

    Args:
        key: What to draw for.
        start: Number of the first draw; at least 0.
        count: How many draws.
        bound: From 1 to 2**63.

    Returns:
        Array (count,): uint16 for bounds up to 2**16 (a stable argsort of it is a radix sort), uint32 up to 2**32,
        int64 above.

    Raises:
        ValueError: `bound` is outside [1, 2**63].
    """
    if not 1 <= bound <= _WIDE_BOUND:
        raise ValueError(f"integers(): bound is {bound}; write a bound from 1 to 2**63")
    if bound <= _NARROW_BOUND:
        return _narrow_integers(key, start, count, bound)
    numbers = raw(key, start, count)
    high, low = numbers >> _32, numbers & _LOW_32_BITS
    factor = np.uint64(bound & (2**32 - 1))
    if bound <= _MIDDLE_BOUND:
        if bound == _MIDDLE_BOUND:
            return high.astype(np.uint32)
        low *= factor
        low >>= _32
        high *= factor  # at most 2**64 - 2**32: there is room for the carry
        high += low
        high >>= _32
        return high.astype(np.uint32)
    # The upper half of a 128-bit product, by schoolbook multiplication of 32-bit digits; no sum exceeds 64 bits.
    factor_high = np.uint64(bound >> 32)
    middle = high * factor + ((low * factor) >> _32)
    carry = low * factor_high + (middle & _LOW_32_BITS)
    wide: NDArray[np.int64] = (high * factor_high + (middle >> _32) + (carry >> _32)).astype(np.int64)
    return wide


def _narrow_integers(key: Key, start: int, count: int, bound: int) -> NDArray[np.uint16]:
    """Draw from 32 bits each: draw t is half t % 2 of number t // 2 of the stream."""
    first, skipped = divmod(start, 2)
    numbers = raw(key, first, (skipped + count + 1) // 2)
    halves = numbers.astype("<u8", copy=False).view("<u4")[skipped : skipped + count]
    products = np.multiply(halves, np.uint64(bound), dtype="<u8")
    # The upper 32 bits of each product, read in place: a shift would be one more pass.
    draws: NDArray[np.uint16] = products.view("<u4")[1::2].astype(np.uint16)
    return draws


def generator_at(key: Key, index: int) -> Generator:
    """Return a NumPy generator for the element at `index`, with a stream of its own.

    >>> from penstock.random import Key, generator_at
    >>> key = Key(seed=7, name="random_map", pass_number=0, epoch=0)
    >>> first = generator_at(key, 3).normal()
    >>> generator_at(key, 4).normal() == first, generator_at(key, 3).normal() == first
    (False, True)

    One generator per thread is keyed anew for each call, which takes about 1 µs where a new one takes more than 10: so
    the generator that is returned is **the same object at the next call in the thread**. Use it before that. Streams of
    different indices never overlap within 2**66 numbers. Its `spawn` is refused, since children would not depend on
    the key.

    Args:
        key: What to draw for.
        index: Index of the element, from 0 to 2**64 - 1.
    """
    source = _source()
    source.philox_at(key, (0, index, 0, _FOR_GENERATORS))
    return source.generator


@lru_cache(maxsize=1024)
def _philox_key(key: Key) -> tuple[int, int]:
    """Return the two 64-bit words of the key for Philox: the same on every machine and in every version."""
    # The name comes last, so that no two keys are written alike.
    text = f"{int(key.seed)} {int(key.pass_number)} {int(key.epoch)} {key.name}"
    digest = hashlib.blake2b(text.encode(), digest_size=16, person=b"penstock draws").digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")


class _Unspawnable:
    """A seed sequence that only satisfies the constructor of Philox: the state is overwritten before each use."""

    def generate_state(self, n_words: int, dtype: type = np.uint32) -> NDArray[Any]:
        return np.zeros(n_words, dtype)


class _Source:
    """One bit generator, keyed anew for each use; a new one would cost more than 10 µs."""

    def __init__(self) -> None:
        from numpy.random import Generator, Philox
        from numpy.random.bit_generator import ISeedSequence

        ISeedSequence.register(_Unspawnable)
        self._philox = Philox(_Unspawnable())  # type: ignore[arg-type]
        self.generator = Generator(self._philox)
        self._key: Key | None = None
        self._words = {"counter": (0, 0, 0, 0), "key": (0, 0)}
        # Everything that a use may leave behind, a buffered half of a number included. Tuples of int are read
        # faster than arrays.
        self._state: Any = {
            "bit_generator": "Philox",
            "state": self._words,
            "buffer": (0, 0, 0, 0),
            "buffer_pos": _NUMBERS_PER_COUNTER,
            "has_uint32": 0,
            "uinteger": 0,
        }

    def philox_at(self, key: Key, counter: tuple[int, int, int, int]) -> Philox:
        """Return the bit generator, about to give the numbers of `key` from `counter` on."""
        if key is not self._key:
            self._words["key"] = _philox_key(key)
            self._key = key
        self._words["counter"] = counter
        self._philox.state = self._state
        return self._philox


_thread = threading.local()


def _source() -> _Source:
    """Return the source of this thread; the first call imports `numpy.random`."""
    try:
        source: _Source = _thread.source
    except AttributeError:
        source = _thread.source = _Source()
    return source
