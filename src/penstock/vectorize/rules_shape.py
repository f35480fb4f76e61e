"""Rules for functions that only move values: the axes of an element come after the axis of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.vectorize.rulebook import Apply, axes_of, name_of, rule, symbol_of
from penstock.vectorize.tape import Array, Tape


class Reshape:
    """Give each row another shape."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def __call__(self, block: Array) -> Array:
        return block.reshape(block.shape[0], *self._shape)


class Transpose:
    """Reorder the axes of each row."""

    def __init__(self, order: tuple[int, ...]) -> None:
        self._order = (0, *(axis + 1 for axis in order))

    def __call__(self, block: Array) -> Array:
        return block.transpose(self._order)


def reshaped(tape: Tape, sample: Any, a: Any) -> int:
    """The same values in the shape of `sample`."""
    return tape.record("reshape", Reshape(np.shape(sample)), [symbol_of(tape, a).place], sample)


@rule(np.reshape)
def _reshape(tape: Tape, sample: Any, a: Any, shape: Any = None, order: str = "C") -> int:
    if order != "C":
        raise TypeError("one row at a time")
    return reshaped(tape, sample, a)


@rule(np.ravel)
def _ravel(tape: Tape, sample: Any, a: Any, order: str = "C") -> int:
    if order != "C":
        raise TypeError("one row at a time")
    return reshaped(tape, sample, a)


@rule(np.expand_dims)
def _expand_dims(tape: Tape, sample: Any, a: Any, axis: Any) -> int:
    return reshaped(tape, sample, a)


@rule(np.squeeze)
def _squeeze(tape: Tape, sample: Any, a: Any, axis: Any = None) -> int:
    return reshaped(tape, sample, a)


@rule(np.atleast_1d, np.atleast_2d, np.atleast_3d)
def _atleast(tape: Tape, sample: Any, a: Any) -> int:
    return reshaped(tape, sample, a)


@rule(np.transpose)
def _transpose(tape: Tape, sample: Any, a: Any, axes: Any = None) -> int:
    rank = np.ndim(symbol_of(tape, a).sample)
    order = tuple(reversed(range(rank))) if axes is None else tuple(int(axis) % rank for axis in axes)
    return _permuted(tape, sample, a, order)


@rule(np.swapaxes)
def _swapaxes(tape: Tape, sample: Any, a: Any, axis1: int, axis2: int) -> int:
    return _permuted_like(tape, sample, a, np.swapaxes, axis1, axis2)


@rule(np.moveaxis)
def _moveaxis(tape: Tape, sample: Any, a: Any, source: Any, destination: Any) -> int:
    return _permuted_like(tape, sample, a, np.moveaxis, source, destination)


@rule(np.rollaxis)
def _rollaxis(tape: Tape, sample: Any, a: Any, axis: int, start: int = 0) -> int:
    return _permuted_like(tape, sample, a, np.rollaxis, axis, start)


@rule(np.matrix_transpose)
def _matrix_transpose(tape: Tape, sample: Any, a: Any) -> int:
    return _permuted_like(tape, sample, a, np.matrix_transpose)


def _permuted_like(tape: Tape, sample: Any, a: Any, function: Any, *args: Any) -> int:
    """Find the order by trying `function` on an array that has another length on each axis."""
    rank = np.ndim(symbol_of(tape, a).sample)
    order = function(np.empty(tuple(range(1, rank + 1)), np.bool_), *args).shape
    return _permuted(tape, sample, a, tuple(length - 1 for length in order))


def _permuted(tape: Tape, sample: Any, a: Any, order: tuple[int, ...]) -> int:
    return tape.record("transpose", Transpose(order), [symbol_of(tape, a).place], sample)


class Take:
    """Basic indexing of each row."""

    def __init__(self, *index: Any) -> None:
        self._index = (slice(None), *index)

    def __call__(self, block: Array) -> Array:
        return block[self._index]  # type: ignore[no-any-return]


def _reverse(tape: Tape, sample: Any, a: Any, axes: tuple[int, ...]) -> int:
    rank = np.ndim(symbol_of(tape, a).sample)
    index = [slice(None, None, -1) if axis + 1 in axes else slice(None) for axis in range(rank)]
    return tape.record("flip", Take(*index), [symbol_of(tape, a).place], sample)


@rule(np.flip)
def _flip(tape: Tape, sample: Any, m: Any, axis: Any = None) -> int:
    rank = np.ndim(symbol_of(tape, m).sample)
    return _reverse(tape, sample, m, axes_of(tuple(range(rank)) if axis is None else axis, rank))


@rule(np.fliplr)
def _fliplr(tape: Tape, sample: Any, m: Any) -> int:
    return _reverse(tape, sample, m, (2,))


@rule(np.flipud)
def _flipud(tape: Tape, sample: Any, m: Any) -> int:
    return _reverse(tape, sample, m, (1,))


