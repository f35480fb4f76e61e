"""`filter` in odd corners: verdicts that are no bool, errors, laziness."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import UNKNOWN_CARDINALITY, Dataset
from penstock.errors import SpecError
from tests.corners import Counting, outcomes, values


@pytest.mark.parametrize("yes", [True, np.True_, np.array(True)], ids=["bool", "numpy", "array"])
def test_verdicts_may_be_bools_of_python_and_numpy(yes: Any) -> None:
    assert values(Dataset.range(2).filter(lambda n: yes)) == [0, 1]


@pytest.mark.parametrize("verdict", [1, 0.0, np.array([True]), "yes", (True, True)], ids=repr)
def test_a_verdict_that_is_no_bool_is_an_error_of_that_element(verdict: Any) -> None:
    ds = Dataset.range(4).filter(lambda n: verdict if n == 1 else bool(n > 1))
    assert outcomes(ds) == [SpecError, 2, 3]
    with pytest.raises(SpecError, match=r"filter\(\)"):
        list(ds)


def test_a_wrong_verdict_names_function_element_and_what_to_return() -> None:
    with pytest.raises(SpecError, match=r"filter\(\): .*lambda.* returned .*7.* for element 2; return one bool"):
        list(Dataset.range(4).filter(lambda n: n + 5 if n == 2 else bool(n)))


def test_an_error_keeps_its_place_and_the_rest_goes_on() -> None:
    def odd(n: Any) -> bool:
        return bool(n % 2) if n != 4 else bool(1 // 0)

    assert outcomes(Dataset.range(8).filter(odd)) == [1, 3, ZeroDivisionError, 5, 7]


def test_errors_of_the_input_are_passed_on_unjudged() -> None:
    seen = Counting(lambda n: True)
    ds = Dataset.range(4).map(lambda n: 6 // int(n)).filter(seen)
    assert outcomes(ds) == [ZeroDivisionError, 6, 3, 2]
    assert seen.seen == [6, 3, 2]


def test_the_predicate_is_asked_no_further_than_to_the_next_element() -> None:
    seen = Counting(lambda n: bool(n % 3 == 2))
    iterator = iter(Dataset.range(100).filter(seen))
    assert (next(iterator), len(seen.seen)) == (2, 3)
    assert (next(iterator), len(seen.seen)) == (5, 6)


def test_nothing_accepted_is_an_empty_dataset() -> None:
    assert values(Dataset.range(1000).filter(lambda n: n < 0)) == []


def test_a_for_ever_repeated_filter_that_accepts_nothing_ends() -> None:
    assert values(Dataset.range(5).filter(lambda n: n < 0).repeat()) == []


def test_cardinality_is_unknown_even_over_nothing_and_over_endless_inputs() -> None:
    for ds in (Dataset.range(0), Dataset.range(3), Dataset.range(3).repeat()):
        assert ds.filter(lambda n: n >= 0).cardinality() == UNKNOWN_CARDINALITY


def test_structure_is_kept() -> None:
    ds = Dataset.from_tensor_slices({"b": [1, 2], "a": [3, 4]}).filter(lambda e: bool(e["a"] > 3))
    assert values(ds) == [{"b": 2, "a": 4}]
    assert list(ds.element_spec) == ["b", "a"]


def test_a_predicate_that_writes_into_its_argument_changes_nobody_elses_data() -> None:
    rows = np.full((3, 2), 255.0)

    def bright(row: Any) -> bool:
        row /= 255
        return bool(row[0] == 1)

    assert values(Dataset.from_tensor_slices(rows).filter(bright)) == [[255.0, 255.0]] * 3
    assert rows.sum() == 255 * 6


@pytest.mark.parametrize("predicate", [None, 3, [abs]])
def test_what_is_no_function_is_refused_at_the_call(predicate: Any) -> None:
    with pytest.raises(TypeError, match=r"filter\(\): predicate must be a function, but is"):
        Dataset.range(3).filter(predicate)
