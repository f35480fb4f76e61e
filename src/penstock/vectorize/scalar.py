"""Prove that a function of integers gives the same with `int` as with `numpy.int64`, as long as nothing overflows.

A function that branches on values runs element by element, and NumPy's scalars make that several times slower than
Python's own numbers. The function is run on symbolic integers along every path that its comparisons allow. Only
operations are let through that mean the same for both kinds of number; bounds of every intermediate result then follow
from bounds of the arguments.
"""

from __future__ import annotations

import dis
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from penstock import tree
from penstock.spec import Spec

_MOST_PATHS = 64
_MOST_DECISIONS = 64
_MOST_NODES = 2000
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_EXACT = 2**53
"""Integers up to here are exact as float64."""

Interval = tuple[int, int]


class ScalarProof:
    """What was proven of one function; see `prove_scalars`.

    Attributes:
        treedef: The structure of the result.
        output_kinds: `int`, `bool`, `float` or `str` for each component of the result.
    """

    def __init__(self, paths: list[_Path], treedef: tree.Treedef, output_kinds: tuple[type, ...]) -> None:
        self.treedef = treedef
        self.output_kinds = output_kinds
        self._paths = paths
        self._proven: Interval | None = None

    def fits(self, low: int, high: int) -> bool:
        """Whether nothing leaves int64, on any path, when every argument lies in [low, high]."""
        known = self._proven
        if known is not None and known[0] <= low and high <= known[1]:
            return True
        bits = max(low.bit_length(), high.bit_length()) + 1
        for bounds in ((-(2**bits), 2**bits), (low, high)):
            if all(_within(path, bounds) for path in self._paths):
                self._proven = bounds
                return True
        return False


def prove_scalars(function: Callable[..., object], spec: Spec) -> ScalarProof | None:
    """Prove that `function`, which must be pure, may be called with Python's ints instead of NumPy's.

    >>> from penstock.spec import spec_of_element
    >>> proof = prove_scalars(lambda x: x * x if x % 2 else -x, spec_of_element(np.int64(1)))
    >>> proof.fits(0, 1000), proof.fits(0, 2**40)
    (True, False)

    Every component of `spec` must be one int64. None where there is no proof: an operation that is not known to agree,
    more than 64 paths, results of different kinds.
    """
    if not spec.leaves or any(leaf.shape != () or leaf.dtype != np.int64 for leaf in spec.leaves):
        return None
    paths: list[_Path] = []
    waiting: list[tuple[bool, ...]] = [()]
    found: tuple[Any, tuple[type, ...]] | None = None
    while waiting:
        path = _Path(waiting.pop(), waiting)
        paths.append(path)
        if len(paths) > _MOST_PATHS:
            return None
        try:
            shape = _follow(function, spec, path)
        except _Different:
            return None
        if path.different or (shape is not None and found is not None and shape != found):
            return None
        found = found or shape
    return None if found is None else ScalarProof(paths, *found)


def _follow(function: Callable[..., object], spec: Spec, path: _Path) -> tuple[Any, tuple[type, ...]] | None:
    """Structure and kinds of the result on one path; None where the function raises."""
    leaves = [Integer(path, path.add("input")) for _ in spec.leaves]
    element = tree.unflatten(spec.treedef, leaves)
    try:
        result = function(*element) if type(element) is tuple else function(element)
    except Exception as error:
        if not _raised_on_purpose(error):
            path.refuse()
        return None
    results, treedef = tree.flatten(tuple(result) if type(result) is list else result)
    return treedef, tuple(_kind(path, leaf) for leaf in results)


