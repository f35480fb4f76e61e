"""The record of a traced function: slots that hold blocks, and the steps that fill them.

Each slot has a *sample*, what the user's function sees for one element, and a *block*, what the same value is for a
few rows at once. A step is recorded only after it was run on both and their shapes and dtypes agree, so that a wrong
batching rule stops the trace instead of giving another result.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from penstock.record import record

ROWS = 5
"""Rows of the blocks that a trace itself computes on; a number that seldom is the length of an axis."""

MOST_STEPS = 500
"""Longer programs come from loops over single items, which cost more on blocks than element by element."""

Array = np.ndarray[Any, Any]


class Stop(BaseException):
    """The function cannot be traced; the message is the one-line reason.

    No `Exception`, so that `except Exception` in the user's function does not catch it.
    """


@dataclass(slots=True)
class Slot:
    """One value of the traced function."""

    sample: Any
    block: Any
    lifted: bool
    """Whether `block` has a leading axis of rows; a constant has not."""
    live: bool
    """Whether it is, or was computed from, an array that lives outside the function and is read when the trace runs."""


@record(eq=True)
class Step:
    """One operation on blocks: `slots[place] = function(*slots[arguments])`."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[int, ...]
    place: int
    takes_out: bool
    """Whether `function` has `out=`."""
    in_place: bool
    """Whether `out` may be one of the arguments."""


class Handle:
    """A name for one slot in the user's hands; a write into the array moves it to another slot."""

    __slots__ = ("__weakref__", "family", "origin", "place", "stale", "synced", "tape")

    def __init__(self, tape: Tape, place: int, like: Handle | None = None) -> None:
        self.tape = tape
        self.place = place
        self.stale = False
        """Memory that it shares was written through another name; it may not be used any more."""
        self.synced = False
        """It was written in place, and so was what it is a slice of."""
        self.origin: tuple[Handle, Any] | None = None
        """The handle that this is a basic slice of, and the index."""
        self.family: list[weakref.ref[Handle]] = [] if like is None else like.family
        """All handles that share memory with this one."""
        self.family.append(weakref.ref(self))

    @property
    def sample(self) -> Any:
        """What the function would see for one element, with zeros for values."""
        return self.tape.slots[self.place].sample

    @property
    def lifted(self) -> bool:
        """Whether it differs from row to row."""
        return self.tape.slots[self.place].lifted


class Tape:
    """Slots and steps in the order in which they were made; slot 0 is the number of rows."""

    def __init__(self, symbol: type[Handle]) -> None:
        self.symbol = symbol
        self.slots: list[Slot] = [Slot(ROWS, ROWS, True, False)]
        self.steps: list[Step] = []
        self.stopped = ""

    def stop(self, reason: str) -> Stop:
        """The exception to raise; the first reason is kept even if the user's function catches it."""
        self.stopped = self.stopped or " ".join(reason.split())
        return Stop(self.stopped)

    def constant(self, value: Any, live: bool = False) -> int:
        """A new slot for a value that has no rows."""
        self.slots.append(Slot(value, value, False, live))
        return len(self.slots) - 1

    def column(self, sample: Any) -> int:
        """A new slot for a component of the element."""
        block = np.zeros((ROWS, *sample.shape), sample.dtype)
        self.slots.append(Slot(sample, block, True, False))
        return len(self.slots) - 1

    def record(
        self,
        name: str,
        function: Callable[..., Any],
        arguments: Sequence[int],
        sample: Any,
        takes_out: bool = False,
        in_place: bool = False,
        block: Any = None,
    ) -> int:
        """Run `function` on the blocks of `arguments`, check that it agrees with `sample`, and keep it as a step.

        With `block` that is taken instead of running it, where zeros are no fit arguments.

        Raises:
            Mismatch: The block has another shape or dtype than rows of `sample` would have.
        """
        places = tuple(arguments)
        found = [self.slots[place] for place in places]
        lifted = any(slot.lifted for slot in found)
        if not lifted and not any(slot.live for slot in found):
            return self.constant(sample)
        if block is None:
            with np.errstate(all="ignore"):
                block = function(*(slot.block for slot in found))
        expected = (ROWS, *np.shape(sample)) if lifted else np.shape(sample)
        dtype = dtype_of(sample)
        if not isinstance(block, (np.ndarray, np.generic)) or block.shape != expected or block.dtype != dtype:
            raise Mismatch(name)
        if len(self.steps) >= MOST_STEPS:
            raise self.stop(f"takes more than {MOST_STEPS} operations, as a loop over items does")
        self.slots.append(Slot(sample, block, lifted, not lifted))
        self.steps.append(Step(name, function, places, len(self.slots) - 1, takes_out, in_place))
        return len(self.slots) - 1

    def faithful(self, place: int) -> bool:
        """Whether a row of the block lies in memory as the element itself would, so that sums have the same bits."""
        slot = self.slots[place]
        if not slot.lifted or not isinstance(slot.sample, np.ndarray):
            return True
        pairs = zip(slot.sample.shape, slot.sample.strides, slot.block.strides[1:], strict=True)
        return all(mine == theirs for size, mine, theirs in pairs if size > 1)


def dtype_of(sample: Any) -> np.dtype[Any]:
    """The dtype of an array, of a scalar, or of what a number of Python becomes."""
    return np.asarray(sample).dtype


class Mismatch(Exception):
    """A batching rule does not give what the function gives for one element."""
