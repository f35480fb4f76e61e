"""`batch` in odd corners: sizes, remainders, shapes that differ, errors, structure."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset, TensorSpec
from penstock.errors import SpecError
from tests.corners import Yielding, failing_at, outcomes, values

Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("size", "error", "text"),
    [
        (0, ValueError, "batch_size must be at least 1, but is 0"),
        (-1, ValueError, "batch_size must be at least 1, but is -1"),
        (2**64, ValueError, "batch_size must fit 64 bits"),
        (2.5, TypeError, "batch_size must be an integer of at least 1, but is 2.5"),
        (2.0, TypeError, "but is 2.0"),
        ("3", TypeError, "but is '3'"),
        (True, TypeError, "but is True"),
        (None, TypeError, "but is None"),
        (np.array([2]), TypeError, "but is array([2])"),
    ],
    ids=str,
)
def test_wrong_sizes_are_refused_at_the_call(size: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^batch\(\): ") as raised:
        Dataset.range(3).batch(size)
    assert text in str(raised.value)


@pytest.mark.parametrize("size", [2, np.int32(2), np.array(2), np.uint8(2)], ids=lambda size: type(size).__name__)
def test_sizes_may_be_integers_of_numpy(size: Any) -> None:
    assert values(Dataset.range(3).batch(size)) == [[0, 1], [2]]


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 6])
@pytest.mark.parametrize("streamed", [False, True], ids=["by index", "stream"])
def test_an_input_of_every_length_gives_no_empty_batch(rows: int, streamed: bool) -> None:
    ds = Dataset.range(rows)
    if streamed:
        ds = ds.filter(lambda n: n >= 0)
    assert values(ds.batch(2)) == [list(range(at, min(at + 2, rows))) for at in range(0, rows, 2)]
    assert values(ds.batch(2, drop_remainder=True)) == [[at, at + 1] for at in range(0, rows - 1, 2)]


@pytest.mark.parametrize("size", [2**40, 2**62])
def test_a_huge_size_allocates_nothing_for_what_is_not_there(size: int) -> None:
    assert values(Dataset.range(3).batch(size)) == [[0, 1, 2]]
    assert values(Dataset.range(3).batch(size, True)) == []
    assert values(Dataset.range(9).filter(lambda n: n < 3).batch(size)) == [[0, 1, 2]]


def test_batches_straddle_epochs_of_a_repeat() -> None:
    assert values(Dataset.range(3).repeat(2).batch(2)) == [[0, 1], [2, 0], [1, 2]]


def test_spec_and_cardinality() -> None:
    ds = Dataset.range(4)
    assert ds.batch(2).element_spec == TensorSpec((None,), np.int64)
    assert ds.batch(2, drop_remainder=True).element_spec == TensorSpec((2,), np.int64)
    assert [ds.batch(3).cardinality(), ds.batch(3, True).cardinality()] == [2, 1]
    assert ds.repeat().batch(3).cardinality() == INFINITE_CARDINALITY
    assert ds.filter(lambda n: n > 1).batch(3).cardinality() == UNKNOWN_CARDINALITY


def test_different_shapes_name_the_component_both_elements_and_a_way_out() -> None:
    ds = Dataset.range(8).map(lambda n: {"image": np.zeros((28 if n < 5 else 32, 28)), "label": n}).batch(4)
    assert [len(batch["label"]) for batch in ds.take(1)] == [4]
    with pytest.raises(SpecError) as raised:
        list(ds)
    text = str(raised.value)
    assert "batch(): component['image'] of elements 4 and 5 have shapes (28, 28) and (32, 28)" in text
    assert "padded_batch" in text


def test_different_shapes_cost_that_batch_only() -> None:
    ds = Dataset.range(6).map(lambda n: np.full(2 if n == 3 else 1, int(n))).batch(2)
    assert outcomes(ds) == [[[0], [1]], SpecError, [[4], [5]]]


def test_different_dtypes_are_an_error_and_no_silent_cast() -> None:
    ds = Dataset.range(2).map(lambda n: np.float32(n) if n else np.int64(n)).batch(2)
    with pytest.raises(SpecError, match="have dtypes int64 and float32; convert"):
        list(ds)


def test_an_error_makes_its_batch_that_error_and_the_later_ones_stay_aligned() -> None:
    assert outcomes(Dataset.range(8).map(failing_at(2, 5)).batch(2)) == [[0, 10], KeyError, KeyError, [60, 70]]
    assert outcomes(Dataset.range(5).map(failing_at(4)).batch(2)) == [[0, 10], [20, 30], KeyError]


def test_a_batch_with_two_errors_raises_the_first() -> None:
    with pytest.raises(KeyError) as raised:
        list(Dataset.range(4).map(failing_at(1, 2)).batch(4))
    assert raised.value.args == ("bad number", 1)


def test_batches_of_batches() -> None:
    assert values(Dataset.range(8).batch(2).batch(2)) == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    with pytest.raises(SpecError, match=r"shapes \(2,\) and \(1,\)"):
        list(Dataset.range(3).batch(2).batch(2))


def test_structure_text_and_none_are_kept() -> None:
    ds = Dataset.from_tensor_slices((Point([1, 2], ["a", "b"]), {"k": [b"x", b"y\0"]}, None)).batch(2)
    ((point, mapping, nothing),) = list(ds)
    assert isinstance(point, Point)
    assert (point.x.tolist(), point.y.tolist()) == ([1, 2], ["a", "b"])
    assert mapping["k"].tolist() == [b"x", b"y\0"]
    assert mapping["k"].dtype == object
    assert nothing is None


@pytest.mark.parametrize("calls", [None, 2])
def test_rows_of_a_file_mapped_into_memory(calls: int | None, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.arange(20).reshape(5, 4))
    rows = np.load(tmp_path / "rows.npy", mmap_mode="r")
    by_number = Dataset.range(5).map(lambda n: rows[n], num_parallel_calls=calls)
    for ds in (by_number, Dataset.from_generator(lambda: iter(rows)), Dataset.from_list(list(rows))):
        assert {type(row) for row in ds} == {np.ndarray}
        assert values(ds.batch(3)) == [rows[:3].tolist(), rows[3:].tolist()]


def test_structured_rows() -> None:
    rows = np.array([(n, n / 2) for n in range(6)], [("number", "i8"), ("half", "f8")])
    for source in (rows, rows.reshape(3, 2)):
        batches = list(Dataset.from_tensor_slices(source).map(lambda row: row).batch(2))
        assert np.array_equal(np.concatenate(batches), source)
        assert batches[0].dtype == rows.dtype


def test_dtypes_that_numpy_does_not_know_by_itself() -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    rows = np.arange(6).reshape(3, 2).astype(bfloat16)
    batches = list(Dataset.from_tensor_slices(rows).map(lambda row: row * 2).batch(2))
    assert np.array_equal(np.concatenate(batches), rows * 2)
    assert batches[0].dtype == bfloat16


def test_no_more_is_read_than_the_batches_that_were_asked_for() -> None:
    source = Yielding(*range(10))
    iterator = iter(Dataset.from_generator(source).batch(3))
    assert next(iterator).tolist() == [0, 1, 2]
    assert source.given == 3


def test_a_batch_that_is_an_error_names_its_own_elements_in_any_order() -> None:
    elements = iter(Dataset.range(12).map(lambda n: np.arange(n % 4)).batch(3).shuffle(4, seed=3))
    told = []
    for _ in range(4):
        with pytest.raises(SpecError, match=r"elements \d+ and") as caught:
            next(elements)
        told.append(int(str(caught.value).split("elements ")[1].split()[0]))
    assert sorted(told) == [0, 3, 6, 9]
    assert told != sorted(told)
