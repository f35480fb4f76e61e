"""`on_error` in odd corners: whose error it is, further calls, values that do not fit, budgets, counts, states."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import penstock
from penstock import UNKNOWN_CARDINALITY, Dataset
from penstock.block import all_errors
from penstock.ends.run import prepare
from penstock.engine.run import RunContext, open_node
from penstock.errors import SpecError, TooManyErrorsError
from penstock.failing import Sheltered
from penstock.faults import FaultCounts
from penstock.policies import fault_counts
from penstock.vectorize import retried
from tests.corners import Counting, failing_at, outcomes, values


def faults_of(ds: Dataset[Any]) -> FaultCounts:
    total = FaultCounts()
    for node in _nodes(ds):
        for counts in fault_counts(node):
            names = ("skipped", "retried", "substituted", "quarantined")
            total.add(**{name: getattr(counts, name) for name in names})
    return total


def _nodes(ds: Dataset[Any]) -> list[Any]:
    nodes = [ds._node]
    while nodes[-1].inputs:
        nodes.append(nodes[-1].inputs[0])
    return nodes


class Flaky:
    """Fails on its first calls for an element."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls: list[int] = []

    def __call__(self, n: Any) -> Any:
        self.calls.append(int(n))
        if self.calls.count(int(n)) <= self.failures:
            raise OSError(f"call {self.calls.count(int(n))}")
        return n * 10


@pytest.mark.parametrize("on_error", ["skip", penstock.substitute(np.int64(0))], ids=repr)
@pytest.mark.parametrize(
    "step",
    [
        lambda ds, **policy: ds.map(lambda n: n + 1, **policy),
        lambda ds, **policy: ds.random_map(lambda n, rng: n + 1, seed=1, **policy),
        lambda ds, **policy: ds.map_batches(lambda n: n + 1, 1, **policy),
        lambda ds, **policy: ds.flat_map(lambda n: Dataset.range(n + 1, n + 2), **policy),
    ],
    ids=["map", "random_map", "map_batches", "flat_map"],
)
def test_errors_of_earlier_steps_stay(step: Any, on_error: Any) -> None:
    ds = step(Dataset.range(4).map(failing_at(2)), on_error=on_error)
    assert outcomes(ds) == [1, 11, KeyError, 31]


def test_a_run_of_map_batches_with_an_earlier_error_is_that_error_and_not_left_out() -> None:
    ds = Dataset.range(4).map(failing_at(2)).map_batches(lambda n: n, 2, on_error="skip")
    assert outcomes(ds) == [0, 10, KeyError, KeyError]


def test_an_earlier_error_that_comes_to_stand_in_several_rows_is_an_object_of_each() -> None:
    errors = all_errors(Sheltered(KeyError("a")), 2).errors
    assert isinstance(errors[0], Sheltered)
    assert isinstance(errors[1], Sheltered)
    assert errors[0].error is not errors[1].error
    assert repr(errors[1].error) == "KeyError('a')"


def test_maps_are_not_fused_across_a_policy() -> None:
    ds = Dataset.range(4).map(failing_at(1)).map(failing_at(20), on_error="skip").map(failing_at(300))
    assert outcomes(ds) == [0, KeyError, KeyError]


@pytest.mark.parametrize(
    "step",
    [
        lambda ds, **policy: ds.map(failing_at(2), **policy),
        lambda ds, **policy: ds.random_map(lambda n, rng: failing_at(2)(n), seed=1, **policy),
        lambda ds, **policy: ds.map_batches(lambda n: failing_at(2)(n[0]).reshape(1), 1, **policy),
        lambda ds, **policy: ds.flat_map(lambda n: Dataset.from_tensors(failing_at(2)(n)), **policy),
        lambda ds, **policy: ds.flat_map(lambda n: Dataset.from_tensors(n).map(failing_at(2)), **policy),
        lambda ds, **policy: ds.filter(lambda n: bool(failing_at(2)(n) >= 0), **policy).map(lambda n: n * 10),
        lambda ds, **policy: ds.filter(lambda n: n >= 0 if n != 2 else "yes", **policy).map(lambda n: n * 10),
    ],
)
def test_every_step_leaves_out_what_it_fails_on(step: Any) -> None:
    ds = step(Dataset.range(4), on_error="skip")
    assert outcomes(ds) == [0, 10, 30]
    assert ds.cardinality() == UNKNOWN_CARDINALITY
    assert faults_of(ds).skipped == 1
    assert outcomes(step(Dataset.range(4), on_error="skip", max_errors=0)) == [0, 10, TooManyErrorsError, 30]


