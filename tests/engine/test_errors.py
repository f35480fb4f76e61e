"""Errors of user functions: type, notes, traceback, and calling the function again with `replay`."""

from __future__ import annotations

import inspect
import pickle
import re
import traceback
from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from tests.corners import Counting, failing_at, values


class Custom(Exception):
    def __init__(self, code: int, detail: str) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def raised_by(ds: Dataset[Any]) -> Exception:
    with pytest.raises(Exception) as raised:
        list(ds)
    return raised.value


def test_the_users_exception_is_the_very_object_that_was_raised() -> None:
    error = Custom(7, "detail")

    def fails(n: Any) -> Any:
        raise error

    found = raised_by(Dataset.range(3).map(fails))
    assert found is error
    assert (found.code, found.detail) == (7, "detail")


STEPS: dict[str, Any] = {
    "map": lambda f: Dataset.range(9).map(f),
    "filter": lambda f: Dataset.range(9).filter(f),
    "random_map": lambda f: Dataset.range(9).random_map(lambda n, rng: f(n)),
    "map_batches": lambda f: Dataset.range(9).map_batches(lambda batch: batch * f(batch[0]), batch_size=1),
}


def fails_at_four(n: Any) -> Any:
    if n == 4:
        raise Custom(int(n), "four")
    return bool(n >= 0)


@pytest.mark.parametrize("name", STEPS)
def test_a_note_names_transformation_function_the_users_line_and_the_element(name: str) -> None:
    error = raised_by(STEPS[name](fails_at_four))
    assert isinstance(error, Custom)
    (note,) = error.__notes__
    line = inspect.getsourcelines(STEPS[name])[1]
    assert note.startswith(f"in {name}(")
    assert f"added at {__file__}:{line}" in note
    assert note.endswith("element 4")


