"""Transformations with an `on_error` keep the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

import penstock
from penstock import UNKNOWN_CARDINALITY, Dataset
from penstock.faults import OnError, Retry, Substitute
from penstock.testing import THREADS, Case, Failure, Recording, Stream, call, laws_for, laws_with
from tests.laws.functions import MAPS, PREDICATES, fails_at_threes, fails_long, functions
from tests.laws.sources import SOURCES
from tests.transforms.test_filter import reference as filtered
from tests.transforms.test_ignore_errors import BUDGETS, left_out


def fails_on_even_text(text: str) -> Any:
    return len(text) // (len(text) % 2)


FAILING: dict[str, list[Any]] = {
    **MAPS,
    "integer": [*MAPS["integer"], *[fails_at_threes, Recording(fails_at_threes), lambda n: 6 // int(n % 3)] * 4],
    "float": [*MAPS["float"], lambda x: 1 / int(abs(x) % 2)],
    "array": [*MAPS["array"], *[fails_long, Recording(fails_long), lambda a: a if a.sum() % 2 else 1 // 0] * 2],
    "text": [*MAPS["text"], fails_on_even_text],
    "integers": [*MAPS["integers"], lambda x, y: 1 // int(y % 2), Recording(lambda x, y: 1 // int(x % 2))],
}


class Own:
    """A failure of the step itself."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


def called(function: Callable[..., Any], element: Any, method: str, on_error: OnError) -> Any:
    """What a step makes of an element; a failure of its own marked as such."""
    times = on_error.times if isinstance(on_error, Retry) else 0
    found = call(function, element, method)
    while isinstance(found, Failure) and not isinstance(element, Failure) and times:
        times -= 1
        found = call(function, element, method)
    is_own = isinstance(found, Failure) and not isinstance(element, Failure)
    return Own(found) if is_own else found


def mapped(
    elements: Stream, map_func: Callable[..., Any], on_error: OnError, max_errors: int | float | None = None
) -> Iterator[Any]:
    results = (called(map_func, element, "map", on_error) for element in elements)
    then = on_error.then if isinstance(on_error, Retry) else on_error
    if then == "skip":
        return left_out(results, lambda at, result: isinstance(result, Own), max_errors)
    return (stands_for(result, then) if isinstance(result, Own) else result for result in results)


def stands_for(own: Own, then: OnError) -> Any:
    return then.value if isinstance(then, Substitute) else own.failure


SKIP = Case(
    "map",
    Dataset.map,
    mapped,
    lambda sample: st.fixed_dictionaries(
        {
            "map_func": functions(FAILING, sample),
            "on_error": st.sampled_from(["skip", "skip", penstock.retry(1, 0, then="skip")]),
            "max_errors": BUDGETS,
        }
    ),
    cardinality=lambda size, map_func, on_error, max_errors: UNKNOWN_CARDINALITY,
    may_drop=True,
)

KEEP = Case(
    "map",
    Dataset.map,
    mapped,
    lambda sample: functions(MAPS, sample).map(
        lambda function: {"map_func": function, "on_error": kept(function, sample)}
    ),
)


def kept(function: Any, sample: list[Any]) -> OnError:
    """A policy that leaves nothing out, with a value such as the function gives."""
    plain = function.function if isinstance(function, Recording) else function
    results = [call(plain, element, "map") for element in sample]
    good = [result for result in results if not isinstance(result, Failure)]
    return penstock.retry(2, 0, then=penstock.substitute(good[0]) if good else "raise")


def chosen(elements: Stream, predicate: Callable[..., Any], on_error: OnError) -> Iterator[Any]:
    before = [False]

    def noted() -> Iterator[Any]:
        for element in elements:
            before[0] = isinstance(element, Failure)
            yield element

    found = filtered(Stream(lambda epoch, number: noted()), predicate, True)
    return (element for element in found if before[0] or not isinstance(element, Failure))


FILTER = Case(
    "filter",
    Dataset.filter,
    chosen,
    lambda sample: st.fixed_dictionaries({"predicate": functions(PREDICATES, sample), "on_error": st.just("skip")}),
    cardinality=lambda size, predicate, on_error: UNKNOWN_CARDINALITY,
    may_drop=True,
)

test_laws_of_leaving_out = laws_for(SKIP, SOURCES)
test_laws_of_leaving_out_with_threads = laws_for(SKIP, SOURCES, laws_with(THREADS))
test_laws_of_keeping = laws_for(KEEP, SOURCES)
test_laws_of_keeping_with_threads = laws_for(KEEP, SOURCES, laws_with(THREADS))
test_laws_of_filter = laws_for(FILTER, SOURCES)


def test_what_fails_is_left_out() -> None:
    assert [int(n) for n in Dataset.range(4).map(lambda n: 6 // int(n), on_error="skip")] == [6, 3, 2]
