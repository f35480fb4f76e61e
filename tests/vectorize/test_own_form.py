"""Functions that are also written for many rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penstock import Dataset, retry
from penstock.columns import Varlen
from penstock.node import Purity
from penstock.vectorize.purity import judge

ROWS = 1000
WAY = "by its own form for many rows"


class Both:
    """A function written twice, which counts the rows that each form was called for."""

    def __init__(self, one: Callable[..., Any], many: Callable[..., Any]) -> None:
        self.one, self.many = one, many
        self.singly = 0
        self.together: list[int] = []

    def __call__(self, *components: Any) -> Any:
        self.singly += 1
        return self.one(*components)

    def for_rows(self, *components: list[Any]) -> Any:
        self.together.append(len(components[0]))
        return self.many(*components)


def ragged(counts: list[Any]) -> Varlen:
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Varlen(np.repeat(np.array(counts, np.int32), counts), ends)


FORMS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "a list": (lambda n: f"<{n}>", lambda rows: [f"<{n}>" for n in rows]),
    "an array": (lambda n: np.int64(n) * 2, lambda rows: np.array(rows) * 2),
    "ragged rows": (lambda n: np.full(n % 5, n % 5, np.int32), lambda rows: ragged([n % 5 for n in rows])),
    "a structure": (
        lambda n: {"a": np.full(n % 5, n % 5, np.int32), "b": np.array([n, 1])},
        lambda rows: {"a": ragged([n % 5 for n in rows]), "b": np.stack([rows, np.ones(len(rows), int)], 1)},
    ),
    "a list of structures": (lambda n: (n, str(n)), lambda rows: [(n, str(n)) for n in rows]),
}


def shown(element: Any) -> str:
    return repr(element)


@pytest.mark.parametrize("form", FORMS)
def test_results_are_those_of_single_calls(form: str) -> None:
    one, many = FORMS[form]
    function = Both(one, many)
    ds = Dataset.range(ROWS).map(function)
    assert list(map(shown, ds)) == list(map(shown, Dataset.range(ROWS).map(one, purity="stateful")))
    assert WAY in ds.explain()
    assert sum(function.together) > ROWS / 2
    assert function.singly < ROWS / 2


def test_several_arguments_and_structures() -> None:
    pair = Both(lambda a, b: a + b, lambda firsts, seconds: [a + b for a, b in zip(firsts, seconds, strict=True)])
    numbers = np.arange(ROWS)
    ds = Dataset.from_tensor_slices((numbers, numbers)).map(pair)
    assert list(ds) == (numbers * 2).tolist()
    nested = Both(
        lambda d, b: d["a"] + b, lambda firsts, seconds: [d["a"] + b for d, b in zip(firsts, seconds, strict=True)]
    )
    ds = Dataset.from_tensor_slices(({"a": numbers}, numbers)).map(nested)
    assert list(ds) == (numbers * 2).tolist()
    rows = Both(lambda row: row["a"], lambda rows: [row["a"] for row in rows])
    ds = Dataset.from_tensor_slices({"a": numbers}).map(rows)
    assert list(ds) == numbers.tolist()
    assert all(sum(function.together) > ROWS / 2 for function in (pair, nested, rows))


@pytest.mark.parametrize(
    ("many", "reason"),
    [
        (lambda rows: [str(n + (n % 10 == 0)) for n in rows], "it gave another value"),
        (lambda rows: [f"{n} " for n in rows], "it gave another value"),
        (lambda rows: [(str(n), 1) for n in rows], "it raised or warned on several blocks"),
        (lambda rows: [str(n) for n in rows[1:]], "it raised or warned on several blocks"),
        (lambda rows: np.arange(len(rows)), "it gave another"),
        (lambda rows: {"a": np.array(rows)}, "it raised or warned on several blocks"),
        (lambda rows: 1 / 0, "it raised or warned on several blocks"),
    ],
)
def test_a_form_that_gives_something_else_is_not_used(many: Any, reason: str) -> None:
    ds = Dataset.range(ROWS).map(Both(str, many)).batch(100).unbatch()
    found = list(ds)
    assert found == [str(n) for n in range(ROWS)]
    assert f"per element: {WAY}, {reason}" in ds.explain()


def test_errors_stand_at_their_elements() -> None:
    def one(n: Any) -> str:
        if n == 700:
            raise KeyError("no 700")
        return str(n)

    function = Both(one, lambda rows: [one(n) for n in rows])
    ds = Dataset.range(ROWS).map(function)
    with iter(ds) as elements:
        for n in range(700):
            assert next(elements) == str(n)
        with pytest.raises(KeyError, match="no 700"):
            next(elements)
        assert list(elements) == [str(n) for n in range(701, ROWS)]


def test_errors_of_earlier_steps_are_not_handed_to_it() -> None:
    def early(n: Any) -> Any:
        if n % 100 == 7:
            raise ValueError(n)
        return n

    function = Both(lambda n: f"<{n}>", lambda rows: [f"<{n}>" for n in rows])
    ds = Dataset.range(ROWS).map(early).map(function).ignore_errors()
    assert list(ds) == [f"<{n}>" for n in range(ROWS) if n % 100 != 7]
    assert function.together


def test_calls_are_made_again_where_that_is_asked_for() -> None:
    failed: list[int] = []

    def one(n: Any) -> str:
        if n == 700 and not failed:
            failed.append(700)
            raise OSError("once")
        return str(n)

    def many(rows: list[Any]) -> list[str]:
        if 700 in rows:
            raise OSError("for many")
        return [str(n) for n in rows]

    ds = Dataset.range(ROWS).map(Both(one, many), on_error=retry(2, backoff_seconds=0.0))
    assert list(ds) == [str(n) for n in range(ROWS)]
    assert failed == [700]


def test_whoever_has_one_says_that_it_is_pure() -> None:
    function = Both(str, lambda rows: list(map(str, rows)))
    assert judge(function).purity is Purity.PURE
    assert not judge(function).lets_go_of_gil
    function.lets_go_of_gil = True
    assert judge(function).lets_go_of_gil
    assert judge(function.__call__).purity is Purity.STATEFUL


def test_not_used_where_that_was_not_wished() -> None:
    function = Both(str, lambda rows: list(map(str, rows)))
    ds = Dataset.range(ROWS).map(function, vectorize=False)
    assert list(ds) == [str(n) for n in range(ROWS)]
    assert not function.together
    assert function.singly == ROWS


def test_predicates_may_have_one() -> None:
    function = Both(lambda n: bool(n % 2), lambda rows: np.array(rows) % 2 == 1)
    assert list(Dataset.range(ROWS).filter(function)) == list(range(1, ROWS, 2))
    assert sum(function.together) > ROWS / 2
