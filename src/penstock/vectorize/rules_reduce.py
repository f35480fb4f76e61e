"""Reductions: the axes move by one, and the sum over everything is one over a flat axis.

NumPy adds up in an order that depends on how an array lies in memory. These rules keep for each row the order that the
element alone would have, and leave the rest to the loop over rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from penstock.vectorize.rulebook import Apply, axes_of, name_of, rule, symbol_of
from penstock.vectorize.tape import Array, Tape

_LARGEST_BUFFER = 8192
"""Items that NumPy casts at a time; a longer sum with a cast is added up in pieces that would not end where rows do."""

_EXACT = frozenset([np.min, np.max, np.any, np.all, np.argmin, np.argmax])
_SUMS = (np.sum, np.prod, np.mean, np.std, np.var)


def reduction(
    tape: Tape,
    sample: Any,
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    keepdims: bool = False,
    *,
    function: Any,
    **more: Any,
) -> int:
    """Any reduction over some or all axes."""
    if set(more) - {"ddof", "correction"} or not isinstance(keepdims, (bool, np.bool_)):
        raise TypeError("one row at a time")
    x = symbol_of(tape, a)
    found = x.sample
    if found.dtype.kind == "c" or found.size == 0:
        raise TypeError("one row at a time")
    exact = function in _EXACT or (
        found.dtype.kind in "biu" and np.dtype(dtype or "i8").kind in "biu" and function in _SUMS[:2]
    )
    if not exact and (not tape.faithful(x.place) or _casts(found, dtype, function)):
        raise TypeError("one row at a time")
    more = {key: value for key, value in {**more, "dtype": dtype}.items() if value is not None}
    if keepdims:
        more["keepdims"] = True
    if axis is None and isinstance(found, np.ndarray) and found.ndim != 1:
        return _over_all(tape, sample, x.place, function, more)
    if found.ndim == 0:
        raise TypeError("one row at a time")
    axes = axes_of(tuple(range(found.ndim)) if axis is None else axis, found.ndim)
    wanted: Any = axes if isinstance(axis, (tuple, list)) else axes[0]
    return tape.record(name_of(function), Apply(function, axis=wanted, **more), [x.place], sample)


def _casts(found: Array, dtype: Any, function: Any) -> bool:
    wanted = np.dtype(dtype) if dtype is not None else found.dtype
    if dtype is None and function in (np.mean, np.std, np.var) and found.dtype.kind in "biu":
        wanted = np.dtype("f8")
    if found.dtype == wanted and found.dtype != np.float16:
        return False
    return found.size > _LARGEST_BUFFER or found.dtype == np.float16


def _over_all(tape: Tape, sample: Any, place: int, function: Any, more: dict[str, Any]) -> int:
    found = tape.slots[place].sample
    if found.ndim == 0 or not found.flags.c_contiguous or more.pop("keepdims", False):
        raise TypeError("one row at a time")
    flat = tape.record("reshape", Flat(), [place], found.reshape(-1))
    return tape.record(name_of(function), Apply(function, axis=1, **more), [flat], sample)


class Flat:
    """Each row with one axis."""

    def __call__(self, block: Array) -> Array:
        size = 1
        for length in block.shape[1:]:
            size *= length
        return block.reshape(block.shape[0], size)


def _add_sum(function: Any) -> None:
    @rule(function)
    def apply(
        tape: Tape, sample: Any, a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False
    ) -> int:
        return reduction(tape, sample, a, axis, dtype, keepdims, function=function)


def _add_spread(function: Any) -> None:
    @rule(function)
    def apply(
        tape: Tape,
        sample: Any,
        a: Any,
        axis: Any = None,
        dtype: Any = None,
        out: None = None,
        ddof: Any = None,
        keepdims: Any = False,
    ) -> int:
        return reduction(tape, sample, a, axis, dtype, keepdims, function=function, ddof=ddof)


def _add_exact(function: Any) -> None:
    @rule(function)
    def apply(tape: Tape, sample: Any, a: Any, axis: Any = None, out: None = None, keepdims: Any = False) -> int:
        return reduction(tape, sample, a, axis, None, keepdims, function=function)


for _sum in (np.sum, np.prod, np.mean):
    _add_sum(_sum)
for _spread in (np.std, np.var):
    _add_spread(_spread)
for _order in (np.min, np.max, np.any, np.all, np.argmin, np.argmax):
    _add_exact(_order)


@rule(np.cumsum)
def _cumsum(tape: Tape, sample: Any, a: Any, axis: Any = None) -> int:
    rank = np.ndim(symbol_of(tape, a).sample)
    return along(tape, sample, np.cumsum, a, 0 if axis is None and rank == 1 else axis)


@rule(np.linalg.norm)
def _norm(tape: Tape, sample: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> int:
    found = symbol_of(tape, x)
    rank = np.ndim(found.sample)
    if (
        rank == 0
        or found.sample.dtype.kind != "f"
        or found.sample.dtype == np.float16
        or not tape.faithful(found.place)
    ):
        raise TypeError("one row at a time")
    if axis is None:
        if ord is not None or keepdims or not found.sample.flags.c_contiguous or found.sample.size == 0:
            raise TypeError("one row at a time")
        return tape.record("norm", _Norm(), [found.place], sample)
    if not isinstance(axis, int) or ord not in (None, 1, 2, np.inf):
        raise TypeError("one row at a time")
    run = Apply(np.linalg.norm, ord, axes_of(axis, rank)[0], bool(keepdims))
    return tape.record("norm", run, [found.place], sample)


class _Norm:
    """The root of each row's product with itself, which is how NumPy takes the norm of everything."""

    def __call__(self, block: Array) -> Any:
        flat = block.reshape(block.shape[0], -1)
        return np.sqrt(np.matmul(flat[:, None, :], flat[:, :, None])[:, 0, 0])


def along(tape: Tape, sample: Any, function: Any, a: Any, axis: Any, **kwargs: Any) -> int:
    """A function along one axis, which moves by one."""
    x = symbol_of(tape, a)
    if axis is None or x.sample.ndim == 0 or x.sample.dtype.kind not in "biuf":
        raise TypeError("one row at a time")
    return tape.record(
        name_of(function), Apply(function, axis=axes_of(axis, x.sample.ndim)[0], **kwargs), [x.place], sample
    )
