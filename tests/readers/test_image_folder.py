"""`from_image_folder` keeps the laws; what it means in plain Python."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import Dataset, TensorSpec, image_folder_classes
from penstock.testing import Case, laws_for
from tests.corners import values
from tests.readers.written import FOLDER

Tree = dict[str, list[str]]


def folder_of(tree: Tree) -> Path:
    root = FOLDER / "images" / "-".join(f"{name}{'+'.join(files)}" for name, files in tree.items())
    for name, files in tree.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for file in files:
            (root / name / file).touch()
    return root


def build(cls: Any, tree: Tree, reverse: bool) -> Any:
    return cls.from_image_folder(folder_of(tree), sorted(tree, reverse=True) if reverse else None)


def reference(elements: Any, tree: Tree, reverse: bool) -> list[Any]:
    root = folder_of(tree)
    return [
        (str(root / name / file), np.int64(label))
        for label, name in enumerate(sorted(tree, reverse=reverse))
        for file in sorted(tree[name])
        if file != "c.txt"
    ]


FILES = st.lists(st.sampled_from(["a.png", "b.JPG", "c.txt", "d.jpeg"]), unique=True, max_size=4)
CASE = Case(
    "from_image_folder",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "tree": st.dictionaries(st.sampled_from(["cat", "dog", "Eel"]), FILES).map(
                lambda tree: {**tree, "ant": ["z.webp"]}
            ),
            "reverse": st.booleans(),
        }
    ),
    cardinality=lambda size, **arguments: len(reference(None, **arguments)),
    inputs=0,
)

test_laws = laws_for(CASE)


def test_labels_follow_the_sorted_names_and_are_found_by_function(tmp_path: Path) -> None:
    for name in (
        "dog/1.png",
        "cat/deep/2.png",
        "cat/1.gif",
        "cat/.hidden.png",
        "cat/.thumbs/1.png",
        ".cache/3.png",
        "empty/notes.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "top.png").touch()
    ds = Dataset.from_image_folder(tmp_path)
    assert image_folder_classes(tmp_path) == ["cat", "dog", "empty"]
    names = ["cat/1.gif", "cat/deep/2.png", "dog/1.png"]
    expected = [(os.path.join(tmp_path, name), label) for name, label in zip(names, [0, 0, 1], strict=True)]
    assert values(ds) == expected
    assert ds[2] == expected[2]
    assert ds.element_spec == (TensorSpec((), str), TensorSpec((), "int64"))
    paths, labels = next(iter(ds.batch(3)))
    assert (paths.tolist(), labels.dtype) == ([path for path, _ in expected], np.int64)


def test_one_class_is_enough() -> None:
    assert [label for _, label in values(Dataset.from_image_folder(folder_of({"only": ["a.png"]})))] == [0]


def test_a_url_works_like_a_path() -> None:
    with fsspec.open_files(
        ["memory://zoo/ape/x.png", "memory://zoo/bee/.h/x.png", "memory://zoo/x.png"], "wb"
    ) as files:
        [file.write(b"") for file in files]
    assert values(Dataset.from_image_folder("memory://zoo")) == [("memory://zoo/ape/x.png", 0)]
    assert image_folder_classes("memory://zoo") == ["ape", "bee"]


@pytest.mark.parametrize(
    ("given", "kind", "told"),
    [
        ({}, ValueError, "holds no folder of a class; move the images"),
        ({"a": ["c.txt"], "b": []}, ValueError, "no image in the folders 'a', 'b' of .* that end in .bmp"),
        ("missing", FileNotFoundError, "'missing' is not there; give the folder"),
        (__file__, NotADirectoryError, "is a file; give the folder"),
        (["a", "b"], TypeError, "folder must be one path"),
        (3, TypeError, "folder must be a path"),
    ],
)
def test_folders_without_images_are_refused_when_built(given: Any, kind: type[Exception], told: str) -> None:
    if isinstance(given, dict):
        given = folder_of({"outer": []}) / "outer" if not given else folder_of(given)
    with pytest.raises(kind, match=rf"^from_image_folder\(\): .*{told}"):
        Dataset.from_image_folder(given)


@pytest.mark.parametrize(
    ("names", "kind", "told"),
    [
        (["a", "c"], ValueError, "there is no folder 'c' and 'b' is left out"),
        (["a"], ValueError, "'b' is left out"),
        (["a", "b", "b"], ValueError, "a name comes twice"),
        ("ab", TypeError, "must be a list of names"),
        ([0, 1], TypeError, "must be a list of names"),
        (5, TypeError, "must be a list of names"),
    ],
)
def test_class_names_name_each_folder_once(names: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        Dataset.from_image_folder(folder_of({"a": ["a.png"], "b": ["a.png"]}), names)
