"""Rules that join arrays, and products of matrices: always the same small product for each row, never one large one."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.vectorize.pythonic import strong
from penstock.vectorize.rulebook import Apply, align, axes_of, cast_place, lift, name_of, place_of, rule, symbol_of
from penstock.vectorize.rules_shape import Reshape
from penstock.vectorize.tape import Array, Handle, Tape


class Stack:
    """Join blocks along an axis."""

    def __init__(self, function: Any, axis: int) -> None:
        self._function = function
        self._axis = axis

    def __call__(self, *blocks: Array, out: Array | None = None) -> Any:
        return self._function(blocks, axis=self._axis, out=out)


def _joined(tape: Tape, sample: Any, function: Any, parts: Any, axis: int) -> int:
    places = [lift(tape, place_of(tape, part)) for part in parts]
    return tape.record(name_of(function), Stack(function, axis), places, sample, takes_out=True)


@rule(np.stack)
def _stack(tape: Tape, sample: Any, arrays: Any, axis: int = 0, out: None = None) -> int:
    return _joined(tape, sample, np.stack, arrays, axes_of(axis, sample.ndim)[0])


@rule(np.concatenate)
def _concatenate(tape: Tape, sample: Any, arrays: Any, axis: Any = 0, out: None = None) -> int:
    return _joined(tape, sample, np.concatenate, arrays, axes_of(axis, sample.ndim)[0])


@rule(np.hstack)
def _hstack(tape: Tape, sample: Any, tup: Any) -> int:
    if all(np.ndim(_sample(part)) == 0 for part in tup):
        return _joined(tape, sample, np.stack, tup, 1)
    flat = all(np.ndim(_sample(part)) == 1 for part in tup)
    return _joined(tape, sample, np.concatenate, tup, 1 if flat else 2)


@rule(np.vstack)
def _vstack(tape: Tape, sample: Any, tup: Any) -> int:
    ranks = {np.ndim(_sample(part)) for part in tup}
    if ranks == {1}:
        return _joined(tape, sample, np.stack, tup, 1)
    if min(ranks) < 2:
        raise TypeError("one row at a time")
    return _joined(tape, sample, np.concatenate, tup, 1)


@rule(np.dstack)
def _dstack(tape: Tape, sample: Any, tup: Any) -> int:
    ranks = {np.ndim(_sample(part)) for part in tup}
    if ranks == {2}:
        return _joined(tape, sample, np.stack, tup, 3)
    if ranks != {3}:
        raise TypeError("one row at a time")
    return _joined(tape, sample, np.concatenate, tup, 3)


@rule(np.column_stack)
def _column_stack(tape: Tape, sample: Any, tup: Any) -> int:
    ranks = {np.ndim(_sample(part)) for part in tup}
    if ranks == {1}:
        return _joined(tape, sample, np.stack, tup, 2)
    if ranks != {2}:
        raise TypeError("one row at a time")
    return _joined(tape, sample, np.concatenate, tup, 2)


@rule(np.append)
def _append(tape: Tape, sample: Any, arr: Any, values: Any, axis: Any = None) -> int:
    if axis is None:
        parts = [_flat(tape, part) for part in (arr, values)]
        return tape.record("append", Stack(np.concatenate, 1), parts, sample, takes_out=True)
    return _joined(tape, sample, np.concatenate, [arr, values], axes_of(axis, sample.ndim)[0])


def _flat(tape: Tape, value: Any) -> int:
    place = lift(tape, place_of(tape, strong(tape, value)))
    found = np.ravel(tape.slots[place].sample)
    return tape.record("reshape", Reshape(found.shape), [place], found)


@rule(np.outer)
def _outer(tape: Tape, sample: Any, a: Any, b: Any, out: None = None) -> int:
    rows, columns = (_flat(tape, value) for value in (a, b))
    if sample.dtype.kind == "c":
        raise TypeError("one row at a time")
    return tape.record("outer", _Outer(), [rows, columns], sample, takes_out=True)


class _Outer:
    """Every product of an item of one row and one of the other."""

    def __call__(self, left: Array, right: Array, out: Array | None = None) -> Any:
        return np.multiply(left[:, :, None], right[:, None, :], out=out)


@rule(np.select)
def _select(tape: Tape, sample: Any, condlist: Any, choicelist: Any, default: Any = 0) -> int:
    rank = np.ndim(sample)
    if isinstance(default, Handle):
        raise TypeError("one row at a time")
    places = [align(tape, place_of(tape, part), rank) for part in (*condlist, *choicelist)]
    return tape.record("select", _Select(len(condlist), default), places, sample)


class _Select:
    """`np.select` of aligned blocks."""

    def __init__(self, count: int, default: Any) -> None:
        self._count = count
        self._default = default

    def __call__(self, *blocks: Any) -> Any:
        return np.select(blocks[: self._count], blocks[self._count :], self._default)


def _sample(value: Any) -> Any:
    return getattr(value, "sample", value)


def stacked(tape: Tape, parts: Any, dtype: Any = None) -> int:
    """The array that `np.array(parts)` makes of traced scalars or arrays in nested lists.

    Raises:
        TypeError: The parts have different shapes.
    """
    places = [
        stacked(tape, part) if isinstance(part, (list, tuple)) else place_of(tape, strong(tape, part)) for part in parts
    ]
    samples = [tape.slots[place].sample for place in places]
    if len({np.shape(sample) for sample in samples}) != 1:
        raise TypeError("the parts have different shapes")
    found = np.array(samples)
    lifted = [lift(tape, cast_place(tape, _arrayed(tape, place), found.dtype)) for place in places]
    return tape.record("array", Stack(np.stack, 1), lifted, found, takes_out=True)


def _arrayed(tape: Tape, place: int) -> int:
    slot = tape.slots[place]
    return place if hasattr(slot.sample, "dtype") else tape.constant(np.asarray(slot.sample))


class MatMul:
    """`x @ W` for each row by itself."""

    def __init__(self, vector_left: bool, vector_right: bool, lifted_left: bool, lifted_right: bool) -> None:
        self._left = vector_left and lifted_left
        self._right = vector_right and lifted_right
        self._vectors = vector_left + vector_right

    def __call__(self, left: Array, right: Array) -> Any:
        if self._left:
            left = left[:, None, :]
        if self._right:
            right = right[:, :, None]
        found = np.matmul(left, right)
        if self._left:
            found = found[:, 0] if self._right or found.ndim == 2 else found[:, 0, ...]
        if self._right:
            found = found[..., 0]
        return found


def generalized(tape: Tape, sample: Any, function: np.ufunc, *inputs: Any) -> int:
    """`matmul`; everything else of this kind goes row by row."""
    if function is not np.matmul:
        raise TypeError("one row at a time")
    places = [place_of(tape, value) for value in inputs]
    left, right = (tape.slots[place] for place in places)
    ranks = [np.ndim(left.sample), np.ndim(right.sample)]
    kinds = left.sample.dtype.kind + right.sample.dtype.kind
    if max(ranks) > 2 or "c" in kinds or not all(map(tape.faithful, places)):
        raise TypeError("one row at a time")
    if ranks == [1, 1] or (ranks[1] == 1 and not left.lifted) or (ranks[0] == 1 and not right.lifted and ranks[1] != 2):
        raise TypeError("one row at a time")
    run = MatMul(ranks[0] == 1, ranks[1] == 1, left.lifted, right.lifted)
    return tape.record("matmul", run, places, sample)


@rule(np.dot)
def _dot(tape: Tape, sample: Any, a: Any, b: Any, out: None = None) -> int:
    left, right = symbol_of(tape, a).sample, _sample(b)
    kinds = left.dtype.kind + np.asarray(right).dtype.kind
    if set(kinds) & set("fc") or np.ndim(right) != 2 or np.ndim(left) not in (1, 2):
        raise TypeError("one row at a time")
    return generalized(tape, sample, np.matmul, a, b)


@rule(np.take)
def _take(
    tape: Tape, sample: Any, a: Any, indices: Any, axis: Any = None, out: None = None, mode: str = "raise"
) -> int:
    if mode != "raise":
        raise TypeError("one row at a time")
    if hasattr(a, "lifted") and a.lifted:
        if hasattr(indices, "lifted") or axis is None:
            raise TypeError("one row at a time")
        run = Apply(np.take, np.asarray(indices), axes_of(axis, a.sample.ndim)[0])
        return tape.record("take", run, [a.place], sample)
    if axis not in (None, 0) or (axis is None and np.ndim(_sample(a)) != 1):
        raise TypeError("one row at a time")
    return tape.record("take", Lookup(), [place_of(tape, a), symbol_of(tape, indices).place], sample)


class Lookup:
    """Rows of a constant table."""

    may_raise = True

    def __call__(self, table: Array, index: Array) -> Any:
        return table[index]
