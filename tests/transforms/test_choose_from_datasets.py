"""`choose_from_datasets` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from penstock.testing import Case, Failure, Stream, laws_for
from tests.corners import Counting, Yielding, failing_at, outcomes, values
from tests.laws.sources import SOURCES


def reference(
    left: Stream, right: Stream, choices: list[int], endless: bool, streamed: bool, skipped: int, stop: bool
) -> Iterator[Any]:
    parts = [iter(left), islice(right, skipped, None)]
    is_open = [True, True]
    for choice in cycle(choices) if endless else choices:
        if not any(is_open):
            return
        if choice > 1:
            yield Failure(IndexError)
            continue
        try:
            if is_open[choice]:
                yield next(parts[choice])
        except StopIteration:
            is_open[choice] = False
            if stop:
                return


def build(
    left: Any, right: Any, choices: list[int], endless: bool, streamed: bool, skipped: int, stop: bool
) -> Dataset[Any]:
    chosen = Dataset.from_list(choices)
    chosen = chosen.filter(lambda n: True) if streamed else chosen
    return Dataset.choose_from_datasets([left, right.skip(skipped)], chosen.repeat() if endless else chosen, stop)


def cardinality(
    left: int, right: int, choices: list[int], endless: bool, streamed: bool, skipped: int, stop: bool
) -> int:
    if left != INFINITE_CARDINALITY or streamed:
        return INFINITE_CARDINALITY if endless and left == INFINITE_CARDINALITY else UNKNOWN_CARDINALITY
    return INFINITE_CARDINALITY if endless else len(choices)


CASE = Case(
    "choose_from_datasets",
    build,
    reference,
    lambda sample: st.fixed_dictionaries(
        {
            # Both datasets are chosen, lest an endless search begin for the one that is left.
            "choices": st.permutations([0, 1]).flatmap(
                lambda both: st.lists(st.integers(0, 2), max_size=20).map(lambda more: [*both, *more])
            ),
            "endless": st.booleans(),
            "streamed": st.booleans(),
            "skipped": st.integers(0, 6),
            "stop": st.booleans(),
        }
    ),
    cardinality,
    inputs=2,
    may_drop=True,
    reads_itself=True,
)

test_laws = laws_for(CASE, SOURCES)

ENDLESS = [Dataset.counter(100 * n) for n in range(3)]


def test_the_choices_tell_the_order() -> None:
    letters = [Dataset.from_list(["a", "b"]), Dataset.from_list(["x", "y"])]
    assert values(Dataset.choose_from_datasets(letters, Dataset.from_list([0, 1, 1, 0]))) == ["a", "x", "y", "b"]


def test_a_dataset_without_an_element_left_ends_it_or_is_passed_over() -> None:
    numbers = [Dataset.from_list([1]), Dataset.from_list([2, 3, 4])]
    choices = Dataset.from_list([0, 1, 0, 1, 0, 1, 1])
    assert values(Dataset.choose_from_datasets(numbers, choices)) == [1, 2]
    assert values(Dataset.choose_from_datasets(numbers, choices, False)) == [1, 2, 3, 4]
    assert values(Dataset.choose_from_datasets(numbers, Dataset.range(2).repeat(), False)) == [1, 2, 3, 4]


def test_elements_of_endless_datasets_are_had_by_index() -> None:
    choices = Dataset.from_list([2, 0, 0, 1, 2]).repeat()
    ds = Dataset.choose_from_datasets(ENDLESS, choices)
    expected = [200, 0, 1, 100, 201, 202, 2, 3, 101, 203]
    assert values(ds.take(10)) == expected
    assert [int(ds[at]) for at in (9, 0, 4)] == [203, 200, 201]
    assert values(ds.take(10).shuffle(10, seed=1).batch(10).map(lambda batch: np.sort(batch))) == [sorted(expected)]


def test_errors_stand_in_their_places() -> None:
    choices = Dataset.from_list([0, 7, 1, -1, 0])
    for choice in (choices, choices.filter(lambda n: True)):
        assert outcomes(Dataset.choose_from_datasets(ENDLESS, choice)) == [0, IndexError, 100, IndexError, 1]
    failing = Dataset.range(3).map(failing_at(1))
    assert outcomes(Dataset.choose_from_datasets(ENDLESS, failing.map(lambda n: n // 20))) == [0, KeyError, 100]
    with pytest.raises(IndexError, match=r"^choose_from_datasets\(\): choice 1 is 7, which is out of range"):
        list(Dataset.choose_from_datasets(ENDLESS, choices))


def test_errors_far_behind_are_had_by_index() -> None:
    ds = Dataset.choose_from_datasets(ENDLESS, Dataset.from_list([0, 7, 1]).repeat())
    assert outcomes(ds.skip(8997).take(6)) == [2999, IndexError, 3099, 3000, IndexError, 3100]
    with pytest.raises(IndexError, match="choice 9001 is 7"):
        ds[9001]


def test_no_more_is_read_than_it_takes() -> None:
    seen = Counting()
    sources = [Yielding(1, 2, 3), Yielding(5)]
    parts = [Dataset.from_generator(source).map(seen) for source in sources]
    ds = Dataset.choose_from_datasets(parts, Dataset.from_list([0, 1, 1, 0, 0])).batch(9)
    assert values(ds) == [[1, 5]]
    assert seen.seen == [1, 5]


def test_arguments_are_checked_at_the_call() -> None:
    with pytest.raises(ValueError, match=r"^choose_from_datasets\(\): datasets is empty"):
        Dataset.choose_from_datasets([], Dataset.range(2))
    with pytest.raises(TypeError, match=r"^choose_from_datasets\(\): choice_dataset must give scalar whole numbers"):
        Dataset.choose_from_datasets(ENDLESS, Dataset.from_list([0.5]))
    with pytest.raises(TypeError, match=r"^choose_from_datasets\(\): choice_dataset must be a Dataset"):
        Dataset.choose_from_datasets(ENDLESS, [0, 1])
    with pytest.raises(TypeError, match=r"^choose_from_datasets\(\): components are .*map\(\) them to one dtype"):
        Dataset.choose_from_datasets([Dataset.range(2), Dataset.from_list([0.5])], Dataset.range(2))
    with pytest.raises(TypeError, match=r"^choose_from_datasets\(\): datasets must be a list of datasets"):
        Dataset.choose_from_datasets(Dataset.range(2), Dataset.range(2))
