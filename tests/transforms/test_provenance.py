"""The file and the row in a quarantine file: those that the element was read from, or none."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penstock
from penstock import Dataset, TextLineDataset, tree
from penstock.block import Block, Dense, block_from_elements, concatenate
from penstock.ends.run import prepare
from penstock.engine.run import RunContext, open_node
from penstock.provenance import Consecutive, FileTable, Indexed, Scattered
from penstock.reader import Fragment, Position, Reader, Used
from penstock.reading import ReadFiles
from penstock.spec import Spec, TensorSpec
from tests.corners import values

LINES = 20


def parsed(text: Any) -> Any:
    """The number of a line; every seventh of a file has none."""
    return int(text.split("#")[1])


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    return tmp_path / "bad.jsonl"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Files whose lines begin with the number of the file and that of the line."""
    paths = []
    for number in range(3):
        path = tmp_path / f"{number}.txt"
        path.write_text("".join(f"{number} {row} #{'x' if row % 7 == 3 else row}\n" for row in range(LINES)))
        paths.append(str(path))
    return paths


def places(bad: Path) -> list[tuple[str | None, int | None]]:
    return [(record.source_file, record.source_row) for record in penstock.read_quarantine(bad)]


def written(bad: Path, files: Sequence[str]) -> list[tuple[str, int]]:
    """Where the lines that failed are, as they say themselves."""
    found = [str(record.element()).split()[:2] for record in penstock.read_quarantine(bad)]
    return [(files[int(number)], int(row)) for number, row in found]


def same(text: Any) -> Any:
    return text


