"""Elementwise rules, and the tables of functions that need none of their own."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from penstock.vectorize import rules_join, rules_reduce
from penstock.vectorize import rules_search as _rules_search  # noqa: F401  fills RULES
from penstock.vectorize.pythonic import settled
from penstock.vectorize.rulebook import RULES, Rule, align, cast_place, fresh_copy, place_of, rule
from penstock.vectorize.tape import Tape

__all__ = ["RULES", "STATIC", "UFUNC_METHODS", "WRITING", "cast_place", "fresh_copy"]


_IN_PLACE = frozenset(
    [np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.negative, np.absolute, np.sqrt, np.square,
     np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.logical_and, np.logical_or, np.logical_not]
)  # fmt: skip
"""Functions whose bits are the same when they write over their argument, whichever loop NumPy picks."""


def elementwise(tape: Tape, sample: Any, function: np.ufunc, *inputs: Any, dtype: Any = None) -> int | tuple[int, ...]:
    """A universal function on blocks whose elements all have the rank of the result."""
    if function.signature is not None:
        return rules_join.generalized(tape, sample, function, *inputs)
    outputs = sample if isinstance(sample, tuple) else (sample,)
    if any(item.dtype.kind == "c" for item in outputs) or _differs_for_scalars(function, sample, inputs):
        raise TypeError("one row at a time")
    rank = max(np.ndim(item) for item in outputs)
    places = [align(tape, place, rank) for place in settled(tape, inputs)]
    run: Callable[..., Any] = function if dtype is None else functools.partial(function, dtype=dtype)
    if not isinstance(sample, tuple):
        return tape.record(function.__name__, run, places, sample, takes_out=True, in_place=function in _IN_PLACE)
    return tuple(tape.record(function.__name__, _Part(run, part), places, item) for part, item in enumerate(sample))


class _Part:
    """One of several results of a universal function."""

    def __init__(self, function: Callable[..., Any], part: int) -> None:
        self._function = function
        self._part = part

    def __call__(self, *blocks: Any) -> Any:
        return self._function(*blocks)[self._part]


def power_operator(tape: Tape, sample: Any, x: Any, y: Any) -> int:
    """`x ** y`: as `np.power` for integers; for floats where rows take the short cut that the element takes."""
    if sample.dtype.kind in "biu":
        return elementwise(tape, sample, np.power, x, y)  # type: ignore[return-value]
    if type(sample) is np.float64 and type(y) in (int, float):
        return tape.record("power", _FloatPower(float(y)), [place_of(tape, x)], sample)
    if sample.dtype.kind != "f" or np.ndim(sample) == 0 or type(y) not in (int, float):
        raise TypeError("one row at a time")
    return tape.record("power", operator.pow, [place_of(tape, x), place_of(tape, y)], sample)


class _FloatPower:
    """Scalars of float64 to a power: C's pow(), as NumPy's scalars and Python's floats both have it."""

    def __init__(self, exponent: float) -> None:
        self._exponent = exponent

    def __call__(self, block: Any) -> Any:
        block = block.astype(np.float64)
        try:
            return np.fromiter(map(math.pow, block.tolist(), itertools.repeat(self._exponent)), np.float64, len(block))
        except (ValueError, ArithmeticError):  # where Python has an error, NumPy has a nan or an infinity
            return np.fromiter(map(operator.pow, block, itertools.repeat(self._exponent)), np.float64, len(block))


def _differs_for_scalars(function: np.ufunc, sample: Any, inputs: tuple[Any, ...]) -> bool:
    """Powers of floats: NumPy's scalars call C's pow(), its arrays have short cuts for some exponents."""
    if function not in (np.power, np.float_power) or sample.dtype.kind != "f":
        return False
    return np.ndim(sample) == 0 or not isinstance(inputs[1], (int, float))


def _ufunc_reduce(tape: Tape, sample: Any, function: np.ufunc, x: Any, axis: Any = 0, **kwargs: Any) -> Any:
    same: dict[Any, Any] = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}
    same |= {np.logical_and: np.all, np.logical_or: np.any}
    return rules_reduce.reduction(tape, sample, x, axis, function=same[function], **kwargs)


def _refuse(tape: Tape, sample: Any, *args: Any, **kwargs: Any) -> int:
    raise TypeError("one row at a time")


UFUNC_METHODS: dict[str, Rule] = {
    "__call__": elementwise,
    "reduce": _ufunc_reduce,
    "accumulate": _refuse,
    "outer": _refuse,
    "reduceat": _refuse,
    "at": _refuse,
}


