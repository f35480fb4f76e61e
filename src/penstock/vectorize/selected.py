"""Items that a mask selects, as in `x[x > 1] *= 0.5`: how many there are depends on values, so arrays stay whole.

All items are computed, and those that the mask selects are put back where they came from. Anything else that could be
done with them depends on their number, and stops the trace.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from penstock.vectorize.tape import Handle, Tape

Operate = Callable[[Tape, np.ufunc, tuple[Any, ...]], Any]

_REASON = "selects by a mask, so that the shape depends on values"


class Selected:
    """The items of `full` where `mask` holds."""

    def __init__(self, full: Handle, mask: Handle, operate: Operate) -> None:
        self.full = full
        self.mask = mask
        self._operate = operate

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return np.ndarray

    def __neg__(self) -> Selected:
        return self._apply(np.negative, self)

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Selected:
        if method != "__call__" or kwargs or function.nout != 1 or function.signature is not None:
            self.stop()
        return self._apply(function, *inputs)

    def _apply(self, function: np.ufunc, *inputs: Any) -> Selected:
        found = self._operate(self.full.tape, function, tuple(self._whole(value) for value in inputs))
        if np.shape(found.sample) != np.shape(self.full.sample):
            self.stop()
        return Selected(found, self.mask, self._operate)

    def _in_place(self, function: np.ufunc, other: Any) -> Selected:
        made = self._apply(function, self, other)
        if made.full.sample.dtype != self.full.sample.dtype:
            raise self.full.tape.stop(f"{function.__name__} in place of items that a mask selects changes the dtype")
        return made

    def _whole(self, value: Any) -> Any:
        if type(value) is Selected:
            return value.full if same(self.full.tape, self.mask.place, value.mask.place) else self.stop()
        if np.ndim(value.sample if isinstance(value, Handle) else value) != 0:
            self.stop()
        return value

    def stop(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Stop the trace."""
        raise self.full.tape.stop(_REASON)

    def __getattr__(self, name: str) -> NoReturn:
        self.stop()


def same(tape: Tape, left: int, right: int) -> bool:
    """Whether two slots hold the same values, because they were computed alike."""
    if left == right:
        return True
    if not (tape.slots[left].lifted or tape.slots[right].lifted):
        a, b = tape.slots[left].sample, tape.slots[right].sample
        return type(a) is type(b) and np.ndim(a) == 0 and bool(a == b)
    makers = {step.place: step for step in tape.steps if step.place in (left, right)}
    if len(makers) != 2:
        return False
    one, other = makers[left], makers[right]
    if one.function is not other.function or len(one.arguments) != len(other.arguments):
        return False
    return all(same(tape, a, b) for a, b in zip(one.arguments, other.arguments, strict=True))


def _operator(function: np.ufunc, reverse: bool = False) -> Callable[[Selected, Any], Selected]:
    def method(self: Selected, other: Any) -> Selected:
        return self._apply(function, other, self) if reverse else self._apply(function, self, other)

    return method


def _in_place(function: np.ufunc) -> Callable[[Selected, Any], Selected]:
    return lambda self, other: self._in_place(function, other)


for _name, _function in {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
}.items():
    setattr(Selected, f"__{_name}__", _operator(_function))
    setattr(Selected, f"__r{_name}__", _operator(_function, reverse=True))
    setattr(Selected, f"__i{_name}__", _in_place(_function))
for _name in "array array_function bool call contains eq float format ge getitem gt hash index int iter".split():
    setattr(Selected, f"__{_name}__", Selected.stop)
for _name in "le len lt ne matmul pow repr rmatmul rpow setitem str".split():
    setattr(Selected, f"__{_name}__", Selected.stop)