def test_the_note_of_flat_map() -> None:
    error = raised_by(Dataset.range(9).flat_map(lambda n: Dataset.range(1) if n < 4 else 1 // 0))
    assert isinstance(error, ZeroDivisionError)
    assert error.__notes__[0].startswith("in flat_map(")
    assert error.__notes__[0].endswith("element 4")


@pytest.mark.parametrize(
    ("ds", "element"),
    [
        (Dataset.range(9).skip(2).map(failing_at(5)), 3),
        (Dataset.range(9).repeat(2).skip(9).map(failing_at(5)), 5),
        (Dataset.range(9).map(failing_at(5)).batch(2), 5),
        (Dataset.range(9).map(failing_at(5)).shuffle(9, seed=1), 5),
        (Dataset.range(9).map(failing_at(5), purity="stateless").shuffle(9, seed=1), 5),
        (Dataset.range(9).filter(lambda n: n > 2).map(failing_at(5)), 2),
        (Dataset.range(300).map(failing_at(290), purity="pure"), 290),
    ],
    ids=["skipped to", "second epoch", "batched", "shuffled", "by index", "after a filter", "in a large block"],
)
def test_the_position_is_that_in_the_stream_of_the_function(ds: Dataset[Any], element: int) -> None:
    assert raised_by(ds).__notes__[0].endswith(f"element {element}")


def test_of_two_maps_the_one_that_failed_is_named() -> None:
    error = raised_by(Dataset.range(3).map(lambda n: n + 0).map(failing_at(1)).map(lambda n: n * 2))
    (note,) = error.__notes__
    assert "tenfold" in note


def test_an_error_on_its_way_through_other_steps_gets_no_further_note() -> None:
    ds = Dataset.range(6).map(failing_at(2)).map(lambda n: n).filter(lambda n: n >= 0).enumerate().batch(2)
    assert len(raised_by(ds.prefetch(1)).__notes__) == 1


def test_every_pass_notes_anew() -> None:
    ds = Dataset.range(6).map(failing_at(2))
    for _ in range(3):
        assert len(raised_by(ds).__notes__) == 1


@pytest.mark.parametrize("executor", [None, "thread", "process"])
def test_one_object_raised_for_several_elements_tells_each_of_that_element_alone(executor: Any) -> None:
    error = KeyError("always the same")

    def fails(n: Any) -> Any:
        if n % 2:
            raise error
        return n

    how = {} if executor is None else {"num_parallel_calls": 2, "executor": executor}
    ds = Dataset.range(10).map(fails, purity="stateless", **how)
    for _ in range(2):
        found, iterator = [], iter(ds)
        for n in range(10):
            if n % 2:
                with pytest.raises(KeyError) as raised:
                    next(iterator)
                found.append([note.rsplit(" ")[-1] for note in raised.value.__notes__ if note.startswith("in map(")])
                assert raised.value.penstock_replay.row.element(0) == n
            else:
                assert next(iterator) == n
        assert found == [["1"], ["3"], ["5"], ["7"], ["9"]]
        iterator.close()


def test_the_traceback_shows_the_users_frames_and_none_of_the_engines_steps() -> None:
    ds = Dataset.range(6).map(lambda n: n).map(failing_at(2)).batch(2)
    with pytest.raises(KeyError) as raised:
        list(ds)
    names = [entry.name for entry in traceback.extract_tb(raised.value.__traceback__)]
    assert names[-1] == "tenfold"
    assert not {"_call", "apply", "next_block"} & set(names)


def test_replay_calls_the_function_again_on_the_same_element() -> None:
    seen = Counting(failing_at(30))
    ds = Dataset.range(9).map(lambda n: n * 10).map(seen)
    error = raised_by(ds)
    before = len(seen.seen)
    with pytest.raises(KeyError) as again:
        ds.replay(error)
    assert again.value is not error
    assert again.value.args == error.args
    assert seen.seen[before:] == [30]


def test_replay_of_a_function_that_writes_into_its_argument_sees_it_as_it_was() -> None:
    def fails(row: Any) -> Any:
        row += 1
        raise ValueError(row.tolist())

    ds = Dataset.from_tensor_slices(np.zeros((2, 2))).map(fails)
    error = raised_by(ds)
    for _ in range(2):
        with pytest.raises(ValueError) as again:
            ds.replay(error)
        assert again.value.args == error.args == ([1.0, 1.0],)


def test_replay_gives_the_result_where_it_works_this_time() -> None:
    broken = [True]

    def flaky(a: Any, b: Any) -> Any:
        if broken:
            raise OSError("for a moment")
        return a + b

    ds = Dataset.from_tensor_slices(([1, 2], [3, 4])).map(flaky)
    error = raised_by(ds)
    broken.clear()
    assert ds.replay(error) == 4


@pytest.mark.parametrize("make", [lambda f: Dataset.range(3).filter(f), lambda f: Dataset.range(3).map_batches(f, 2)])
def test_replay_of_other_transformations(make: Any) -> None:
    seen = Counting(lambda n: 1 // 0)
    ds = make(seen)
    error = raised_by(ds)
    with pytest.raises(ZeroDivisionError):
        ds.replay(error)
    assert seen.seen == [seen.seen[0]] * 2


@pytest.mark.parametrize("result", [None, (), {1}, (1, 2, 3)], ids=repr)
def test_replay_of_a_result_that_is_no_element(result: Any) -> None:
    ds = Dataset.range(3).map(lambda n: result if n else (n, n))
    error = raised_by(ds)
    with pytest.raises(type(error), match=re.escape(str(error))):
        ds.replay(error)


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()], ids=repr)
def test_replay_of_an_error_that_is_not_from_a_dataset(error: BaseException) -> None:
    with pytest.raises(
        ValueError, match=r"^replay\(\): .* was not raised by a function of a dataset; there is nothing"
    ):
        Dataset.range(3).replay(error)


def test_an_error_of_a_dataset_inside_a_function_has_the_notes_of_both() -> None:
    def total(n: Any) -> Any:
        return Dataset.range(3).map(failing_at(1)).reduce(0, lambda state, m: state + m)

    inner, outer = raised_by(Dataset.range(2).map(total)).__notes__
    assert "tenfold" in inner
    assert inner.endswith("element 1")
    assert "total" in outer
    assert outer.endswith("element 0")


def test_errors_can_be_pickled_as_other_processes_need_it() -> None:
    error = raised_by(Dataset.range(3).map(fails_at_one))
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), copied.args) == (ValueError, ("one",))


def fails_at_one(n: Any) -> Any:
    if n == 1:
        raise ValueError("one")
    return n


def test_control_flow_exceptions_pass_at_once() -> None:
    def leaves(n: Any) -> Any:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        list(Dataset.range(3).map(leaves))
    with pytest.raises(SystemExit):
        list(Dataset.range(3).map(leaves).prefetch(1))


def test_iteration_goes_on_after_an_error_while_it_is_still_referred_to() -> None:
    iterator = iter(Dataset.range(5).map(failing_at(1)))
    assert next(iterator) == 0
    with pytest.raises(KeyError) as raised:
        next(iterator)
    assert values(iterator) == [20, 30, 40]
    assert raised.value.args == ("bad number", 1)
