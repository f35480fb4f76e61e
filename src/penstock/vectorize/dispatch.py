"""From what the user's function does to a symbol, to steps on the tape."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from penstock.vectorize import pythonic, rules, rules_index
from penstock.vectorize.rows import RowLoop, collect, substitute
from penstock.vectorize.selected import Selected
from penstock.vectorize.tape import ROWS, Handle, Tape, dtype_of

_NUMBERS = "biufc"
_OPERATORS: dict[np.ufunc, Callable[..., Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.floor_divide: operator.floordiv,
    np.remainder: operator.mod,
    np.divmod: divmod,
    np.matmul: operator.matmul,
    np.bitwise_and: operator.and_,
    np.bitwise_or: operator.or_,
    np.bitwise_xor: operator.xor,
    np.left_shift: operator.lshift,
    np.right_shift: operator.rshift,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.negative: operator.neg,
    np.positive: operator.pos,
    np.absolute: operator.abs,
    np.invert: operator.invert,
    np.conjugate: operator.pos,
}
"""What each operator does to numbers of Python."""


def wrap(tape: Tape, result: Any, operands: Sequence[Handle] = ()) -> Any:
    """Handles for a place or a tuple of places; it joins the family of an operand that it shares memory with."""
    if isinstance(result, tuple):
        return tuple(wrap(tape, item, operands) for item in result)
    sample = tape.slots[result].sample
    like = None
    if isinstance(sample, np.ndarray):
        shared = (h for h in operands if isinstance(h.sample, np.ndarray) and np.may_share_memory(sample, h.sample))
        like = next(shared, None)
    return tape.symbol(tape, result, like)


def evaluate(
    tape: Tape, name: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """What `function` gives for one element of zeros."""
    try:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)
    except Exception as error:
        raise tape.stop(f"{name} cannot be tried on one element: {type(error).__name__}: {error}") from None


def operate(tape: Tape, function: np.ufunc, inputs: tuple[Any, ...]) -> Any:
    """An operator of Python, such as `+`."""
    if function is np.power:
        return _power(tape, inputs)
    if any(map(pythonic.is_weak, inputs)) and all(map(pythonic.is_number, inputs)):
        live_handles(tape, inputs)
        return pythonic.operate(tape, function, _OPERATORS[function], inputs)
    return ufunc(tape, function, "__call__", inputs, {})


def _power(tape: Tape, inputs: tuple[Any, ...]) -> Any:
    """`**`, which is not `np.power`: arrays take short cuts for some exponents, and scalars call C's pow()."""
    handles = live_handles(tape, inputs)
    plain = substitute(inputs, lambda handle: handle.sample)
    sample = evaluate(tape, "power", operator.pow, plain, {})
    _check_dtype(tape, "power", sample)
    result = _by_rule(tape, "power", rules.power_operator, sample, inputs, {})
    if result is None:
        result = by_rows(tape, "power", operator.pow, inputs, {}, sample)
    return wrap(tape, result, handles)


def operate_in_place(target: Handle, function: np.ufunc, other: Any) -> Any:
    """`target += other`: another scalar, or a write into the array."""
    if not isinstance(target.sample, np.ndarray):
        return operate(target.tape, function, (target, other))
    return ufunc(target.tape, function, "__call__", (target, other), {"out": (target,)})


