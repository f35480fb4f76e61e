"""Blocks: rows as elements, errors in their rows, and whose memory it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import tree
from penstock.block import Block, Dense, all_errors, block_from_elements, concatenate
from penstock.errors import SpecError

BAD = ValueError("bad")
SAID = repr(BAD)


def numbers(*values: int, errors: dict[int, Exception] | None = None, fresh: bool = False) -> Block:
    return Block(tree.LEAF, [Dense(np.array(values))], len(values), errors, fresh)


def items(block: Block) -> list[Any]:
    """The rows as plain numbers, errors by what they say."""
    return [repr(block.errors[row]) if row in block.errors else int(block.element(row)) for row in range(block.rows)]


ELEMENTS: list[list[Any]] = [
    [1, 2, 3],
    [(1, "a"), (2, "b")],
    [{"z": 1, "a": (2.0, None)}, {"z": 3, "a": (4.0, None)}],
    [((), 1), ((), 2)],
    [None, None],
    [(), ()],
]


@pytest.mark.parametrize("elements", ELEMENTS, ids=repr)
def test_elements_come_back(elements: list[Any]) -> None:
    block = block_from_elements(elements)
    assert list(block.elements()) == elements
    assert block.element(1) == elements[1]
    assert list(block.slice(1, 2).elements()) == elements[1:2]
    assert list(block.slice(1, 1).elements()) == []


def test_errors_move_with_their_rows() -> None:
    block = numbers(0, 1, 2, 3, errors={1: BAD, 3: BAD})
    assert items(block) == [0, SAID, 2, SAID]
    assert items(block.slice(1, 3)) == [SAID, 2]
    assert items(block.slice(2, 4)) == [2, SAID]
    assert items(block.take(np.array([3, 0, 3, 2]))) == [SAID, 0, SAID, 2]
    assert items(block.private()) == items(block)
    assert items(concatenate([block, numbers(5), block.slice(1, 2)])) == [0, SAID, 2, SAID, 5, SAID]


def test_rows_that_are_all_errors_have_no_structure_and_join_any() -> None:
    errors = all_errors(BAD, 2)
    assert (errors.treedef, errors.rows, errors.spec()) == (None, 2, None)
    assert items(concatenate([errors, numbers(7), errors])) == [SAID] * 2 + [7] + [SAID] * 2
    assert items(concatenate([errors, errors])) == [SAID] * 4
    assert items(errors.slice(1, 2)) == [SAID]
    assert items(errors.take(np.array([0, 1, 0]))) == [SAID] * 3


def test_other_structures_do_not_join() -> None:
    with pytest.raises(SpecError, match=r"structures \* and \(\*, \*\); map\(\) them to one"):
        concatenate([numbers(1), all_errors(BAD), block_from_elements([(1, 2)])])


def test_one_block_is_not_copied_and_more_are() -> None:
    block = numbers(1, 2)
    assert concatenate([block]) is block
    joined = concatenate([block, block])
    assert joined.fresh
    assert not np.shares_memory(joined.columns[0].array, block.columns[0].array)


def test_private_is_itself_where_it_may_be_written_into_and_a_copy_elsewhere() -> None:
    fresh, borrowed = numbers(1, 2, fresh=True), numbers(1, 2)
    assert fresh.private() is fresh
    copy = borrowed.private()
    assert copy.fresh
    assert not np.shares_memory(copy.columns[0].array, borrowed.columns[0].array)


def test_slices_are_views_and_whole_slices_the_block_itself() -> None:
    block = numbers(1, 2, 3)
    assert block.slice(0, 3) is block
    assert np.shares_memory(block.slice(1, 2).columns[0].array, block.columns[0].array)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_block_made_of_arrays_is_never_taken_for_memory_of_its_own_if_it_is_theirs(rows: int) -> None:
    arrays = [np.zeros(2) for _ in range(rows)]
    block = block_from_elements(arrays)
    for element in block.private().elements(writable=True):
        element[:] = 7
    assert all((array == 0).all() for array in arrays)


def test_neither_are_objects_not_even_when_taken() -> None:
    arrays = [np.zeros(2), np.zeros((2, 2))]
    block = block_from_elements(arrays)
    for part in (block, block.take(np.array([0, 1])), concatenate([block, block])):
        for element in part.private().elements(writable=True):
            element[:] = 7
    assert all((array == 0).all() for array in arrays)


def test_an_empty_take_keeps_the_structure() -> None:
    block = block_from_elements([{"a": 1}]).take(np.empty(0, np.intp))
    assert block.rows == 0
    assert list(block.elements()) == []
    assert block.treedef == tree.flatten({"a": 0})[1]
