"""Large rows of parallel calls, written into their batch by the workers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock import Dataset, building
from penstock.block import Block, block_from_components, concatenate
from penstock.columns import Part
from penstock.engine import landing as landing_module
from penstock.engine.landing import Landing
from penstock.group import group
from penstock.memory import Allocator
from penstock.testing import THREADS, chains_of, laws_with
from penstock.tree import flatten
from tests.laws.sources import SOURCES
from tests.transforms.test_batch import CASE as BATCH
from tests.transforms.test_map import CASE as MAP
from tests.transforms.test_random_map import CASE as RANDOM_MAP
from tests.transforms.test_unbatch import CASE as UNBATCH

LARGE = (64, 128)
"""Shape of a row that is large enough to be written into its batch: 32 KiB of float32."""

CHAINS = chains_of(SOURCES, [MAP, RANDOM_MAP, BATCH, BATCH, UNBATCH])


def picture(number: Any) -> Any:
    return np.full(LARGE, number, np.float32), number


def same(found: Any, expected: Any) -> bool:
    ours, theirs = flatten(found)[0], flatten(expected)[0]
    return all(one.dtype == other.dtype and np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def of_pictures(*numbers: int) -> Block:
    rows = [np.full(LARGE, number, np.float32) for number in numbers]
    return block_from_components(flatten((0, 0))[1], [rows, list(numbers)], len(numbers))


def landing(batch_rows: int) -> Landing:
    return Landing(batch_rows, Allocator().allocate)


class TestLanding:
    def test_rows_of_several_runs_become_one_batch_without_a_copy(self) -> None:
        there = landing(4)
        later, first = there.land(of_pictures(2, 3), 2), there.land(of_pictures(0, 1), 0)
        joined = concatenate([first, later])
        column = joined.columns[0]
        assert type(column) is Part
        assert column.array.base is column.whole
        assert joined.fresh
        assert column.array[:, 0, 0].tolist() == [0, 1, 2, 3]
        batch = next(group(joined, 4, "batch", 0, None).elements(writable=True))
        assert np.shares_memory(batch[0], column.whole)
        assert batch[1].tolist() == [0, 1, 2, 3]

    def test_rows_of_two_batches_are_joined_by_a_copy(self) -> None:
        there = landing(2)
        joined = concatenate([there.land(of_pictures(0, 1), 0), there.land(of_pictures(2), 2)])
        assert type(joined.columns[0]) is not Part
        assert joined.columns[0].array[:, 0, 0].tolist() == [0, 1, 2]

    def test_whole_batches_in_one_run_have_memory_of_their_own(self) -> None:
        (column, _) = landing(2).land(of_pictures(4, 5, 6, 7), 4).columns
        assert type(column) is Part
        assert len(column.whole) == 4

    def test_rows_of_another_shape_stay_as_they_are(self) -> None:
        there = landing(3)
        first = there.land(of_pictures(0), 0)
        small = block_from_components(first.treedef, [[np.ones((200, 40), np.float32)], [1]], 1)
        assert there.land(small, 1) is small
        assert first.columns[0].array[0, 0, 0] == 0

    def test_errors_and_small_rows_stay_as_they_are(self) -> None:
        there = landing(3)
        broken = of_pictures(0, 1)
        broken.errors[1] = ValueError("broken")
        assert there.land(broken, 0) is broken
        tiny = block_from_components(flatten(0)[1], [[np.ones(3), np.ones(3)]], 2)
        assert there.land(tiny, 0) is tiny

    @pytest.mark.parametrize(
        ("first", "rows", "expected"),
        [(0, 4, 4), (0, 16, 10), (0, 64, 60), (4, 64, 6), (9, 2, 1), (8, 1, 1), (10, 32, 30)],
    )
    def test_runs_have_whole_batches_or_a_part_of_one(self, first: int, rows: int, expected: int) -> None:
        there = landing(10)
        assert there.rows(first + 10, rows) == rows, "before it is known that rows are large"
        there.land(of_pictures(0), 0)
        assert there.rows(first, rows) == expected

    def test_a_batch_goes_with_its_last_row(self) -> None:
        there = landing(4)
        first = there.land(of_pictures(0), 0)
        before = first.columns[0].whole
        del first
        again = there.land(of_pictures(1), 1).columns[0]
        assert again.whole is before
        del before, again
        assert not there._batches


@settings(suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_chains_keep_the_laws_when_all_rows_are_written_into_their_batch(data: st.DataObject) -> None:
    chain = data.draw(CHAINS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(landing_module, "_LARGE_ROW_BYTES", 8)
        for law in laws_with(THREADS):
            law(chain, lambda low, high: data.draw(st.integers(low, high)))


@pytest.mark.parametrize("executor", ["thread", "process"])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_batches_are_those_of_one_call_after_another(executor: Any, batch_size: int) -> None:
    expected = list(Dataset.range(40).map(picture).batch(batch_size))
    ds = Dataset.range(40).map(picture, num_parallel_calls=3, executor=executor).batch(batch_size)
    found = list(ds)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert same(ours, theirs)
        ours[0][...] = -1  # the user's own: no other batch changes
    elements = iter(ds)
    for _ in range(len(expected) // 2):
        next(elements)
    resumed = iter(ds)
    resumed.load_state_dict(elements.state_dict())
    for ours, theirs in zip(resumed, expected[len(expected) // 2 :], strict=True):
        assert same(ours, theirs)


def test_the_reader_copies_no_large_row(monkeypatch: pytest.MonkeyPatch) -> None:
    joined = building._joined

    def small_only(arrays: Any, allocate: Any) -> Any:
        assert arrays[0].ndim == 1, "large rows were copied by the reader"
        return joined(arrays, allocate)

    monkeypatch.setattr(building, "_joined", small_only)
    pairs = Dataset.range(400).map(picture, num_parallel_calls=2, executor="thread").batch(2)  # several at a time
    assert [batch[1].tolist() for batch in pairs] == np.arange(400).reshape(-1, 2).tolist()
    ds = Dataset.range(64).map(picture, num_parallel_calls=2, executor="thread").batch(16)
    assert [batch[1].tolist() for batch in ds] == np.arange(64).reshape(-1, 16).tolist()
    shuffled = Dataset.range(64).map(picture, num_parallel_calls=2, executor="thread").shuffle(64, seed=1).batch(16)
    assert sorted(np.concatenate([batch[1] for batch in shuffled]).tolist()) == list(range(64))


def test_a_batch_with_an_error_is_that_error_and_the_others_are_whole() -> None:
    def fails_at_five(number: Any) -> Any:
        if number == 5:
            raise ValueError("five")
        return picture(number)

    elements = iter(Dataset.range(12).map(fails_at_five, num_parallel_calls=3, executor="thread").batch(4))
    assert same(next(elements), (np.stack([np.full(LARGE, n, np.float32) for n in range(4)]), np.arange(4)))
    with pytest.raises(ValueError, match="five"):
        next(elements)
    assert same(next(elements), (np.stack([np.full(LARGE, n, np.float32) for n in range(8, 12)]), np.arange(8, 12)))
