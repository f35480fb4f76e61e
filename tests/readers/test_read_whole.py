"""A whole file in as few reads as there can be: what is in it, and which error where it cannot be read."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import fsspec
import pytest

from penstock.files import opening
from penstock.files.opening import read_whole

FIRST = opening._FIRST_BYTES


@pytest.mark.parametrize("size", [0, 1, FIRST - 1, FIRST, FIRST + 1, 3 * FIRST + 5])
def test_all_bytes_of_a_file(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    assert read_whole(str(tmp_path / "file")) == content
    fsspec.filesystem("memory").pipe("/test-read-whole", content)
    assert read_whole("memory://test-read-whole") == content


def test_an_error_names_the_path(tmp_path: Path) -> None:
    for path, kind in ((tmp_path, IsADirectoryError if os.name == "posix" else OSError), (tmp_path / "x", OSError)):
        with pytest.raises(kind) as raised:
            read_whole(str(path))
        assert raised.value.filename == str(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_whose_bytes_come_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with open(path, "wb", buffering=0) as pipe:
            for part in (b"one", b"two" * FIRST, b"three"):
                pipe.write(part)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_whole(str(path)) == b"one" + b"two" * FIRST + b"three"
    writer.join()
