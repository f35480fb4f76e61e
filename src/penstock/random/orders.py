"""Orders as arithmetic: the full shuffle and the buffered shuffle, without touching data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.random.draws import Key, integers, raw
from penstock.random.feistel import Feistel

_LARGEST_TABLE = 2**16
_LARGEST_DOMAIN = 2**62
_SMALLEST_CHUNK = 4096
_LARGEST_CHUNK = 2**16
_SEEK_STEPS = 2**15


class Permutation:
    """A random order of `n` things, keyed: a bijection of [0, n).

    >>> order = Permutation(Key(seed=7, name="shuffle", pass_number=0, epoch=0), 5)
    >>> order(np.array([0, 1, 2, 3, 4])).tolist()
    [0, 1, 2, 3, 4]

    Up to 2**16 things the order is a table. Above, each place is computed by itself in O(1) memory, by a Feistel
    network; call it with many places at a time (65,536 cost about X ns each, 128 about Y ns).

    Args:
        key: What the order is drawn for.
        n: How many things; from 0 to 2**62.

    Raises:
        ValueError: `n` is outside [0, 2**62].
    """

    __slots__ = ("_network", "_table", "n")

    def __init__(self, key: Key, n: int) -> None:
        if not 0 <= n <= _LARGEST_DOMAIN:
            raise ValueError(f"Permutation(): n is {n}; write a number from 0 to 2**62")
        self.n = n
        self._table: NDArray[np.int64] | None = _table(key, n) if n <= _LARGEST_TABLE else None
        self._network = Feistel(key, n) if n > _LARGEST_TABLE else None

    def __call__(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what stands at each of `indices`, an array of the same shape."""
        if self._table is not None:
            return self._table[indices]
        assert self._network is not None
        return self._network(indices)


def _table(key: Key, n: int) -> NDArray[np.int64]:
    """Return [0, n) in a random order, for n up to 2**16: the order of n random numbers."""
    numbers = raw(key, 0, n)
    # The index in the 16 low bits makes numbers distinct, so that any sort gives the same order on every machine, and
    # a sort of values takes a third of an argsort's time. 48 random bits are left, which tie once in 2**17 tables.
    numbers &= np.uint64(2**64 - 2**16)
    numbers |= np.arange(n, dtype=np.uint64)
    numbers.sort()
    numbers &= np.uint64(2**16 - 1)
    return numbers.astype(np.int64)


