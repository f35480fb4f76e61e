"""`from_parquet` keeps the laws; what it means in plain Python."""

from __future__ import annotations

import datetime
import io
import pickle
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

from penstock import Dataset, Options, TensorSpec
from penstock.errors import DataLossError, SpecError
from penstock.readers.parquet import source
from penstock.reading.by_index import FilePlaces, Fragments
from penstock.testing import THREADS, Case, Failure, laws_for, laws_with, reader_laws
from tests.corners import outcomes, values
from tests.readers.written import written

SCHEMA = pa.schema(
    {
        "n": pa.int32(),
        "x": pa.float64(),
        "inner": pa.struct({"text": pa.string(), "flag": pa.bool_()}),
        "list": pa.list_(pa.int64()),
        "pair": pa.list_(pa.float32(), 2),
    }
)
ROWS = [
    {"n": 1, "x": 0.5, "inner": {"text": "ä", "flag": True}, "list": [1, 2], "pair": [0, 1]},
    {"n": -2, "x": None, "inner": {"text": "", "flag": False}, "list": [], "pair": [2, None]},
    {"n": None, "x": 1.5, "inner": {"text": "no n", "flag": True}, "list": [3], "pair": [4, 5]},
    {"n": 4, "x": 1.5, "inner": None, "list": [3], "pair": [4, 5]},
    {"n": 5, "x": 1.5, "inner": {"text": "no list", "flag": True}, "list": None, "pair": [4, 5]},
    {"n": 6, "x": 1.5, "inner": {"text": "half a list", "flag": True}, "list": [7, None], "pair": [4, 5]},
    {"n": 7, "x": 1.5, "inner": {"text": "no pair", "flag": False}, "list": [8], "pair": None},
]
NULLS = {"n": 0, "inner.text": "?", "inner.flag": True, "list": -1}


def parquet(rows: list[dict[str, Any]] | pa.Table, row_group_size: int = 100, **options: Any) -> str:
    """The path of a file that holds these rows."""
    table = pa.Table.from_pylist(rows, SCHEMA) if isinstance(rows, list) else rows
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=row_group_size, **options)
    return written(sink.getvalue(), ".parquet")


def build(cls: Any, files: list[list[int]], row_group_size: int, nulls: bool) -> Any:
    names = [parquet([ROWS[row] for row in part], row_group_size) for part in files]
    return cls.from_parquet(names, nulls=NULLS if nulls else None)


def filled(value: Any, fill: Any, nulls: bool) -> Any:
    if value is None and not nulls:
        raise SpecError
    return fill if value is None else value


def element_of(row: Any, nulls: bool) -> Any:
    inner = row["inner"] or {"text": None, "flag": None}
    try:
        items = [filled(item, -1, nulls) for item in filled(row["list"], [], nulls)]
        return {
            "n": np.int32(filled(row["n"], 0, nulls)),
            "x": np.float64("nan" if row["x"] is None else row["x"]),
            "inner": {
                "text": filled(inner["text"], "?", nulls),
                "flag": np.bool_(filled(inner["flag"], True, nulls)),
            },
            "list": np.array(items, np.int64),
            "pair": np.array([np.nan if item is None else item for item in row["pair"] or [None] * 2], np.float32),
        }
    except SpecError:
        return Failure(SpecError)


def reference(elements: Any, files: list[list[int]], row_group_size: int, nulls: bool) -> Iterator[Any]:
    parts = sorted(files, key=lambda part: parquet([ROWS[row] for row in part], row_group_size))
    return (element_of(ROWS[row], nulls) for part in parts for row in part)


CASE = Case(
    "from_parquet",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "files": st.lists(st.lists(st.integers(0, len(ROWS) - 1), max_size=6), min_size=1, max_size=3),
            "row_group_size": st.integers(1, 4),
            "nulls": st.booleans(),
        }
    ),
    cardinality=lambda size, files, **_: sum(map(len, files)),
    inputs=0,
)