@rule(np.rot90)
def _rot90(tape: Tape, sample: Any, m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> int:
    x = symbol_of(tape, m)
    moved = axes_of(axes, x.sample.ndim)
    return tape.record("rot90", Apply(np.rot90, k=int(k), axes=moved), [x.place], sample)


@rule(np.roll)
def _roll(tape: Tape, sample: Any, a: Any, shift: Any, axis: Any = None) -> int:
    x = symbol_of(tape, a)
    rank = np.ndim(x.sample)
    if axis is None and rank != 1:
        raise TypeError("one row at a time")
    axes = axes_of(0 if axis is None else axis, rank)
    moved: Any = axes if isinstance(axis, (tuple, list)) else axes[0]
    counts = tuple(int(one) for one in shift) if isinstance(shift, (tuple, list)) else int(shift)
    return tape.record("roll", Apply(np.roll, shift=counts, axis=moved), [x.place], sample)


@rule(np.repeat)
def _repeat(tape: Tape, sample: Any, a: Any, repeats: Any, axis: Any = None) -> int:
    x = symbol_of(tape, a)
    rank = np.ndim(x.sample)
    if axis is None and rank != 1:
        raise TypeError("one row at a time")
    counts = [int(one) for one in repeats] if isinstance(repeats, (tuple, list, np.ndarray)) else int(repeats)
    run = Apply(np.repeat, repeats=counts, axis=axes_of(axis or 0, rank)[0])
    return tape.record("repeat", run, [x.place], sample)


@rule(np.tile)
def _tile(tape: Tape, sample: Any, A: Any, reps: Any) -> int:
    x = symbol_of(tape, A)
    counts = tuple(int(one) for one in reps) if isinstance(reps, (tuple, list)) else (int(reps),)
    if len(counts) > np.ndim(x.sample):
        raise TypeError("one row at a time")
    whole = (1,) * (np.ndim(x.sample) + 1 - len(counts)) + counts
    return tape.record("tile", Apply(np.tile, whole), [x.place], sample)


@rule(np.pad)
def _pad(tape: Tape, sample: Any, array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> int:
    x = symbol_of(tape, array)
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap") or set(kwargs) - {"constant_values"}:
        raise TypeError("one row at a time")
    if isinstance(pad_width, dict) or not np.isscalar(kwargs.get("constant_values", 0)):
        raise TypeError("one row at a time")
    widths = np.broadcast_to(np.asarray(pad_width), (np.ndim(x.sample), 2)).tolist()
    run = Apply(np.pad, [(0, 0), *map(tuple, widths)], mode, **kwargs)
    return tape.record("pad", run, [x.place], sample)


@rule(np.diff)
def _diff(tape: Tape, sample: Any, a: Any, n: int = 1, axis: int = -1) -> int:
    x = symbol_of(tape, a)
    run = Apply(np.diff, n=int(n), axis=axes_of(axis, np.ndim(x.sample))[0])
    return tape.record("diff", run, [x.place], sample)


@rule(np.broadcast_to)
def _broadcast_to(tape: Tape, sample: Any, array: Any, shape: Any) -> int:
    x = symbol_of(tape, array)
    rank, wanted = np.ndim(x.sample), np.shape(sample)
    run = _Broadcast((1,) * (len(wanted) - rank) + np.shape(x.sample), wanted)
    return tape.record("broadcast_to", run, [x.place], sample)


class _Broadcast:
    """Repeat each row along new axes."""

    def __init__(self, aligned: tuple[int, ...], shape: tuple[int, ...]) -> None:
        self._aligned = aligned
        self._shape = shape

    def __call__(self, block: Array) -> Array:
        rows = block.shape[0]
        return np.broadcast_to(block.reshape(rows, *self._aligned), (rows, *self._shape))


@rule(np.triu)
def _triu(tape: Tape, sample: Any, m: Any, k: int = 0) -> int:
    return _triangle(tape, sample, np.triu, m, k)


@rule(np.tril)
def _tril(tape: Tape, sample: Any, m: Any, k: int = 0) -> int:
    return _triangle(tape, sample, np.tril, m, k)


def _triangle(tape: Tape, sample: Any, function: Any, m: Any, k: int) -> int:
    x = symbol_of(tape, m)
    if np.ndim(x.sample) < 2:
        raise TypeError("one row at a time")
    return tape.record(name_of(function), Apply(function, int(k)), [x.place], sample)


@rule(np.delete)
def _delete(tape: Tape, sample: Any, arr: Any, obj: Any, axis: Any = None) -> int:
    x = symbol_of(tape, arr)
    rank = np.ndim(x.sample)
    if axis is None and rank != 1:
        raise TypeError("one row at a time")
    place = axes_of(0 if axis is None else axis, rank)[0] - 1
    kept = np.delete(np.arange(x.sample.shape[place]), obj)
    return tape.record("delete", Apply(np.take, kept, place + 1), [x.place], sample)


@rule(np.split, np.array_split)
def _split(tape: Tape, sample: Any, ary: Any, indices_or_sections: Any, axis: int = 0) -> tuple[int, ...]:
    x = symbol_of(tape, ary)
    place = axes_of(axis, x.sample.ndim)[0] - 1
    found, start = [], 0
    for part in sample:
        stop = start + part.shape[place]
        index = (*(slice(None),) * place, slice(start, stop))
        found.append(tape.record(name_of(np.split), Take(*index), [x.place], part))
        start = stop
    return tuple(found)