class BufferedOrder:
    """The order of a buffered shuffle, as arithmetic on input indices.

    A buffer of B slots is filled with inputs 0 to B - 1. Step t draws a slot, gives out what it holds, and puts input
    B + t there. So output t is input B + s, where s is the last step before t that drew the same slot, or the input
    that the slot started with; and what the buffer holds at any step follows from the draws before it.

    This is a cursor: `outputs` is cheap where it goes on from the call before. One thread may use it at a time. An
    input of n <= B elements has no steps; its order is `Permutation(key, n)`.

    >>> order = BufferedOrder(Key(seed=7, name="shuffle", pass_number=0, epoch=0), 3)
    >>> order.outputs(0, 5).tolist() + order.tail(8).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]

    Args:
        key: What the order is drawn for.
        buffer_rows: Slots of the buffer; at least 1. Memory: 9 bytes a slot, from the first call on.

    Raises:
        ValueError: `buffer_rows` is below 1.
    """

    def __init__(self, key: Key, buffer_rows: int) -> None:
        if buffer_rows < 1:
            raise ValueError(f"BufferedOrder(): buffer_rows is {buffer_rows}; write a number of at least 1")
        self._key = key
        self._buffer_rows = buffer_rows
        self._chunk_steps = min(max(buffer_rows // 16, _SMALLEST_CHUNK), _LARGEST_CHUNK)
        # The chunk that is evaluated: its first step, its draws and outputs. The slots are those after it.
        self._first_step = 0
        self._draws: NDArray[Any] = np.empty(0, np.uint16)
        self._outputs: NDArray[np.int64] = np.empty(0, np.int64)
        self._slots: NDArray[np.int64] | None = None
        self._is_shared: NDArray[np.bool_] | None = None
        self._oldest = (0, 0, 0)  # the oldest input pending, and the first and last step at which it is the oldest

    def outputs(self, start: int, count: int) -> NDArray[np.int64]:
        """Return the input indices that steps `start` to `start + count` give out."""
        results = np.empty(count, np.int64)
        done = 0
        while done < count:
            offset = self._enter(start + done)
            part = self._outputs[offset : offset + count - done]
            results[done : done + len(part)] = part
            done += len(part)
        return results

    def slots(self, step: int) -> NDArray[np.int64]:
        """Return the input index that each slot holds before `step`, an array (buffer_rows,)."""
        if not self._first_step <= step <= self._first_step + len(self._draws):
            return self._slots_from_draws(step)
        if self._slots is None:
            self._move_to(step)
        assert self._slots is not None
        slots = self._slots.copy()
        offset = step - self._first_step
        # A slot holds what it next gives out, the first of its outputs from here on: they grow.
        np.minimum.at(slots, self._draws[offset:].astype(np.intp), self._outputs[offset:])
        return slots

    def oldest_pending(self, step: int) -> int:
        """Return the smallest input index that the buffer holds before `step`."""
        oldest, first, last = self._oldest
        if first <= step < last:
            return oldest
        offset = self._enter(step)
        slots = self.slots(step)
        slot = int(slots.argmin())
        leaving = np.flatnonzero(self._draws[offset:] == slot)
        last = step + int(leaving[0]) + 1 if leaving.size else self._first_step + len(self._draws)
        self._oldest = (int(slots[slot]), step, last)
        return self._oldest[0]

    def tail(self, n: int) -> NDArray[np.int64]:
        """Return the last outputs, an array (buffer_rows,), for an input of `n` > `buffer_rows` elements.

        The steps are 0 to n - buffer_rows - 1; then the input has ended, and the slots are emptied in a random order.
        """
        if n <= self._buffer_rows:
            raise ValueError(
                f"tail(): an input of {n} elements does not fill {self._buffer_rows} slots and has no steps; "
                "its order is Permutation(key, n)"
            )
        slots = self.slots(n - self._buffer_rows)
        order = Permutation(replace(self._key, name=self._key.name + "/tail"), self._buffer_rows)
        return slots[order(np.arange(self._buffer_rows))]

    def _enter(self, step: int) -> int:
        """Make `step` a step of the chunk that is evaluated; return its place there."""
        end = self._first_step + len(self._draws)
        if not self._first_step <= step < end:
            if step != end or self._slots is None:
                self._move_to(step)
            self._evaluate_next()
        return step - self._first_step

    def _move_to(self, step: int) -> None:
        """Put an empty chunk before `step`."""
        self._slots = self._slots_from_draws(step)
        self._is_shared = np.zeros(self._buffer_rows, np.bool_)
        self._first_step = step
        self._draws = self._draws[:0]
        self._outputs = self._outputs[:0]

    def _evaluate_next(self) -> None:
        """Evaluate the chunk after this one."""
        assert self._slots is not None
        assert self._is_shared is not None
        self._first_step += len(self._draws)
        self._draws = integers(self._key, self._first_step, self._chunk_steps, self._buffer_rows)
        self._outputs = _step_through(self._slots, self._is_shared, self._draws, self._buffer_rows + self._first_step)

    def _slots_from_draws(self, step: int) -> NDArray[np.int64]:
        """Return the slots before `step` by walking the draws backward until each slot was seen, or to step 0.

        This takes about B ln B steps (the coupon collector's problem).
        """
        num_slots = self._buffer_rows
        slots = np.arange(num_slots)
        is_unseen = np.ones(num_slots, np.bool_)
        num_unseen, end = num_slots, step
        while end and num_unseen:
            start = max(end - _SEEK_STEPS, 0)
            draws = integers(self._key, start, end - start, num_slots)
            hits = np.flatnonzero(is_unseen[draws])
            hit_slots = draws[hits].astype(np.intp)
            np.maximum.at(slots, hit_slots, hits + (num_slots + start))  # the latest step of each slot
            is_unseen[hit_slots] = False
            num_unseen, end = int(np.count_nonzero(is_unseen)), start
        return slots


def _step_through(
    slots: NDArray[np.int64], is_shared: NDArray[np.bool_], draws: NDArray[Any], first_input: int
) -> NDArray[np.int64]:
    """Do one step for each draw: return the outputs, and bring `slots` up to date.

    Args:
        slots: What each slot holds before and, on return, after the steps.
        is_shared: Scratch, False for each slot before and after.
        draws: The slot of each step, uint16 where the slots fit (their sort is then a radix sort).
        first_input: The input that the first step puts into its slot.
    """
    drawn = draws.astype(np.intp)
    inputs = np.arange(first_input, first_input + len(drawn))
    outputs = slots[drawn]
    slots[drawn] = inputs
    # That is all for slots drawn once. NumPy does not say which of several assignments to one slot stays; the others
    # show as lost, and steps that share a slot are sorted out below. They are few unless the buffer is small.
    lost = drawn[slots[drawn] != inputs]
    if not lost.size:
        return outputs
    is_shared[lost] = True
    sharing = np.flatnonzero(is_shared[drawn])
    is_shared[lost] = False
    order = sharing[np.argsort(draws[sharing], kind="stable")]
    drawn, inputs = drawn[order], inputs[order]
    goes_on = drawn[1:] == drawn[:-1]
    outputs[order[1:][goes_on]] = inputs[:-1][goes_on]
    is_last = np.append(~goes_on, True)
    slots[drawn[is_last]] = inputs[is_last]
    return outputs
