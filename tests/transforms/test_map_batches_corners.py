"""`map_batches` in odd corners: results of another length, errors, text, wrong arguments."""

from __future__ import annotations

from typing import Any

import pytest

from penstock import Dataset
from penstock.errors import SpecError
from tests.corners import Counting, outcomes, values


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


def test_the_note_names_the_first_element_of_the_run() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        list(Dataset.range(8).map_batches(lambda n: n if n[0] < 4 else 1 // 0, batch_size=2))
    assert "in map_batches(" in raised.value.__notes__[0]
    assert raised.value.__notes__[0].endswith("element 4")


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
