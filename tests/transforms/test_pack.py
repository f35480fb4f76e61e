"""`pack` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import AUTOTUNE, INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset, TensorSpec, tree
from penstock.errors import SpecError
from penstock.testing import Case, Failure, Stream, laws_for
from tests.corners import Counting, outcomes, plain, values
from tests.laws.sources import SOURCES

Sequence = list[Any]
"""The tokens of each component, as lists."""


def reference(elements: Stream, length: int, strategy: str, drop_remainder: bool, **arguments: Any) -> Iterator[Any]:
    packer = {"split": Split, "first_fit": FirstFit, "best_fit": BestFit}[strategy](length, arguments["open_rows"])
    longest = length if strategy != "split" and arguments["too_long"] == "error" else None
    first: Any = None
    treedef: Any = None
    for element in elements:
        leaves, found = tree.flatten(element) if not isinstance(element, Failure) else ([], None)
        treedef = treedef or found
        if isinstance(element, Failure):
            yield element
        elif not are_tokens(leaves, first) or (longest is not None and with_ends(leaves[0], **arguments)[1] > longest):
            first = first or (form(leaves) if are_tokens(leaves, None) else None)
            yield Failure(SpecError)
        else:
            first = form(leaves)
            sequence, _ = zip(*(with_ends(leaf, **arguments) for leaf in leaves), strict=True)
            for piece in pieces(sequence, length, strategy, arguments["too_long"]):
                for row in packer.put(piece):
                    yield made(row, length, first, treedef)
    rest = packer.rest()
    if drop_remainder and rest and size(rest[-1]) < length:
        rest.pop()
    for row in rest:
        yield made(row, length, first, treedef)


def form(leaves: list[Any]) -> list[Any]:
    return [(leaf.dtype, leaf.shape[1:]) for leaf in leaves]


def are_tokens(leaves: list[Any], first: list[Any] | None) -> bool:
    if not leaves or not all(
        isinstance(leaf, np.ndarray) and leaf.ndim and leaf.dtype.kind in "biufc" for leaf in leaves
    ):
        return False
    return len({len(leaf) for leaf in leaves}) == 1 and (first is None or form(leaves) == first)


def with_ends(leaf: Any, bos: Any, eos: Any, **_: Any) -> tuple[list[Any], int]:
    ends = [[np.full(leaf.shape[1:], end, leaf.dtype)] if end is not None else [] for end in (bos, eos)]
    tokens = [*ends[0], *leaf, *ends[1]]
    return tokens, len(tokens)


def pieces(sequence: Any, length: int, strategy: str, too_long: str) -> list[Any]:
    count = len(sequence[0])
    if strategy == "split" or count <= length:
        return [sequence] if count else []
    cuts = range(0, count if too_long == "split" else 1, length)
    return [[tokens[at : at + length] for tokens in sequence] for at in cuts]


def size(row: list[Any]) -> int:
    return sum(len(sequence[0]) for sequence in row)


def made(row: list[Any], length: int, first: list[Any], treedef: Any) -> Any:
    ids = [number for number, sequence in enumerate(row, 1) for _ in sequence[0]]
    positions = [at for sequence in row for at in range(len(sequence[0]))]
    tokens = []
    for at, (dtype, item) in enumerate(first):
        own = np.zeros((length, *item), dtype)
        for place, token in enumerate([token for sequence in row for token in sequence[at]]):
            own[place] = token
        tokens.append(own)
    padding = [0] * (length - len(ids))
    return {
        "tokens": tree.unflatten(treedef, tokens),
        "segment_ids": np.array(ids + padding, np.int32),
        "positions": np.array(positions + padding, np.int32),
    }


class Split:
    def __init__(self, length: int, open_rows: int) -> None:
        self.length = length
        self.row: list[Any] = []

    def put(self, sequence: Any) -> Iterator[list[Any]]:
        while sequence[0]:
            room = self.length - size(self.row)
            self.row.append([tokens[:room] for tokens in sequence])
            sequence = [tokens[room:] for tokens in sequence]
            if size(self.row) == self.length:
                yield self.row
                self.row = []

    def rest(self) -> list[Any]:
        return [self.row] if self.row else []


class FirstFit:
    def __init__(self, length: int, open_rows: int) -> None:
        self.length = length
        self.open_rows = open_rows
        self.rows: list[Any] = []

    def put(self, sequence: Any) -> Iterator[list[Any]]:
        if len(sequence[0]) == self.length:
            yield [sequence]
            return
        row = next((row for row in self.rows if size(row) + len(sequence[0]) <= self.length), None)
        if row is None:
            if len(self.rows) == self.open_rows:
                yield self.rows.pop(0)
            row = []
            self.rows.append(row)
        row.append(sequence)
        if size(row) == self.length:
            self.rows.remove(row)
            yield row

    def rest(self) -> list[Any]:
        return self.rows


class BestFit:
    def __init__(self, length: int, open_rows: int) -> None:
        self.length = length
        self.open_rows = open_rows
        self.waiting: list[Any] = []

    def put(self, sequence: Any) -> Iterator[list[Any]]:
        if len(sequence[0]) == self.length:
            yield [sequence]
            return
        self.waiting.append(sequence)
        while size(self.waiting) >= self.open_rows * self.length:
            yield self.fill()

    def fill(self) -> list[Any]:
        chosen: list[int] = []
        while True:
            free = self.length - sum(len(self.waiting[at][0]) for at in chosen)
            left = [at for at in range(len(self.waiting)) if at not in chosen]
            further = self.next(left, free)
            if not further:
                break
            chosen += further
        row = [self.waiting[at] for at in sorted(chosen)]
        self.waiting = [sequence for at, sequence in enumerate(self.waiting) if at not in chosen]
        return row

    def next(self, left: list[int], free: int) -> list[int]:
        lengths = {at: len(self.waiting[at][0]) for at in left}
        if left and lengths[left[0]] <= free and 4 * free > 3 * self.length:
            return [left[0]]
        fitting = [at for at in left if lengths[at] <= free]
        longest = max(fitting, key=lambda at: (lengths[at], -at), default=None)
        if longest is None or lengths[longest] == free:
            return [] if longest is None else [longest]
        by_length = sorted(left, key=lambda at: (-lengths[at], at))
        for longer in by_length:
            for shorter in left:
                if shorter != longer and lengths[longer] + lengths[shorter] == free:
                    return [longer, shorter]
        return [longest]

    def rest(self) -> list[Any]:
        rows = []
        while self.waiting:
            rows.append(self.fill())
        return rows


def arguments(sample: list[Any]) -> Any:
    """The call refuses elements that are known to be no arrays of numbers."""
    good = [tree.flatten(item)[0] for item in sample if not isinstance(item, Failure)]
    if not good or not all(are_tokens(leaves, None) for leaves in good):
        return None
    return st.one_of(
        st.fixed_dictionaries({"strategy": st.just("split"), "too_long": st.just("error"), **OTHER_ARGUMENTS}),
        st.fixed_dictionaries(
            {
                "strategy": st.sampled_from(["first_fit", "best_fit"]),
                "too_long": st.sampled_from(["error", "truncate", "split"]),
                **OTHER_ARGUMENTS,
            }
        ),
    )


OTHER_ARGUMENTS = {
    "length": st.integers(1, 7),
    "open_rows": st.integers(1, 4),
    "bos": st.sampled_from([None, None, 1]),
    "eos": st.sampled_from([None, None, 0]),
    "drop_remainder": st.booleans(),
}

CASE = Case(
    "pack",
    Dataset.pack,
    reference,
    arguments,
    cardinality=lambda size, **_: INFINITE_CARDINALITY if size == INFINITE_CARDINALITY else UNKNOWN_CARDINALITY,
    may_drop=True,
)

MADE: list[Callable[[int], list[Any]]] = [
    lambda n: [np.arange(k * k % 7) + 10 * k for k in range(n)],
    lambda n: [np.arange(3, dtype=np.int32) + 10 * k for k in range(n)],
    lambda n: [{"ids": np.arange(k % 5), "labels": np.arange(k % 5, dtype=np.int8)} for k in range(n)],
    lambda n: [(np.ones((k % 3, 2), np.float32), np.arange(k % 3 + (k == 4))) for k in range(n)],
    lambda n: [np.arange(k % 4, dtype=np.int64 if k % 5 else np.int32) for k in range(n)],
    lambda n: [np.arange(k % 4) if k % 3 else np.zeros((k % 4, 2), np.int64) for k in range(1, n)],
]


def build(cls: Any, make: Callable[[int], list[Any]], rows: int, is_stream: bool) -> Any:
    elements = make(rows)
    # The last two mix dtypes and ranks, which a list refuses.
    return cls.from_generator(lambda: iter(elements)) if is_stream or make in MADE[-2:] else cls.from_list(elements)


SEQUENCES = Case(
    "sequences",
    build,
    lambda elements, make, rows, is_stream: make(rows),
    lambda sample: st.fixed_dictionaries(
        {"make": st.sampled_from(MADE), "rows": st.integers(2, 24), "is_stream": st.booleans()}
    ),
    cardinality=lambda size, make, rows, is_stream: None,
    inputs=0,
)

test_laws = laws_for(CASE, [SEQUENCES, SEQUENCES, SEQUENCES, SOURCES[2], SOURCES[4], SOURCES[5]])


def rows_of(*sequences: list[int]) -> Dataset[Any]:
    return Dataset.from_list([np.array(sequence, np.int64) for sequence in sequences])


def tokens(dataset: Dataset[Any]) -> list[Any]:
    return [plain(row["tokens"]) for row in dataset]


def test_split_lays_sequences_one_after_another() -> None:
    found = values(rows_of([1, 2, 3], [4, 5, 6, 7], [8]).pack(5))
    assert found == [
        {"tokens": [1, 2, 3, 4, 5], "segment_ids": [1, 1, 1, 2, 2], "positions": [0, 1, 2, 0, 1]},
        {"tokens": [6, 7, 8, 0, 0], "segment_ids": [1, 1, 2, 0, 0], "positions": [0, 1, 0, 0, 0]},
    ]
    assert tokens(rows_of([1, 2, 3], [4, 5, 6, 7], [8]).pack(5, drop_remainder=True)) == [[1, 2, 3, 4, 5]]
    assert tokens(rows_of([1, 2], [3, 4]).pack(2, drop_remainder=True)) == [[1, 2], [3, 4]]


def test_first_fit_uses_the_oldest_row_with_room() -> None:
    ds = rows_of([1, 1, 1], [2, 2, 2], [3, 3], [4], [5, 5, 5])
    assert tokens(ds.pack(5, "first_fit", open_rows=2)) == [[1, 1, 1, 3, 3], [2, 2, 2, 4, 0], [5, 5, 5, 0, 0]]
    assert tokens(ds.pack(5, "first_fit", open_rows=1)) == [[1, 1, 1, 0, 0], [2, 2, 2, 3, 3], [4, 5, 5, 5, 0]]


def test_best_fit_fills_rows_to_the_last_token() -> None:
    ds = rows_of([1] * 5, [2] * 4, [3] * 6, [4] * 2, [5] * 3)
    assert tokens(ds.pack(10, "best_fit", open_rows=2)) == [[1] * 5 + [4] * 2 + [5] * 3, [2] * 4 + [3] * 6]


def test_bos_and_eos_are_part_of_each_sequence() -> None:
    ds = rows_of([5], [6, 7])
    assert tokens(ds.pack(4, bos=1, eos=2)) == [[1, 5, 2, 1], [6, 7, 2, 0]]
    assert tokens(ds.pack(4, "best_fit", bos=1, eos=2)) == [[1, 6, 7, 2], [1, 5, 2, 0]]


def test_what_becomes_of_a_sequence_that_is_too_long() -> None:
    ds = rows_of([1, 2, 3], [4])
    assert outcomes(ds.pack(2, "best_fit").map(lambda row: row["tokens"])) == [SpecError, [4, 0]]
    assert tokens(ds.pack(2, "first_fit", too_long="truncate")) == [[1, 2], [4, 0]]
    assert tokens(ds.pack(2, "first_fit", too_long="split")) == [[1, 2], [3, 4]]
    with pytest.raises(SpecError, match=r"^pack\(\): element 0 has 3 tokens, but a row has 2; give too_long="):
        list(ds.pack(2, "best_fit"))


def test_components_are_packed_alike_and_padded_each_with_its_own() -> None:
    pairs = Dataset.from_list(
        [(np.array([1, 2], np.int32), np.array([3, 4])), (np.array([5], np.int32), np.array([6]))]
    )
    ds = pairs.pack(4, eos=(9, -1), padding_values=(0, -100), strategy="first_fit", open_rows=1)
    assert tokens(ds) == [([1, 2, 9, 0], [3, 4, -1, -100]), ([5, 9, 0, 0], [6, -1, -100, -100])]
    spec: Any = ds.element_spec
    assert spec["tokens"] == (TensorSpec((4,), np.int32), TensorSpec((4,), np.int64))
    assert spec["segment_ids"] == spec["positions"] == TensorSpec((4,), np.int32)


@pytest.mark.parametrize("strategy", ["split", "first_fit", "best_fit"])
def test_rows_are_the_readers_own(strategy: Any) -> None:
    kept = []
    for row in rows_of(*[[k] * 3 for k in range(1, 40)]).pack(4, strategy, open_rows=2, bos=7):
        kept.append({name: array.copy() for name, array in row.items()})
        for array in row.values():
            array[...] = 99
    assert kept == [] or plain(kept[0])["tokens"] != [99] * 4
    assert sum(int((row["segment_ids"] > 0).sum()) for row in kept) == 39 * 4
    again = [plain(row) for row in rows_of(*[[k] * 3 for k in range(1, 40)]).pack(4, strategy, open_rows=2, bos=7)]
    assert [plain(row) for row in kept] == again


def test_wrong_calls() -> None:
    ds = rows_of([1], [2, 3])
    for wrong, message in [
        ({"strategy": "worst_fit"}, "strategy must be one of 'split', 'first_fit', 'best_fit', but is 'worst_fit'"),
        ({"strategy": "best_fit", "open_rows": 0}, "open_rows must be at least 1"),
        ({"too_long": "split"}, "too_long='split' is for 'first_fit' and 'best_fit'"),
    ]:
        with pytest.raises(ValueError, match=message):
            ds.pack(2, **wrong)
    with pytest.raises(ValueError, match="length must be at least 1, but is 0"):
        ds.pack(0)
    with pytest.raises(ValueError, match=r"eos \{'a': 1\} is not of the elements' structure \(\*, \*\); give one"):
        Dataset.from_list([(np.zeros(1), np.zeros(1))]).pack(2, eos={"a": 1})
    with pytest.raises(TypeError, match=r"eos 0\.5 is no token of dtype int64"):
        ds.pack(2, eos=0.5)
    with pytest.raises(TypeError, match="padding_values -1 is no token of dtype uint8"):
        Dataset.from_list([np.zeros(1, np.uint8)]).pack(2, padding_values=-1)
    with pytest.raises(SpecError, match=r"pack\(\): elements are TensorSpec\(\(\), int64\); map\(\) them to arrays"):
        Dataset.range(3).pack(2)


def test_errors_of_elements_that_are_no_tokens() -> None:
    mixed: list[Any] = [np.arange(2), "text", np.int64(1), np.arange(2, dtype=np.int32), np.arange(3)]
    ds = Dataset.range(5).map(lambda n: mixed[n], vectorize=False, purity="stateful").pack(5)
    assert outcomes(ds.map(lambda row: row["tokens"])) == [SpecError, SpecError, SpecError, [0, 1, 0, 1, 2]]


def test_nothing_is_read_before_it_is_needed() -> None:
    seen = Counting()
    with iter(rows_of([1], [2], [3], [4], [5]).map(seen).pack(2)) as rows:
        next(rows)
    assert seen.seen == [[1], [2]]


def test_after_parallel_maps() -> None:
    ds = Dataset.range(60).map(lambda n: np.arange(n % 9), num_parallel_calls=AUTOTUNE)
    assert tokens(ds.pack(16, "best_fit", open_rows=4)) == tokens(
        Dataset.range(60).map(lambda n: np.arange(n % 9)).pack(16, "best_fit", open_rows=4)
    )


@given(
    st.integers(0, 2**32), st.sampled_from(["first_fit", "best_fit", "split"]), st.integers(3, 15), st.integers(1, 5)
)
def test_many_sequences(seed: int, strategy: Any, length: int, open_rows: int) -> None:
    lengths = np.random.default_rng(seed).integers(0, length, 150).tolist()
    bounds = np.cumsum([0, *lengths])
    sequences = [np.arange(start, stop) for start, stop in zip(bounds[:-1], bounds[1:], strict=True)]
    asked = {"length": length, "strategy": strategy, "open_rows": open_rows, "too_long": "error"}
    rows = values(Dataset.from_list([np.arange(0), *sequences]).pack(**asked))
    stream = Stream(lambda epoch, number: iter(sequences))
    assert rows == [plain(row) for row in reference(stream, bos=None, eos=None, drop_remainder=False, **asked)]
    own = [token for row in rows for token, number in zip(row["tokens"], row["segment_ids"], strict=True) if number]
    assert sorted(own) == list(range(bounds[-1]))


@pytest.mark.parametrize("length", [512, 2048])
@pytest.mark.parametrize("sigma", [0.4, 0.6, 1.0])
def test_best_fit_fills_rows_of_real_lengths(length: int, sigma: float) -> None:
    drawn = np.random.default_rng(1).lognormal(np.log(200) - sigma**2 / 2, sigma, 6000)
    sequences = [np.ones(min(length, int(size) + 1), np.int8) for size in drawn]
    rows = list(Dataset.from_list(sequences).pack(length, "best_fit", drop_remainder=True))
    # Without those of the end, when there are fewer and fewer to choose from.
    rows = rows[: -64 if len(rows) > 128 else None]
    share = np.mean([row["segment_ids"].astype(bool).mean() for row in rows])
    assert share >= 0.99
