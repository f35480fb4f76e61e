"""Arguments with handles in them, and functions that are called for one row after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from penstock.vectorize.tape import Array, Handle, dtype_of


def collect(tree: Any) -> list[Handle]:
    """The handles in nested tuples, lists, dicts and slices, in order."""
    if isinstance(tree, Handle):
        return [tree]
    if type(tree) in (tuple, list):
        return [handle for item in tree for handle in collect(item)]
    if type(tree) is dict:
        return [handle for item in tree.values() for handle in collect(item)]
    if type(tree) is slice:
        return collect((tree.start, tree.stop, tree.step))
    return []


def substitute(tree: Any, change: Callable[[Handle], Any]) -> Any:
    """`tree` with each handle replaced."""
    if isinstance(tree, Handle):
        return change(tree)
    if type(tree) in (tuple, list):
        return type(tree)(substitute(item, change) for item in tree)
    if type(tree) is dict:
        return {key: substitute(item, change) for key, item in tree.items()}
    if type(tree) is slice:
        return slice(*substitute((tree.start, tree.stop, tree.step), change))
    return tree


class _Hole:
    """The place of an argument that differs from row to row."""

    def __init__(self, number: int) -> None:
        self.number = number


class RowLoop:
    """A function of one element, applied to each row of its blocks."""

    may_raise = True

    def __init__(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        sample: Any,
        part: int | None,
    ) -> None:
        holes = iter(range(1 << 30))
        handles = collect((tuple(args), dict(kwargs)))
        self._function = function
        self._args, self._kwargs = substitute((tuple(args), dict(kwargs)), lambda handle: _Hole(next(holes)))
        self._rows = [_how(handle) for handle in handles]
        self._shape = np.shape(sample)
        self._dtype = dtype_of(sample)
        self._kind = type(sample)
        self._number = self._kind in (int, float, bool)
        self._part = part
        self._plain = not kwargs and all(isinstance(item, Handle) for item in args)
        scalars = isinstance(sample, np.generic) or self._number
        self._quick = scalars and part is None and not kwargs and all(map(_is_scalar, args))

    def __call__(self, *blocks: Any) -> Array:
        rows = next((len(block) for block, how in zip(blocks, self._rows, strict=True) if how is not ...), None)
        if rows is None:
            return np.asarray(self._one(blocks))
        if self._quick:
            return self._scalars(rows, blocks)
        out = np.empty((rows, *self._shape), self._dtype)
        for row in range(rows):
            result = self._one([_row(block, how, row) for block, how in zip(blocks, self._rows, strict=True)])
            if self._number:
                if type(result) is not self._kind:
                    raise ValueError(f"one row gives a {type(result).__name__}")
            elif result.shape != self._shape or result.dtype != self._dtype:
                raise ValueError(f"one row gives shape {result.shape} and dtype {result.dtype}")
            out[row] = result
        return out

    def _scalars(self, rows: int, blocks: Sequence[Any]) -> Array:
        """Results that are scalars of arguments that are, without a Python loop."""
        values: list[Any] = []
        for item in self._args:
            if type(item) is not _Hole:
                values.append(itertools.repeat(item, rows))
            elif self._rows[item.number] is ...:
                values.append(itertools.repeat(blocks[item.number], rows))
            else:
                values.append(blocks[item.number].tolist() if self._rows[item.number] is int else blocks[item.number])
        results = list(map(self._function, *values))
        kinds = set(map(type, results))
        if kinds != {self._kind}:
            raise ValueError(f"some rows give a {' or a '.join(kind.__name__ for kind in kinds)}")
        return np.fromiter(results, self._dtype, rows)

    def _one(self, values: Sequence[Any]) -> Any:
        if self._plain:
            found = self._function(*values)
        else:
            args, kwargs = _fill((self._args, self._kwargs), values)
            found = self._function(*args, **kwargs)
        return found if self._part is None else found[self._part]


def _is_scalar(value: Any) -> bool:
    if isinstance(value, Handle):
        return not isinstance(value.sample, np.ndarray)
    return isinstance(value, (int, float, np.generic))


def _how(handle: Handle) -> Any:
    """How a row is seen: a constant (...), a scalar of NumPy (None), a number of Python (int), or an array (())."""
    if not handle.lifted:
        return ...
    if isinstance(handle.sample, np.generic):
        return None
    return () if isinstance(handle.sample, np.ndarray) else int


def _row(block: Any, how: Any, row: int) -> Any:
    """One row as the user's function sees it."""
    if how is ...:
        return block
    if how is int:
        return block[row].item()
    return block[row] if how is None else block[row, ...]


def _fill(tree: Any, values: Sequence[Any]) -> Any:
    if type(tree) is _Hole:
        return values[tree.number]
    if type(tree) in (tuple, list):
        return type(tree)([_fill(item, values) for item in tree])
    if type(tree) is dict:
        return {key: _fill(item, values) for key, item in tree.items()}
    return tree
