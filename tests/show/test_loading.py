"""The dataset that `penstock show` is asked for: found, or an error that says what to write."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock import Dataset
from penstock.errors import PipelineFileError
from penstock.show.loading import load

PIPELINES = """
from dataclasses import dataclass

from penstock import Dataset
from beside import NUMBER

@dataclass
class Sample:
    number: int

dataset = Dataset.range(NUMBER)
train = dataset.map(lambda n: Sample(n))
size = 7

def test():
    return dataset.batch(2)

def broken():
    return dataset.batch(0)

def sized(number):
    return Dataset.range(number)

def both():
    return dataset, train
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with files of pipelines, from which nothing stays imported."""
    (tmp_path / "pipelines.py").write_text(PIPELINES)
    (tmp_path / "beside.py").write_text("NUMBER = 3")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("target", "number"),
    [
        ("pipelines.py", 3),
        ("pipelines.py:train", 3),
        ("pipelines.py:test", 2),
        ("pipelines:train", 3),
        ("./pipelines.py", 3),
    ],
)
def test_a_dataset_is_found_in_a_file_or_a_module(folder: Path, target: str, number: int) -> None:
    assert len(load(target, Dataset)) == number


def test_a_file_is_found_wherever_it_lies_and_finds_what_lies_beside_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    assert len(load(f"{folder / 'pipelines.py'}:dataset", Dataset)) == 3


def test_a_file_named_as_a_loaded_module_does_not_replace_it(folder: Path) -> None:
    (folder / "json.py").write_text("from penstock import Dataset\ndataset = Dataset.range(5)")
    import json

    assert len(load("json.py", Dataset)) == 5
    assert sys.modules["json"] is json


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ("pipeline.py", FileNotFoundError, r"pipeline.py does not exist.*did you mean pipelines.py\?"),
        ("nowhere/at/all.py", FileNotFoundError, r"nowhere/at/all.py does not exist; give a Python file, or"),
        ("./", FileNotFoundError, r"is a folder"),
        ("no.such:name", FileNotFoundError, r"neither a file nor a module no.such; write FILE.py:NAME"),
        ("", FileNotFoundError, r"write FILE.py:NAME"),
        ("pipelines.py:trian", ValueError, r"no name 'trian' \(did you mean train\?\); its datasets: pipelines.py:da"),
        ("pipelines.py:size", ValueError, r"pipelines.py:size is int 7, and no Dataset; name a Dataset"),
        ("pipelines.py:Sample", ValueError, r"needs arguments, \(number: int\)"),
        ("pipelines.py:sized", ValueError, r"is a function that needs arguments, \(number\); name one of none"),
        ("pipelines.py:both", ValueError, r"is a tuple, and no Dataset"),
        ("beside.py", ValueError, r"no name 'dataset'; there is no Dataset among its names"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_says_what_to_write(
    folder: Path, target: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        load(target, Dataset)


def test_a_file_that_raises_shows_its_own_lines_alone(folder: Path) -> None:
    (folder / "failing.py").write_text("def read():\n    return open('gone.txt')\n\ndataset = read()\n")
    with pytest.raises(PipelineFileError) as caught:
        load("failing.py", Dataset)
    lines = str(caught.value).split("\n")
    assert lines[0] == "failing.py raised FileNotFoundError"
    assert [line.strip() for line in lines if line.startswith("  File")] == [
        f'File "{folder / "failing.py"}", line 4, in <module>',
        f'File "{folder / "failing.py"}", line 2, in read',
    ]
    assert lines[-1].endswith("No such file or directory: 'gone.txt'")


@pytest.mark.parametrize(
    ("source", "said"),
    [("x = (", "SyntaxError: '(' was never closed"), ("import sys; sys.exit('usage')", "SystemExit: usage")],
)
def test_a_file_that_is_no_python_or_ends_the_program_is_an_error(folder: Path, source: str, said: str) -> None:
    (folder / "failing.py").write_text(source)
    with pytest.raises(PipelineFileError, match=r"^failing.py raised ") as caught:
        load("failing.py", Dataset)
    assert str(caught.value).endswith(said)


def test_a_function_that_raises_is_an_error_of_the_file(folder: Path) -> None:
    with pytest.raises(PipelineFileError, match=r"pipelines.py:broken raised ValueError") as caught:
        load("pipelines.py:broken", Dataset)
    assert "return dataset.batch(0)" in str(caught.value)
    assert "in batch" not in str(caught.value)
