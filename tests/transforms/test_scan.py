"""`scan` keeps the laws; what it means in plain Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import Dataset
from penstock.errors import SpecError
from penstock.testing import Case, Failure, Recording, Stream, laws_for
from penstock.testing.reference import copied
from tests.corners import failing_at, outcomes, values
from tests.laws.functions import kind
from tests.laws.sources import SOURCES


def reference(elements: Stream, initial_state: Any, scan_func: Callable[..., Any]) -> Iterator[Any]:
    state = copied(initial_state)
    for element in elements:
        if isinstance(element, Failure):
            yield element
            continue
        try:
            given, result = scan_func(copied(state), copied(element))
        except Exception as error:
            yield Failure(type(error), str(error), "scan")
            continue
        state = copied(given)
        yield result


def fails_at_threes(total: Any, n: Any) -> Any:
    if n % 4 == 3:
        raise ValueError(f"no {n}")
    return total + n, total


def adds_in_place(kept: Any, n: Any) -> Any:
    kept += 1
    return kept, kept


NUMBERS: list[tuple[Any, Any]] = [
    (0, lambda total, n: (total + n, total)),
    (0.5, lambda total, n: (total / 2 + float(n), (n, total))),
    (np.zeros(2, np.float32), lambda kept, n: (kept + np.float32(1), kept[0])),
    ((0, "a"), lambda pair, n: ((pair[0] + 1, pair[1] + "b"), {"n": n, "text": pair[1]})),
    (np.zeros(0, np.int64), lambda kept, n: (np.append(kept, n)[-3:], kept.sum())),
    (np.arange(3), adds_in_place),
    (0, fails_at_threes),
]
ANY: list[tuple[Any, Any]] = [(0, lambda count, element: (count + 1, (count, element)))]


@st.composite
def arguments(draw: st.DrawFn, sample: list[Any]) -> dict[str, Any]:
    state, function = draw(st.sampled_from(NUMBERS + ANY if kind(sample) == "integer" else ANY))
    records = draw(st.booleans())
    return {"initial_state": state, "scan_func": Recording(function) if records else function}


CASE = Case("scan", Dataset.scan, reference, lambda sample: arguments(sample))

test_laws = laws_for(CASE, SOURCES)


def running_total(total: Any, n: Any) -> Any:
    return total + n, total + n


def test_each_pass_and_each_epoch_begins_with_the_initial_state() -> None:
    ds = Dataset.range(4).scan(10, running_total)
    assert values(ds) == values(ds) == [10, 11, 13, 16]
    assert values(ds.repeat(2)) == [10, 11, 13, 16] * 2


def test_an_element_is_never_unpacked() -> None:
    ds = Dataset.from_list([(1, 2), (3, 4)]).scan(0, lambda total, pair: (total + pair[0], total + pair[1]))
    assert values(ds) == [2, 5]


def test_an_error_leaves_the_state_as_it_was() -> None:
    assert outcomes(Dataset.range(6).scan(0, fails_at_threes)) == [0, 0, 1, ValueError, 3, 7]
    assert outcomes(Dataset.range(4).map(failing_at(1)).scan(0, running_total)) == [0, KeyError, 20, 50]


def test_the_end_of_an_iterator_in_the_function_does_not_end_the_data() -> None:
    def ends(total: Any, n: Any) -> Any:
        return (total, next(iter([]))) if n == 1 else (total, n)

    assert outcomes(Dataset.range(3).scan(0, ends)) == [0, RuntimeError, 2]


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (lambda total, n: total + n, r"returned '0'; return a pair"),
        (lambda total, n: (total + 0.5, n), r"returned a state of dtype float64; return int64, the dtype of initial"),
        (lambda total, n: ((total, n), n), r"returned a state of the structure \(\*, \*\); return \*"),
    ],
)
def test_what_the_function_returns_is_checked(returned: Any, told: str) -> None:
    elements = iter(Dataset.range(3).scan(0, returned))
    with pytest.raises(SpecError, match=r"^scan\(\): .*<lambda> " + told):
        next(elements)


def test_initial_state_is_checked_at_the_call() -> None:
    with pytest.raises(TypeError, match=r"^scan\(\): initial_state is None and has no component"):
        Dataset.range(3).scan(None, running_total)
    with pytest.raises(TypeError, match=r"^scan\(\): initial_state\['a'\] is a object, which cannot be saved"):
        Dataset.range(3).scan({"a": object()}, running_total)


def test_the_initial_state_and_earlier_results_are_never_written_into() -> None:
    first = np.zeros(2)
    ds = Dataset.range(600).scan(first, adds_in_place)
    assert [element.tolist() for element in ds] == [[n + 1.0] * 2 for n in range(600)]
    assert first.tolist() == [0, 0]


def test_a_function_that_fills_one_buffer_again_and_again_spoils_nothing() -> None:
    buffer = np.zeros(2)

    def fills(count: Any, n: Any) -> Any:
        buffer[:] = n
        return count + 1, buffer

    found = list(Dataset.range(600).scan(0, fills))
    assert [element[0] for element in found] == list(range(600))


@pytest.mark.parametrize("size", [3, 5000])
def test_the_state_holds_what_is_handed_on(size: int) -> None:
    def build() -> Dataset[Any]:
        return Dataset.range(40).scan(np.zeros(size), lambda kept, n: (kept + n, kept[-1]), purity="stateful")

    elements = iter(build())
    for _ in range(17):
        next(elements)
    state = json.loads(json.dumps(elements.state_dict()))
    resumed = iter(build())
    resumed.load_state_dict(state)
    assert list(resumed) == list(elements) == [sum(range(n)) for n in range(17, 40)]


def test_values_that_json_has_no_word_for_travel_in_the_state() -> None:
    start = (np.nan, np.inf, b"\xff\x00", np.array(["a", "bc"], object), np.datetime64("2020-02-02"), True, 1 + 2j)
    ds = Dataset.range(3).scan(start, lambda kept, n: (kept, kept))
    elements = iter(ds)
    next(elements)
    resumed = iter(ds)
    resumed.load_state_dict(json.loads(json.dumps(elements.state_dict(), allow_nan=False)))
    assert str(next(resumed)) == str(next(elements)) == str(ds.head(1)[0])
