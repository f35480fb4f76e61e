"""A cache file that is broken, or none, is an error with its path, whichever of its bytes is wrong; never a crash."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from penstock.errors import DataLossError, SpecError
from penstock.readers import arrow
from penstock.writers import arrow as writer
from tests.corners import values

SIZE = 20


def element(n: int) -> Any:
    return {
        "number": n,
        "text": "x" * (n + 3),
        "row": np.arange(n % 4),
        "words": np.array(["a", "b"][: 1 + n % 2], object),
    }


def kept(path: Path) -> Dataset[Any]:
    return Dataset.range(SIZE).map(lambda n: element(int(n))).cache(path)


def test_offsets_that_point_out_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    values(kept(path))
    raw = path.read_bytes()
    at = raw.index(struct.pack("<4q", 0, 3, 7, 12)) + 8
    path.write_bytes(raw[:at] + struct.pack("<q", 2**40) + raw[at + 8 :])
    with pytest.raises(DataLossError, match="have another checksum"):
        values(kept(path).shuffle(SIZE, seed=0))
    # Larger files are not compared with their checksums by index.
    monkeypatch.setattr(arrow, "_MOST_CHECKED_BYTES", 0)
    with pytest.raises(DataLossError, match=r"a is corrupt: an element is said to lie outside of it; delete it"):
        values(kept(path).shuffle(SIZE, seed=0))


@pytest.mark.parametrize("most_checked", [0, 1 << 26])
@pytest.mark.parametrize("seed", range(2))
def test_any_bytes_that_have_changed(
    seed: int, most_checked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow, "_MOST_CHECKED_BYTES", most_checked)
    path = tmp_path / "a"
    expected = values(kept(path))
    raw = path.read_bytes()
    draws = random.Random(seed)
    num_errors = 0
    for _ in range(25):
        changed = bytearray(raw)
        changed[draws.randrange(len(raw))] ^= 1 << draws.randrange(8)
        path.write_bytes(changed)
        for dataset in (kept(path), kept(path).shuffle(SIZE, seed=0)):
            found = rows_or_message(dataset)
            num_errors += isinstance(found, str)
            if isinstance(found, str):
                assert str(path) in found
            elif most_checked:
                assert sorted(map(str, found)) == sorted(map(str, expected))
    assert num_errors > 15


def rows_or_message(dataset: Dataset[Any]) -> list[Any] | str:
    try:
        return values(dataset, 2 * SIZE)
    except DataLossError as error:
        return str(error)


def test_what_cannot_be_a_file_is_refused_at_the_call(tmp_path: Path) -> None:
    ds = Dataset.range(3)
    with pytest.raises(IsADirectoryError, match=r"cache\(\): .* is a folder; give the name of a file in it"):
        ds.cache(tmp_path)
    with pytest.raises(ValueError, match=r"cache\(\): filename must be a local path.*'s3://bucket/a'"):
        ds.cache("s3://bucket/a")
    wrong: Any
    for wrong in (None, 3, True, ["a"]):
        with pytest.raises(TypeError, match=r"cache\(\): filename must be a path, but is"):
            ds.cache(wrong)
    assert values(ds.cache(bytes(tmp_path / "ä"))) == [0, 1, 2]
    assert (tmp_path / "ä").is_file()


def test_what_differs_in_dtype_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["a b", "", "c"]
    ds = Dataset.range(3).map(lambda n: {"words": np.array([*words[n].split()] or np.zeros(0), dtype=None)})
    with pytest.raises(SpecError, match=r"component\['words'\] holds an array of .*, an empty array of float64, which"):
        values(ds.cache(tmp_path / "a"))
    monkeypatch.setattr(writer, "_MOST_BATCH_ROWS", 1)
    mixed = Dataset.range(4).map(lambda n: {"n": np.zeros(int(n) + 1, np.int64 if n < 2 else np.float32)})
    with pytest.raises(SpecError, match=r"\['n'\] holds an array of float32, and earlier int64, which cannot"):
        values(mixed.cache(tmp_path / "b"))