@rule(np.where)
def _where(tape: Tape, sample: Any, condition: Any, x: Any, y: Any) -> int:
    rank = np.ndim(sample)
    places = [align(tape, place, rank) for place in (place_of(tape, condition), *settled(tape, (x, y)))]
    return tape.record("where", np.where, places, sample)


@rule(np.clip)
def _clip(
    tape: Tape, sample: Any, a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> int:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    rank = np.ndim(sample)
    values = [value for value in (a, low, high) if value is not None]
    places = [align(tape, place, rank) for place in settled(tape, values)]
    return tape.record("clip", _Clip(low is not None, high is not None), places, sample, takes_out=True, in_place=True)


class _Clip:
    """`np.clip` with one bound or both."""

    def __init__(self, low: bool, high: bool) -> None:
        self._low = low
        self._high = high

    def __call__(self, block: Any, *bounds: Any, out: Any = None) -> Any:
        low = bounds[0] if self._low else None
        high = bounds[-1] if self._high else None
        return np.clip(block, low, high, out=out)


@rule(np.round, np.around)
def _round(tape: Tape, sample: Any, a: Any, decimals: int = 0) -> int:
    return tape.record("round", functools.partial(np.round, decimals=int(decimals)), [place_of(tape, a)], sample)


@rule(np.nan_to_num)
def _nan_to_num(
    tape: Tape, sample: Any, x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> int:
    run = functools.partial(np.nan_to_num, nan=nan, posinf=posinf, neginf=neginf)
    return tape.record("nan_to_num", run, [place_of(tape, x)], sample)


@rule(np.isclose)
def _isclose(
    tape: Tape, sample: Any, a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> int:
    run = functools.partial(np.isclose, rtol=rtol, atol=atol, equal_nan=equal_nan)
    places = [align(tape, place_of(tape, value), np.ndim(sample)) for value in (a, b)]
    return tape.record("isclose", run, places, sample)


@rule(np.real, np.imag)
def _part_of_real(tape: Tape, sample: Any, val: Any) -> int:
    raise TypeError("one row at a time")


@rule(np.zeros_like, np.ones_like, np.full_like, np.empty_like)
def _like(tape: Tape, sample: Any, a: Any, *args: Any, **kwargs: Any) -> int:
    if any(hasattr(value, "tape") for value in (*args, *kwargs.values())):
        raise TypeError("one row at a time")
    return tape.constant(sample)


STATIC = frozenset([np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.isrealobj, np.iscomplexobj])
"""Functions that look at shapes and dtypes only."""

WRITING = frozenset([np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis])
"""Functions that write into their first argument."""


def _named(module: Any, names: str) -> set[Any]:
    return {getattr(module, name) for name in names.split() if hasattr(module, name)}


_ROWWISE: frozenset[Any] = frozenset(
    _named(
        np,
        "allclose around append array_equal average clip count_nonzero column_stack concatenate convolve corrcoef "
        "correlate cov cross cumprod cumsum cumulative_prod cumulative_sum delete diag diagflat diagonal diff "
        "digitize dot dstack ediff1d einsum fix flip fliplr flipud gradient histogram hstack i0 imag inner insert "
        "interp isclose isin kron lexsort matrix_transpose max mean median min moveaxis nan_to_num nanargmax "
        "nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd "
        "nansum nanvar outer packbits pad partition percentile argpartition polyval prod ptp quantile ravel real "
        "repeat reshape roll rollaxis rot90 round searchsorted select sinc sort argsort squeeze stack std sum "
        "swapaxes take take_along_axis tensordot tile trace trapezoid transpose tril triu unpackbits "
        "unravel_index ravel_multi_index unwrap vander var vdot vstack where all any amax amin argmax argmin "
        "angle broadcast_to expand_dims atleast_1d atleast_2d atleast_3d split array_split hsplit vsplit dsplit "
        "block",
    )
    | _named(np.linalg, "norm det inv solve pinv matrix_power cholesky slogdet eigvalsh vector_norm matrix_norm")
)

FIXED_COUNTS = _named(
    np,
    "array_split broadcast_to delete diag diff dsplit expand_dims gradient hsplit insert matrix_power moveaxis pad "
    "percentile quantile repeat reshape rollaxis rot90 split squeeze swapaxes tile trace tril triu unpackbits vander "
    "vsplit",
)
"""Functions of which only the first argument may differ from row to row; the others give counts, axes and places."""


def is_rowwise(function: Any) -> bool:
    """Whether it may be called row by row: the shape and dtype of its result follow from those of the arguments."""
    return function in _ROWWISE or getattr(function, "__module__", "") == "numpy.fft"
