from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import Dataset, text


@pytest.mark.parametrize(
    ("ids", "length", "options", "wanted"),
    [
        ([1, 2], 4, {}, [1, 2, 0, 0]),
        ([1, 2], 4, {"value": 9, "side": "left"}, [9, 9, 1, 2]),
        ([1, 2], 2, {}, [1, 2]),
        ([[1, 2]], 2, {"value": -1}, [[1, 2], [-1, -1]]),
        ([], 2, {"value": 3}, [3, 3]),
    ],
)
def test_pad(ids: Any, length: int, options: dict[str, Any], wanted: Any) -> None:
    found = text.pad(np.array(ids, np.int32), length, **options)
    assert found.tolist() == wanted
    assert found.dtype == np.int32


def test_pad_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"the sequence is 3 long, more than length=2; truncate\(\) it first"):
        text.pad(np.arange(3), 2)
    with pytest.raises(OverflowError):
        text.pad(np.zeros(1, np.uint8), 2, value=300)
    with pytest.raises(ValueError, match=r"side must be .left. or .right., but is .top."):
        text.pad(np.arange(3), 4, side="top")
    with pytest.raises(TypeError, match=r"length must be an integer of at least 0, but is 1.5"):
        text.pad(np.arange(3), 1.5)


@pytest.mark.parametrize(
    ("length", "side", "wanted"),
    [(2, "right", [0, 1]), (2, "left", [2, 3]), (5, "left", [0, 1, 2, 3]), (0, "left", []), (0, "right", [])],
)
def test_truncate(length: int, side: Any, wanted: list[int]) -> None:
    assert text.truncate(np.arange(4), length, side).tolist() == wanted


def test_truncate_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"text.truncate\(\): length must be at least 0, but is -1"):
        text.truncate(np.arange(4), -1)
    with pytest.raises(ValueError, match='side must be "left" or "right"'):
        text.truncate(np.arange(4), 1, side="up")


def test_shift_targets() -> None:
    inputs, targets = text.shift_targets(np.array([5, 6, 7]))
    assert (inputs.tolist(), targets.tolist()) == ([5, 6], [6, 7])
    with pytest.raises(ValueError, match="needs at least 2 tokens, but has 1"):
        text.shift_targets(np.array([5]))


def test_on_rows_of_one_length_they_run_on_blocks() -> None:
    ds = Dataset.from_tensor_slices(np.arange(3000).reshape(1000, 3)).map(text.shift_targets)
    assert [part.tolist() for part in list(ds)[-1]] == [[2997, 2998], [2998, 2999]]
    assert "map(shift_targets)  # vectorised" in ds.explain()


def test_rows_of_any_length_may_be_padded_and_cut() -> None:
    ds = Dataset.from_list([np.arange(n) for n in range(5)])
    ds = ds.map(lambda ids: text.pad(text.truncate(ids, 3), 3, value=-1))
    assert [row.tolist() for row in ds] == [[-1, -1, -1], [0, -1, -1], [0, 1, -1], [0, 1, 2], [0, 1, 2]]
    assert ds[4].tolist() == [0, 1, 2]
