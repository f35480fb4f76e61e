"""`cache(filename)` keeps the laws, while it writes and when it reads; whose file it is, and what becomes of it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock import Dataset, SparseTensor
from penstock.errors import CacheError, DataLossError, SpecError
from penstock.testing import LAWS, Case, laws_for, observe
from penstock.writers import arrow
from tests.corners import Counting, Yielding, failing_at, outcomes, plain, values
from tests.laws.sources import SOURCES
from tests.transforms.test_cache import reference

_folder = tempfile.TemporaryDirectory()
_numbers = count()


def new_file() -> Path:
    return Path(_folder.name, str(next(_numbers)))


def full(dataset: Any) -> Any:
    path = new_file()
    observe(iter(dataset.cache(path)), 10_000)
    return dataset.cache(path)


CASE = Case("cache", lambda dataset: dataset.cache(new_file()), reference, needs_end=True)
FULL = Case("cache", full, reference, cardinality=lambda size: None, needs_end=True)

test_laws = laws_for(CASE, SOURCES)
# The file is written before it is asked for, so laziness is not looked at.
test_laws_of_a_file = laws_for(FULL, SOURCES, [law for law in LAWS if law.__name__ != "laziness"])

Pair = namedtuple("Pair", "left right")


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_later_run_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "elements"
    seen = Counting()
    assert values(Dataset.range(5).map(seen).cache(path)) == [0, 1, 2, 3, 4]
    again = Dataset.range(5).map(seen).cache(str(path))
    assert values(again) == values(again.repeat(1)) == [0, 1, 2, 3, 4]
    assert seen.seen == [0, 1, 2, 3, 4]
    assert left_in(path.parent) == ["elements"]


def test_of_a_file_the_number_of_elements_is_known_and_each_is_had_by_index(tmp_path: Path) -> None:
    ds = Dataset.range(300).filter(lambda n: n % 3 == 0).cache(tmp_path / "a")
    assert ds.cardinality() == -2
    values(ds)
    assert len(ds) == 100
    assert [int(ds[at]) for at in (99, 0, -2)] == [297, 0, 294]
    assert sorted(values(ds.shuffle(100, seed=1))) == list(range(0, 300, 3))
    assert "100 elements" in str(ds.explain())


def test_rows_are_views_of_the_mapped_file_and_batches_the_users_own(tmp_path: Path) -> None:
    ds = Dataset.from_tensor_slices(np.arange(4000.0).reshape(1000, 4)).map(lambda x: x + 1).cache(tmp_path / "a")
    for _ in ds:
        pass
    left, right = next(iter(ds)), ds[0]
    assert not left.flags.writeable
    assert left.__array_interface__["data"][0] == next(iter(ds)).__array_interface__["data"][0]
    for batch in ds.batch(8):
        batch[...] = 0
    assert (left == right).all()
    assert left.tolist() == [1, 2, 3, 4]


GAPS = np.dtype({"names": ["small", "large"], "formats": ["i1", "i4"], "offsets": [0, 4]})

ELEMENTS: dict[str, Callable[[int], Any]] = {
    "scalars of all kinds": lambda n: (n, n / 3, n % 2 == 0, np.float16(n), np.datetime64(n, "s"), n + 1j),
    "text": lambda n: {"a": "é" * n, "b": b"\x00" * n},
    "arrays of text": lambda n: np.array(["x" * n, "y"], object)[: 1 + n % 2],
    "ragged": lambda n: (np.arange(n % 4), np.zeros((n % 2, 3), np.float32)),
    "any number of axes": lambda n: np.zeros((2,) * (n % 3)),
    "no bytes": lambda n: np.zeros((0, 2)),
    "sparse": lambda n: SparseTensor([[n % 4]], [float(n)], (4,)),
    "structures": lambda n: {"a": (n, None), "b": Pair(n, [n, n])},
    "another byte order": lambda n: (np.full(n % 3, n, ">i4"), np.full(5000, n, ">f4")),
    "structured dtypes with gaps": lambda n: np.full(2, (n, n), GAPS),
    "structured dtypes in one another": lambda n: np.array(
        [((n, n), n)], [("a", [("b", "<i4"), ("c", "u1")]), ("d", "i2")]
    ),
    "structured dtypes": lambda n: np.array([(n, 0.5)], [("x", "<i4"), ("y", "<f8", (2,))]),
}


@pytest.mark.parametrize("name", ELEMENTS)
def test_elements_come_back_as_they_were(name: str, tmp_path: Path) -> None:
    def build() -> Dataset[Any]:
        return Dataset.range(20).map(lambda n: ELEMENTS[name](int(n)))

    kept = build().cache(tmp_path / "a")
    expected = list(build())
    for _ in range(2):
        found = list(kept)
        assert str(found) == str(expected) or name == "sparse"
        assert [type(element) for element in found] == [type(element) for element in expected]
    order = [7, 19, 0, 7]
    assert str([kept[at] for at in order]) == str([found[at] for at in order])
    if name != "sparse":
        assert str(values(kept.shuffle(20, seed=1))) == str(values(build().shuffle(20, seed=1)))
    else:
        assert [element.to_dense().tolist() for element in kept] == [e.to_dense().tolist() for e in expected]


def test_numbers_of_another_byte_order_come_back_as_numbers(tmp_path: Path) -> None:
    ds = Dataset.from_tensor_slices(np.arange(20, dtype=">i8")).cache(tmp_path / "a")
    assert values(ds) == values(ds) == list(range(20))


@pytest.mark.parametrize("size", [None, 2], ids=["that differ", "of one shape"])
def test_dtypes_that_numpy_does_not_know_by_itself(size: int | None, tmp_path: Path) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    ds = Dataset.range(4).map(lambda n: np.full(size or int(n), n, bfloat16)).cache(tmp_path / "a")
    for _ in range(2):
        rows = list(ds)
        assert {row.dtype for row in rows} == {np.dtype(bfloat16)}
        assert [row.tolist() for row in rows] == [[n] * (size or n) for n in range(4)]


def test_shapes_that_begin_to_differ_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "_MOST_BATCH_ROWS", 4)

    def arrays() -> Iterator[Any]:
        for n in range(40):
            yield np.full(3 + (n > 30), n)

    ds = Dataset.from_generator(arrays).cache(tmp_path / "a")
    expected = values(ds)
    assert values(ds) == expected
    assert len(ds) == 40
    assert plain(ds[33]) == expected[33]
    assert left_in(tmp_path) == ["a"]


@pytest.mark.parametrize("text", [str, lambda n: n])
def test_rows_of_many_record_batches_by_index(
    text: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only with numbers alone do record batches lie at equal distances.
    monkeypatch.setattr(arrow, "_MOST_BATCH_ROWS", 16)

    def build() -> Dataset[Any]:
        return Dataset.range(100).map(lambda n: {"number": n, "row": np.full(3, n), "text": text(n)})

    ds = build().cache(tmp_path / "a")
    assert values(ds) == values(ds) == values(build())
    assert values(ds.shuffle(100, seed=1).batch(40)) == values(build().shuffle(100, seed=1).batch(40))
    assert values(ds.skip(50).batch(30)) == values(build().skip(50).batch(30))


def test_what_cannot_be_written_is_refused_with_its_name(tmp_path: Path) -> None:
    ds = Dataset.range(3).map(lambda n: {"x": object()}).cache(tmp_path / "a")
    with pytest.raises(SpecError, match=r"^cache\(\): component\['x'\] holds object, which cannot be written .*; map"):
        next(iter(ds))
    assert left_in(tmp_path) == []


def test_a_pass_that_was_left_early_leaves_nothing(tmp_path: Path) -> None:
    source = Yielding(*range(5))
    ds = Dataset.from_generator(source).cache(tmp_path / "a")
    assert values(ds.take(3)) == [0, 1, 2]
    elements = iter(ds)
    next(elements)
    assert left_in(tmp_path) == ["a.partial"]
    del elements
    assert left_in(tmp_path) == []
    assert values(ds) == [0, 1, 2, 3, 4]
    assert left_in(tmp_path) == ["a"]
    assert source.calls == 3


def test_a_pass_with_an_error_leaves_nothing(tmp_path: Path) -> None:
    seen = Counting(failing_at(2))
    ds = Dataset.range(4).map(seen).cache(tmp_path / "a")
    assert outcomes(ds) == outcomes(ds) == [0, 10, KeyError, 30]
    assert left_in(tmp_path) == []
    assert seen.seen == [0, 1, 2, 3] * 2


def test_while_one_iterator_writes_others_compute(tmp_path: Path) -> None:
    source = Yielding(*range(50))
    datasets = [Dataset.from_generator(source).cache(tmp_path / "a") for _ in range(2)]
    writing, other, third = iter(datasets[0]), iter(datasets[0]), iter(datasets[1])
    found = [[int(next(elements)) for elements in (writing, other, third)] for _ in range(20)]
    assert found == [[n] * 3 for n in range(20)]
    assert source.calls == 3
    del other, third
    assert values(writing) == list(range(20, 50))
    assert values(datasets[1]) == list(range(50))
    assert source.calls == 3
    assert left_in(tmp_path) == ["a"]


def test_a_writer_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    program = (
        "import os; from penstock import Dataset; "
        f"elements = iter(Dataset.range(9).cache({str(tmp_path / 'a')!r})); next(elements); os._exit(3)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 3
    assert left_in(tmp_path) == ["a.partial"]
    ds = Dataset.range(9).cache(tmp_path / "a")
    assert values(ds) == list(range(9))
    assert left_in(tmp_path) == ["a"]


def half(x: Any) -> Any:
    return x / 2


SCALE = 3


def scaled(x: Any) -> Any:
    return x * SCALE


def pipelines() -> dict[str, Dataset[Any]]:
    """Pipelines that differ in one thing from the first."""
    numbers = np.arange(10)
    others = np.arange(10) + (np.arange(10) == 4)
    names = [f"file {n}" for n in range(10)]
    factor = 5
    return {
        "first": Dataset.from_tensor_slices(numbers).shuffle(9, seed=1).map(half),
        "another seed": Dataset.from_tensor_slices(numbers).shuffle(9, seed=2).map(half),
        "another buffer": Dataset.from_tensor_slices(numbers).shuffle(8, seed=1).map(half),
        "another function": Dataset.from_tensor_slices(numbers).shuffle(9, seed=1).map(lambda x: x / 2),
        "a captured value": Dataset.from_tensor_slices(numbers).shuffle(9, seed=1).map(lambda x: x / factor),
        "another array": Dataset.from_tensor_slices(others).shuffle(9, seed=1).map(half),
        "a step more": Dataset.from_tensor_slices(numbers).shuffle(9, seed=1).map(half).take(10),
        "a shard": Dataset.from_tensor_slices(numbers).shuffle(9, seed=1).map(half).shard(2, 0),
        "another shard": Dataset.from_tensor_slices(numbers).shuffle(9, seed=1).map(half).shard(2, 1),
        "text": Dataset.from_list(names),
        "other text": Dataset.from_list([*names[:-1], "another"]),
        "a state": Dataset.range(10).scan(0, lambda total, n: (total, n)),
        "another state": Dataset.range(10).scan(1, lambda total, n: (total, n)),
    }


@pytest.mark.parametrize("name", list(pipelines()))
def test_the_file_of_another_pipeline_is_refused(name: str, tmp_path: Path) -> None:
    expected = values(pipelines()[name].cache(tmp_path / "a"))
    for other, ds in pipelines().items():
        if other == name:
            assert values(ds.cache(tmp_path / "a")) == expected
        else:
            with pytest.raises(CacheError, match=r"^cache\(\): .*a (is of another|has changed|was)|has changed since"):
                iter(ds.cache(tmp_path / "a"))


def test_the_refusal_shows_both_pipelines_and_what_to_do(tmp_path: Path) -> None:
    values(Dataset.range(5).shuffle(3, seed=1).cache(tmp_path / "a"))
    with pytest.raises(CacheError) as refused:
        iter(Dataset.range(5).take(2).cache(tmp_path / "a"))
    told = str(refused.value)
    assert "The file's:\n" in told
    assert "shuffle(3" in told.partition("This one:")[0]
    assert "take(2)" in told.partition("This one:")[2]
    assert "Delete the file" in told


def test_a_value_that_a_function_reads_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert values(Dataset.range(3).map(scaled).cache(tmp_path / "a")) == [0, 3, 6]
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 4)
    with pytest.raises(CacheError, match=r"^cache\(\): 1: map\(scaled\) has changed since"):
        iter(Dataset.range(3).map(scaled).cache(tmp_path / "a"))
    (tmp_path / "a").unlink()
    assert values(Dataset.range(3).map(scaled).cache(tmp_path / "a")) == [0, 4, 8]


def test_a_seed_that_was_drawn_is_no_difference(tmp_path: Path) -> None:
    first = values(Dataset.range(50).shuffle(50).cache(tmp_path / "a"))
    ds = Dataset.range(50).shuffle(50).cache(tmp_path / "a")
    elements = iter(ds)
    assert [int(next(elements)) for _ in range(20)] == first[:20]
    resumed = iter(Dataset.range(50).shuffle(50).cache(tmp_path / "a"))
    resumed.load_state_dict(elements.state_dict())
    assert values(resumed) == first[20:]


def test_the_line_that_made_a_source_is_no_difference(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("a\nb\n")
    first = Dataset.from_text(tmp_path / "lines.txt").cache(tmp_path / "elements")
    assert values(first) == ["a", "b"]
    later = Dataset.from_text(tmp_path / "lines.txt").cache(tmp_path / "elements")
    assert values(later) == ["a", "b"]


def test_a_deleted_file_is_written_anew(tmp_path: Path) -> None:
    seen = Counting()
    ds = Dataset.range(3).map(seen).cache(tmp_path / "a")
    values(ds)
    (tmp_path / "a").unlink()
    assert values(ds) == [0, 1, 2]
    assert len(seen.seen) == 6
    assert left_in(tmp_path) == ["a"]


@pytest.mark.parametrize("kept", [0, 9, 600, -1])
def test_a_file_that_is_cut_off_is_refused_with_its_path(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "a"
    values(Dataset.range(100).cache(path))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataLossError, match=r"a is cut off or no cache of penstock .*; delete it"):
        iter(Dataset.range(100).cache(path))
    assert "cache" in repr(Dataset.range(100).cache(path))


def test_a_byte_that_has_changed_is_found_in_reading(tmp_path: Path) -> None:
    path = tmp_path / "a"
    values(Dataset.range(100).map(lambda n: n + 2**40).cache(path), 200)
    raw = path.read_bytes()
    at = raw.index((2**40 + 50).to_bytes(8, "little"))
    path.write_bytes(raw[:at] + b"\x07" + raw[at + 1 :])
    with pytest.raises(DataLossError, match=r"a is corrupt: elements 0 to 99 have another checksum; delete it"):
        next(iter(Dataset.range(100).map(lambda n: n + 2**40).cache(path)))


def test_a_state_of_the_pass_that_writes_goes_on_in_writing(tmp_path: Path) -> None:
    def build() -> Dataset[Any]:
        return Dataset.range(30).shuffle(30).cache(tmp_path / "a")

    elements = iter(build())
    first = [int(next(elements)) for _ in range(11)]
    state = elements.state_dict()
    rest = [int(n) for n in islice(elements, 19)]
    assert left_in(tmp_path) == ["a"]
    # The file is there by now: it is read on. Then it is not: the elements are computed again, and written.
    for _ in range(2):
        resumed = iter(build())
        resumed.load_state_dict(state)
        assert values(resumed) == rest
        assert left_in(tmp_path) == ["a"]
        assert values(build()) == first + rest
        (tmp_path / "a").unlink()


def test_a_state_of_a_pass_over_the_file_fills_it_where_it_is_gone(tmp_path: Path) -> None:
    def build() -> Dataset[Any]:
        return Dataset.range(40).filter(lambda n: n % 2 == 0).cache(tmp_path / "a").shuffle(20, seed=1)

    values(build())
    elements = iter(build())
    for _ in range(7):
        next(elements)
    (tmp_path / "a").unlink()
    resumed = iter(build())
    resumed.load_state_dict(elements.state_dict())
    assert values(resumed) == values(elements)
    assert left_in(tmp_path) == ["a"]


def test_a_state_of_a_pass_in_another_order_than_the_files(tmp_path: Path) -> None:
    elements = iter(Dataset.range(40).shuffle(40).cache(tmp_path / "a"))
    for _ in range(7):
        next(elements)
    state = elements.state_dict()
    rest = values(elements)
    (tmp_path / "a").unlink()
    other = Dataset.range(40).shuffle(40).cache(tmp_path / "a")
    assert values(other)[7:] != rest
    resumed = iter(other)
    resumed.load_state_dict(state)
    assert values(resumed) == rest


@pytest.mark.skipif(sys.platform == "win32", reason="the limit of a file's size is POSIX's")
def test_a_full_disk_warns_and_the_elements_are_handed_on(tmp_path: Path) -> None:
    import resource

    row = np.zeros(1 << 16)
    ds = Dataset.range(64).map(lambda n: row + n).cache(tmp_path / "a")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.warns(UserWarning, match=r"^cache\(\): .*a could not be written: File too large; the elements are"):
            found = [float(element[0]) for element in ds]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert found == list(range(64))
    assert left_in(tmp_path) == []
    assert "could not be written" in str(ds.explain())
    assert len(list(ds)) == 64


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        next(iter(Dataset.range(3).cache(tmp_path / "file" / "a")))


def test_an_empty_dataset(tmp_path: Path) -> None:
    ds = Dataset.range(5).filter(lambda n: n > 9).cache(tmp_path / "a")
    assert values(ds) == values(ds) == []
    assert len(ds) == 0
    assert left_in(tmp_path) == ["a"]


def test_an_endless_dataset_is_refused_at_the_call(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^cache\(\): an endless dataset cannot be written to a file; take\(n\)"):
        Dataset.counter().cache(tmp_path / "a")


def test_it_travels_by_its_path(tmp_path: Path) -> None:
    ds = Dataset.range(6).map(half).cache(tmp_path / "a")
    values(ds.take(6))
    assert left_in(tmp_path) == ["a"]
    assert values(Dataset(pickle.loads(pickle.dumps(ds._node)))) == [0, 0.5, 1, 1.5, 2, 2.5]


def test_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from penstock.transforms.cache import disk

    values(Dataset.range(3).cache(tmp_path / "a"))
    monkeypatch.setattr(disk, "_FORMAT", 99)
    with pytest.raises(CacheError, match="was written by another release of penstock; delete the file"):
        iter(Dataset.range(3).cache(tmp_path / "a"))
    monkeypatch.setattr(disk, "_FORMAT", 1)
    monkeypatch.setattr(disk, "PYTHON", "3.99")
    assert values(Dataset.range(3).cache(tmp_path / "a")) == [0, 1, 2]
    assert os.path.exists(tmp_path / "a")