test_laws = laws_for(CASE, max_examples=8)
test_laws_with_threads = laws_for(CASE, (), laws_with(THREADS), 3)


@pytest.mark.parametrize("block_rows", [1, 2, 100])
def test_reader_keeps_the_laws(block_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_BLOCK_ROWS", block_rows)
    reader = reader_laws.reader_of(Dataset.from_parquet(parquet(ROWS, 3), nulls=NULLS))
    reader_laws.fragments_cover_rows(reader, [element_of(row, True) for row in ROWS])
    reader_laws.positions_lead_back(reader)
    reader_laws.unused_components_show_nowhere(reader, 6)
    assert [fragment.rows for fragment in reader.fragments()] == [3, 3, 1]
    again = pickle.loads(pickle.dumps(reader))
    reader_laws.fragments_cover_rows(again, [element_of(row, True) for row in ROWS])


DAY = datetime.datetime(2020, 1, 2, 3, 4, 5)
TYPES: dict[str, tuple[pa.Array, TensorSpec, list[Any]]] = {
    "half": (pa.array([np.float16(1.5)], pa.float16()), TensorSpec((), "float16"), [1.5]),
    "uint8": (pa.array([255], pa.uint8()), TensorSpec((), "uint8"), [255]),
    "bytes": (pa.array([b"\0"], pa.binary()), TensorSpec((), bytes), [b"\0"]),
    "fixed bytes": (pa.array([b"abc"], pa.binary(3)), TensorSpec((), bytes), [b"abc"]),
    "large text": (pa.array(["a"], pa.large_string()), TensorSpec((), str), ["a"]),
    "categories": (pa.array(["b", "a", "b"]).dictionary_encode(), TensorSpec((), str), ["b", "a", "b"]),
    "timestamp": (
        pa.array([DAY, None], pa.timestamp("us", "UTC")),
        TensorSpec((), "M8[us]"),
        [np.datetime64(DAY), np.datetime64("NaT", "D")],
    ),
    "date": (
        pa.array([DAY.date(), None], pa.date32()),
        TensorSpec((), "M8[D]"),
        [np.datetime64("2020-01-02"), np.datetime64("NaT", "D")],
    ),
    "time": (pa.array([DAY.time()], pa.time32("ms")), TensorSpec((), "m8[ms]"), [np.timedelta64(11_045_000, "ms")]),
    "duration": (
        pa.array([datetime.timedelta(seconds=1)], pa.duration("ns")),
        TensorSpec((), "m8[ns]"),
        [np.timedelta64(10**9, "ns")],
    ),
    "texts": (pa.array([["a", "bc"], []]), TensorSpec((None,), str), [["a", "bc"], []]),
    "points": (
        pa.array([[[1, 2]], [[3, 4], [5, 6]]], pa.list_(pa.list_(pa.int8(), 2))),
        TensorSpec((None, 2), "int8"),
        [[[1, 2]], [[3, 4], [5, 6]]],
    ),
    "image": (
        pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)),
        TensorSpec((2, 3), "uint8"),
        [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]],
    ),
}


@pytest.mark.parametrize("name", TYPES)
def test_types(name: str) -> None:
    array, spec, expected = TYPES[name]
    ds = Dataset.from_parquet(parquet(pa.table({"c": array})))
    assert ds.element_spec == {"c": spec}
    found = [row["c"] for row in ds]
    assert [str(np.asarray(value).tolist()) for value in found] == [
        str(np.asarray(value).tolist()) for value in expected
    ]
    for value in found:
        dtype = np.asarray(value).dtype
        assert dtype == spec.dtype if isinstance(spec.dtype, np.dtype) else dtype.kind in "OUS"


