"""Three hundred functions as people write them: on blocks they give every bit that they give for one element."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from penstock import tree
from penstock.node import Purity
from penstock.spec import Spec, spec_of_element
from penstock.vectorize.purity import judge
from penstock.vectorize.trace import Refusal, Trace, trace
from tests.vectorize import corpus_images, corpus_refused, corpus_tables  # noqa: F401  they fill the corpus
from tests.vectorize.corpus import CASES, REFUSED, ROWS, Case

LEAST_SHARE = 0.97
"""Of the functions that compute with arrays alone, those that run on blocks."""


def columns_of(case: Case) -> tuple[list[Any], tree.Treedef]:
    """The case's data: one column per component, text as an object array."""
    columns, treedef = tree.flatten(case.make(np.random.default_rng(7)))
    return [np.array(column, object) if isinstance(column, list) else column for column in columns], treedef


def element_of(columns: list[Any], treedef: tree.Treedef, row: int) -> Any:
    """One element of its own."""
    return tree.unflatten(treedef, [copy.deepcopy(column[row]) for column in columns])


def refusal_or_trace(case: Case, spec: Spec) -> str | Trace:
    """What the engine does: judge, then trace."""
    verdict = judge(case.function)
    if verdict.purity is not Purity.PURE:
        return verdict.reason
    traced = trace(case.function, spec)
    return traced.reason if isinstance(traced, Refusal) else traced


def call(case: Case, element: Any) -> Any:
    """One element at a time, as tf.data calls it."""
    result = case.function(*element) if type(element) is tuple else case.function(element)
    return tuple(result) if type(result) is list else result


def same_bits(left: Any, right: Any) -> bool:
    """Whether two components agree in value, dtype and shape."""
    if isinstance(left, str):
        return bool(left == right)
    left, right = np.asarray(left), np.asarray(right)
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def check(case: Case, traced: Trace, columns: list[Any], treedef: tree.Treedef) -> None:
    """Compare every row, with and without memory from outside; the columns stay as they were."""
    before = [column.copy() for column in columns]
    used = [column if number in traced.uses else None for number, column in enumerate(columns)]
    made: list[Any] = []

    def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        made.append(np.empty(shape, dtype))
        return made[-1]

    for outputs in (traced.run(used, ROWS), traced.run(used, ROWS, allocate)):
        for row in range(ROWS):
            leaves, structure = tree.flatten(call(case, element_of(columns, treedef, row)))
            assert structure == traced.output.treedef, case.name
            for number, leaf in enumerate(leaves):
                assert same_bits(leaf, outputs[number][row]), f"{case.name}: component {number} of row {row}"
    for number, output in enumerate(outputs):
        assert number in traced.passes or any(output is memory for memory in made), case.name
        assert number in traced.passes or (output.flags.c_contiguous and output.flags.writeable), case.name
        assert number in traced.passes or not any(np.may_share_memory(output, column) for column in columns), case.name
    assert all(same_bits(old, new) for old, new in zip(before, columns, strict=True) if old.dtype != object), case.name


def test_there_are_enough_functions() -> None:
    assert len(CASES) >= 150
    assert len(REFUSED) >= 50
    assert len({case.name for case in CASES + REFUSED}) == len(CASES + REFUSED)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_bit_is_the_same(case: Case) -> None:
    columns, treedef = columns_of(case)
    traced = refusal_or_trace(case, spec_of_element(element_of(columns, treedef, 0)))
    if isinstance(traced, str):
        assert traced
        assert "\n" not in traced
    else:
        check(case, traced, columns, treedef)
        assert all(len(output) == 0 for output in traced.run([column[:0] for column in columns], 0))
        one = traced.run([column[-1:] for column in columns], 1)
        leaves, _ = tree.flatten(call(case, element_of(columns, treedef, ROWS - 1)))
        assert all(same_bits(leaf, output[0]) for leaf, output in zip(leaves, one, strict=True))


def test_most_run_on_blocks() -> None:
    refusals = {}
    for case in CASES:
        columns, treedef = columns_of(case)
        traced = refusal_or_trace(case, spec_of_element(element_of(columns, treedef, 0)))
        if isinstance(traced, str):
            refusals[case.name] = traced
    assert len(CASES) - len(refusals) >= LEAST_SHARE * len(CASES), refusals


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_the_others_are_refused_in_one_line(case: Case) -> None:
    columns, treedef = columns_of(case)
    refusal = refusal_or_trace(case, spec_of_element(element_of(columns, treedef, 0)))
    assert isinstance(refusal, str)
    assert refusal
    assert "\n" not in refusal
