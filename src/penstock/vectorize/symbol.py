"""What a traced function is given in place of an array or a NumPy scalar."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from penstock.vectorize import dispatch, pythonic
from penstock.vectorize.tape import Handle


def _binary(ufunc: np.ufunc) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    def forward(self: Symbol, other: Any) -> Any:
        return dispatch.operate(self.tape, ufunc, (self, other))

    def backward(self: Symbol, other: Any) -> Any:
        return dispatch.operate(self.tape, ufunc, (other, self))

    def inplace(self: Symbol, other: Any) -> Any:
        return dispatch.operate_in_place(self, ufunc, other)

    return forward, backward, inplace


def _unary(ufunc: np.ufunc) -> Callable[[Symbol], Any]:
    return lambda self: dispatch.operate(self.tape, ufunc, (self,))


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Symbol, *args: Any, **kwargs: Any) -> Any:
        return dispatch.call(self.tape, function, (self, *args), kwargs)

    return method


class Symbol(Handle):
    """An array or scalar that stands for one component of every row.

    It says to be of the class of what it stands for, so that `isinstance(x, np.ndarray)` holds.
    """

    __slots__ = ()

    __array_priority__ = 1000.0

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self.sample)

    # What is known without looking at values.

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.sample)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.sample.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.size(self.sample))

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return int(self.sample.nbytes)

    def __len__(self) -> int:
        return len(self.sample)

    # Values, which only constants have.

    def _value(self, why: str) -> Any:
        if self.lifted:
            raise self.tape.stop(why)
        return self.sample

    def __bool__(self) -> bool:
        return bool(self._value("branches on a value"))

    def __index__(self) -> int:
        return operator.index(self._value("uses a value as a Python index or count"))

    def __int__(self) -> int:
        return int(self._value("calls int() on a value"))

    def __float__(self) -> float:
        return float(self._value("calls float() on a value, or a function of math"))

    def __complex__(self) -> complex:
        return complex(self._value("calls complex() on a value"))

    def __hash__(self) -> int:
        return hash(self._value("looks a value up in a dict or set"))

    def __str__(self) -> str:
        return str(self._value("turns a value into text"))

    def __repr__(self) -> str:
        return repr(self._value("turns a value into text"))

    def __format__(self, how: str) -> str:
        return format(self._value("turns a value into text"), how)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return np.asarray(self._value("is handed to a function that needs its values"), *args)

    def item(self, *args: Any) -> Any:
        if self.lifted and not args and isinstance(self.sample, np.generic):
            return pythonic.convert(self.tape, type(self.sample.item()), self)
        return self._value("calls .item() of an array").item(*args)

    def tolist(self) -> Any:
        return self._value("calls .tolist()").tolist()

    def tobytes(self, *args: Any) -> Any:
        return self._value("calls .tobytes()").tobytes(*args)

    def nonzero(self) -> Any:
        return self._value("calls .nonzero(), whose shape depends on values").nonzero()

    # NumPy's own protocols.

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return dispatch.ufunc(self.tape, ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        return dispatch.call(self.tape, function, args, kwargs)

    # Indexing.

    def __getitem__(self, index: Any) -> Any:
        return dispatch.get_item(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        dispatch.set_item(self, index, value)

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise self.tape.stop("iterates over a scalar")
        return (self[place] for place in range(self.shape[0]))

    def __contains__(self, item: Any) -> bool:
        return bool((self == item).any())

    # Operators.

    __add__, __radd__, __iadd__ = _binary(np.add)
    __sub__, __rsub__, __isub__ = _binary(np.subtract)
    __mul__, __rmul__, __imul__ = _binary(np.multiply)
    __truediv__, __rtruediv__, __itruediv__ = _binary(np.divide)
    __floordiv__, __rfloordiv__, __ifloordiv__ = _binary(np.floor_divide)
    __mod__, __rmod__, __imod__ = _binary(np.remainder)
    __pow__, __rpow__, __ipow__ = _binary(np.power)
    __matmul__, __rmatmul__, __imatmul__ = _binary(np.matmul)
    __and__, __rand__, __iand__ = _binary(np.bitwise_and)
    __or__, __ror__, __ior__ = _binary(np.bitwise_or)
    __xor__, __rxor__, __ixor__ = _binary(np.bitwise_xor)
    __lshift__, __rlshift__, __ilshift__ = _binary(np.left_shift)
    __rshift__, __rrshift__, __irshift__ = _binary(np.right_shift)
    __divmod__, __rdivmod__, _ = _binary(np.divmod)
    __eq__, _, _ = _binary(np.equal)
    __ne__, _, _ = _binary(np.not_equal)
    __lt__, __gt__ = _binary(np.less)[0], _binary(np.greater)[0]
    __le__, __ge__ = _binary(np.less_equal)[0], _binary(np.greater_equal)[0]
    __neg__, __pos__ = _unary(np.negative), _unary(np.positive)
    __abs__, __invert__ = _unary(np.absolute), _unary(np.invert)
    conj = conjugate = _unary(np.conjugate)

    def __round__(self, digits: int | None = None) -> Any:
        if digits is None:
            return round(self._value("calls round() to a Python int"))
        return dispatch.call(self.tape, np.round, (self, digits), {})

    # Methods that are functions of NumPy too.

    sum, prod, mean = _reduction(np.sum), _reduction(np.prod), _reduction(np.mean)
    std, var = _reduction(np.std), _reduction(np.var)
    min, max = _reduction(np.min), _reduction(np.max)
    any, all = _reduction(np.any), _reduction(np.all)
    argmin, argmax = _reduction(np.argmin), _reduction(np.argmax)
    cumsum, cumprod = _reduction(np.cumsum), _reduction(np.cumprod)
    clip, round, ravel = _reduction(np.clip), _reduction(np.round), _reduction(np.ravel)
    squeeze, swapaxes = _reduction(np.squeeze), _reduction(np.swapaxes)
    take, repeat, diagonal, trace = (
        _reduction(np.take),
        _reduction(np.repeat),
        _reduction(np.diagonal),
        _reduction(np.trace),
    )
    argsort, searchsorted = _reduction(np.argsort), _reduction(np.searchsorted)

    @property
    def T(self) -> Any:  # NumPy's name for it
        return dispatch.call(self.tape, np.transpose, (self,), {})

    @property
    def real(self) -> Any:
        return dispatch.call(self.tape, np.real, (self,), {})

    @property
    def imag(self) -> Any:
        return dispatch.call(self.tape, np.imag, (self,), {})

    def dot(self, other: Any) -> Any:
        """The product with another array."""
        if not isinstance(self.sample, np.ndarray):
            raise AttributeError("NumPy's scalars have no attribute 'dot'")
        return dispatch.call(self.tape, np.dot, (self, other), {})

    def transpose(self, *axes: Any) -> Any:
        """Reorder the axes."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return dispatch.call(self.tape, np.transpose, (self, order), {})

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """The same values in another shape."""
        wanted = shape[0] if len(shape) == 1 else shape
        return dispatch.call(self.tape, np.reshape, (self, wanted), kwargs)

    def flatten(self, *args: Any) -> Any:
        """A copy with one axis."""
        return self.copy().reshape(-1) if not args else dispatch.call(self.tape, np.ravel, (self, *args), {}).copy()

    def astype(
        self, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
    ) -> Any:
        """The same values in another dtype."""
        return dispatch.cast(self, dtype, order, casting)

    def copy(self, order: str = "C") -> Any:
        """The same values in memory of their own."""
        return dispatch.copy(self, order)

    def sort(self, axis: int = -1) -> None:
        """Sort in place."""
        dispatch.assign(self, dispatch.call(self.tape, np.sort, (self, axis), {}))

    def fill(self, value: Any) -> None:
        """Set every item."""
        self[...] = value