REFUSED = {
    "decimal": (pa.array([Decimal("1.5")]), r"is decimal128\(2, 1\), and NumPy has no decimals; write it as float64"),
    "map": (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())), "of which no array can be made"),
    "nothing": (pa.nulls(2), "is null, of which no array can be made, or leave it out with columns="),
    "lists of lists": (pa.array([[[1]]]), "a list of lists; write flat lists beside their shapes"),
    "lists of structs": (pa.array([[{"a": 1}]]), "a list of structs; write a column of lists for each field"),
    "inside a struct": (pa.array([{"price": Decimal("1.5")}]), r"column 'c\.price' of .* is decimal128"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_types_that_no_array_holds_are_refused_when_built(name: str) -> None:
    array, told = REFUSED[name]
    path = parquet(pa.table({"c": array, "good": pa.array(range(len(array)))}))
    with pytest.raises(SpecError, match=told) as caught:
        Dataset.from_parquet(path)
    assert path in str(caught.value)
    assert values(Dataset.from_parquet(path, ["good"]))[0] == {"good": 0}


def test_a_null_names_column_row_and_path_and_the_next_one_follows() -> None:
    path = parquet(pa.table({"n": pa.array([0, 1, None, 3])}), 2)
    elements = iter(Dataset.from_parquet(path))
    assert [int(next(elements)["n"]) for _ in range(2)] == [0, 1]
    with pytest.raises(SpecError, match=rf"column 'n' is null in row 2 of {path}; give a .* nulls={{'n': 0}}"):
        next(elements)
    assert int(next(elements)["n"]) == 3
    with pytest.raises(SpecError, match=r"nulls=\{'flag': False\}"):
        list(Dataset.from_parquet(parquet(pa.table({"flag": pa.array([None, True])}))))
    assert [int(row["n"]) for row in Dataset.from_parquet(path, nulls={"n": -1})] == [0, 1, -1, 3]


def test_numbers_without_nulls_are_views_of_what_pyarrow_read() -> None:
    path = parquet(pa.table({"a": np.arange(1000), "b": np.arange(1000.0)}))
    reader = reader_laws.reader_of(Dataset.from_parquet(path))
    for fragment in reader.fragments():
        for _, block in reader.read(fragment, None, None):
            assert all(not column.array.flags.owndata for column in block.columns)


def read_columns(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The columns of each reading of a row group from now on."""
    asked: list[list[str]] = []
    plain = pq.ParquetFile.read_row_group

    def noted(self: Any, number: int, columns: list[str], **options: Any) -> Any:
        asked.append(columns)
        return plain(self, number, columns, **options)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", noted)
    return asked


TABLE = pa.table({"a": np.arange(10), "b": np.arange(10.0), "s": list("abcdefghij"), "l": [[n] for n in range(10)]})


def test_columns_that_a_map_does_not_use_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = Dataset.from_parquet(parquet(TABLE, 4)).shuffle(10, seed=0).skip(1).map(lambda row: row["a"] * 2)
    asked = read_columns(monkeypatch)
    assert sorted(values(ds)) == sorted(2 * row for row in values(Dataset.range(10).shuffle(10, seed=0).skip(1)))
    assert asked == [["a"]] * 3
    assert "reads 1 of 4 components" in str(ds.explain())


def test_a_null_is_an_error_in_a_column_that_is_not_used_too(monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(TABLE.append_column("n", pa.array([*range(9), None])), 5)
    asked = read_columns(monkeypatch)
    found = outcomes(Dataset.from_parquet(path).map(lambda row: row["a"] * 2))
    assert found == [0, 2, 4, 6, 8, 10, 12, 14, 16, SpecError]
    assert asked == [["a"], ["a", "n"]]


def test_columns_are_those_that_were_named_in_that_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = read_columns(monkeypatch)
    ds = Dataset.from_parquet(parquet(TABLE), columns=["s", "a"])
    assert [list(row) for row in ds.take(1)] == [["s", "a"]]
    assert [set(columns) for columns in asked] == [{"s", "a"}]
    assert "columns=['s', 'a']" in str(ds.explain())


def test_a_shuffle_reads_each_row_group_once_where_all_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = Dataset.from_parquet([parquet(TABLE, 3), parquet(TABLE, 4)]).shuffle(20, 1, False)
    asked = read_columns(monkeypatch)
    assert sorted(int(row["a"]) for row in ds) == sorted([*range(10)] * 2)
    assert len(asked) == 4 + 3
    assert [row["s"] for row in ds.take(5)] == [ds[at]["s"] for at in range(5)]


def test_rows_of_a_file_that_does_not_fit_are_gathered_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(pa.table({"a": np.arange(10_000)}), 500)
    reader = reader_laws.reader_of(Dataset.from_parquet(path))
    indices = np.random.default_rng(0).permutation(10_000)
    places = FilePlaces(Fragments(reader, None, "here", budget_bytes=20_000), indices)
    asked = read_columns(monkeypatch)
    found = [int(row["a"]) for at in range(0, 600, 10) for row in places.gather(at, at + 10).elements()]
    assert found == indices[:600].tolist()
    # The first ten rows show that not all fits; then 625 rows are gathered, since 5,000 bytes are for that.
    assert len(asked) <= 10 + 20


def test_a_shuffle_of_a_file_that_does_not_fit() -> None:
    path = parquet(pa.table({"a": np.arange(10_000)}), 500)
    ds = Dataset.from_parquet(path).with_options(Options(memory_budget_bytes=20_000)).shuffle(10_000, seed=2)
    found = [int(number) for batch in ds.batch(100) for number in batch["a"]]
    assert found == [int(number) for number in Dataset.range(10_000).shuffle(10_000, seed=2)]


def test_a_file_that_is_cut_off_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.parquet"
    path.write_bytes(Path(parquet(pa.table({"n": [1, 2]}), 1, write_statistics=False, store_schema=False)).read_bytes())
    reader_laws.cut_off_anywhere(path, Dataset.from_parquet)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"n,m\n1,2\n", b"PAR1" * 20])
def test_what_is_no_parquet_file_is_refused_when_built(content: bytes) -> None:
    path = written(content, ".parquet")
    with pytest.raises(
        DataLossError, match=rf"from_parquet\(\): {path} is cut off or no .* ends at byte {len(content)}"
    ):
        Dataset.from_parquet(path)


def test_a_page_that_is_broken_costs_its_row_group(tmp_path: Path) -> None:
    whole = Path(parquet(pa.table({"n": np.arange(200)}), 100, compression="gzip")).read_bytes()
    path = tmp_path / "broken.parquet"
    start = pq.ParquetFile(io.BytesIO(whole)).metadata.row_group(0).column(0).dictionary_page_offset
    path.write_bytes(whole[: start + 30] + bytes(40) + whole[start + 70 :])
    ds = Dataset.from_parquet(path)
    assert outcomes(ds, 300) == [DataLossError] * 100 + [{"n": n} for n in range(100, 200)]
    with pytest.raises(DataLossError, match=f"row group 0 of {path} is corrupt: "):
        list(ds)


def test_a_file_that_was_replaced_or_is_gone_is_an_error_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(Path(parquet(TABLE, 5)).read_bytes())
    ds = Dataset.from_parquet([path, parquet(TABLE)]).map(lambda row: row["a"])
    path.write_bytes(Path(parquet(TABLE, 10)).read_bytes())
    with pytest.raises(DataLossError, match="had a row group 1 when the dataset was made, and has 1 now"):
        list(ds.skip(15) if str(path) > parquet(TABLE) else ds.skip(5))
    path.unlink()
    assert outcomes(ds).count(FileNotFoundError) == 10


def test_files_without_rows_and_without_columns() -> None:
    empty = parquet(TABLE.slice(0, 0))
    assert values(Dataset.from_parquet(empty)) == []
    assert Dataset.from_parquet(empty).element_spec == Dataset.from_parquet(parquet(TABLE)).element_spec
    assert len(Dataset.from_parquet([empty, parquet(TABLE), empty]).shuffle(10)) == 10


OTHERS = {
    "dtype": ({"a": pa.array([1], pa.int32())}, r"'a' is TensorSpec\(\(\), int(64|32)\) in the former and"),
    "more": ({"a": [1], "more": [2]}, "has the column 'more'"),
    "other": ({"b": [1]}, "only the former has the column '(a|b)'"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_different_columns_are_refused_when_built(name: str) -> None:
    columns, told = OTHERS[name]
    names = [parquet(pa.table({"a": [1]})), parquet(pa.table(columns))]
    with pytest.raises(SpecError, match=told) as caught:
        Dataset.from_parquet(names)
    assert all(path in str(caught.value) for path in names)
    if name == "more":
        assert values(Dataset.from_parquet(names, ["a"])) == [{"a": 1}] * 2


def test_files_whose_columns_stand_in_another_order_are_alike() -> None:
    names = [parquet(TABLE), parquet(TABLE.select(["s", "l", "b", "a"]))]
    ds = Dataset.from_parquet(names)
    assert [str(row) for row in ds.take(10)] == [str(row) for row in ds.skip(10)]


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ({"columns": ["aa"]}, ValueError, "has no column 'aa'; did you mean 'a'?"),
        ({"columns": ["zebra"]}, ValueError, "has no column 'zebra'; it has 'a', 'b', 's', 'l'"),
        ({"columns": "a"}, TypeError, "columns must be a list of different names, but is 'a'"),
        ({"columns": ["a", "a"]}, TypeError, "columns must be a list of different names"),
        ({"columns": []}, TypeError, "columns must be a list of different names"),
        ({"nulls": 0}, TypeError, "nulls must be a dict of a value for each column, but is 0"),
        ({"nulls": {"c": 0}}, ValueError, "nulls names 'c', which is not read"),
        ({"columns": ["b"], "nulls": {"a": 0}}, ValueError, "nulls names 'a', which is not read"),
        ({"nulls": {"a": 0.5}}, TypeError, "nulls gives 0.5 for 'a', which holds int64"),
        ({"nulls": {"a": "x"}}, TypeError, "nulls gives 'x' for 'a'"),
        ({"nulls": {"s": 0}}, TypeError, "nulls gives 0 for 's', which holds str"),
        ({"num_parallel_reads": 0}, ValueError, "num_parallel_reads must be at least 1"),
    ],
)
def test_wrong_arguments_are_refused_when_built(arguments: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind) as caught:
        Dataset.from_parquet(parquet(TABLE), **arguments)
    assert told in str(caught.value)


def test_paths_patterns_and_urls(tmp_path: Path) -> None:
    with fsspec.open_files(["memory://table/b.parquet", "memory://table/a.parquet"], "wb") as files:
        for file, number in zip(files, (2, 1), strict=True):
            pq.write_table(pa.table({"n": [number]}), file)
    assert values(Dataset.from_parquet("memory://table/*")) == [{"n": 1}, {"n": 2}]
    with pytest.raises(FileNotFoundError, match=r"from_parquet\(\): no file matches"):
        Dataset.from_parquet(tmp_path / "*.parquet")
    with pytest.raises(ValueError, match="file_pattern is empty"):
        Dataset.from_parquet([])


def test_reading_ahead_and_resuming() -> None:
    names = [parquet(pa.table({"n": np.arange(start, start + 10)}), 3) for start in range(0, 50, 10)]
    expected = values(Dataset.from_parquet(names))
    ahead = Dataset.from_parquet(names, num_parallel_reads=2)
    elements = iter(ahead)
    assert [{"n": int(next(elements)["n"])} for _ in range(17)] == expected[:17]
    resumed = iter(Dataset.from_parquet(names))
    resumed.load_state_dict(elements.state_dict())
    assert [{"n": int(row["n"])} for row in resumed] == expected[17:]
    assert values(ahead.shard(3, 1)) == expected[1::3]
