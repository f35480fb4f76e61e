"""`list_files` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import Dataset
from penstock.testing import Case, laws_for
from tests.corners import values
from tests.readers.written import FOLDER

NAMES = ["a.txt", "b.txt", "b.py", "c.txt", "notes"]


@cache
def folder() -> str:
    root = FOLDER / "listed"
    root.mkdir(exist_ok=True)
    for name in NAMES:
        (root / name).touch()
    (root / "folder.txt").mkdir(exist_ok=True)
    (root / ".hidden.txt").touch()
    return str(root)


def build(cls: Any, patterns: list[str]) -> Any:
    return cls.list_files([f"{folder()}/{pattern}" for pattern in patterns], shuffle=False)


def reference(elements: Any, patterns: list[str]) -> list[str]:
    return sorted(f"{folder()}/{name}" for pattern in patterns for name in NAMES if fnmatchcase(name, pattern))


CASE = Case(
    "list_files",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "patterns": st.lists(
                st.sampled_from(["*", "*.txt", "?.py", "b*", "notes", "[ab].txt"]), min_size=1, max_size=3
            )
        }
    ),
    cardinality=lambda size, patterns: len(reference(None, patterns)),
    inputs=0,
)

test_laws = laws_for(CASE)


def test_files_are_shuffled_unless_told_otherwise() -> None:
    in_order = reference(None, ["*"])
    for ds in (Dataset.list_files(f"{folder()}/*"), Dataset.list_files(f"{folder()}/*", shuffle=True)):
        passes = [values(ds) for _ in range(9)]
        assert all(sorted(found) == in_order for found in passes)
        assert len(set(map(tuple, passes))) > 1
    one, other = (Dataset.list_files(f"{folder()}/*", seed=7) for _ in range(2))
    assert [values(one) for _ in range(3)] == [values(other) for _ in range(3)]
    assert len(one) == len(NAMES)


def test_no_match_is_an_error_when_built_that_says_what_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"list_files\(\): no file matches '.*\*.jpg'; check"):
        Dataset.list_files([f"{folder()}/*.txt", f"{folder()}/*.jpg"])
    monkeypatch.chdir(folder())
    with pytest.raises(FileNotFoundError, match=f"no file matches '[*].jpg' in {folder()}"):
        Dataset.list_files("*.jpg")
    assert values(Dataset.list_files("?.txt", shuffle=False)) == ["a.txt", "b.txt", "c.txt"]


@pytest.mark.parametrize("end", ["", "/"])
def test_a_folder_is_refused_with_the_pattern_to_write(end: str) -> None:
    with pytest.raises(IsADirectoryError, match=f"'{folder()}{end}' is a folder; write '{folder()}/[*]'"):
        Dataset.list_files(folder() + end)


def test_urls_and_folders_inside(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    (tmp_path / "x" / "y" / "z.txt").touch()
    (tmp_path / "w.txt").touch()
    found = values(Dataset.list_files(f"{tmp_path}/**/*.txt", shuffle=False))
    assert found == [f"{tmp_path}/w.txt", f"{tmp_path}/x/y/z.txt"]
    assert values(Dataset.list_files(tmp_path.as_uri() + "/*", shuffle=False)) == [f"file://{tmp_path}/w.txt"]
    with fsspec.open_files(["memory://listed/b", "memory://listed/c/d"], "wb") as files:
        [file.write(b"") for file in files]
    assert values(Dataset.list_files("memory://listed/*", shuffle=False)) == ["memory:///listed/b"]
    assert values(Dataset.list_files("memory://listed/b")) == ["memory://listed/b"]
    with pytest.raises(IsADirectoryError, match=r"'memory://listed' is a folder; write 'memory://listed/[*]'"):
        Dataset.list_files("memory://listed")
    with pytest.raises(FileNotFoundError, match="no file matches 'memory://listed/e'"):
        Dataset.list_files("memory://listed/e")


@pytest.mark.parametrize("wrong", [{"file_pattern": 3}, {"file_pattern": np.arange(2)}, {"shuffle": 1}, {"seed": "a"}])
def test_wrong_arguments_are_refused_when_built(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=rf"list_files\(\): {next(iter(wrong))} must"):
        Dataset.list_files(**{"file_pattern": f"{folder()}/*", **wrong})


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("~/no such file", r"write os\.path\.expanduser"),
        ("/no such folder/{a,b}.txt", "braces stand for themselves here: write a list"),
        (Path("s3://bucket/a.txt"), "a URL begins with 's3://', of which pathlib.Path takes a slash"),
        ("C:/no such file", "check the path and the pattern"),
    ],
)
def test_what_matches_nothing_is_told_what_to_write(pattern: Any, told: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"^list_files\(\): no file matches .*{told}"):
        Dataset.list_files(pattern)


def test_a_url_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(ValueError, match=r"'nope://a' cannot be opened: Protocol not known"):
        Dataset.list_files("nope://a")


def test_names_that_look_like_something_else(tmp_path: Path) -> None:
    names = ["a b%20c", "a::b", "file:x", "#a", "[a]", "s?*", "ä漢", "{a,b}", "~a"]
    for name in names:
        (tmp_path / name).write_text(name)
        assert values(Dataset.list_files(tmp_path / name)) == [str(tmp_path / name)]
        assert values(Dataset.from_text(tmp_path / name)) == [name]
    assert sorted(values(Dataset.from_text(tmp_path / "*"))) == sorted(names)


def test_a_name_that_is_no_text_at_all(tmp_path: Path) -> None:
    path = bytes(tmp_path) + b"/\xff"
    try:
        with open(path, "wb") as file:
            file.write(b"here")
    except OSError:
        pytest.skip("this system has no such names")
    assert values(Dataset.from_text(path)) == values(Dataset.from_text(tmp_path / "*")) == ["here"]