PIPELINES = {
    "in order": TextLineDataset,
    "read ahead": lambda files: Dataset.from_text(files, num_parallel_reads=2),
    "files one by one": lambda files: TextLineDataset(Dataset.from_tensor_slices(files)),
    "files by turns": lambda files: Dataset.from_tensor_slices(files).interleave(
        TextLineDataset, cycle_length=3, block_length=2
    ),
    "files in threads": lambda files: TextLineDataset(Dataset.list_files(files), num_parallel_reads=2),
    "buffer": lambda files: TextLineDataset(files).shuffle(7, seed=1),
    "whole shuffle": lambda files: TextLineDataset(files).shuffle(100, seed=1).repeat(2),
    "some": lambda files: TextLineDataset(files).skip(2).shard(2, 1).take(25),
    "filter": lambda files: TextLineDataset(files).filter(lambda text: not text.endswith("5")),
    "filter in processes": lambda files: TextLineDataset(files).filter(
        lambda text: not text.endswith("5"), num_parallel_calls=2, executor="process"
    ),
    "maps": lambda files: TextLineDataset(files).map(same, num_parallel_calls=2, executor="thread").map(same),
    "prefetch": lambda files: TextLineDataset(files).prefetch(3),
    "prefetch in a process": lambda files: TextLineDataset(files).prefetch(3, executor="process"),
    "cache": lambda files: TextLineDataset(files).cache().repeat(2),
    "mixture": lambda files: Dataset.sample_from_datasets(
        [TextLineDataset(files[:1]), TextLineDataset(files[1:])], seed=1
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_a_line_is_named_whatever_way_it_came(name: str, files: list[str], bad: Path) -> None:
    values(PIPELINES[name](files).map(parsed, on_error=penstock.quarantine(bad)))
    assert len(places(bad)) >= 3
    assert places(bad) == written(bad, files)


@pytest.mark.parametrize("executor", ["thread", "process"])
@pytest.mark.parametrize("is_in_order", [True, False])
def test_workers_name_the_line_too(executor: str, is_in_order: bool, files: list[str], bad: Path) -> None:
    how: dict[str, Any] = {"num_parallel_calls": 2, "executor": executor, "deterministic": is_in_order}
    values(PIPELINES["files by turns"](files).map(parsed, on_error=penstock.quarantine(bad), **how))
    assert len(places(bad)) == 9
    assert places(bad) == written(bad, files)


@pytest.mark.parametrize("executor", [None, "thread", "process"])
def test_each_step_of_a_chain_names_the_line(executor: str | None, files: list[str], bad: Path) -> None:
    how: Any = {} if executor is None else {"num_parallel_calls": 2, "executor": executor}
    kept: Any = {"on_error": penstock.quarantine(bad), **how}

    def refuses(text: str, *_: Any) -> str:
        row = int(text.split()[1])
        if row % 5 == 1:
            raise KeyError(row)
        return text

    ds = TextLineDataset(files).map(refuses, **kept)
    ds = ds.random_map(lambda text, rng: text if int(text.split()[1]) % 6 else 1 // 0, seed=1, **kept)
    ds = ds.filter(lambda text: parsed(text) >= 0, **kept)
    values(ds)
    assert len(places(bad)) > 20
    assert places(bad) == written(bad, files)


def test_a_pipeline_in_a_process_writes_the_line(files: list[str], bad: Path) -> None:
    values(TextLineDataset(files).map(parsed, on_error=penstock.quarantine(bad)).prefetch(4, executor="process"))
    assert len(places(bad)) == 9
    assert places(bad) == written(bad, files)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_resumed_pass_names_the_line(is_nested: bool, compressed: bool, tmp_path: Path, bad: Path) -> None:
    # Of several chunks each, so that a position lies within a file.
    files = [str(tmp_path / f"{number}.txt{'.gz' if compressed else ''}") for number in range(2)]
    for number, path in enumerate(files):
        with (gzip.open if compressed else open)(path, "wt") as file:
            file.writelines(f"{number} {row:<60} #{'x' if row % 500 == 3 else row}\n" for row in range(4000))

    def build() -> Dataset[Any]:
        ds = Dataset.from_text(files)
        if is_nested:
            ds = Dataset.from_tensor_slices(files).interleave(Dataset.from_text, cycle_length=2, block_length=100)
        return ds.map(parsed, on_error=penstock.quarantine(bad))

    state = None
    for count in (3, 1700, 1, 3000, 9000):
        iterator = iter(build())
        if state is not None:
            iterator.load_state_dict(json.loads(json.dumps(state)))
        for _ in range(count):
            next(iterator, None)
        state = iterator.state_dict()
    assert len(places(bad)) == 16
    assert places(bad) == written(bad, files)


def test_a_state_of_a_pipeline_that_did_not_count_leaves_the_row_open(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("".join(f"{row:<99}\n" for row in range(2000)))
    plan = Dataset.from_text(path)._node
    operator = plan.open(RunContext(prepare))
    while operator.next_block(100) and operator.get_state()["position"] == 0:
        pass
    again = plan.open(RunContext(prepare).keeping_provenance())
    again.set_state(operator.get_state())
    block = again.next_block(1)
    again.close()
    operator.close()
    assert block is not None
    assert block.provenance is not None
    assert block.provenance.at(0) == (str(path), None)


def test_blank_lines_are_no_rows_of_json(tmp_path: Path, bad: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text('{"n": 1}\n\n{"n": 0}\n{"n": 2}\n\n\n{"n": 0}\n')
    values(Dataset.from_json_lines(path).map(lambda x: 1 // int(x["n"]), on_error=penstock.quarantine(bad)))
    assert places(bad) == [(str(path), 1), (str(path), 3)]


@pytest.mark.parametrize("how", [{}, {"num_parallel_calls": 2, "executor": "process"}])
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_rows_of_parquet_are_counted_over_row_groups(
    how: dict[str, Any], is_shuffled: bool, tmp_path: Path, bad: Path
) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    files = [str(tmp_path / f"{number}.parquet") for number in range(2)]
    for number, path in enumerate(files):
        pq.write_table(pa.table({"n": np.arange(10) + 10 * number}), path, row_group_size=4)
    ds = Dataset.from_parquet(files)
    ds = ds.shuffle(20, seed=1).map(lambda x: x, num_parallel_calls=2).shard(2, 1).repeat(2) if is_shuffled else ds
    values(ds.map(lambda x: 1 // int(x["n"] % 3), on_error=penstock.quarantine(bad), **how))
    numbers = [int(record.element()["n"]) for record in penstock.read_quarantine(bad)]
    assert len(numbers) >= 3
    assert places(bad) == [(files[n // 10], n % 10) for n in numbers]


def test_a_path_names_itself(files: list[str], tmp_path: Path, bad: Path) -> None:
    fails: Any = {"on_error": penstock.quarantine(bad)}
    values(Dataset.list_files(files, seed=1).map(lambda path: Path(path + "?").read_text(), **fails))
    assert sorted(places(bad)) == [(path, None) for path in files]
    bad.unlink()
    values(Dataset.list_files(files, shuffle=False).flat_map(lambda path: 1 // 0, **fails))
    assert places(bad) == [(path, None) for path in files]
    bad.unlink()
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "1.png").touch()
    values(Dataset.from_image_folder(tmp_path / "images").map(lambda path, label: 1 // 0, **fails))
    assert places(bad) == [(str(tmp_path / "images" / "cat" / "1.png"), None)]


def test_what_comes_of_no_single_row_is_not_guessed(files: list[str], bad: Path) -> None:
    fails: Any = {"on_error": penstock.quarantine(bad)}
    lines = TextLineDataset(files)
    values(lines.batch(4).unbatch().map(parsed, **fails))
    values(lines.batch(4).map(lambda texts: 1 // 0, **fails))
    values(lines.map_batches(lambda texts: 1 // 0, 4, **fails))
    values(Dataset.zip(lines, lines.skip(1)).map(lambda one, other: 1 // 0, **fails))
    values(Dataset.range(3).map(lambda n: 1 // 0, **fails))
    values(lines.flat_map(lambda text: Dataset.range(1)).map(lambda n: 1 // 0, **fails))
    assert len(places(bad)) > 30
    assert set(places(bad)) == {(None, None)}


class Plain(Reader):
    """A format that does not say at which row of a file its fragments begin."""

    @property
    def method(self) -> str:
        return "from_plain"

    def known_spec(self) -> Spec:
        return Spec(tree.LEAF, (TensorSpec((), np.int64),))

    def fragments(self) -> Sequence[Fragment]:
        return [Fragment("one", 0, 3), Fragment("one", 1, 3)]

    def read(self, fragment: Fragment, used: Used, position: Position | None) -> Iterator[tuple[Position, Block]]:
        yield 0, Block(tree.LEAF, [Dense(np.arange(3) + 3 * fragment.number)], 3)


def test_a_format_that_numbers_no_rows_has_its_file_named(bad: Path) -> None:
    ds: Dataset[Any] = Dataset(ReadFiles(Plain(), "test.py:1"))
    values(ds.map(lambda n: 1 // int(n % 3), on_error=penstock.quarantine(bad)))
    assert places(bad) == [("one", None), ("one", None)]


def test_nothing_is_kept_where_nobody_asks(files: list[str]) -> None:
    node = TextLineDataset(files).map(same, on_error="skip")._node
    operator = open_node(node, RunContext(prepare))
    block = operator.next_block(5)
    operator.close()
    assert block is not None
    assert block.provenance is None


def test_rows_that_follow_one_another_are_not_told_one_by_one() -> None:
    block = block_from_elements(list(range(9))).with_provenance(Consecutive("a", 100))
    joined = concatenate([block.slice(2, 4), block.slice(4, 7), block.slice(7, 9)])
    assert isinstance(joined.provenance, Consecutive)
    assert joined.provenance.at(6) == ("a", 108)
    assert isinstance(concatenate([block.slice(2, 4), block.slice(5, 6)]).provenance, Scattered)


def test_rows_of_blocks_keep_their_places_when_these_are_joined() -> None:
    numbers = block_from_elements(list(range(3)))
    table = FileTable(["a", "b", "b"], np.array([0, 2, 4, 8]), [0, 7, None])
    parts = [
        numbers,
        numbers.with_provenance(Consecutive("c", 5)),
        numbers.with_provenance(Consecutive("d", None)),
        numbers.with_provenance(Indexed(table, np.array([1, 3, 6]))),
        Block(None, (), 1, {0: ValueError()}, provenance=Consecutive("e", 1)),
    ]
    expected = [(None, None)] * 3 + [("c", 5), ("c", 6), ("c", 7)] + [("d", None)] * 3
    expected += [("a", 1), ("b", 8), ("b", None), ("e", 1)]
    whole = concatenate(parts)
    assert whole.provenance is not None
    assert [whole.provenance.at(row) for row in range(13)] == expected
    turned = whole.take(np.arange(12, -1, -1)).slice(1, 13).provenance
    assert turned is not None
    assert [turned.at(row) for row in range(12)] == expected[-2::-1]
