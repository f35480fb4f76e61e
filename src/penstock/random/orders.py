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
_CHUNK_STEPS = 2**13  # arrays of 64 KiB come from the heap; larger ones are mapped, and fault in, anew for each chunk


class Permutation:
    """A random order of `n` things, keyed: a bijection of [0, n).

    >>> import numpy as np
    >>> from penstock.random import Key, Permutation
    >>> order = Permutation(Key(seed=7, name="shuffle", pass_number=0, epoch=0), 5)
    >>> order(np.array([0, 1, 2, 3, 4])).tolist()
    [3, 2, 1, 0, 4]

    Up to 2**16 things the order is a table. Above, each place is computed by itself in O(1) memory, by a Feistel
    network; call it with many places at a time (65,536 cost about 15 ns each, 128 about 700 ns).

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
            return self._table.take(indices)
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

    >>> from penstock.random import BufferedOrder, Key
    >>> order = BufferedOrder(Key(seed=7, name="shuffle", pass_number=0, epoch=0), 3)
    >>> order.outputs(0, 5).tolist() + order.tail(8).tolist()
    [2, 3, 4, 5, 1, 7, 0, 6]

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
        # The chunk that is evaluated: its first step, its draws and outputs. The slots are those after it.
        self._first_step = 0
        self._draws: NDArray[Any] = np.empty(0, np.uint16)
        self._outputs: NDArray[np.int64] = np.empty(0, np.int64)
        self._slots: NDArray[np.int64] | None = None
        self._is_shared: NDArray[np.bool_] | None = None
        self._oldest = (0, 0, 1)  # an input, the first step before which it is the oldest pending, and the first not

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
        is_in_chunk = self._first_step <= step <= self._first_step + len(self._draws)
        if self._slots is None or not is_in_chunk:
            return self._slots_from_draws(step)
        slots = self._slots.copy()
        offset = step - self._first_step
        # A slot holds what it next gives out: the first, so the smallest, of its outputs from here on.
        np.minimum.at(slots, self._draws[offset:].astype(np.intp), self._outputs[offset:])
        return slots

    def oldest_pending(self, step: int) -> int:
        """Return the smallest input index that the buffer holds before `step`.

        Cheap while steps grow: the answer stays until its slot is drawn, once in `buffer_rows` steps on average.
        """
        oldest, first, end = self._oldest
        if first <= step < end:
            return oldest
        slots = self.slots(step)
        slot = int(slots.argmin())
        draws_ahead = self._draws[step - self._first_step :] if step >= self._first_step else self._draws[:0]
        leaving = np.flatnonzero(draws_ahead == slot)
        num_steps = int(leaving[0]) if leaving.size else len(draws_ahead)
        self._oldest = (int(slots[slot]), step, step + num_steps + 1)
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
        self._draws = integers(self._key, self._first_step, _CHUNK_STEPS, self._buffer_rows)
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
            start = max(end - _CHUNK_STEPS, 0)
            draws = integers(self._key, start, end - start, num_slots)
            hits = np.flatnonzero(is_unseen.take(draws))
            drawn = draws.take(hits).astype(np.intp)
            inputs = hits + (num_slots + start)
            np.maximum.at(slots, drawn, inputs)  # the latest step of each slot
            is_unseen[drawn] = False
            num_unseen -= int(np.count_nonzero(slots.take(drawn) == inputs))
            end = start
        return slots


def _step_through(
    slots: NDArray[np.int64], is_shared: NDArray[np.bool_], draws: NDArray[Any], first_input: int
) -> NDArray[np.int64]:
    """Do one step for each draw: return the outputs, and bring `slots` up to date.

    Args:
        slots: What each slot holds before and, on return, after the steps.
        is_shared: Scratch, False for each slot before and after.
        draws: The slot of each step.
        first_input: The input that the first step puts into its slot.
    """
    drawn = draws.astype(np.intp)
    outputs = slots.take(drawn)  # that is all for the first step of each slot
    if draws.dtype == np.uint16:
        order = np.argsort(draws, kind="stable")  # a radix sort, 8 ns a step
    else:
        order = _fill_and_sort_shared(slots, is_shared, draws, drawn, first_input)
    by_slot = draws.take(order)
    goes_on = np.zeros(len(order), np.bool_)  # whether the next step in this order is of the same slot
    np.equal(by_slot[1:], by_slot[:-1], out=goes_on[:-1])
    outputs[order[1:].compress(goes_on[:-1])] = order.compress(goes_on) + first_input
    last = order.compress(~goes_on)
    slots[drawn.take(last)] = last + first_input
    return outputs


def _fill_and_sort_shared(
    slots: NDArray[np.int64],
    is_shared: NDArray[np.bool_],
    draws: NDArray[Any],
    drawn: NDArray[np.intp],
    first_input: int,
) -> NDArray[np.intp]:
    """Fill the slots that are drawn once; return the other steps, sorted by slot and then by step.

    Draws of more than 16 bits take 60 to 90 ns each to sort, but few of a chunk share a slot.
    """
    inputs = np.arange(first_input, first_input + len(drawn))
    slots[drawn] = inputs
    # NumPy does not say which of several assignments to one slot stays; all others show as lost.
    lost = drawn[slots.take(drawn) != inputs]
    is_shared[lost] = True
    sharing = np.flatnonzero(is_shared.take(drawn))
    is_shared[lost] = False
    return sharing[np.argsort(draws.take(sharing), kind="stable")]
