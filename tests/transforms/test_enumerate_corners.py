"""`enumerate` in odd corners: nesting, starts, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from tests.corners import failing_at, outcomes, values


def test_a_tuple_stays_nested_and_a_function_gets_two_arguments() -> None:
    ds = Dataset.from_tensor_slices(([1, 2], [3, 4])).enumerate()
    assert values(ds) == [(0, (1, 3)), (1, (2, 4))]
    assert values(ds.map(lambda i, pair: i * 100 + pair[0] * 10 + pair[1])) == [13, 124]


def test_numbers_are_int64() -> None:
    assert type(next(iter(Dataset.range(1).enumerate()))[0]) is np.int64
    assert Dataset.range(1).enumerate().element_spec[0].dtype == np.int64


@pytest.mark.parametrize("start", [-3, 0, 7, np.int32(7), 2**62])
def test_starts(start: Any) -> None:
    assert values(Dataset.range(2).enumerate(start)) == [(int(start), 0), (int(start) + 1, 1)]


def test_an_error_keeps_its_number() -> None:
    assert outcomes(Dataset.range(4).map(failing_at(1)).enumerate()) == [(0, 0), KeyError, (2, 20), (3, 30)]


def test_numbers_go_on_through_epochs_and_are_those_of_the_elements_skipped_to() -> None:
    assert values(Dataset.range(2).repeat(2).enumerate()) == [(0, 0), (1, 1), (2, 0), (3, 1)]
    assert values(Dataset.range(9).enumerate().skip(5).take(2)) == [(5, 5), (6, 6)]
    assert values(Dataset.range(9).skip(5).enumerate().take(2)) == [(0, 5), (1, 6)]


def test_nothing_is_not_numbered() -> None:
    assert values(Dataset.range(0).enumerate()) == []


@pytest.mark.parametrize("start", [1.5, None, "0"], ids=repr)
def test_what_is_no_whole_number_is_refused_at_the_call(start: Any) -> None:
    with pytest.raises(TypeError, match=r"^enumerate\(\): start must be an integer, but is"):
        Dataset.range(3).enumerate(start)
