"""`ignore_errors` keeps the laws; what it means in plain Python."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import UNKNOWN_CARDINALITY, Dataset
from penstock.errors import TooManyErrorsError
from penstock.testing import Case, Failure, Stream, laws_for
from tests.corners import failing_at, outcomes, values
from tests.laws.sources import SOURCES

FEWEST_FOR_SHARE = 100


def reference(elements: Stream, max_errors: int | float | None) -> Iterator[Any]:
    return left_out(elements, lambda at, element: isinstance(element, Failure), max_errors)


def left_out(elements: Any, is_own: Any, max_errors: int | float | None) -> Iterator[Any]:
    """The elements without those that `is_own` says have failed, until they are too many."""
    seen = failed = 0
    for seen, element in enumerate(elements, 1):
        if not is_own(seen - 1, element):
            yield element
            continue
        failed += 1
        if isinstance(max_errors, float):
            if seen >= FEWEST_FOR_SHARE and failed > max_errors * seen:
                yield Failure(TooManyErrorsError)
        elif max_errors is not None and failed > max_errors:
            yield Failure(TooManyErrorsError)
    if isinstance(max_errors, float) and seen < FEWEST_FOR_SHARE and failed > max_errors * seen:
        yield Failure(TooManyErrorsError)


BUDGETS = st.sampled_from([None, None, 1, 0.1])

CASE = Case(
    "ignore_errors",
    Dataset.ignore_errors,
    reference,
    lambda sample: st.fixed_dictionaries({"max_errors": BUDGETS}),
    cardinality=lambda size, max_errors: UNKNOWN_CARDINALITY,
    may_drop=True,
)

test_laws = laws_for(CASE, SOURCES)


def test_errors_of_all_steps_above_are_left_out() -> None:
    ds = Dataset.range(6).map(failing_at(1)).map(lambda n: 100 // int(n - 20)).ignore_errors()
    assert values(ds) == [-5, 10, 5, 3]


def test_a_whole_batch_is_left_out_where_one_element_of_it_fails() -> None:
    ds = Dataset.range(6).map(failing_at(1)).batch(2)
    assert values(ds.ignore_errors()) == [[20, 30], [40, 50]]
    assert values(Dataset.range(6).map(failing_at(1)).ignore_errors().batch(2)) == [[0, 20], [30, 40], [50]]


def test_warnings_are_logged_if_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "penstock"):
        list(Dataset.range(4).map(failing_at(2)).ignore_errors())
        assert not caplog.records
        list(Dataset.range(4).map(failing_at(2)).ignore_errors(log_warning=True))
    (record,) = caplog.records
    assert record.getMessage() == "ignore_errors: element 2 left out: KeyError('bad number', 2)"


def test_batches_that_remain_are_writable() -> None:
    first = next(iter(Dataset.range(4).batch(2).ignore_errors()))
    first += 1
    assert first.tolist() == [1, 2]


def test_nothing_but_errors_is_an_empty_dataset() -> None:
    assert values(Dataset.range(300).map(failing_at(*range(300))).ignore_errors()) == []


def test_a_share_is_judged_from_the_hundredth_element_on() -> None:
    ds = Dataset.range(300).map(failing_at(*range(50), 150))
    found = outcomes(ds.ignore_errors(max_errors=0.2), 400)
    assert [at for at, item in enumerate(found) if item is TooManyErrorsError] == [150 - 50]
    assert len(found) == 300 - 50


def test_a_share_of_a_short_dataset_is_judged_at_its_end() -> None:
    ds = Dataset.range(20).map(failing_at(3, 4))
    assert outcomes(ds.ignore_errors(max_errors=0.2))[-1] == 190
    assert outcomes(ds.ignore_errors(max_errors=0.05))[-2:] == [190, TooManyErrorsError]


def test_each_epoch_has_its_own_budget() -> None:
    ds = Dataset.range(3).map(failing_at(1)).ignore_errors(max_errors=1).repeat(3)
    assert values(ds) == [0, 20] * 3


def test_spec_is_kept() -> None:
    assert Dataset.range(3).ignore_errors().element_spec.dtype == np.int64


def test_what_fails_after_it_is_an_error() -> None:
    ds = Dataset.range(3).map(failing_at(1)).ignore_errors().map(failing_at(20))
    assert outcomes(ds) == [0, KeyError]
