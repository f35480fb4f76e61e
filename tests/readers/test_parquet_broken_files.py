"""Parquet files whose pages or footers are broken in ways that pyarrow reports otherwise than the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock import Dataset
from penstock.errors import DataLossError
from tests.corners import outcomes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.parquet"


def test_text_that_is_not_utf_8_names_column_and_rows(path: Path) -> None:
    table = pa.table({"n": range(6), "word": [f"word{n}" for n in range(6)]})
    pq.write_table(table, path, row_group_size=3, compression="none", use_dictionary=False, write_statistics=False)
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"word4", b"w\xffrd4"))
    ds = Dataset.from_parquet(path)
    assert outcomes(ds.map(lambda row: row["word"])) == ["word0", "word1", "word2", *[DataLossError] * 3]
    told = rf"column 'word' of {path}, in rows 3 to 5, holds text that is not UTF-8; write the file again, as binary"
    for read in (lambda: ds[4], lambda: list(ds)):
        with pytest.raises(DataLossError, match=told):
            read()
    assert len(list(Dataset.from_parquet(path, columns=["n"]))) == 6


def test_a_name_in_the_footer_that_is_not_utf_8(path: Path) -> None:
    pq.write_table(pa.table({"column": [1]}), path, store_schema=False)
    path.write_bytes(path.read_bytes().replace(b"column", b"colu\xffn"))
    with pytest.raises(DataLossError, match=rf"{path} is cut off or no .* no whole footer there \('utf-8'"):
        Dataset.from_parquet(path)


def test_a_byte_that_has_changed_in_what_to_parquet_wrote(path: Path) -> None:
    Dataset.range(100).map(lambda n: {"n": n + 2**40}).to_parquet(path, row_group_rows=50)
    pages = pq.ParquetFile(path).metadata.row_group(1).column(0)
    raw = bytearray(path.read_bytes())
    raw[pages.dictionary_page_offset + pages.total_compressed_size - 1] ^= 1
    path.write_bytes(raw)
    found = outcomes(Dataset.from_parquet(path).map(lambda row: row["n"]), 200)
    assert found[:50] == list(range(2**40, 2**40 + 50))
    assert found[50:] == [DataLossError] * 50
    with pytest.raises(DataLossError, match=rf"row group 1 of {path} is corrupt: .*CRC"):
        Dataset.from_parquet(path)[50]


@pytest.mark.parametrize("wrong", [5, True, "n", [], [1], ["n", "n"]])
def test_columns_that_are_no_list_of_names(wrong: Any, path: Path) -> None:
    pq.write_table(pa.table({"n": [1]}), path)
    with pytest.raises(TypeError, match="columns must be a list of different names, but is"):
        Dataset.from_parquet(path, columns=wrong)
