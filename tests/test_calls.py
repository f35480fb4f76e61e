"""What calls learn of the line that made them."""

from __future__ import annotations

import os.path
import warnings
from typing import Any

import pytest

import penstock
from penstock import Dataset, calls

PACKAGE = os.path.dirname(penstock.__file__)


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        (os.path.join(PACKAGE, "dataset.py"), True),
        (os.path.join(PACKAGE, "transforms", "map.py"), True),
        (os.path.join(PACKAGE + "_extras", "pipeline.py"), False),
        (PACKAGE + ".py", False),
    ],
)
def test_a_file_is_ours_if_it_lies_in_the_package(path: str, ours: bool) -> None:
    found: dict[str, Any] = {}
    exec(compile("def where(ask): return ask()\ndef frame(): import sys; return sys._getframe()", path, "exec"), found)
    assert calls.is_ours(found["frame"]()) == ours
    assert (found["where"](calls.origin) == f"{path}:1") == (not ours)


@pytest.mark.parametrize("method", ["map", "random_map", "filter", "map_batches"])
def test_processes_without_parallel_calls_are_refused_since_nothing_would_run_in_them(method: str) -> None:
    step = getattr(Dataset.range(4).batch(2), method)
    with pytest.raises(ValueError, match=rf"{method}\(\): executor='process' .* write num_parallel_calls=AUTOTUNE"):
        step(lambda *row: row, executor="process")


@pytest.mark.parametrize("method", ["map", "random_map", "filter", "map_batches", "interleave"])
def test_a_free_order_without_parallel_calls_warns_at_the_users_line_that_it_is_none(method: str) -> None:
    step = getattr(Dataset.range(4).batch(2), method)
    with pytest.warns(UserWarning, match=rf"{method}\(\): deterministic=False .* order is kept; write num_") as told:
        step(lambda *row: row, deterministic=False)
    assert [warning.filename for warning in told] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(lambda *row: row, deterministic=True)
        step(lambda *row: row, deterministic=False, num_parallel_calls=2)
