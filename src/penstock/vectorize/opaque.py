"""A component that a traced function may hand on but not use: text, objects, and arrays whose shape varies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from penstock.spec import TensorSpec
from penstock.vectorize.tape import Tape

_OPERATIONS = (
    "abs add and array array_function array_ufunc bool call complex contains delitem divmod eq float floordiv "
    "format ge getitem gt hash index int invert iter le len lshift lt matmul mod mul ne neg next pos pow radd "
    "rand rdivmod repr reversed rfloordiv rlshift rmatmul rmod rmul ror round rpow rrshift rshift rsub rtruediv "
    "rxor setitem str sub truediv xor bytes fspath"
).split()


class Opaque:
    """Stands for a component of every row; any use of it stops the trace."""

    __slots__ = ("number", "spec", "tape")

    def __init__(self, tape: Tape, number: int, spec: TensorSpec) -> None:
        self.tape = tape
        self.number = number
        self.spec = spec

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        dtype = self.spec.dtype
        if dtype is str or dtype is bytes:
            return dtype
        if isinstance(dtype, np.dtype):
            return np.ndarray
        self.stop("looks at the class of an object")

    def stop(self, what: str) -> NoReturn:
        """Stop the trace."""
        dtype = self.spec.dtype
        if isinstance(dtype, np.dtype):
            raise self.tape.stop(f"{what} whose shape varies between elements")
        name = "a text" if dtype is str else "a bytes" if dtype is bytes else "an object"
        raise self.tape.stop(f"{what}: {name} component, which has no batching rule")

    def __getattr__(self, name: str) -> NoReturn:
        self.stop(f"uses .{name} of a component")


def _stopping(name: str) -> Callable[..., Any]:
    def method(self: Opaque, *args: Any, **kwargs: Any) -> NoReturn:
        self.stop(f"uses ({name}) a component")

    return method


for _name in _OPERATIONS:
    setattr(Opaque, f"__{_name}__", _stopping(_name))
