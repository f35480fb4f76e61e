"""`TextLineDataset` and `from_text` keep the laws; what they mean in plain Python."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import AUTOTUNE, UNKNOWN_CARDINALITY, Dataset, TextLineDataset
from penstock.errors import DataLossError
from penstock.files import lines
from penstock.testing import THREADS, Case, Failure, laws_for, laws_with, observe, reader_laws
from tests.corners import outcomes, values
from tests.readers.written import PACKED, SUFFIXES, missing, written

MISSING = b"\0missing"
CONTENTS = st.lists(
    st.sampled_from([b"", b"a", b"bc", b"d\r", b"e \r f", "ä€".encode(), b"\xff", b"x" * 40]), max_size=6
).flatmap(lambda parts: st.sampled_from([b"\n".join(parts), b"".join(part + b"\n" for part in parts)]))
FILES = st.lists(CONTENTS | st.just(MISSING), max_size=3)


def path_of(content: bytes, compression: str | None) -> str:
    return missing() if content == MISSING else written(PACKED[compression](content), SUFFIXES[compression])


def build(cls: Any, files: list[bytes], compression: str | None, nested: bool, **arguments: Any) -> Any:
    names = [path_of(content, compression) for content in files]
    given = cls.from_list(names) if nested and names else names
    return TextLineDataset(given, compression, **arguments)


def lines_of(content: bytes, encoding: str | None, errors: str) -> Iterator[Any]:
    if content == MISSING:
        yield Failure(FileNotFoundError)
        return
    pieces = content.split(b"\n")
    for line in pieces if pieces[-1] else pieces[:-1]:
        ended = line[:-1] if line.endswith(b"\r") and (line is not pieces[-1]) else line
        try:
            yield ended if encoding is None else ended.decode(encoding, errors)
        except UnicodeDecodeError:
            yield Failure(UnicodeDecodeError)


def in_turn(streams: Iterable[Iterator[Any]], count: int) -> Iterator[Any]:
    """A line of each of `count` files in turn; one that ends gives up its turn, and the next takes its place later."""
    rest = iter(streams)
    slots: list[Iterator[Any] | None] = [None] * count
    at = empty = 0
    while empty < count:
        slot = slots[at] or next(rest, None)
        empty = empty + 1 if slot is None else 0
        line = None if slot is None else next(slot, None)
        if line is not None:
            yield line
        slots[at] = slot if line is not None else None
        at = (at + 1) % count


def reference(
    elements: Any,
    files: list[bytes],
    compression: str | None,
    nested: bool,
    buffer_size: int | None,
    num_parallel_reads: int | None,
    encoding: str | None,
    errors: str,
) -> Iterator[Any]:
    streams = [lines_of(content, encoding, errors) for content in files]
    if num_parallel_reads is None:
        return (line for stream in streams for line in stream)
    return in_turn(streams, num_parallel_reads)


def arguments(*parallel: int | None) -> Any:
    return st.fixed_dictionaries(
        {
            "files": FILES,
            "compression": st.sampled_from([None, None, *PACKED]),
            "nested": st.booleans(),
            "buffer_size": st.sampled_from([None, 0, 1, 7]),
            "num_parallel_reads": st.sampled_from(parallel),
            "encoding": st.sampled_from(["utf-8", "latin-1", None]),
            "errors": st.sampled_from(["strict", "replace"]),
        }
    )


# Functions with names, since cases travel to other processes, and strategies do not.
def arguments_one_by_one(sample: list[Any]) -> Any:
    return arguments(None)


def arguments_in_turn(sample: list[Any]) -> Any:
    return arguments(1, 2)


UNKNOWN: Any = {"cardinality": lambda size, files, **_: UNKNOWN_CARDINALITY if files else 0, "inputs": 0}
CASE = Case("TextLineDataset", build, reference, arguments_one_by_one, **UNKNOWN)
IN_TURN = Case("TextLineDataset", build, reference, arguments_in_turn, **UNKNOWN)

test_laws = laws_for(CASE)
test_laws_with_threads = laws_for(CASE, (), laws_with(THREADS), 5)
test_laws_in_turn = laws_for(IN_TURN, max_examples=4)

WHOLE = b"one\r\n\ntwo\nthree\xe2\x82\xac\nlast"
ELEMENTS = ["one", "", "two", "three€", "last"]


@pytest.fixture(params=[1, 3, 1000])
def chunk_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Chunks of so many bytes, so that small files have several."""
    monkeypatch.setattr(lines, "_FIRST_BYTES", request.param)
    monkeypatch.setattr(lines, "_MOST_BYTES", request.param)
    return int(request.param)


