"""Reading and writing items of traced arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from penstock.vectorize.rows import collect, substitute
from penstock.vectorize.rulebook import align, cast_place, lift, place_of
from penstock.vectorize.rules_join import Lookup
from penstock.vectorize.rules_shape import Take
from penstock.vectorize.selected import Selected, same
from penstock.vectorize.tape import Array, Handle, Mismatch, Tape

Assign = Callable[[Handle, Handle], None]


class PickItem:
    """One item of each row, at a place that differs from row to row."""

    may_raise = True

    def __init__(self, rest: tuple[Any, ...]) -> None:
        self._rest = rest

    def __call__(self, block: Array, index: Array) -> Any:
        return block[(np.arange(block.shape[0]), index, *self._rest)]


def _writable(block: Array, value: Any, out: Array | None) -> tuple[Array, Any]:
    """Memory that holds `block` and may be written, and `value` where that does not overwrite it."""
    if out is None:
        return block.copy(), value
    if out is not block:
        value = value.copy() if out is value else value
        np.copyto(out, block)
    return out, value


class PutItem:
    """A copy of each row with the selected items replaced."""

    may_raise = True

    def __init__(self, index: tuple[Any, ...]) -> None:
        self._index = (slice(None), *index)

    def __call__(self, block: Array, value: Any, out: Array | None = None) -> Array:
        changed, value = _writable(block, value, out)
        changed[self._index] = value
        return changed


class PutWhere:
    """A copy of each row with items replaced where a mask holds."""

    def __call__(self, block: Array, mask: Array, value: Any, out: Array | None = None) -> Array:
        if out is mask:
            mask = mask.copy()
        changed, value = _writable(block, value, out)
        np.copyto(changed, value, casting="unsafe", where=mask)
        return changed


class PutPicked:
    """A copy of each row with one item replaced, at a place that differs from row to row."""

    may_raise = True

    def __call__(self, block: Array, index: Array, value: Any, out: Array | None = None) -> Array:
        if out is index:
            index = index.copy()
        changed, value = _writable(block, value, out)
        changed[np.arange(block.shape[0]), index] = value
        return changed


def get_item(tape: Tape, symbol: Handle, index: Any, evaluate: Any, by_rows: Any) -> tuple[int, bool]:
    """The place of `symbol[index]`, and whether it is a basic slice that shares memory."""
    items = index if isinstance(index, tuple) else (index,)
    varying = [handle for handle in collect(items) if handle.lifted]
    if any(handle.sample.dtype.kind == "b" for handle in varying):
        raise tape.stop("selects by a mask, so that the shape depends on values")
    if any(type(item) is slice and any(handle.lifted for handle in collect(item)) for item in items):
        raise tape.stop("slices by a value, so that the shape may depend on values")
    items = substitute(items, lambda handle: handle if handle.lifted else handle.sample)
    plain = substitute(items, lambda handle: handle.sample)
    sample = evaluate(
        tape, "indexing", operator.getitem, (symbol.sample, plain if isinstance(index, tuple) else plain[0]), {}
    )
    if not varying:
        return _constant_index(tape, symbol, items, sample, by_rows)
    first = items[0]
    if not isinstance(first, Handle) or any(isinstance(item, Handle) for item in items[1:]):
        return by_rows(tape, "indexing", operator.getitem, (symbol, items), {}, sample), False
    try:
        if not symbol.lifted and len(items) == 1:
            return tape.record("lookup", Lookup(), [symbol.place, first.place], sample), False
        if symbol.lifted and isinstance(first.sample, np.generic) and all(map(_is_basic, items[1:])):
            return tape.record("pick", PickItem(items[1:]), [symbol.place, first.place], sample), False
    except (Mismatch, IndexError):
        pass
    return by_rows(
        tape, "indexing", operator.getitem, (symbol, items if isinstance(index, tuple) else first), {}, sample
    ), False


def _constant_index(tape: Tape, symbol: Handle, items: tuple[Any, ...], sample: Any, by_rows: Any) -> tuple[int, bool]:
    basic = all(map(_is_basic, items))
    if not symbol.lifted:
        return tape.record("index", _Literal(items), [symbol.place], sample), basic
    if any(isinstance(item, (bool, np.bool_)) for item in items):
        raise tape.stop("indexing by one bool has no batching rule")
    try:
        if basic or _adjacent(items):
            return tape.record("index", Take(*items), [symbol.place], sample), basic
    except (Mismatch, IndexError):
        pass
    return by_rows(tape, "indexing", operator.getitem, (symbol, items), {}, sample), False


class _Literal:
    """Indexing of a constant."""

    def __init__(self, index: tuple[Any, ...]) -> None:
        self._index = index

    def __call__(self, constant: Any) -> Any:
        return constant[self._index]


def _is_basic(item: Any) -> bool:
    if isinstance(item, (bool, np.bool_)):
        return False
    return item is None or item is Ellipsis or isinstance(item, (int, np.integer, slice))


def _adjacent(items: tuple[Any, ...]) -> bool:
    """Whether the arrays among the indices follow each other, so that NumPy leaves their axes in place."""
    places = [
        place for place, item in enumerate(items) if not (item is None or item is Ellipsis or isinstance(item, slice))
    ]
    return places[-1] - places[0] + 1 == len(places)


def set_item(target: Handle, index: Any, value: Any, assign: Assign) -> None:
    """`target[index] = value`, without changing what the slot held before."""
    tape = target.tape
    if (
        isinstance(value, Handle)
        and value.synced
        and value.origin is not None
        and _is_same(value.origin, target, index)
    ):
        return
    if not isinstance(target.sample, np.ndarray):
        raise tape.stop("assigns an item of a scalar")
    try:
        place = _changed(tape, target, index, value)
    except (Mismatch, TypeError, ValueError, IndexError, OverflowError) as error:
        raise tape.stop(f"assigning these items has no batching rule ({type(error).__name__}: {error})") from None
    assign(target, tape.symbol(tape, place))


def _is_same(origin: tuple[Handle, Any], target: Handle, index: Any) -> bool:
    owner, mine = origin
    if owner is not target:
        return False
    pair = [item if isinstance(item, tuple) else (item,) for item in (mine, index)]
    return all(map(_is_basic, pair[0] + pair[1])) and repr(pair[0]) == repr(pair[1])


def _changed(tape: Tape, target: Handle, index: Any, value: Any) -> int:
    items = index if isinstance(index, tuple) else (index,)
    varying = [handle for handle in collect(items) if handle.lifted]
    items = substitute(items, lambda handle: handle if handle.lifted else handle.sample)
    if type(value) is Selected:
        return _put_back(tape, target, index, value)
    given = place_of(tape, _as_array(tape, value))
    if isinstance(value, Handle) and not value.lifted and not varying and not target.lifted:
        return _changed_constant(tape, target, items, value.sample)
    if not varying and not target.lifted and not isinstance(value, Handle):
        return _changed_constant(tape, target, items, value)
    base = lift(tape, target.place)
    if not varying:
        if not (all(map(_is_basic, items)) or _adjacent(items)):
            raise TypeError("index arrays that are apart")
        part = target.sample[items]
        _check_shape(tape, given, np.shape(part))
        places = [base, align(tape, given, np.ndim(part))]
        return tape.record("assign", PutItem(items), places, target.sample.copy(), takes_out=True, in_place=True)
    if len(items) != 1 or not isinstance(items[0], Handle):
        raise TypeError("an index that depends on values")
    (chosen,) = items
    if chosen.sample.dtype.kind == "b":
        return _masked(tape, target, base, chosen, given)
    if not isinstance(chosen.sample, np.generic):
        raise TypeError("an index array that depends on values")
    part = target.sample[chosen.sample]
    _check_shape(tape, given, np.shape(part))
    places = [base, chosen.place, align(tape, given, np.ndim(part))]
    return tape.record("assign", PutPicked(), places, target.sample.copy(), takes_out=True, in_place=True)


def _changed_constant(tape: Tape, target: Handle, items: tuple[Any, ...], value: Any) -> int:
    changed = target.sample.copy()
    changed[items] = value
    return tape.constant(changed)


def _masked(tape: Tape, target: Handle, base: int, mask: Handle, given: int) -> int:
    shape = target.sample.shape
    if shape[: np.ndim(mask.sample)] != np.shape(mask.sample):
        raise TypeError("a mask of another shape")
    if np.ndim(tape.slots[given].sample) != 0:
        raise TypeError("values for a mask that are no scalar")
    places = [base, _wide_mask(tape, mask, shape), align(tape, given, len(shape))]
    return tape.record("assign", PutWhere(), places, target.sample.copy(), takes_out=True, in_place=True)


def _put_back(tape: Tape, target: Handle, index: Any, value: Selected) -> int:
    """Items that a mask selected, at the places that the same mask selects."""
    full = value.full.sample
    if not isinstance(index, Handle) or not same(tape, index.place, value.mask.place):
        raise TypeError("items that another mask selected")
    if full.shape != target.sample.shape:
        raise ValueError(f"items of shape {full.shape} for shape {target.sample.shape}")
    places = [lift(tape, target.place), _wide_mask(tape, index, full.shape), value.full.place]
    return tape.record("assign", PutWhere(), places, target.sample.copy(), takes_out=True, in_place=True)


def _wide_mask(tape: Tape, mask: Handle, shape: tuple[int, ...]) -> int:
    missing = len(shape) - np.ndim(mask.sample)
    if not missing:
        return mask.place
    wide = mask.sample.reshape(mask.sample.shape + (1,) * missing)
    return tape.record("align", _Trail(missing), [mask.place], wide)


class _Trail:
    """Insert axes of one at the end."""

    def __init__(self, count: int) -> None:
        self._ones = (1,) * count

    def __call__(self, block: Array) -> Array:
        return block.reshape(block.shape + self._ones)


def _as_array(tape: Tape, value: Any) -> Any:
    if isinstance(value, (list, tuple)) and collect(value):
        raise TypeError("a list that depends on values")
    return value


def _check_shape(tape: Tape, given: int, shape: tuple[int, ...]) -> None:
    found = np.shape(tape.slots[given].sample)
    if len(found) > len(shape) or np.broadcast_shapes(found, shape) != shape:
        raise ValueError(f"cannot put shape {found} into {shape}")


def write(tape: Tape, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], assign: Assign) -> None:
    """`np.copyto`; the other functions that write into an argument have no rule."""
    if function is np.copyto and len(args) == 2 and set(kwargs) <= {"where"} and isinstance(args[0], Handle):
        target, value = args
        if np.can_cast(place_dtype(tape, value), target.sample.dtype, "same_kind"):
            set_item(target, kwargs.get("where", Ellipsis), value, assign)
            return
    raise tape.stop(f"numpy.{function.__name__} has no batching rule")


def place_dtype(tape: Tape, value: Any) -> Any:
    """The dtype of an argument."""
    return np.asarray(value.sample if isinstance(value, Handle) else value).dtype


__all__ = ["cast_place", "get_item", "place_dtype", "set_item", "write"]
