"""`map_batches` in odd corners: results of another length, errors, text, wrong arguments."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from penstock import Dataset
from penstock.errors import SpecError
from tests.corners import Counting, failing_at, outcomes, plain, values


def test_a_result_with_another_number_of_rows_is_an_error_of_the_whole_run() -> None:
    ds = Dataset.range(5).map_batches(lambda n: n[:1] if n[0] == 2 else n, batch_size=2)
    assert outcomes(ds) == [0, 1, SpecError, SpecError, 4]
    with pytest.raises(SpecError, match=r"map_batches\(\): .*lambda.* was given 2 rows and returned 1; return as many"):
        list(ds)


def test_an_error_stands_in_the_place_of_each_element_of_its_run() -> None:
    def fails(numbers: Any) -> Any:
        if numbers[0] == 3:
            raise KeyError("run")
        return numbers * 10

    ds = Dataset.range(8).map_batches(fails, batch_size=3)
    assert outcomes(ds) == [0, 10, 20, KeyError, KeyError, KeyError, 60, 70]
    assert outcomes(Dataset.zip(ds, Dataset.range(8)))[-1] == (70, 7)
    assert len(ds) == 8


class Coded(Exception):
    """Cannot be copied in the usual way: what its __init__ takes is not what it passes on."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(code)
        self.detail = detail


def raised_in_turn(ds: Dataset[Any]) -> Iterator[Exception]:
    """Every error of a pass, as it is caught; a note is added to each, as users do."""
    elements = iter(ds)
    while True:
        try:
            next(elements)
        except StopIteration:
            return
        except Exception as error:
            error.add_note("seen")
            yield error


def coded(numbers: Any) -> Any:
    if numbers[0] >= 4:
        raise Coded(7, "detail") from OSError("cause")
    return numbers


def divides(numbers: Any) -> Any:
    return numbers if numbers[0] < 4 else 1 // 0


@pytest.mark.parametrize("function", [coded, divides])
def test_each_element_of_a_failed_run_raises_an_error_of_its_own_that_notes_its_number(function: Any) -> None:
    ds = Dataset.range(10).map_batches(function, batch_size=4)
    errors = list(raised_in_turn(ds))
    assert len(set(map(id, errors))) == 6
    for element, error in enumerate(errors, 4):
        note, seen = error.__notes__
        assert note.startswith(f"in map_batches({function.__name__}), added at {__file__}:")
        assert note.endswith(f", element {element}")
        assert seen == "seen"
        assert (type(error), error.args) == (type(errors[0]), errors[0].args)


def test_what_an_error_carries_is_in_the_errors_of_all_elements_of_the_run() -> None:
    for error in raised_in_turn(Dataset.range(10).map_batches(coded, batch_size=4)):
        assert isinstance(error, Coded)
        assert (error.args, error.detail, repr(error.__cause__)) == ((7,), "detail", "OSError('cause')")


@pytest.mark.parametrize("function", [coded, divides])
def test_tracebacks_do_not_grow_from_element_to_element(function: Any) -> None:
    errors = raised_in_turn(Dataset.range(40).map_batches(function, batch_size=10))
    lengths = [len(traceback.extract_tb(error.__traceback__)) for error in errors]
    assert len(lengths) == 30
    assert len(set(lengths)) == 1


@pytest.mark.parametrize("function", [coded, divides])
def test_the_run_of_any_element_can_be_replayed(function: Any) -> None:
    seen = Counting(function)
    ds = Dataset.range(10).map_batches(seen, batch_size=4)
    for element, error in enumerate(raised_in_turn(ds), 4):
        with pytest.raises(type(error)):
            ds.replay(error)
        assert plain(seen.seen[-1]) == ([4, 5, 6, 7] if element < 8 else [8, 9])


def test_an_error_of_an_element_before_keeps_its_own_note_in_the_whole_run() -> None:
    ds = Dataset.range(6).map(failing_at(4)).map_batches(lambda n: n, batch_size=3)
    errors = list(raised_in_turn(ds))
    assert [error.__notes__[0].rpartition(", ")[2] for error in errors] == ["element 4"] * 3
    assert [len(error.__notes__) for error in errors] == [2] * 3


def test_a_scalar_result_is_refused_in_place() -> None:
    with pytest.raises(SpecError, match=r"map_batches\(\): component is .*, which has no axis to split"):
        list(Dataset.range(4).map_batches(lambda n: n.sum(), batch_size=2))


def test_components_of_different_lengths_are_refused_in_place() -> None:
    with pytest.raises(SpecError, match=r"map_batches\(\): components have \[1, 2\] rows; all need as many"):
        list(Dataset.range(2).map_batches(lambda n: (n, n[:1]), batch_size=2))


def test_text_comes_as_an_array_of_objects() -> None:
    seen: list[Any] = []
    ds = Dataset.from_list(["a", "bc", "d"]).map_batches(lambda t: seen.append(t.dtype) or t + "!", batch_size=2)
    assert values(ds) == ["a!", "bc!", "d!"]
    assert seen == [object, object]


def test_runs_are_computed_when_their_first_element_is_asked_for() -> None:
    seen = Counting()
    iterator = iter(Dataset.range(9).map_batches(seen, batch_size=3))
    for wanted in (1, 1, 1, 2):
        next(iterator)
        assert len(seen.seen) == wanted


def test_a_function_may_write_into_its_batch() -> None:
    rows = [[255.0, 255.0]] * 3

    def scaled(batch: Any) -> Any:
        batch /= 255
        return batch

    ds = Dataset.from_tensor_slices(rows).map_batches(scaled, batch_size=2)
    assert values(ds) == values(ds) == [[1.0, 1.0]] * 3


def test_over_nothing_the_function_is_not_called() -> None:
    seen = Counting()
    assert values(Dataset.range(0).map_batches(seen)) == []
    assert seen.seen == []


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"map_func": None}, TypeError, "map_func must be a function, but is None"),
        ({"map_func": abs, "batch_size": 0}, ValueError, "batch_size must be at least 1, but is 0"),
        ({"map_func": abs, "batch_size": 2.5}, TypeError, "batch_size must be an integer of at least 1, but is 2.5"),
        ({"map_func": abs, "num_parallel_calls": 0}, ValueError, "num_parallel_calls must be at least 1, but is 0"),
        ({"map_func": abs, "purity": "none"}, ValueError, "purity must be"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^map_batches\(\): ") as raised:
        Dataset.range(3).map_batches(**arguments)
    assert text in str(raised.value)