@pytest.mark.parametrize("compression", PACKED)
def test_reader_keeps_the_laws(compression: str | None, chunk_bytes: int) -> None:
    path = written(PACKED[compression](WHOLE), f".txt{SUFFIXES[compression]}")
    reader = reader_laws.reader_of(Dataset.from_text([path, path]))
    reader_laws.fragments_cover_rows(reader, 2 * ELEMENTS)
    reader_laws.positions_lead_back(reader)


@pytest.mark.parametrize("compression", ["GZIP", "ZLIB", "ZSTD"])
def test_a_compressed_file_that_is_cut_off_says_so(compression: str, tmp_path: Path) -> None:
    path = tmp_path / f"cut{SUFFIXES[compression]}"
    path.write_bytes(PACKED[compression](WHOLE * 3))
    reader_laws.cut_off_anywhere(path, lambda name: TextLineDataset(name, compression))


def test_two_gzip_streams_in_a_file_may_end_between_them_only(tmp_path: Path) -> None:
    first = gzip.compress(WHOLE)
    path = tmp_path / "two.gz"
    path.write_bytes(first + gzip.compress(b"\nmore\n"))
    assert values(Dataset.from_text(path)) == [*ELEMENTS, "more"]
    reader_laws.cut_off_anywhere(path, Dataset.from_text, lambda size: size == len(first))
    path.write_bytes(first + b"\0" * 700)
    assert values(Dataset.from_text(path)) == ELEMENTS


def test_a_plain_file_that_is_cut_off_is_a_shorter_file() -> None:
    for size in range(len(WHOLE)):
        path = written(WHOLE[:size])
        assert observe(iter(Dataset.from_text(path))) == list(lines_of(WHOLE[:size], "utf-8", "strict")) or (
            outcomes(Dataset.from_text(path))[-1] is UnicodeDecodeError
        )