def ufunc(tape: Tape, function: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A universal function, or one of its methods."""
    out = kwargs.pop("out", None)
    handles = live_handles(tape, (inputs, kwargs))
    plain = substitute((inputs, kwargs), lambda handle: handle.sample)
    name = function.__name__ if method == "__call__" else f"{function.__name__}.{method}"
    run = function if method == "__call__" else getattr(function, method)
    sample = evaluate(tape, name, run, *plain)
    _check_dtype(tape, name, sample)
    if method == "at":
        raise tape.stop(f"{name} has no batching rule")
    result = _by_rule(tape, name, rules.UFUNC_METHODS[method], sample, (function, *inputs), kwargs)
    if result is None:
        result = by_rows(tape, name, run, inputs, kwargs, sample)
    if out is None:
        return wrap(tape, result, handles)
    if len(out) != 1 or not isinstance(out[0], Handle) or isinstance(result, tuple):
        raise tape.stop(f"{name} writes into an out= argument that is not traced")
    return _write_out(out[0], result, function.__name__)


def call(tape: Tape, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A function of NumPy."""
    name = f"numpy.{getattr(function, '__name__', function)}"
    out = kwargs.get("out")
    if out is not None:
        if not isinstance(out, Handle):
            raise tape.stop(f"{name} writes into an out= argument that is not traced")
        made = call(tape, function, args, {key: value for key, value in kwargs.items() if key != "out"})
        return _write_out(out, made.place, name)
    if function is np.copy and len(args) == 1 and not kwargs and isinstance(args[0].sample, np.ndarray):
        return copy(args[0], "K")
    handles = live_handles(tape, (args, kwargs))
    if function in rules.WRITING:
        return rules_index.write(tape, function, args, kwargs, assign)
    plain = substitute((args, kwargs), lambda handle: handle.sample)
    lifted = any(handle.lifted for handle in handles)
    rule = rules.RULES.get(function)
    if lifted and rule is None and not rules.is_rowwise(function) and function not in rules.STATIC:
        raise tape.stop(f"{name} has no batching rule")
    sample = evaluate(tape, name, function, *plain)
    if function in rules.STATIC:
        return sample
    if not isinstance(sample, (np.ndarray, np.generic, tuple, list)):
        if not lifted:
            return sample
        if not pythonic.is_number(sample):
            raise tape.stop(f"{name} gives a {type(sample).__name__}")
    _check_dtype(tape, name, sample)
    result = None
    if rule is not None and lifted:
        result = _by_rule(tape, name, rule, sample, args, kwargs)
    if result is None:
        if lifted and not rules.is_rowwise(function):
            raise tape.stop(f"{name} has no batching rule for these arguments")
        shown = name if lifted else f"constant {name.removeprefix('numpy.')}"
        result = by_rows(tape, shown, function, args, kwargs, sample)
    found = wrap(tape, result, handles)
    if isinstance(sample, list):
        return list(found)
    return type(sample)(*found) if hasattr(sample, "_fields") else found


def by_rows(
    tape: Tape, name: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], sample: Any
) -> Any:
    """Call `function` for one row after the other: the same bits whatever it does, and still no Python of the user."""
    handles = collect((args, kwargs))
    _check_fixed(tape, name, function, args, kwargs, sample)
    places = []
    for handle in handles:
        if not tape.faithful(handle.place):
            raise tape.stop(f"{name} depends on the order in memory, which differs on blocks")
        places.append(handle.place)
    if isinstance(sample, (tuple, list)):
        return tuple(
            _record_rows(tape, name, RowLoop(function, args, kwargs, part, place), places, part)
            for place, part in enumerate(sample)
        )
    return _record_rows(tape, name, RowLoop(function, args, kwargs, sample, None), places, sample)


def _check_fixed(
    tape: Tape, name: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], sample: Any
) -> None:
    """Stop where the shape of the result follows from values: other values than zeros must give the same one."""
    varying = [handle for handle in collect((args, kwargs)) if handle.lifted]
    if function in rules.FIXED_COUNTS and any(handle is not args[0] for handle in varying):
        raise tape.stop(f"{name} with a count or place that depends on values")
    for value in (1, 0.5):
        other = substitute((tuple(args), dict(kwargs)), lambda handle: filled(handle, value))  # noqa: B023
        try:
            with np.errstate(all="ignore"):
                found = function(*other[0], **other[1])
        except Exception:
            continue  # ones may be no fit argument, such as an index that is out of bounds
        if [np.shape(part) for part in _several(found)] != [np.shape(part) for part in _several(sample)]:
            raise tape.stop(f"{name} gives a shape that depends on values")


def _several(result: Any) -> Sequence[Any]:
    return result if isinstance(result, (tuple, list)) else (result,)


def filled(handle: Handle, value: float) -> Any:
    """What `handle` stands for with another value in each item; a constant as it is."""
    sample = handle.sample
    if not handle.lifted:
        return sample
    if pythonic.is_number(sample):
        return type(sample)(value)
    return np.full_like(sample, value) if isinstance(sample, np.ndarray) else sample.dtype.type(value)


def _record_rows(tape: Tape, name: str, loop: RowLoop, places: list[int], sample: Any) -> int:
    if not isinstance(sample, (np.ndarray, np.generic)) and not pythonic.is_number(sample):
        raise tape.stop(f"{name} gives a {type(sample).__name__}")
    # A function of Python may raise on zeros, such as a logarithm; NumPy's do not.
    block = np.zeros(ROWS, dtype_of(sample)) if pythonic.is_number(sample) else None
    try:
        return tape.record(name, loop, places, sample, block=block)
    except Exception as error:
        raise tape.stop(f"{name} has no batching rule for these arguments ({error})") from None


