"""Files with given contents, for as long as the tests run; the same contents are the same file.

Processes that tests start find the same files under the same names, since elements and errors may hold those.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow

_VARIABLE = "PENSTOCK_TEST_FILES"
_OWN = None if _VARIABLE in os.environ else tempfile.TemporaryDirectory(prefix="penstock-test-")
FOLDER = Path(os.environ.setdefault(_VARIABLE, _OWN.name if _OWN else ""))


def zstd(data: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


PACKED: dict[str | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "GZIP": lambda data: gzip.compress(data, mtime=0),
    "ZLIB": zlib.compress,
    "ZSTD": zstd,
}
SUFFIXES = {None: "", "GZIP": ".gz", "ZLIB": ".zz", "ZSTD": ".zst"}


def written(data: bytes, suffix: str = "") -> str:
    """The path of a file that holds `data`."""
    path = FOLDER / f"{hashlib.blake2b(data, digest_size=12).hexdigest()}{suffix}"
    if not path.exists():
        path.write_bytes(data)
    return str(path)


def missing() -> str:
    """A path where no file is."""
    return str(FOLDER / "missing")
