"""Rules for sorting, searching and order statistics, whose results do not depend on how rows lie beside each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.vectorize.rulebook import Apply, axes_of, name_of, rule, symbol_of
from penstock.vectorize.rules_reduce import Flat, along
from penstock.vectorize.tape import Array, Handle, Tape


@rule(np.sort)
def _sort(tape: Tape, sample: Any, a: Any, axis: Any = -1) -> int:
    return along(tape, sample, np.sort, a, axis)


@rule(np.argsort)
def _argsort(tape: Tape, sample: Any, a: Any, axis: Any = -1, kind: Any = None) -> int:
    return along(tape, sample, np.argsort, a, axis, kind=kind)


@rule(np.searchsorted)
def _searchsorted(tape: Tape, sample: Any, a: Any, v: Any, side: str = "left") -> int:
    return _search(tape, sample, a, v, np.searchsorted, side=side)


def _search(tape: Tape, sample: Any, table: Any, value: Any, function: Any, **kwargs: Any) -> int:
    if isinstance(table, Handle):
        if table.lifted:
            raise TypeError("one row at a time")
        place = table.place
    else:
        place = tape.constant(np.asarray(table))
    return tape.record(name_of(function), Apply(function, **kwargs), [place, symbol_of(tape, value).place], sample)


@rule(np.digitize)
def _digitize(tape: Tape, sample: Any, x: Any, bins: Any, right: bool = False) -> int:
    if isinstance(bins, Handle) and bins.lifted:
        raise TypeError("one row at a time")
    table = tape.constant(np.asarray(bins)) if not isinstance(bins, Handle) else bins.place
    run = Apply(np.digitize, right=bool(right))
    return tape.record("digitize", run, [symbol_of(tape, x).place, table], sample)


@rule(np.interp)
def _interp(tape: Tape, sample: Any, x: Any, xp: Any, fp: Any) -> int:
    tables = []
    for table in (xp, fp):
        if isinstance(table, Handle) and table.lifted:
            raise TypeError("one row at a time")
        tables.append(table.place if isinstance(table, Handle) else tape.constant(np.asarray(table)))
    return tape.record("interp", np.interp, [symbol_of(tape, x).place, *tables], sample)


@rule(np.isin)
def _isin(tape: Tape, sample: Any, element: Any, test_elements: Any, *, invert: bool = False) -> int:
    if isinstance(test_elements, Handle):
        raise TypeError("one row at a time")
    run = Apply(np.isin, np.asarray(test_elements), invert=bool(invert))
    return tape.record("isin", run, [symbol_of(tape, element).place], sample)


@rule(np.count_nonzero)
def _count_nonzero(tape: Tape, sample: Any, a: Any, axis: Any = None, *, keepdims: bool = False) -> int:
    x = symbol_of(tape, a)
    rank = np.ndim(x.sample)
    if keepdims or rank == 0:
        raise TypeError("one row at a time")
    axes = axes_of(tuple(range(rank)) if axis is None else axis, rank)
    return tape.record("count_nonzero", Apply(np.count_nonzero, axis=axes), [x.place], sample)


def _over_axis(tape: Tape, a: Any, axis: Any) -> tuple[int, int]:
    """The slot and the axis of a block to reduce over; everything is one flat axis."""
    x = symbol_of(tape, a)
    found = x.sample
    if found.ndim == 0 or found.size == 0 or found.dtype.kind not in "biuf" or not tape.faithful(x.place):
        raise TypeError("one row at a time")
    if axis is not None:
        return x.place, axes_of(axis, found.ndim)[0]
    if not found.flags.c_contiguous:
        raise TypeError("one row at a time")
    return (x.place if found.ndim == 1 else tape.record("reshape", Flat(), [x.place], found.reshape(-1))), 1


@rule(np.median)
def _median(tape: Tape, sample: Any, a: Any, axis: Any = None) -> int:
    place, moved = _over_axis(tape, a, axis)
    return tape.record("median", Apply(np.median, axis=moved), [place], sample)


@rule(np.ptp)
def _ptp(tape: Tape, sample: Any, a: Any, axis: Any = None) -> int:
    place, moved = _over_axis(tape, a, axis)
    return tape.record("ptp", Apply(np.ptp, axis=moved), [place], sample)


@rule(np.percentile)
def _percentile(tape: Tape, sample: Any, a: Any, q: Any, axis: Any = None) -> int:
    return _quantiles(tape, sample, np.percentile, a, q, axis)


@rule(np.quantile)
def _quantile(tape: Tape, sample: Any, a: Any, q: Any, axis: Any = None) -> int:
    return _quantiles(tape, sample, np.quantile, a, q, axis)


def _quantiles(tape: Tape, sample: Any, function: Any, a: Any, q: Any, axis: Any) -> int:
    place, moved = _over_axis(tape, a, axis)
    return tape.record(name_of(function), _Quantiles(function, q, moved), [place], sample)


class _Quantiles:
    """Quantiles along an axis; the axis of several of them comes after that of rows."""

    def __init__(self, function: Any, q: Any, axis: int) -> None:
        self._function = function
        self._q = np.asarray(q) if isinstance(q, (list, tuple)) else q
        self._axis = axis

    def __call__(self, block: Array) -> Any:
        found = self._function(block, self._q, axis=self._axis)
        return np.moveaxis(found, np.ndim(self._q), 0) if np.ndim(self._q) else found