def test_all_lines_before_the_end_of_a_cut_gzip_file_arrive(tmp_path: Path) -> None:
    text = b"".join(b"%d\n" % number for number in range(50_000))
    packed = gzip.compress(text)
    path = tmp_path / "cut.gz"
    path.write_bytes(packed[: len(packed) // 2])
    found = outcomes(Dataset.from_text(path), 100_000)
    assert found[-1] is DataLossError
    assert found[:-1] == [str(number) for number in range(len(found) - 1)]
    assert len(found) > 20_000


@pytest.mark.parametrize(
    ("content", "compression", "told"),
    [
        (b"plain text", "GZIP", r"is no gzip file: it begins with b'plain te'"),
        (
            gzip.compress(WHOLE * 9, mtime=0)[:-8] + b"\0" * 8,
            "GZIP",
            r"is corrupt between byte 0 and byte \d+: .*check",
        ),
        (b"plain text", "ZSTD", "is corrupt or no zstd file"),
    ],
    ids=["no gzip", "wrong gzip checksum", "no zstd"],
)
def test_corrupt_files_say_where(content: bytes, compression: str, told: str) -> None:
    with pytest.raises(DataLossError, match=told):
        list(TextLineDataset(written(content), compression))


def test_an_invalid_line_names_path_and_byte_and_the_next_one_follows(chunk_bytes: int) -> None:
    path = written(b"good\nb\xffd\nbetter\n")
    elements = iter(Dataset.from_text(path))
    assert next(elements) == "good"
    with pytest.raises(UnicodeDecodeError, match=f"at byte 6 of {path}; give encoding=") as caught:
        next(elements)
    assert any("in from_text(), added at" in note for note in caught.value.__notes__)
    assert list(elements) == ["better"]
    assert values(Dataset.from_text(path, errors="ignore")) == ["good", "bd", "better"]
    assert values(Dataset.from_text(path, encoding="cp1252")) == ["good", "bÿd", "better"]


def test_a_byte_order_mark_is_left_out_at_the_beginning_alone(chunk_bytes: int) -> None:
    path = written(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n\xff\n")
    assert outcomes(Dataset.from_text(path, encoding="utf-8-sig")) == ["one", "\ufefftwo", UnicodeDecodeError]


def test_lines_of_a_million_characters() -> None:
    long = ["a" * 1_000_000, "", "ö" * 700_000]
    assert values(Dataset.from_text(written("\n".join(long).encode()))) == long


def test_a_missing_file_costs_one_element_and_names_its_path() -> None:
    path = written(b"a\nb\n")
    elements = iter(TextLineDataset([path, missing(), path]))
    assert [next(elements), next(elements)] == ["a", "b"]
    with pytest.raises(FileNotFoundError, match=missing()):
        next(elements)
    assert list(elements) == ["a", "b"]


def test_a_file_that_became_shorter_is_no_silent_end(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"one\ntwo\nthree\n")
    elements = iter(TextLineDataset(str(path), buffer_size=4))
    assert [next(elements) for _ in range(3)] == ["one", "two", "three"]
    state = elements.state_dict()
    path.write_bytes(b"one\n")
    resumed = iter(TextLineDataset(str(path), buffer_size=4))
    resumed.load_state_dict(state)
    with pytest.raises(DataLossError, match=r"the files hold \d elements? less than when the state was saved"):
        next(resumed)


@pytest.mark.parametrize("settings", [None, 2])
@pytest.mark.parametrize("left", [b"one\n", None])
def test_a_file_that_is_shorter_than_the_state_takes_nothing_of_the_next(
    left: bytes | None, settings: int | None, tmp_path: Path
) -> None:
    first, second = tmp_path / "1.txt", tmp_path / "2.txt"
    first.write_text("".join(f"{n}\n" for n in range(30_000)))
    second.write_text("other\n" * 30_000)
    ds = Dataset.from_text(tmp_path / "*.txt", num_parallel_reads=settings)
    with iter(ds) as elements:
        assert list(islice(elements, 25_000))[-1] == "24999"
        state = elements.state_dict()
    first.unlink() if left is None else first.write_bytes(left)
    told = rf"No such file.*{first}" if left is None else rf"{first} is to be read from byte .* ends at byte 4; it was"
    with iter(ds) as resumed:
        resumed.load_state_dict(state)
        with pytest.raises((DataLossError, FileNotFoundError), match=told):
            next(resumed)


@pytest.mark.parametrize("compression", PACKED)
def test_a_position_behind_the_end_of_a_file_is_an_error(compression: str | None) -> None:
    reader = reader_laws.reader_of(TextLineDataset(written(PACKED[compression](b"one\n")), compression))
    (fragment,) = reader.fragments()
    assert list(reader.read(fragment, None, 4)) == []
    with pytest.raises(DataLossError, match="is to be read from byte 8 on, but ends at byte 4"):
        list(reader.read(fragment, None, 8))


@pytest.mark.parametrize("compression", PACKED)
def test_resuming_a_plain_file_reads_no_more_than_a_chunk_before(compression: str | None, tmp_path: Path) -> None:
    text = b"".join(b"%06d\n" % number for number in range(200_000))
    path = tmp_path / f"long{SUFFIXES[compression]}"
    path.write_bytes(PACKED[compression](text))
    elements = iter(Dataset.from_text(path))
    head = [next(elements) for _ in range(150_000)]
    state = elements.state_dict()
    if compression is None:
        with path.open("r+b") as file:
            file.write(b"#" * 500_000)  # what was read is not read again
    resumed = iter(Dataset.from_text(path))
    resumed.load_state_dict(state)
    assert head[-1] == "149999"
    assert next(resumed) == "150000"
    assert sum(1 for _ in resumed) == 49_999


def test_filenames_of_all_kinds(tmp_path: Path) -> None:
    path = tmp_path / "[1].txt"
    path.write_text("line\n")
    name = str(path)
    for given in (path, name, os.fsencode(path), [path], (name,), np.array([name]), np.array([name], object)):
        assert values(TextLineDataset(given)) == ["line"]
    assert values(TextLineDataset(Dataset.from_tensors(name))) == ["line"]
    assert values(TextLineDataset([])) == values(TextLineDataset([], num_parallel_reads=2)) == []
    assert values(Dataset.from_text(path)) == ["line"]


@pytest.mark.parametrize("given", [3, None, [3], np.arange(2), {"a": 1}])
def test_what_is_no_path_is_refused_when_built(given: Any) -> None:
    with pytest.raises(TypeError, match="filenames must"):
        TextLineDataset(given)


@pytest.mark.parametrize("given", [Dataset.range(1), Dataset.from_tensors(("a", "b")), Dataset.from_tensors(["a"])])
def test_what_is_no_path_in_a_dataset_is_an_error_in_its_place(given: Dataset[Any]) -> None:
    with pytest.raises(TypeError, match="filenames must hold paths, but holds"):
        list(TextLineDataset(given))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"compression_type": "BZIP"}, "must be None, 'GZIP', 'ZLIB', 'ZSTD', but is 'BZIP'"),
        ({"buffer_size": -1}, "buffer_size must be at least 0"),
        ({"num_parallel_reads": 0}, "num_parallel_reads must be at least 1, but is 0; use AUTOTUNE"),
        ({"encoding": "utf-99"}, "there is no encoding 'utf-99'"),
        ({"encoding": "utf-16"}, "convert the files to UTF-8"),
        ({"errors": "guess"}, "errors must be 'strict', 'replace', 'ignore'"),
    ],
)
def test_wrong_arguments_are_refused_when_built(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        TextLineDataset("a.txt", **wrong)


def test_patterns_suffixes_and_urls() -> None:
    with fsspec.open_files(["memory://poems/b.txt.gz", "memory://poems/a.txt"], "wb") as files:
        for file, content in zip(files, [gzip.compress(b"second\n"), b"first\n"], strict=True):
            file.write(content)
    assert values(Dataset.from_text("memory://poems/*")) == ["first", "second"]
    assert values(Dataset.from_text(["memory://poems/a.txt", written(b"local")])) == ["local", "first"]
    with pytest.raises(FileNotFoundError, match=r"from_text\(\): no file matches 'memory://poems/\*.csv'"):
        Dataset.from_text("memory://poems/*.csv")


@pytest.mark.parametrize("calls", [1, 2, AUTOTUNE])
def test_reading_ahead_keeps_the_order_of_many_files(calls: int) -> None:
    names = [written(f"{number} a\n{number} b".encode()) for number in range(30)]
    ds = Dataset.from_text(names, num_parallel_reads=calls)
    expected = [f"{number} {letter}" for name in sorted(names) for number in [names.index(name)] for letter in "ab"]
    assert values(ds) == expected
    elements = iter(ds)
    assert [next(elements) for _ in range(7)] == expected[:7]
    resumed = iter(Dataset.from_text(names))
    resumed.load_state_dict(elements.state_dict())
    assert list(resumed) == list(elements) == expected[7:]


@pytest.mark.parametrize("wrong", [{"encoding": 3}, {"errors": None}, {"errors": 3}])
def test_encodings_and_handlers_that_are_no_text(wrong: dict[str, Any]) -> None:
    for build in (TextLineDataset, Dataset.from_text):
        with pytest.raises(TypeError, match=rf"\(\): {next(iter(wrong))} must be text, such as"):
            build(written(b"a"), **wrong)


def test_a_pattern_where_names_are_wanted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        list(TextLineDataset(tmp_path / "*.txt"))
    assert any("Dataset.from_text() takes patterns" in note for note in caught.value.__notes__)


def test_a_suffix_that_is_not_true() -> None:
    with pytest.raises(DataLossError, match=r"is no gzip file: it begins with b'plain'; is its suffix, or"):
        list(Dataset.from_text(written(b"plain", ".gz")))
