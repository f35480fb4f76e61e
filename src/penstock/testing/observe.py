"""What a run yields, written down, and how it differs from what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from penstock import tree
from penstock.block import Block
from penstock.building import component
from penstock.columns import (
    SparseTensor,
)
from penstock.node import Operator
from penstock.testing.reference import Failure

HORIZON = 48
"""Elements that are looked at; of endless streams, the first so many."""


def observe(elements: Iterator[Any], limit: int = HORIZON, errors: list[Exception] | None = None) -> list[Any]:
    """Up to `limit` elements, a `Failure` where one was raised; iteration goes on after it.

    Args:
        elements: What is read.
        limit: How many places at most.
        errors: Where the errors themselves go too, if given.
    """
    found: list[Any] = []
    while len(found) < limit:
        try:
            found.append(next(elements))
        except StopIteration:
            break
        except Exception as error:
            found.append(as_failure(error))
            if errors is not None:
                errors.append(error)
    return found


def as_failure(error: Exception) -> Failure:
    """The error as a reference would state it."""
    return Failure(type(error), str(error))


def block_items(block: Block) -> list[Any]:
    """The rows of a block as elements and failures."""
    return [as_failure(block.errors[row]) if row in block.errors else block.element(row) for row in range(block.rows)]


def pull(operator: Operator, demands: Iterable[int], limit: int = HORIZON) -> Iterator[tuple[Block, list[Any]]]:
    """Blocks for the demands in turn, with their items, until `limit` rows were read or the operator has ended.

    Raises:
        AssertionError: A block has no row or more than were asked for, or one comes after the end.
    """
    rows = 0
    for demand in demands:
        block = operator.next_block(demand)
        if block is None:
            assert operator.next_block(demand) is None, "an operator went on after it had ended"
            return
        assert 1 <= block.rows <= demand, f"asked for {demand} rows, an operator gave {block.rows}"
        yield block, block_items(block)
        rows += block.rows
        if rows >= limit:
            return


def first(elements: Iterable[Any], limit: int = HORIZON) -> list[Any]:
    """Up to `limit` items of a reference."""
    return list(islice(elements, limit))


def same(expected: list[Any], found: list[Any], what: str) -> None:
    """Check that two runs are the same, to the bit.

    Raises:
        AssertionError: They differ; says in which place and how.
    """
    for at, (left, right) in enumerate(zip(expected, found, strict=False)):
        told = difference(left, right)
        assert not told, (
            f"{what}: element {at}: {told}\nexpected {_around(expected, at)}\nfound    {_around(found, at)}"
        )
    if len(expected) != len(found):
        at = min(len(expected), len(found))
        raise AssertionError(
            f"{what}: {len(found)} elements, not {len(expected)}\n"
            f"expected {_around(expected, at)}\nfound    {_around(found, at)}"
        )


def _around(items: list[Any], at: int) -> str:
    start, stop = max(0, at - 4), at + 5
    return f"{'... ' if start else ''}{items[start:stop]}{' ...' if stop < len(items) else ''}"


def difference(expected: Any, found: Any) -> str:
    """How an element differs from the expected one; "" where it does not."""
    if isinstance(expected, Failure) or isinstance(found, Failure):
        return _failures_differ(expected, found)
    left, left_tree = tree.flatten(expected)
    right, right_tree = tree.flatten(found)
    if left_tree != right_tree:
        return f"structure {right_tree}, not {left_tree}"
    for path, one, other in zip(tree.paths(left_tree), left, right, strict=True):
        told = _values_differ(one, other)
        if told:
            return f"component{path}: {told}"
    return ""


def _failures_differ(expected: Any, found: Any) -> str:
    if not isinstance(expected, Failure) or not isinstance(found, Failure):
        return f"{found!r}, not {expected!r}"
    if found.kind is not expected.kind or (expected.text and found.text != expected.text):
        return f"{found!r}, not {expected!r}"
    return ""


def _values_differ(expected: Any, found: Any) -> str:
    expected = component(expected)
    if isinstance(expected, SparseTensor) and isinstance(found, SparseTensor):
        return _values_differ(expected.to_dense(), found.to_dense())
    if not isinstance(expected, (np.ndarray, np.generic)):
        return "" if type(expected) is type(found) and expected == found else f"{found!r}, not {expected!r}"
    if not isinstance(found, (np.ndarray, np.generic)):
        return f"a {type(found).__name__}, not an array or scalar of NumPy"
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return f"shape {found.shape} and {found.dtype}, not {expected.shape} and {expected.dtype}"
    if expected.dtype.kind == "O":
        alike = all(not _values_differ(*pair) for pair in zip(expected.ravel(), found.ravel(), strict=True))
    else:
        alike = expected.tobytes() == found.tobytes() or bool(
            expected.dtype.kind in "fc" and np.array_equal(expected, found, equal_nan=True)
        )
    return "" if alike else f"{found!r}, not {expected!r}"
