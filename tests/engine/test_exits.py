"""Exceptions that are no errors, such as SystemExit, raised by user functions: all before them comes first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import Dataset


def exits_at(place: int) -> Any:
    def function(n: Any) -> Any:
        if n == place:
            raise SystemExit(3)
        return n * 10

    return function


def before_the_exit(ds: Dataset[Any]) -> list[int]:
    """What comes before SystemExit, which comes again where it is asked again."""
    found: list[int] = []
    with ds.iterator() as iterator:
        for _ in range(2):
            with pytest.raises(SystemExit):
                found.extend(map(int, iterator))
    return found


def test_a_function_that_might_exit_is_not_tried_out() -> None:
    ds = Dataset.range(2000).map(exits_at(10_000))
    assert [int(n) for n in ds] == list(range(0, 20_000, 10))
    assert "raises SystemExit" in ds.explain()
    assert ds.element_spec.dtype == np.int64


def test_one_after_another() -> None:
    assert before_the_exit(Dataset.range(10).map(exits_at(6))) == [0, 10, 20, 30, 40, 50]
