"""`map` in odd corners: what functions get and return, wrong arguments, errors."""

from __future__ import annotations

import dataclasses
import warnings
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

from penstock import AUTOTUNE, Dataset
from penstock.errors import SpecError
from tests.corners import Counting, failing_at, outcomes, values

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class Pair:
    left: Any
    right: Any


def test_a_tuple_is_unpacked_at_the_top_only() -> None:
    ds = Dataset.from_tensor_slices((([1, 2], [3, 4]), [5, 6]))
    assert values(ds.map(lambda pair, third: pair[0] * 100 + pair[1] * 10 + third)) == [135, 246]


def test_an_element_of_one_component_in_a_tuple_is_one_argument_and_is_not_wrapped_again() -> None:
    assert values(Dataset.from_tensor_slices(([1, 2],)).map(lambda x: x)) == [1, 2]


@pytest.mark.parametrize(
    "element", [Point(1, 2), {"z": 1, "a": 2}, OrderedDict(z=1, a=2), Pair(1, 2)], ids=lambda e: type(e).__name__
)
def test_what_is_no_plain_tuple_is_one_argument_and_keeps_its_class(element: Any) -> None:
    ds = Dataset.from_tensors(element).map(lambda *arguments: arguments[0])
    (found,) = list(ds)
    assert type(found) is type(element)
    assert str(found).replace("np.int64(", "").replace(")", "") == str(element).replace(")", "")


def test_an_attrs_object_is_one_argument_and_structure() -> None:
    attrs = pytest.importorskip("attrs")
    cls = attrs.make_class("Sample", ["image", "label"])
    ds = Dataset.from_tensor_slices(cls([1, 2], [3, 4])).map(lambda s: cls(s.label, s.image)).batch(2)
    (found,) = list(ds)
    assert type(found) is cls
    assert (found.image.tolist(), found.label.tolist()) == ([3, 4], [1, 2])


def test_dicts_keep_the_order_in_which_the_function_wrote_them() -> None:
    ds = Dataset.from_tensors({"z": 1, "a": 2}).map(lambda e: {"q": e["a"], "b": e["z"]})
    assert [list(element) for element in ds] == [["q", "b"]]
    assert list(ds.element_spec) == ["q", "b"]


def test_a_returned_list_is_a_tuple_and_a_nested_list_is_an_array() -> None:
    assert values(Dataset.range(1).map(lambda x: [x, "hello", 10])) == [(0, "hello", 10)]
    assert values(Dataset.range(1).map(lambda x: ([x, x + 1], x))) == [([0, 1], 0)]


def test_constants_and_none_are_fine_results() -> None:
    assert values(Dataset.range(2).map(lambda x: 42)) == [42, 42]
    assert values(Dataset.range(2).map(lambda x: (x, None))) == [(0, None), (1, None)]


@pytest.mark.parametrize(
    ("result", "word"),
    [(None, "None"), (dict, "dict"), ({1, 2}, "set"), ((n for n in (1, 2)), "generator")],
    ids=["None", "class", "set", "generator"],
)
def test_results_that_are_no_elements_are_refused_in_their_place(result: Any, word: str) -> None:
    with pytest.raises(SpecError, match=rf"map\(\).*returned (a )?{word}.*return"):
        list(Dataset.range(1).map(lambda x: result))


def test_a_coroutine_function_is_found_out() -> None:
    async def later(n: Any) -> Any:
        return n

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(SpecError, match=r"later returned a coroutine, which is no component"):
            list(Dataset.range(1).map(later))


def test_a_list_that_is_not_rectangular_is_refused_in_its_place() -> None:
    with pytest.raises(ValueError, match=r"not rectangular.*pad"):
        list(Dataset.range(1).map(lambda x: ([[1], [2, 3]], x)))


def test_another_structure_is_an_error_of_that_element_only() -> None:
    ds = Dataset.range(4).map(lambda n: (n, n) if n == 2 else n)
    assert outcomes(ds) == [0, 1, SpecError, 3]
    with pytest.raises(SpecError, match=r"returned the structure \(\*, \*\) where it had returned \*; return the same"):
        list(ds)


def test_other_keys_are_another_structure() -> None:
    ds = Dataset.range(3).map(lambda n: {"a": n} if n == 1 else {"b": n})
    assert outcomes(ds) == [{"b": 0}, SpecError, {"b": 2}]


def test_an_error_costs_its_element_only() -> None:
    assert outcomes(Dataset.range(5).map(failing_at(1, 3))) == [0, KeyError, 20, KeyError, 40]


def test_stop_iteration_in_a_function_is_an_error_and_not_the_end() -> None:
    def stops(n: Any) -> Any:
        if n == 1:
            raise StopIteration
        return n

    ds = Dataset.range(300).map(stops)
    assert outcomes(ds, 400) == [0, RuntimeError, *range(2, 300)]
    assert len(ds) == 300
    with pytest.raises(RuntimeError, match="StopIteration, which would end the data"):
        list(ds)


@pytest.mark.parametrize("n", [1, 2, 1000])
def test_scalar_functions_that_raise_stop_iteration_late_lose_no_element(n: int) -> None:
    def branches(x: Any) -> Any:
        if x == 600:
            return next(iter(()))
        return x + 1 if x % 2 else x

    found = outcomes(Dataset.range(n).map(branches, purity="pure"), n)
    assert found == [RuntimeError if x == 600 else x + x % 2 for x in range(n)]


def test_a_stateful_function_is_called_once_an_element_when_it_is_asked_for() -> None:
    seen = Counting()
    iterator = iter(Dataset.range(100).map(seen))
    assert seen.seen == []
    for at in range(3):
        next(iterator)
        assert seen.seen == list(range(at + 1))


def test_every_iteration_calls_the_function_again() -> None:
    seen = Counting()
    ds = Dataset.range(3).map(seen)
    assert values(ds) == values(ds)
    assert seen.seen == [0, 1, 2, 0, 1, 2]


def test_two_iterators_share_nothing() -> None:
    ds = Dataset.range(5).map(lambda n: n + 1)
    left, right = iter(ds), iter(ds)
    assert [next(left), next(left), next(right), next(left)] == [1, 2, 1, 3]


def test_an_empty_dataset_stays_empty_and_the_function_is_not_called() -> None:
    seen = Counting()
    assert values(Dataset.range(0).map(seen)) == []
    assert seen.seen == []


@pytest.mark.parametrize("number", [None, 1, 4, AUTOTUNE, np.int32(2)])
def test_numbers_of_parallel_calls(number: Any) -> None:
    assert values(Dataset.range(3).map(lambda n: n, num_parallel_calls=number)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"map_func": 3}, TypeError, "map_func must be a function, but is 3"),
        (
            {"map_func": abs, "num_parallel_calls": 0},
            ValueError,
            "num_parallel_calls must be at least 1, but is 0; use",
        ),
        ({"map_func": abs, "num_parallel_calls": -2}, ValueError, "at least 1, but is -2; use AUTOTUNE"),
        ({"map_func": abs, "num_parallel_calls": 1.5}, TypeError, "must be an integer, but is 1.5"),
        ({"map_func": abs, "purity": "clean"}, ValueError, '"pure", "stateless" or "stateful", but is \'clean\''),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^map\(\): ") as raised:
        Dataset.range(3).map(**arguments)
    assert text in str(raised.value)
