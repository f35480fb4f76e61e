"""What was asked of `pack`, and the tokens that are put in besides the elements' own."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from penstock import tree
from penstock.record import record
from penstock.scatter import NUMBERS

Strategy = Literal["split", "first_fit", "best_fit"]
TooLong = Literal["error", "truncate", "split"]

STRATEGIES: tuple[str, ...] = get_args(Strategy)
WAYS: tuple[str, ...] = get_args(TooLong)


@record(eq=True)
class Fill:
    """A token for each component: one for all, or a structure of them.

    Attributes:
        name: The argument that it was given as, for errors.
        value: What was given.
    """

    name: str
    value: Any

    def values(self, treedef: tree.Treedef, dtypes: tuple[np.dtype[Any], ...]) -> list[NDArray[Any]]:
        """The token of each component, an array of rank 0 of its dtype.

        Raises:
            TypeError: One is no number that the dtype holds.
            ValueError: The structure is not that of the elements.
        """
        if tree.flatten(self.value)[1] == tree.LEAF:
            given = [self.value] * len(dtypes)
        else:
            try:
                given = treedef.flatten_up_to(self.value)
            except (TypeError, ValueError):
                raise ValueError(
                    f"pack(): {self.name} {self.value!r} is not of the elements' structure {tree.show(treedef)}; give "
                    "one number for all components, or one for each"
                ) from None
        return [self._cast(value, dtype) for value, dtype in zip(given, dtypes, strict=True)]

    def _cast(self, value: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
        array = np.asarray(value)
        if not array.ndim and array.dtype.kind in NUMBERS:
            with np.errstate(all="ignore"):
                cast = array.astype(dtype)
            if cast == array or (cast != cast and array != array):
                return cast
        raise TypeError(
            f"pack(): {self.name} {value!r} is no token of dtype {dtype}; give a number that this dtype holds"
        )


@record(eq=True)
class Asked:
    """The arguments of `pack`.

    Attributes:
        length: Tokens in a row.
        strategy: How sequences are laid into rows.
        open_rows: How many rows may be waited for before one has to be complete.
        padding: What stands where no token does.
        bos: What is put before each sequence; None for nothing.
        eos: What is put behind each sequence; None for nothing.
        too_long: What is done with a sequence that is longer than a row, if it is not to be split anyway.
        drop_remainder: Whether the last row is dropped unless it is full.
    """

    length: int
    strategy: Strategy
    open_rows: int
    padding: Fill
    bos: Fill | None
    eos: Fill | None
    too_long: TooLong
    drop_remainder: bool

    @property
    def longest(self) -> int | None:
        """The greatest length, with `bos` and `eos`, that is no error; None for any."""
        return self.length if self.too_long == "error" and self.strategy != "split" else None

    def arguments(self) -> list[str]:
        """What was asked for as it stands in a call."""
        found = [str(self.length), repr(self.strategy)]
        if self.strategy != "split":
            found += [f"open_rows={self.open_rows}", f"too_long={self.too_long!r}"]
        found += [f"padding_values={self.padding.value!r}"] if self.padding.value != 0 else []
        found += [f"{fill.name}={fill.value!r}" for fill in (self.bos, self.eos) if fill is not None]
        return found + (["drop_remainder=True"] if self.drop_remainder else [])