def _by_rule(
    tape: Tape, name: str, rule: Callable[..., Any], sample: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    try:
        return rule(tape, sample, *args, **kwargs)
    except Exception:  # a rule that does not know these arguments may trip over them in any way
        return None


def live_handles(tape: Tape, tree: Any) -> list[Handle]:
    """The handles anywhere in `tree`, none of which may be stale or from another trace."""
    handles = collect(tree)
    for handle in handles:
        if handle.stale:
            raise tape.stop("uses an array after it was changed through another name")
        if handle.tape is not tape:
            raise tape.stop("uses a value of another call")
    return handles


def _check_dtype(tape: Tape, name: str, sample: Any) -> None:
    for item in sample if isinstance(sample, (tuple, list)) else (sample,):
        dtype = getattr(item, "dtype", None)
        if dtype is not None and dtype.kind not in _NUMBERS:
            raise tape.stop(f"{name} gives {dtype}, which is no number")


def _write_out(target: Handle, result: int, name: str) -> Handle:
    tape = target.tape
    live_handles(tape, target)
    old, new = target.sample, tape.slots[result].sample
    if not isinstance(old, np.ndarray) or np.shape(old) != np.shape(new):
        raise tape.stop(f"{name} in place changes the shape")
    if not np.can_cast(new.dtype, old.dtype, "same_kind"):
        raise tape.stop(f"{name} in place cannot cast {new.dtype} to {old.dtype}")
    assign(target, tape.symbol(tape, rules.cast_place(tape, result, old.dtype)))
    return target


def assign(target: Handle, value: Handle) -> None:
    """The array that `target` names now holds `value`, of the same shape and dtype."""
    target.place = value.place
    for reference in target.family:
        other = reference()
        if other is not None and other is not target:
            other.stale = True
    if target.origin is not None:
        owner, index = target.origin
        owner.stale = False
        target.synced = False
        rules_index.set_item(owner, index, target, assign)
        target.synced = True
        target.stale = False


def cast(symbol: Handle, dtype: Any, order: str, casting: str) -> Any:
    """`symbol.astype(dtype)`."""
    tape = symbol.tape
    live_handles(tape, symbol)
    symbol = pythonic.strong(tape, symbol)
    wanted = evaluate(tape, "astype", np.dtype, (getattr(dtype, "dtype", dtype),), {})
    if wanted.kind not in _NUMBERS or order not in ("K", "C", "A") or casting != "unsafe":
        raise tape.stop(f"astype({wanted}) has no batching rule")
    return tape.symbol(tape, rules.cast_place(tape, symbol.place, wanted))


def copy(symbol: Handle, order: str) -> Any:
    """`symbol.copy()`."""
    tape = symbol.tape
    live_handles(tape, symbol)
    sample = symbol.sample
    if not isinstance(sample, np.ndarray) or (sample.flags.c_contiguous and tape.faithful(symbol.place)):
        return tape.symbol(tape, symbol.place)
    if order not in ("C", "K") or (order == "K" and not sample.flags.c_contiguous):
        raise tape.stop("copies in another order of memory than C")
    return tape.symbol(tape, tape.record("copy", rules.fresh_copy, [symbol.place], sample.copy()))


def get_item(symbol: Handle, index: Any) -> Any:
    """`symbol[index]`."""
    tape = symbol.tape
    index = substitute(index, lambda handle: pythonic.strong(tape, handle))
    handles = live_handles(tape, (symbol, index))
    if _is_mask(symbol, index):
        return Selected(tape.symbol(tape, symbol.place), tape.symbol(tape, index.place), operate)
    place, basic = rules_index.get_item(tape, symbol, index, evaluate, by_rows)
    found = wrap(tape, place, handles[:1])
    if basic and isinstance(found.sample, np.ndarray):
        found.origin = (symbol, index)
    return found


def _is_mask(symbol: Handle, index: Any) -> bool:
    if not isinstance(index, Handle) or not index.lifted or not isinstance(index.sample, np.ndarray):
        return False
    fits = np.shape(symbol.sample)[: index.sample.ndim] == index.sample.shape
    return bool(fits and index.sample.dtype == np.bool_)


def set_item(symbol: Handle, index: Any, value: Any) -> None:
    """`symbol[index] = value`."""
    index = substitute(index, lambda handle: pythonic.strong(symbol.tape, handle))
    live_handles(symbol.tape, (symbol, index, value))
    rules_index.set_item(symbol, index, value, assign)
