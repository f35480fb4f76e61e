from __future__ import annotations

import gzip
import math
import struct
import tracemalloc
from contextlib import suppress
from pathlib import Path

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import DataLossError
from penstock.recipes.idx import read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    code = CODES[array.dtype.str[1:]]
    header = struct.pack(">HBB", 0, code, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def claims(*shape: int) -> bytes:
    return struct.pack(">HBB", 0, 0x08, len(shape)) + struct.pack(f">{len(shape)}I", *shape)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some-file"


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_every_dtype_and_shape_comes_back(code, pack, data, tmp_path_factory):
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
    array = data.draw(arrays.arrays(np.dtype(code), shape))
    file = tmp_path_factory.getbasetemp() / "round-trip"
    file.write_bytes(pack(idx_bytes(array)))

    found = read_idx(file, num_dimensions=array.ndim)

    assert found.dtype == np.dtype(code)
    assert found.dtype.isnative
    assert found.shape == array.shape
    assert found.flags.writeable
    assert found.tobytes() == array.tobytes()


def test_content_decides_not_the_name(tmp_path):
    array = np.arange(6, dtype="u1").reshape(2, 3)
    for name, content in [("plain.gz", idx_bytes(array)), ("gzipped", gzip.compress(idx_bytes(array)))]:
        (tmp_path / name).write_bytes(content)
        assert read_idx(tmp_path / name).tolist() == array.tolist()


def test_gzip_in_several_members_with_padding(file):
    content = idx_bytes(np.arange(100, dtype="i2"))
    file.write_bytes(gzip.compress(content[:50]) + gzip.compress(content[50:]) + b"\0" * 20_000)
    assert read_idx(file).tolist() == list(range(100))


@pytest.mark.parametrize("num_values", [1, 256], ids=["packs well", "packs badly"])
def test_content_of_many_pieces(num_values, file):
    array = np.random.RandomState(0).randint(0, num_values, (1_000, 28, 28)).astype("u1")
    for content in (idx_bytes(array), gzip.compress(idx_bytes(array))):
        file.write_bytes(content)
        assert (read_idx(file) == array).all()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_cut_off_at_every_byte(pack, file):
    content = idx_bytes(np.arange(6, dtype="i2").reshape(2, 3))
    for size in range(len(content)):
        file.write_bytes(pack(content[:size]))
        with pytest.raises(DataLossError, match=rf"some-file: cut off at byte {size}\b"):
            read_idx(file)


def test_gzip_cut_off_at_every_byte(file):
    content = gzip.compress(idx_bytes(np.arange(6, dtype="i2").reshape(2, 3)))
    for size in range(2, len(content)):
        file.write_bytes(content[:size])
        with pytest.raises(DataLossError, match=rf"some-file: the gzip data is cut off at byte {size}\b"):
            read_idx(file)


@pytest.mark.parametrize("num_values", [5, 1_000_000])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_trailing_data(pack, num_values, file):
    content = idx_bytes(np.zeros(num_values, "u1"))
    file.write_bytes(pack(content + b"x"))
    with pytest.raises(DataLossError, match=f"some-file: trailing data from byte {8 + num_values} on"):
        read_idx(file)


def test_trailing_data_behind_gzip(file):
    content = gzip.compress(idx_bytes(np.arange(5, dtype="u1")))
    file.write_bytes(content + b"x")
    with pytest.raises(DataLossError, match=r"some-file: (corrupt gzip|the gzip data is cut off)"):
        read_idx(file)


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n", b"\0\0\x0a\x01\0\0\0\0", b"\0\x01\x08\x01\0\0\0\0", b"<html></html>"]
)
def test_other_files(content, file):
    file.write_bytes(content)
    with pytest.raises(DataLossError, match=f"some-file: no IDX file: bytes 0 to 3 are {content[:4].hex(' ')}"):
        read_idx(file)


def test_corrupt_gzip_names_path_and_position(file):
    noise = np.random.RandomState(0).randint(0, 256, 100_000).astype("u1")
    content = bytearray(gzip.compress(idx_bytes(noise)))
    content[-8] ^= 1  # the checksum of the content
    file.write_bytes(content)
    with pytest.raises(DataLossError, match="some-file: corrupt gzip data between bytes") as raised:
        read_idx(file)
    start, end = (int(word) for word in str(raised.value).split() if word.isdigit())
    assert start < len(content) - 8 < end <= len(content)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_one_changed_byte_is_an_error_or_the_same_array(data, tmp_path_factory):
    array = np.arange(40, dtype="i4").reshape(5, 8)
    content = bytearray(gzip.compress(idx_bytes(array)))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    file = tmp_path_factory.getbasetemp() / "changed"
    file.write_bytes(content)
    with suppress(DataLossError):
        assert read_idx(file).tolist() == array.tolist()  # gzip's header has bytes that say nothing about the data


def test_wrong_number_of_dimensions(file):
    file.write_bytes(idx_bytes(np.zeros(4, "u1")))
    with pytest.raises(DataLossError, match="some-file: expected 3 dimensions, byte 3 says 1"):
        read_idx(file, num_dimensions=3)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("shape", [(1 << 31,), (0xFFFFFFFF,) * 3], ids=["2 GiB", "2**96 bytes"])
def test_a_header_that_lies_allocates_nothing(shape, pack, file):
    file.write_bytes(pack(claims(*shape) + b"abc"))
    tracemalloc.start()
    try:
        with pytest.raises(DataLossError, match=f"should end at byte {4 + 4 * len(shape) + math.prod(shape)}"):
            read_idx(file)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_a_small_file_that_unpacks_to_much_is_not_unpacked(file):
    file.write_bytes(gzip.compress(claims(10) + bytes(100_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(DataLossError, match="trailing data from byte 18 on"):
            read_idx(file)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(0, *[0xFFFFFFFF] * 4), (0,) * 100], ids=["sizes", "dimensions"])
def test_shapes_beyond_numpys_limits(shape, file):
    file.write_bytes(claims(*shape))
    with pytest.raises(DataLossError, match="some-file: NumPy has no array of the shape"):
        read_idx(file)


def test_no_such_file(file):
    with pytest.raises(FileNotFoundError, match="some-file"):
        read_idx(file)
