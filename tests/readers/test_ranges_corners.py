"""`range` and `counter` in odd corners."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import Dataset, TensorSpec
from tests.corners import values


@pytest.mark.parametrize(
    "arguments",
    [(0,), (-3,), (5,), (2, 5), (5, 2), (0, 10, 3), (10, 0, -3), (0, 10, -1), (5, 0, -2), (-2, 3), (7, 8, 100)],
    ids=str,
)
def test_pythons_rules(arguments: tuple[int, ...]) -> None:
    ds = Dataset.range(*arguments)
    assert values(ds) == list(range(*arguments))
    assert len(ds) == len(range(*arguments))


def test_numbers_near_the_ends_of_64_bits() -> None:
    last = 2**63 - 1
    assert values(Dataset.range(last - 2, last)) == [last - 2, last - 1]
    assert values(Dataset.range(-(2**62), 2**62, 2**62)) == [-(2**62), 0]
    assert int(Dataset.range(2**62)[2**61]) == 2**61


def test_dtypes() -> None:
    assert Dataset.range(3).element_spec == TensorSpec((), np.int64)
    assert Dataset.range(3, output_type=np.float32).element_spec == TensorSpec((), np.float32)
    assert type(next(iter(Dataset.range(3, output_type=np.uint8)))) is np.uint8


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((), TypeError, "takes 1 to 3 numbers"),
        ((1, 2, 3, 4), TypeError, "but was given 4"),
        ((1.5,), TypeError, "stop must be an integer, but is 1.5"),
        ((0, "3"), TypeError, "stop must be an integer, but is '3'"),
        ((0, 3, 0), ValueError, "step must not be 0"),
        ((2**64,), ValueError, "stop must fit 64 bits"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused_at_the_call(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^range\(\): ") as raised:
        Dataset.range(*arguments)
    assert text in str(raised.value)


def test_an_unknown_output_type_is_refused_at_the_call() -> None:
    with pytest.raises(TypeError):
        Dataset.range(3, output_type="nonsense")


def test_a_counter_counts_in_any_direction_for_ever() -> None:
    ds = Dataset.counter(3, -2)
    assert ds.cardinality() == -1
    assert values(ds.take(4)) == [3, 1, -1, -3]
    assert values(Dataset.counter(5, 0).take(2)) == [5, 5]
    assert values(Dataset.counter(1, dtype=np.uint8).skip(254).take(3)) == [255, 0, 1]
    with pytest.raises(TypeError, match=r"^counter\(\): step must be an integer, but is 0.5"):
        Dataset.counter(0, 0.5)
