"""Quarantine files: what a line holds, when it is written, and calling the function again."""

from __future__ import annotations

import inspect
import json
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penstock
from penstock import Dataset
from penstock.errors import DataLossError
from penstock.quarantined import QuarantineFile
from tests.corners import failing_at, outcomes, values


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bad.jsonl"


def divided(n: Any) -> Any:
    return 6 // int(n - 2)


def positions(path: Path) -> list[Any]:
    return [record.position for record in penstock.read_quarantine(path)]


def test_a_line_says_where_what_and_why(path: Path) -> None:
    ds = Dataset.range(4).map(divided, on_error=penstock.quarantine(path))
    line = inspect.currentframe().f_lineno - 1
    assert values(ds) == [-3, -6, 6]
    (record,) = penstock.read_quarantine(path)
    assert (record.transformation, record.function, record.position) == ("map", "divided", 2)
    assert record.origin == f"{__file__}:{line}"
    assert (record.pass_number, record.epoch) == (0, 0)
    assert (record.error_type, record.error) == ("ZeroDivisionError", "integer division or modulo by zero")
    assert "return 6 // int(n - 2)" in record.traceback
    assert "element 2" in record.traceback
    assert record.traceback.count("File ") == 1
    assert (record.source_file, record.source_row) == (None, None)
    assert record.element() == 2
    assert type(record.element()) is np.int64
    assert set(json.loads(path.read_text())) == {*record.__dataclass_fields__}


def test_the_call_can_be_made_again(path: Path) -> None:
    fixed = [False]

    def fails(n: Any, text: str) -> Any:
        if n == 1 and not fixed[0]:
            raise KeyError(text)
        return f"{n} {text}"

    ds = Dataset.from_tensor_slices(([0, 1], ["a", "b"])).map(fails, on_error=penstock.quarantine(path))
    assert values(ds) == ["0 a"]
    (record,) = penstock.read_quarantine(path)
    with pytest.raises(KeyError):
        ds.replay(record)
    fixed[0] = True
    assert ds.replay(record) == "1 b"
    with pytest.raises(ValueError, match=r"the dataset has no steps map\(.*fails\)"):
        Dataset.range(3).replay(record)


def test_a_random_map_is_called_again_with_the_same_numbers(path: Path) -> None:
    drawn: list[int] = []

    def fails(n: Any, rng: Any) -> Any:
        drawn.append(int(rng.integers(1 << 40)))
        raise OSError("no")

    ds = Dataset.range(1).random_map(fails, seed=3, on_error=penstock.quarantine(path))
    assert values(ds) == []
    (record,) = penstock.read_quarantine(path)
    with pytest.raises(OSError, match="no"):
        ds.replay(record)
    assert drawn[0] == drawn[1]


def test_what_failed_in_an_earlier_pass_is_not_written_again(path: Path) -> None:
    ds = Dataset.range(9).map(failing_at(3, 5), on_error=penstock.quarantine(path)).repeat(2)
    values(ds)
    values(ds)
    assert positions(path) == [3, 5]
    values(Dataset.range(9).map(failing_at(3, 5, 7), on_error=penstock.quarantine(path)))
    assert positions(path) == [3, 5, 7]


