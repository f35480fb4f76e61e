"""What every format gets from `penstock.reading`, on a format whose files are lists: rows known or not."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset, tree
from penstock.block import Block, Dense
from penstock.engine import report
from penstock.errors import DataLossError
from penstock.parallel import Parallel
from penstock.reader import Fragment, Position, Reader, Used
from penstock.reading import ReadFiles
from penstock.reading.pieces import held_bytes
from penstock.spec import Spec, TensorSpec
from penstock.testing import THREADS, Case, Failure, laws_for, laws_with, observe, reader_laws
from tests.corners import outcomes, plain, values

PAIR = tree.flatten((0, 0))[1]


@dataclass(frozen=True, slots=True)
class Lists(Reader):
    """Files that are lists of numbers, read `block_rows` at a time; those in `broken` break after so many rows."""

    files: tuple[tuple[int, ...], ...]
    known: bool = True
    block_rows: int = 2
    broken: dict[int, int] = field(default_factory=dict)
    opened: list[Any] = field(default_factory=list)
    closed: list[Any] = field(default_factory=list)
    made: list[int] = field(default_factory=list)
    asked: list[Used] = field(default_factory=list)

    @property
    def method(self) -> str:
        return "from_lists"

    @property
    def skips_unused(self) -> bool:
        return True

    def known_spec(self) -> Spec:
        return Spec(PAIR, (TensorSpec((), np.int64), TensorSpec((), np.int64)))

    def fragments(self) -> Sequence[Fragment]:
        return [Fragment("lists", at, len(rows) if self.known else None) for at, rows in enumerate(self.files)]

    def read(self, fragment: Fragment, used: Used, position: Position | None) -> Iterator[tuple[Position, Block]]:
        number = fragment.number
        self.opened.append((number, position, threading.current_thread().name))
        self.asked.append(used)
        try:
            rows, stop = np.array(self.files[number], np.int64), self.broken.get(number)
            for start in range(position or 0, len(rows) + 1, self.block_rows):
                part = rows[start : start + self.block_rows][: None if stop is None else max(0, stop - start)]
                columns = [
                    Dense(values if used is None or at in used else 0 * values)
                    for at, values in enumerate((part, -part))
                ]
                self.made.append(number)
                yield start, Block(PAIR, columns, len(part))
                if stop is not None and start + self.block_rows >= stop:
                    raise OSError(f"broken after {stop} rows")
        finally:
            self.closed.append((number, position, threading.current_thread().name))


def dataset(reader: Reader, cls: Any = Dataset, **changes: Any) -> Any:
    return cls(ReadFiles(reader, "test.py:1", **changes))


FILES = ((1, 2, 3), (), (4,), (5, 6, 7, 8, 9))


def build(cls: Any, files: list[list[int]], known: bool, block_rows: int, broken: dict[int, int]) -> Any:
    return dataset(Lists(tuple(map(tuple, files)), known, block_rows, broken), cls)


def reference(elements: Any, files: list[list[int]], known: bool, block_rows: int, broken: dict[int, int]) -> Any:
    for number, rows in enumerate(files):
        good = min(broken.get(number, len(rows)), len(rows))
        yield from ((np.int64(n), np.int64(-n)) for n in rows[:good])
        if number in broken:
            yield from [Failure(OSError)] * (len(rows) - good if known else 1)


CASE = Case(
    "from_lists",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            "files": st.lists(st.lists(st.integers(0, 99), max_size=5), max_size=4),
            "known": st.booleans(),
            "block_rows": st.integers(1, 3),
            "broken": st.dictionaries(st.integers(0, 3), st.integers(0, 4), max_size=2),
        }
    ).filter(
        lambda drawn: all(
            at >= len(drawn["files"]) or rows < len(drawn["files"][at]) for at, rows in drawn["broken"].items()
        )
    ),
    cardinality=lambda size, files, known, **_: sum(map(len, files)) if known or not files else UNKNOWN_CARDINALITY,
    inputs=0,
)

test_laws = laws_for(CASE)
test_laws_with_threads = laws_for(CASE, (), laws_with(THREADS), 4)


@pytest.mark.parametrize("known", [True, False])
def test_reader_keeps_the_laws(known: bool) -> None:
    reader = Lists(FILES, known)
    reader_laws.fragments_cover_rows(reader, [(np.int64(n), np.int64(-n)) for n in range(1, 10)])
    reader_laws.positions_lead_back(reader)
    reader_laws.unused_components_show_nowhere(reader, 2)


def test_known_rows_give_a_length_and_access_by_index() -> None:
    ds = dataset(Lists(FILES))
    assert len(ds) == 9
    assert [int(ds[at][0]) for at in (8, 0, 3, -1)] == [9, 1, 4, 9]
    in_order = values(Dataset.range(1, 10).shuffle(9, seed=1))
    assert [pair[0] for pair in values(ds.shuffle(9, seed=1))] == in_order
    assert [batch[0] for batch in values(ds.shuffle(9, seed=1).batch(9))] == [in_order]
    assert [pair[0] for pair in values(ds.skip(2).take(5).shard(2, 1))] == [4, 6]
    assert dataset(Lists(FILES, known=False)).cardinality() == UNKNOWN_CARDINALITY


def test_a_fragment_read_by_index_is_read_once() -> None:
    reader = Lists(FILES)
    values(dataset(reader).shuffle(9, seed=0).batch(4))
    assert sorted(number for number, _, _ in reader.opened) == [0, 2, 3]


@pytest.mark.parametrize("rows", [2, 4])
@pytest.mark.parametrize("by_index", [False, True])
def test_another_number_of_rows_than_was_said_is_data_loss(rows: int, by_index: bool) -> None:
    class Changed(Lists):
        def fragments(self) -> Sequence[Fragment]:
            return [Fragment("lists", 0, rows)]

    ds = dataset(Changed(((1, 2, 3),), block_rows=1))
    found = outcomes(ds.shard(1, 0) if by_index else ds)
    assert found == ([(1, -1), (2, -2)] if rows == 2 else [(1, -1), (2, -2), (3, -3), DataLossError])
    if rows == 4:
        with pytest.raises(DataLossError, match=r"from_lists\(\): lists had 4 rows in part 0 when .* has 3 now"):
            list(ds)


def test_a_state_is_small_and_resuming_reads_from_its_position() -> None:
    reader = Lists(FILES, known=False)
    elements = iter(dataset(reader))
    head = [next(elements) for _ in range(7)]
    state = elements.state_dict()
    assert state["at"] == {"fragment": 3, "position": 0, "taken": 3}
    reader.opened.clear()
    resumed = iter(dataset(reader))
    resumed.load_state_dict(state)
    assert [int(n) for n, _ in [*head, *resumed]] == list(range(1, 10))
    assert [(number, position) for number, position, _ in reader.opened] == [(3, 0)]
    again = resumed.state_dict()["at"]
    assert again == {"fragment": 3, "position": 4, "taken": 1}


@pytest.mark.parametrize("settings", [None, Parallel(2)])
def test_files_are_let_go_of_where_iteration_stops(settings: Parallel | None) -> None:
    reader = Lists(tuple((n, n, n) for n in range(50)), known=False, block_rows=1)
    elements = iter(dataset(reader, settings=settings))
    next(elements)
    assert reader.opened
    elements.close()
    assert sorted(reader.opened, key=repr) == sorted(reader.closed, key=repr)
    assert len(reader.opened) < 10


def test_threads_read_ahead_and_a_look_at_the_first_elements_starts_none() -> None:
    reader = Lists(FILES, known=False)
    ds = dataset(reader, settings=Parallel(2))
    assert [int(n) for n, _ in ds.head(2)] == [1, 2]
    assert {name for _, _, name in reader.opened} == {threading.current_thread().name}
    reader.opened.clear()
    assert [int(n) for n, _ in ds] == list(range(1, 10))
    assert {name for _, _, name in reader.opened} == {"penstock-read"}
    assert "in threads" in ds.explain()


def test_what_is_read_ahead_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.reading.ahead._MAX_AHEAD_BYTES", 1)
    reader = Lists(tuple(tuple(range(40)) for _ in range(20)), known=False, block_rows=1)
    ds = dataset(reader, settings=Parallel(3))
    elements = iter(ds)
    assert len([next(elements) for _ in range(45)]) == 45
    # One block of each of three fragments waits, beside what was handed over and the end of the first.
    assert len(reader.made) <= 45 + 3 + 1
    assert set(reader.made) <= {0, 1, 2, 3}
    assert len(list(elements)) == 20 * 40 - 45


def test_text_counts_by_what_it_holds() -> None:
    texts = np.array(["x" * 1000] * 100, object)
    assert 100_000 < held_bytes(Block(tree.LEAF, [Dense(texts, str)], 100)) < 120_000
    assert held_bytes(Block(tree.LEAF, [Dense(np.zeros(5))], 5)) == 40
    assert held_bytes(Block(tree.LEAF, [Dense(texts[:0], str)], 0)) == 0


def test_errors_say_method_line_and_path() -> None:
    elements = iter(dataset(Lists(FILES, False, 2, {0: 1})))
    next(elements)
    with pytest.raises(OSError, match="broken after 1 rows") as caught:
        next(elements)
    assert caught.value.__notes__ == ["in from_lists(), added at test.py:1, reading lists"]
    assert [int(n) for n, _ in elements] == list(range(4, 10))


def test_used_components_are_all_that_is_asked_for() -> None:
    assert values(dataset(Lists(FILES), used=frozenset({1})).take(2)) == [(0, -1), (0, -2)]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (None, "write num_parallel_reads=AUTOTUNE there if it reads several files, or cache() after it"),
        (Parallel(2), "write cache() after it"),
    ],
)
def test_a_report_names_the_argument_that_readers_have(settings: Parallel | None, told: str) -> None:
    node: Any = dataset(Lists(FILES), settings=settings)._node
    assert report._advice(node, node).startswith(told)


SCALE = 3


@pytest.mark.parametrize(
    ("function", "used"),
    [
        (lambda x, y: x * 2 + 1, {0}),
        (lambda x, y: (y, y), {1}),
        (lambda x, y: x + y, None),
        (lambda x, y: x * SCALE, None),  # a name may be bound to something else, and the function use something else
        (lambda x, y: x if x > 3 else -x, None),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_map_says_what_is_read_for_it(function: Any, used: set[int] | None, known: bool) -> None:
    reader = Lists(FILES, known)
    whole = dataset(reader)
    for ds in (whole, whole.skip(1).take(5), whole.shard(2, 1), whole.shuffle(9, 1, False)):
        reader.asked.clear()
        assert values(ds.map(function)) == [plain(function(x, y)) for x, y in values(ds)]
        assert reader.asked[0] == used
        is_told = f"reads {len(used or ())} of 2 components" in ds.map(function).explain()
        assert is_told == (used is not None)


def test_what_is_read_for_two_steps_is_what_either_uses() -> None:
    reader = Lists(FILES)
    ds = dataset(reader)
    assert values(Dataset.zip(ds.map(lambda x, y: x), ds.map(lambda x, y: y))) == values(ds)
    reader.asked.clear()
    assert values(ds.map(lambda x, y: (y, x)).map(lambda y, x: y)) == [-n for n in range(1, 10)]
    assert set(reader.asked) == {None}
    assert values(ds.filter(lambda x, y: x > 4).map(lambda x, y: y)) == [-5, -6, -7, -8, -9]


def test_threads_end_with_a_forgotten_iterator() -> None:
    reader = Lists(tuple((n,) for n in range(100)), known=False)
    elements = iter(dataset(reader, settings=Parallel(4)))
    observe(elements, 3)
    del elements
    assert not [thread for thread in threading.enumerate() if thread.name == "penstock-read"]