def _raised_on_purpose(error: Exception) -> bool:
    """Whether a `raise` statement raised it, which it then does for any kind of number."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return place is not None and place.tb_frame.f_code.co_code[place.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _kind(path: _Path, leaf: Any) -> type:
    for symbol, kind in ((Integer, int), (Real, float), (Truth, bool)):
        if type(leaf) is symbol:
            return kind
    if type(leaf) is int:
        path.constant(leaf)
    if type(leaf) not in (int, bool, float, str):
        path.refuse()
    return type(leaf)


class _Different(BaseException):
    """Something that may tell Python's numbers from NumPy's."""


class _Path:
    """One way through the function: the decisions taken, and every operation as (name, arguments, constant)."""

    def __init__(self, decisions: tuple[bool, ...], waiting: list[tuple[bool, ...]]) -> None:
        self.nodes: list[tuple[str, tuple[int, ...], int]] = []
        self.different = False
        self._decisions = decisions
        self._taken: list[bool] = []
        self._waiting = waiting

    def add(self, name: str, arguments: tuple[int, ...] = (), constant: int = 0) -> int:
        """Keep one operation; its number."""
        if len(self.nodes) >= _MOST_NODES:
            self.refuse()
        self.nodes.append((name, arguments, constant))
        return len(self.nodes) - 1

    def constant(self, value: int) -> int:
        """The number of a constant, which must be an int64."""
        if not _LOWEST <= value <= _HIGHEST:
            self.refuse()
        return self.add("constant", (), value)

    def refuse(self) -> NoReturn:
        """Give up the proof."""
        self.different = True
        raise _Different

    def decide(self) -> bool:
        """Take one side of a branch, and leave the other one for another path."""
        place = len(self._taken)
        if place < len(self._decisions):
            side = self._decisions[place]
        else:
            if place >= _MOST_DECISIONS:
                self.refuse()
            side = True
            self._waiting.append((*self._taken, False))
        self._taken.append(side)
        return side


def _refusing(self: _Symbol, *args: Any, **kwargs: Any) -> NoReturn:
    self.path.refuse()


class _Symbol:
    """A number or truth value that is not known."""

    __slots__ = ("node", "path")

    def __init__(self, path: _Path, node: int) -> None:
        self.path = path
        self.node = node

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        self.path.refuse()

    def __getattr__(self, name: str) -> NoReturn:
        self.path.refuse()


for _name in (
    "add and array array_function array_ufunc call complex contains divmod eq float floor ceil trunc floordiv "
    "format ge getitem gt hash index int invert iter le len lshift lt matmul mod mul ne neg pos abs pow radd rand "
    "rdivmod repr reversed rfloordiv rlshift rmatmul rmod rmul ror round rpow rrshift rshift rsub rtruediv rxor "
    "or setitem str sub truediv xor bytes"
).split():
    setattr(_Symbol, f"__{_name}__", _refusing)


def _integer(path: _Path, value: Any) -> int:
    """The node of an integer operand."""
    if type(value) is Integer:
        return value.node
    if type(value) is int:
        return path.constant(value)
    path.refuse()


def _exact(path: _Path, value: Any) -> None:
    """`value` takes part in an operation on float64, and must be exact there."""
    if type(value) is Real or type(value) is float:
        return
    path.add("exact", (_integer(path, value),))


def _arithmetic(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(self: Integer, other: Any) -> Any:
        if type(other) is float or type(other) is Real:
            _exact(self.path, self)
            return Real(self.path, -1)
        return Integer(self.path, self.path.add(name, (self.node, _integer(self.path, other))))

    def backward(self: Integer, other: Any) -> Any:
        if type(other) is float:
            _exact(self.path, self)
            return Real(self.path, -1)
        return Integer(self.path, self.path.add(name, (_integer(self.path, other), self.node)))

    return forward, backward


def _by_constant(name: str, lowest: int, highest: int) -> Callable[[Integer, Any], Integer]:
    def method(self: Integer, other: Any) -> Integer:
        if type(other) is not int or (other == 0 and name in ("floordiv", "mod")) or not lowest <= other <= highest:
            self.path.refuse()
        return Integer(self.path, self.path.add(name, (self.node,), other))

    return method


def _compare(self: _Symbol, other: Any) -> Truth:
    path = self.path
    if type(self) is Integer and type(other) in (int, Integer):
        _integer(path, other)
    else:
        _exact(path, self)
        _exact(path, other)
    return Truth(path, -1)


class Integer(_Symbol):
    """An integer that is not known: `numpy.int64` or `int`."""

    __slots__ = ()

    __add__, __radd__ = _arithmetic("add")
    __sub__, __rsub__ = _arithmetic("sub")
    __mul__, __rmul__ = _arithmetic("mul")
    __and__, __rand__ = _arithmetic("bits")
    __or__, __ror__ = _arithmetic("bits")
    __xor__, __rxor__ = _arithmetic("bits")
    __floordiv__ = _by_constant("floordiv", _LOWEST, _HIGHEST)
    __mod__ = _by_constant("mod", _LOWEST, _HIGHEST)
    __pow__ = _by_constant("pow", 0, 62)
    __lshift__ = _by_constant("lshift", 0, 62)
    __rshift__ = _by_constant("rshift", 0, 62)
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _compare  # type: ignore[assignment]
    __hash__ = _refusing

    def __bool__(self) -> bool:
        return self.path.decide()

    def __neg__(self) -> Integer:
        return Integer(self.path, self.path.add("neg", (self.node,)))

    def __pos__(self) -> Integer:
        return self

    def __abs__(self) -> Integer:
        return Integer(self.path, self.path.add("abs", (self.node,)))

    def __invert__(self) -> Integer:
        return Integer(self.path, self.path.add("bits", (self.node, self.node)))

    def __divmod__(self, other: Any) -> tuple[Integer, Integer]:
        return self // other, self % other

    def __truediv__(self, other: Any) -> Real:
        if type(other) not in (int, float) or other == 0:
            self.path.refuse()
        _exact(self.path, self)
        _exact(self.path, other)
        return Real(self.path, -1)


def _real(self: Real, other: Any) -> Real:
    _exact(self.path, other)
    return Real(self.path, -1)


class Real(_Symbol):
    """A floating-point number that is not known: `numpy.float64` or `float`, which compute alike."""

    __slots__ = ()

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _real
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _compare  # type: ignore[assignment]
    __hash__ = _refusing

    def __bool__(self) -> bool:
        return self.path.decide()

    def __neg__(self) -> Real:
        return Real(self.path, -1)

    def __abs__(self) -> Real:
        return Real(self.path, -1)

    def __truediv__(self, other: Any) -> Real:
        if type(other) not in (int, float) or other == 0:
            self.path.refuse()
        return _real(self, other)


def _truth(self: Truth, other: Any) -> Truth:
    if type(other) not in (Truth, bool):
        self.path.refuse()
    return Truth(self.path, -1)


class Truth(_Symbol):
    """The outcome of a comparison: `numpy.bool` or `bool`."""

    __slots__ = ()

    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _truth
    __eq__ = __ne__ = _truth  # type: ignore[assignment]
    __hash__ = _refusing

    def __bool__(self) -> bool:
        return self.path.decide()


def _within(path: _Path, bounds: Interval) -> bool:
    """Whether every operation of `path` stays in int64 when the inputs lie in `bounds`."""
    known: list[Interval] = []
    for name, arguments, constant in path.nodes:
        if name == "input":
            found = bounds
        elif name == "constant":
            found = (constant, constant)
        else:
            found = _BOUNDS[name](*(known[argument] for argument in arguments), constant)
        if found[0] < _LOWEST or found[1] > _HIGHEST or (name == "exact" and max(-found[0], found[1]) > _EXACT):
            return False
        known.append(found)
    return True


def _product(a: Interval, b: Interval, _: int) -> Interval:
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


def _bits(a: Interval, b: Interval, _: int) -> Interval:
    size = max(abs(end).bit_length() for end in (*a, *b))
    return -(2**size), 2**size - 1


def _modulo(a: Interval, constant: int) -> Interval:
    return (0, constant - 1) if constant > 0 else (constant + 1, 0)


def _ends(function: Callable[[int, int], int]) -> Callable[[Interval, int], Interval]:
    def bound(a: Interval, constant: int) -> Interval:
        ends = [function(end, constant) for end in a]
        if a[0] <= 0 <= a[1]:
            ends.append(function(0, constant))
        return min(ends), max(ends)

    return bound


_BOUNDS: dict[str, Callable[..., Interval]] = {
    "add": lambda a, b, _: (a[0] + b[0], a[1] + b[1]),
    "sub": lambda a, b, _: (a[0] - b[1], a[1] - b[0]),
    "mul": _product,
    "bits": _bits,
    "floordiv": _ends(lambda end, constant: end // constant),
    "mod": _modulo,
    "pow": _ends(lambda end, constant: end**constant),
    "lshift": _ends(lambda end, constant: end << constant),
    "rshift": _ends(lambda end, constant: end >> constant),
    "neg": _ends(lambda end, _: -end),
    "abs": _ends(lambda end, _: abs(end)),
    "exact": lambda a, _: a,
}
