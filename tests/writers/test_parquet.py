"""What `to_parquet` writes is what `from_parquet` reads, and what cannot be written is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock import Dataset, TensorSpec
from penstock.errors import SpecError
from penstock.testing import observe, same
from penstock.writers import parquet as writer
from tests.corners import Counting

NUMBERS = ["bool", "int8", "uint16", "int32", "int64", "float16", "float32", "float64", "M8[us]", "M8[D]", "m8[ns]"]


def numbers(dtype: str, count: int) -> Any:
    return (np.arange(count) % 2).astype(dtype) if dtype == "bool" else np.arange(count).astype(dtype)


@given(
    rows=st.integers(1, 7),
    dtypes=st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=4),
    shape=st.sampled_from([(), (1,), (3,), (2, 3)]),
    row_group_rows=st.integers(1, 8),
)
@settings(max_examples=30)
def test_all_that_is_written_is_read(rows: int, dtypes: list[str], shape: tuple[int, ...], row_group_rows: int) -> None:
    size = int(np.prod(shape))
    columns = {
        "inner": {str(at): numbers(dtype, rows * size).reshape(rows, *shape) for at, dtype in enumerate(dtypes)},
        "text": [f"ä{row}" for row in range(rows)],
        "bytes": np.array([b"\0" * row for row in range(rows)], object),
        "a": np.arange(rows),
    }
    ds = Dataset.from_tensor_slices(columns)
    ds.to_parquet("memory://written.parquet", row_group_rows=row_group_rows)
    again = Dataset.from_parquet("memory://written.parquet")
    assert again.element_spec == ds.element_spec
    assert list(ds.element_spec) == list(next(iter(again)))
    same(observe(iter(ds)), observe(iter(again)), "written and read")


@pytest.mark.parametrize("lengths", [[0, 2, 1], [2, 2, 2], [0, 0]])
@pytest.mark.parametrize("item", [(), (2,)])
def test_rows_of_different_lengths_become_lists(lengths: list[int], item: tuple[int, ...], tmp_path: Path) -> None:
    rows = [np.full((length, *item), length, np.float32) for length in lengths]
    signature = {"a": TensorSpec((None, *item), "float32")}
    ds = Dataset.from_generator(lambda: ({"a": row} for row in rows), output_signature=signature)
    ds.to_parquet(tmp_path / "lists.parquet")
    again = Dataset.from_parquet(tmp_path / "lists.parquet")
    assert again.element_spec == signature
    same(observe(iter(ds)), observe(iter(again)), "written and read")


def test_row_groups_are_as_long_as_asked_for_and_no_larger_than_64_mebibytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.parquet"
    rows = Dataset.range(1000).map(lambda n: {"n": n})
    rows.to_parquet(path, row_group_rows=400)
    assert [fragment.rows for fragment in Dataset.from_parquet(path)._node.reader.fragments()] == [400, 400, 200]
    monkeypatch.setattr(writer, "_ROW_GROUP_BYTES", 8 * 500)
    rows.to_parquet(path)
    assert pq.ParquetFile(path).metadata.row_group(0).num_rows == 512
    assert [int(row["n"]) for row in Dataset.from_parquet(path)] == [*range(1000)]


def test_an_empty_dataset_is_a_file_of_its_columns(tmp_path: Path) -> None:
    ds = Dataset.from_tensor_slices({"n": np.arange(3)}).take(0)
    ds.to_parquet(tmp_path / "empty.parquet")
    assert Dataset.from_parquet(tmp_path / "empty.parquet").element_spec == ds.element_spec


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    def fail_at_300(n: int) -> dict[str, int]:
        if n == 300:
            raise KeyError("at 300")
        return {"n": n}

    path = tmp_path / "rows.parquet"
    Dataset.range(2).map(lambda n: {"n": n}).to_parquet(path)
    with pytest.raises(KeyError, match="at 300"):
        Dataset.range(1000).map(fail_at_300).to_parquet(path)
    assert [int(row["n"]) for row in Dataset.from_parquet(path)] == [0, 1]
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(KeyError, match="at 300"):
        Dataset.range(1000).map(fail_at_300).to_parquet("memory://failed.parquet")
    with pytest.raises(FileNotFoundError, match="no file matches"):
        Dataset.from_parquet("memory://failed.parquet")


@pytest.mark.parametrize(
    ("element", "kind", "told"),
    [
        (1, TypeError, "elements must be dicts with a text for each column"),
        ((1, 2), TypeError, "elements must be dicts"),
        ({1: 2}, TypeError, "elements must be dicts"),
        ({"a": {}, "b": 1}, TypeError, "elements must be dicts"),
        ({"a": 1j}, SpecError, r"component\['a'\] is TensorSpec\(\(\), complex128\), for which Parquet has no column"),
        ({"a": object()}, SpecError, r"component\['a'\] is"),
    ],
)
def test_what_has_no_columns_is_refused(element: Any, kind: type[Exception], told: str, tmp_path: Path) -> None:
    with pytest.raises(kind, match=told):
        Dataset.from_tensors(element).to_parquet(tmp_path / "a.parquet")
    assert list(tmp_path.iterdir()) == []


def test_elements_that_do_not_fit_their_spec_are_refused(tmp_path: Path) -> None:
    ds = Dataset.from_list([{"a": np.zeros(2)}, {"a": np.zeros(2)}]).concatenate(
        Dataset.range(1).map(lambda n: {"a": np.zeros(2) if n > 5 else np.zeros((3, 1))})
    )
    with pytest.raises(SpecError, match=r"component\['a'\]"):
        ds.to_parquet(tmp_path / "a.parquet")


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    rows = Dataset.range(3).map(lambda n: {"n": n})
    with pytest.raises(ValueError, match="the dataset is endless; take"):
        rows.repeat().to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="row_group_rows must be at least 1"):
        rows.to_parquet(tmp_path / "a.parquet", row_group_rows=0)
    for wrong in (3, None, True, ["a"]):
        with pytest.raises(TypeError, match=r"to_parquet\(\): path must be a path, but is"):
            rows.to_parquet(wrong)


def test_where_nothing_can_be_written_nothing_is_computed(tmp_path: Path) -> None:
    seen = Counting()
    rows = Dataset.range(3).map(lambda n: {"n": seen(n)})
    with pytest.raises(FileNotFoundError, match=r"the folder .*no folder does not exist; create it first"):
        rows.to_parquet(tmp_path / "no folder" / "a.parquet")
    with pytest.raises(IsADirectoryError, match=r"is a folder; give the name of a file in it"):
        rows.to_parquet(tmp_path)
    assert seen.seen == []


def test_what_fails_in_writing_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "_write", full)
    with pytest.raises(OSError, match="No space left") as caught:
        Dataset.range(3).map(lambda n: {"n": n}).to_parquet(tmp_path / "a.parquet")
    assert caught.value.__notes__ == [f"in to_parquet(), writing {tmp_path / 'a.parquet'}"]
    assert list(tmp_path.iterdir()) == []
