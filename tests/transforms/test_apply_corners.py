"""`apply` in odd corners."""

from __future__ import annotations

from typing import Any

import pytest

from penstock import Dataset
from tests.corners import values


def test_the_function_gets_the_dataset_itself_once_and_at_once() -> None:
    given: list[Any] = []
    ds = Dataset.range(3)
    assert ds.apply(lambda d: given.append(d) or d) is ds
    assert given == [ds]


def test_an_error_of_the_function_is_left_alone() -> None:
    with pytest.raises(ZeroDivisionError):
        Dataset.range(3).apply(lambda ds: 1 // 0)


@pytest.mark.parametrize("result", [3, None, [1]], ids=repr)
def test_a_result_that_is_no_dataset_is_refused(result: Any) -> None:
    with pytest.raises(TypeError, match=r"^apply\(\): the function returned .*; return a Dataset"):
        Dataset.range(3).apply(lambda ds: result)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^apply\(\): transformation_func must be a function, but is 3"):
        Dataset.range(3).apply(3)


def test_applications_of_applications() -> None:
    assert values(Dataset.range(2).apply(lambda ds: ds.apply(lambda inner: inner.map(lambda n: n + 1)))) == [1, 2]