def test_a_generators_elements_that_do_not_fit_are_left_out_or_replaced() -> None:
    def mixed() -> Any:
        yield from [1, "two", 3]

    signature = penstock.TensorSpec((), np.int64)
    ds = Dataset.from_generator(mixed, output_signature=signature, on_error="skip")
    assert values(ds) == [1, 3]
    ds = Dataset.from_generator(mixed, output_signature=signature, on_error=penstock.substitute(-1))
    assert values(ds) == [1, -1, 3]
    with pytest.raises(ValueError, match=r"from_generator\(\): on_error=retry\(1, 0.1\) makes no sense here"):
        Dataset.from_generator(mixed, on_error=penstock.retry(1))


class TestRetry:
    def test_calls_again_before_the_next_element(self) -> None:
        flaky = Flaky(2)
        ds = Dataset.range(3).map(flaky, on_error=penstock.retry(2, 0))
        assert values(ds.batch(3)) == [[0, 10, 20]]
        assert flaky.calls == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert faults_of(ds).retried == 6

    def test_the_last_error_stands_where_all_calls_fail(self) -> None:
        with pytest.raises(OSError, match="call 3") as raised:
            list(Dataset.range(3).map(Flaky(3), on_error=penstock.retry(2, 0)))
        assert raised.value.__notes__[0] == "the last of 3 calls"
        assert "in map(Flaky)" in raised.value.__notes__[1]

    def test_then_says_what_follows(self) -> None:
        assert values(Dataset.range(3).map(Flaky(3), on_error=penstock.retry(2, 0, then="skip"))) == []
        policy = penstock.retry(2, 0, then=penstock.substitute(5))
        assert values(Dataset.range(3).map(Flaky(3), on_error=policy)) == [5, 5, 5]

    def test_keeps_access_by_index_and_cardinality(self) -> None:
        ds = Dataset.range(5).map(lambda n: 6 // int(n - 3), on_error=penstock.retry(1, 0))
        assert (len(ds), int(ds[4])) == (5, 6)

    def test_the_same_random_numbers_are_handed_in(self) -> None:
        drawn: list[int] = []

        def fails_once(n: Any, rng: Any) -> Any:
            drawn.append(int(rng.integers(1 << 40)))
            if len(drawn) % 2:
                raise OSError("no")
            return drawn[-1]

        assert len(values(Dataset.range(2).random_map(fails_once, seed=1, on_error=penstock.retry(1, 0)))) == 2
        assert drawn[0] == drawn[1] != drawn[2] == drawn[3]

    def test_a_further_call_gets_the_element_as_it_was(self) -> None:
        seen: list[Any] = []

        def spoils(row: Any) -> Any:
            seen.append(row.tolist())
            row += 1
            if len(seen) < 3:
                raise OSError("no")
            return row

        ds = Dataset.from_tensor_slices(np.zeros((1, 2))).map(spoils, on_error=penstock.retry(5, 0))
        assert values(ds) == [[1.0, 1.0]]
        assert seen == [[0.0, 0.0]] * 3

    def test_pauses_double_up_to_a_minute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pauses: list[float] = []
        monkeypatch.setattr(retried.time, "sleep", pauses.append)
        outcomes(Dataset.range(1).map(Flaky(99), on_error=penstock.retry(4, 10)))
        assert pauses == [10, 20, 40, 60]

    def test_stop_iteration_from_a_further_call_is_an_error(self) -> None:
        def ends(n: Any) -> Any:
            raise StopIteration

        assert outcomes(Dataset.range(2).map(ends, on_error=penstock.retry(1, 0))) == [RuntimeError, RuntimeError]

    def test_a_vectorised_function_is_called_again_too(self) -> None:
        ds = Dataset.range(3000).map(lambda n: n // 1, on_error=penstock.retry(1, 0))
        assert values(ds, 3000) == list(range(3000))

    def test_further_calls_stand_in_the_statistics_of_the_step(self) -> None:
        policy = penstock.retry(2, 0, then="skip")
        elements = iter(Dataset.range(3).map(Flaky(3), on_error=policy))
        assert list(elements) == []
        assert [operator.faults for operator in elements.stats().operators if operator.faults] == [
            {"retried": 6},
            {"skipped": 3},
        ]


class TestSubstitute:
    def test_keeps_cardinality_and_access_by_index(self) -> None:
        ds = Dataset.range(4).map(failing_at(1), on_error=penstock.substitute(-1))
        assert (len(ds), int(ds[1]), int(ds[2])) == (4, -1, 20)
        shuffled = values(Dataset.range(4).shuffle(4, seed=1))
        assert values(ds.shuffle(4, seed=1)) == [-1 if n == 1 else 10 * n for n in shuffled]

    def test_stands_in_every_row_where_all_fail(self) -> None:
        ds = Dataset.range(3).map(failing_at(0, 1, 2), on_error=penstock.substitute({"a": [1, 2]}))
        assert values(ds) == [{"a": [1, 2]}] * 3
        assert faults_of(ds).substituted == 3

    def test_a_value_of_another_dtype_or_structure_is_an_error_that_says_so(self) -> None:
        ds = Dataset.range(3).map(failing_at(1), on_error=penstock.substitute(0.5))
        with pytest.raises(
            SpecError, match=r"substitute\(0.5\) does not fit .*value is float64, that of other elements int64"
        ) as raised:
            list(ds)
        assert isinstance(raised.value.__cause__, KeyError)
        ds = Dataset.range(3).map(failing_at(1), on_error=penstock.substitute((0, 0)))
        assert outcomes(ds) == [0, SpecError, 20]

    def test_rows_of_other_lengths_fit(self) -> None:
        ds = Dataset.range(3).map(lambda n: np.arange(6 // int(n)), on_error=penstock.substitute(np.arange(0)))
        assert values(ds) == [[], [0, 1, 2, 3, 4, 5], [0, 1, 2]]

    def test_of_a_run_it_stands_in_every_element(self) -> None:
        ds = Dataset.range(4).map_batches(lambda n: n // (n[0] // 2), 2, on_error=penstock.substitute(-1))
        with np.errstate(all="raise"):
            assert values(ds) == [-1, -1, 2, 3]

    def test_users_who_write_into_a_batch_change_no_other_one(self) -> None:
        ds = Dataset.range(4).map(failing_at(0, 2), on_error=penstock.substitute(np.int64(7))).batch(2)
        for batch in ds:
            batch += 100
        assert values(ds) == [[7, 10], [7, 30]]


class TestBudget:
    def test_the_first_that_is_too_many_is_an_error_that_counts_them(self) -> None:
        ds = Dataset.range(9).map(failing_at(1, 3, 5, 6), on_error="skip", max_errors=2)
        line = inspect.currentframe().f_lineno - 1
        assert outcomes(ds) == [0, 20, 40, TooManyErrorsError, TooManyErrorsError, 70, 80]
        with pytest.raises(TooManyErrorsError) as raised:
            list(ds)
        text = str(raised.value)
        assert f"test_on_error_corners.py:{line}: 3 of 6 elements failed, more than max_errors=2" in text
        assert "failing_at.<locals>.tenfold" in text
        assert isinstance(raised.value.__cause__, KeyError)

    @pytest.mark.parametrize("cut", range(8))
    def test_counts_are_part_of_the_state(self, cut: int) -> None:
        def build() -> Dataset[Any]:
            return Dataset.range(12).map(failing_at(1, 3, 5, 6, 9), on_error="skip", max_errors=3).prefetch(2)

        expected = outcomes(build())
        first = iter(build())
        outcomes(next_few(first, cut))
        again = iter(build())
        again.load_state_dict(first.state_dict())
        assert outcomes(again) == expected[cut:]

    def test_a_state_goes_on_after_the_budget_was_raised(self) -> None:
        first = iter(Dataset.range(6).map(failing_at(1, 3), on_error="skip", max_errors=1))
        assert next(first) == 0
        again = iter(Dataset.range(6).map(failing_at(1, 3), on_error="skip", max_errors=5))
        again.load_state_dict(first.state_dict())
        assert values(again) == [20, 40, 50]


class next_few:
    def __init__(self, elements: Any, count: int) -> None:
        self.elements, self.left = elements, count

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return next(self.elements)


def test_counts_begin_anew_in_a_pickled_dataset() -> None:
    ds = Dataset.range(4).filter(is_no_two, on_error="skip")
    values(ds)
    assert faults_of(ds).skipped == 1
    again = pickle.loads(pickle.dumps(ds))
    assert values(again) == [0, 1, 3]
    assert (faults_of(ds).skipped, faults_of(again).skipped) == (1, 1)


def test_a_step_that_is_repeated_after_a_resume_is_counted_once() -> None:
    ds = Dataset.range(9).map(failing_at(1, 6), on_error="skip")
    plan, _ = prepare(ds._node)
    operator = open_node(plan, RunContext(prepare))
    block = operator.next_block(4)
    assert block is not None
    assert (block.rows, faults_of(ds).skipped) == (3, 1)
    again = open_node(plan, RunContext(prepare))
    again.set_state(operator.get_state())
    block = again.next_block(9)
    assert block is not None
    assert values(block.elements()) == [40, 50, 70, 80]
    assert faults_of(ds).skipped == 2


def is_no_two(n: Any) -> Any:
    return n >= 1 // int(n - 2)


def test_elements_are_computed_when_they_are_asked_for() -> None:
    seen = Counting(failing_at(1, 2))
    elements = iter(Dataset.range(9).map(seen, on_error="skip"))
    assert (next(elements), seen.seen) == (0, [0])
    assert (next(elements), seen.seen) == (30, [0, 1, 2, 3])


def test_plans_with_other_elements_have_other_signatures() -> None:
    base = Dataset.range(4)
    plans = {
        repr(base.map(abs, on_error=policy).explain())
        for policy in ("raise", "skip", penstock.substitute(1), penstock.substitute(2))
    }
    assert len(plans) == 4
    assert base.map(abs, on_error=penstock.retry(3)).explain() == base.map(abs).explain()


@pytest.mark.parametrize(
    ("policy", "kind", "text"),
    [
        ({"on_error": "ignore"}, ValueError, r"map\(\): on_error must be .*, but is 'ignore'"),
        ({"on_error": None}, TypeError, r"map\(\): on_error must be"),
        ({"on_error": penstock.retry}, TypeError, r"call it with its arguments"),
        ({"on_error": "skip", "max_errors": -1}, ValueError, r"max_errors must be at least 0, but is -1"),
        ({"on_error": "skip", "max_errors": 1.0}, ValueError, r"above 0 and below 1, but is 1.0"),
        ({"on_error": "skip", "max_errors": 0.0}, ValueError, r"above 0 and below 1"),
        ({"on_error": "skip", "max_errors": float("nan")}, ValueError, r"above 0 and below 1"),
        ({"on_error": "skip", "max_errors": "1"}, TypeError, r"max_errors must be an integer"),
        ({"max_errors": 1}, ValueError, r"max_errors=1 counts elements that are left out, but on_error is 'raise'"),
        ({"on_error": penstock.substitute(1), "max_errors": 1}, ValueError, r"counts elements that are left out"),
        ({"on_error": penstock.retry(1), "max_errors": 1}, ValueError, r"counts elements that are left out"),
        ({"on_error": penstock.substitute(None)}, ValueError, r"the value has no component"),
    ],
)
def test_what_is_no_policy_is_refused_at_the_call(policy: Any, kind: Any, text: str) -> None:
    with pytest.raises(kind, match=text):
        Dataset.range(3).map(abs, **policy)


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ((0,), ValueError, "times must be at least 1, but is 0"),
        ((-1,), ValueError, "times must be at least 1"),
        ((1.5,), TypeError, "times must be an integer"),
        ((1, -1), ValueError, "backoff_seconds must be at least 0"),
        ((1, float("inf")), ValueError, "backoff_seconds must be at least 0 and finite"),
        ((1, "2s"), TypeError, "backoff_seconds must be a number"),
        ((1, 0, "stop"), ValueError, "then must be"),
        ((1, 0, penstock.retry(1)), TypeError, "add up the times"),
    ],
)
def test_wrong_arguments_of_retry_are_refused(arguments: Any, kind: Any, text: str) -> None:
    with pytest.raises(kind, match=text):
        penstock.retry(*arguments)


def test_a_verdict_cannot_be_substituted() -> None:
    with pytest.raises(ValueError, match=r"filter\(\): on_error=substitute\(True\) makes no sense"):
        Dataset.range(3).filter(bool, on_error=penstock.substitute(True))


def test_an_error_without_words_is_counted_like_others(tmp_path: Path) -> None:
    class Unsayable(Exception):
        def __repr__(self) -> str:
            raise TypeError("there are no words")

        __str__ = __repr__

    def fails(n: Any) -> Any:
        if n > 2:
            raise Unsayable
        return n

    path = tmp_path / "bad.jsonl"
    assert values(Dataset.range(4).map(fails, on_error=penstock.quarantine(path))) == [0, 1, 2]
    (record,) = penstock.read_quarantine(path)
    assert (record.error_type.split(".")[-1], record.error) == ("Unsayable", "<exception str() failed>")
    found = outcomes(Dataset.range(5).map(fails, on_error="skip", max_errors=1))
    assert found == [0, 1, 2, TooManyErrorsError]