def test_equal_elements_at_two_places_of_a_pass_are_both_written(path: Path) -> None:
    ds = Dataset.from_tensor_slices([1, 0, 0]).map(lambda n: 1 // int(n), on_error=penstock.quarantine(path))
    values(ds)
    values(ds)
    assert positions(path) == [1, 2]


@pytest.mark.parametrize("cut", range(8))
def test_a_resumed_pass_writes_each_element_once(path: Path, cut: int) -> None:
    def build() -> Dataset[Any]:
        return Dataset.range(12).map(lambda n: 12 // int(n % 4), on_error=penstock.quarantine(path)).batch(2)

    expected = outcomes(build())
    path.unlink()
    first = iter(build())
    for _ in range(min(cut, len(expected))):
        next(first)
    again = iter(build())
    again.load_state_dict(first.state_dict())
    assert outcomes(again) == expected[cut:]
    assert positions(path) == [0, 4, 8]


def test_a_run_of_map_batches_is_one_line(path: Path) -> None:
    def fails(rows: Any) -> Any:
        return rows // (1 if rows[0] else int(rows[0]))

    ds = Dataset.range(6).map_batches(fails, 3, on_error=penstock.quarantine(path))
    with np.errstate(all="raise"):
        assert values(ds) == [3, 4, 5]
    (record,) = penstock.read_quarantine(path)
    assert (record.position, record.element().tolist()) == (0, [0, 1, 2])


def test_an_element_that_cannot_be_kept_is_named_all_the_same(path: Path) -> None:
    large = np.zeros((2, 1 << 18))
    values(Dataset.from_tensor_slices(large).map(lambda a: 1 // 0, on_error=penstock.quarantine(path)))
    assert positions(path) == [0, 1]
    record = penstock.read_quarantine(path)[0]
    with pytest.raises(ValueError, match="was not kept"):
        record.element()
    assert path.stat().st_size < 10_000


def test_errors_without_a_call_have_the_place_in_the_output(path: Path) -> None:
    def mixed() -> Any:
        yield from [1, 2, "three"]

    signature = penstock.TensorSpec((), np.int64)
    values(Dataset.from_generator(mixed, output_signature=signature, on_error=penstock.quarantine(path)))
    (record,) = penstock.read_quarantine(path)
    assert (record.transformation, record.position, record.pickled) == ("from_generator", 2, None)
    assert record.function.endswith("mixed")


def test_half_a_line_is_passed_over_and_taken_away(path: Path) -> None:
    def build(*bad: int) -> Dataset[Any]:
        return Dataset.range(9).map(failing_at(*bad), on_error=penstock.quarantine(path))

    values(build(3))
    with path.open("ab") as file:
        file.write(b'{"transformation": "ma' + b"x" * 5000)
    assert positions(path) == [3]
    values(build(3, 4))
    assert positions(path) == [3, 4]
    assert path.read_bytes().count(b"\n") == 2
    assert path.read_bytes().endswith(b"\n")


def test_a_line_of_something_else_is_named(path: Path) -> None:
    path.write_text('{"a": 1}\n')
    with pytest.raises(DataLossError, match=r"line 1 of .*bad.jsonl is none of a quarantine file"):
        penstock.read_quarantine(path)


def test_an_element_that_cannot_be_written_is_not_left_out(path: Path) -> None:
    ds = Dataset.range(3).map(failing_at(1), on_error=penstock.quarantine(path))
    path.mkdir()
    assert outcomes(ds) == [0, KeyError, 20]
    with pytest.raises(KeyError) as raised:
        list(ds)
    assert any("could not be written to" in note for note in raised.value.__notes__)


def test_a_file_of_something_else_is_left_as_it_is(path: Path) -> None:
    path.write_text("notes\n")
    ds = Dataset.range(3).map(failing_at(1), on_error=penstock.quarantine(path))
    assert outcomes(ds) == [0, KeyError, 20]
    assert path.read_text() == "notes\n"


def test_what_another_pipeline_has_written_meanwhile_is_not_written_again(path: Path) -> None:
    first, second = (iter(Dataset.range(9).map(failing_at(1, 5), on_error=penstock.quarantine(path))) for _ in range(2))
    next(first)
    next(second)
    next(first)
    next(second)
    assert len(list(first)) == len(list(second)) == 5
    assert positions(path) == [1, 5]


def test_a_file_that_is_taken_away_between_two_passes_is_begun_anew(path: Path) -> None:
    ds = Dataset.range(9).map(failing_at(1, 5), on_error=penstock.quarantine(path))
    values(ds)
    path.unlink()
    values(ds)
    assert positions(path) == [1, 5]
    path.write_text("")
    values(ds)
    assert positions(path) == [1, 5]


def test_threads_write_whole_lines(path: Path) -> None:
    values(Dataset.range(1).map(failing_at(0), on_error=penstock.quarantine(path)))
    (record,) = penstock.read_quarantine(path)
    file = QuarantineFile(str(path))
    gate = threading.Barrier(4)

    def write(number: int) -> None:
        gate.wait()
        own = QuarantineFile(str(path)) if number % 2 else file
        for at in range(50):
            own.add(type(record)(**{**fields(record), "position": 1 + number * 50 + at}))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(positions(path)) == list(range(201))


def fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def test_it_can_be_pickled_and_goes_on_in_the_same_file(path: Path) -> None:
    ds = Dataset.range(4).map(divided, on_error=penstock.quarantine(path))
    values(ds)
    assert values(pickle.loads(pickle.dumps(ds))) == [-3, -6, 6]
    assert positions(path) == [2]


def test_a_folder_that_is_not_there_is_told_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"quarantine\(\): the folder .*none does not exist; create it first"):
        penstock.quarantine(tmp_path / "none" / "bad.jsonl")
    with pytest.raises(IsADirectoryError, match=r"quarantine\(\): .* is a folder"):
        penstock.quarantine(tmp_path)


def drawn(n: Any, rng: Any) -> Any:
    return int(rng.integers(1 << 40)) // int(n - 2)


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_workers_fail_as_one_call_after_another_does(path: Path, executor: str) -> None:
    def build(**settings: Any) -> Dataset[Any]:
        ds = Dataset.range(9).map(failing_at(7))
        ds = ds.map(lambda n: n // 10).map(divided, on_error=penstock.quarantine(path), **settings)
        return ds.random_map(drawn, seed=1, on_error=penstock.quarantine(path), **settings)

    expected = outcomes(build())
    records = penstock.read_quarantine(path)
    assert expected[-2] is KeyError
    assert [record.function for record in records] == ["divided", "drawn"]
    path.unlink()
    assert outcomes(build(num_parallel_calls=2, executor=executor)) == expected
    found = penstock.read_quarantine(path)
    told = [(record.function, record.position, record.error_type, record.pickled) for record in records]
    assert [(record.function, record.position, record.error_type, record.pickled) for record in found] == told


@pytest.mark.parametrize("wrong", [None, 1, True, ["a"]])
def test_what_is_no_path_is_refused(wrong: Any) -> None:
    # A number would be taken for an open file, and that closed.
    with pytest.raises(TypeError, match=r"^quarantine\(\): path must be a path, but is"):
        penstock.quarantine(wrong)
    with pytest.raises(TypeError, match=r"^read_quarantine\(\): path must be a path, but is"):
        penstock.read_quarantine(wrong)
