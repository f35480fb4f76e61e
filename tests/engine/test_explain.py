"""`explain`, `repr`, the table for notebooks, `head`, the spec: what they show, and how little they compute."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from penstock import Dataset, TensorSpec
from penstock.errors import CardinalityError
from tests.corners import Counting, Yielding, failing_at, plain, values


def test_explain_shows_both_plans_with_a_reason_for_each_function() -> None:
    def logs(n: Any) -> Any:
        print(n)  # noqa: T201
        return n

    text = Dataset.range(9).map(lambda n: n * 2).map(logs).take(3).batch(2).explain()
    assert text.splitlines()[:2] == ["as written:", "  range(start=0, step=1, 9 numbers, int64)"]
    written, run = text.split("as run:")
    assert [written.count(step) for step in ("map(", "take(3)", "batch(2)")] == [2, 1, 1]
    assert "map(test_explain_shows_both_plans_with_a_reason_for_each_function.<locals>.<lambda>)  # vectorised" in run
    (line,) = [line for line in run.splitlines() if "logs" in line]
    assert "# per element: prints" in line


def test_explain_shows_what_is_arithmetic_on_places() -> None:
    text = Dataset.range(100).shuffle(100).skip(3).repeat(2).map(lambda n: n + 1).batch(7).explain()
    run = text.split("as run:")[1]
    assert "gather  # by index from range" in run
    assert [run.count(f"index: {step}") for step in ("shuffle(100)", "skip(3)", "repeat(2)")] == [1, 1, 1]


def test_explain_shows_every_input() -> None:
    text = Dataset.zip(Dataset.range(2), Dataset.range(3).concatenate(Dataset.range(4))).explain()
    assert [text.split("as run:")[0].count(f"input {number}:") for number in (0, 1)] == [2, 2]


def test_explain_says_that_vectorising_was_switched_off() -> None:
    assert "vectorize=False" in Dataset.range(3).map(lambda n: n, vectorize=False).explain()


QUIET = {
    "explain": lambda ds: ds.explain(),
    "repr": repr,
    "cardinality": lambda ds: ds.cardinality(),
    "bool": bool,
    "derive": lambda ds: ds.map(lambda n: n).batch(2).take(3).skip(1).shard(2, 0).cache().prefetch(1),
}


@pytest.mark.parametrize("look", QUIET)
def test_looking_at_a_dataset_computes_nothing_and_counts_as_no_pass(look: str) -> None:
    source, seen = Yielding(*range(9)), Counting()
    ds = Dataset.from_generator(source).shuffle(4, seed=1).map(seen).prefetch(2)
    QUIET[look](ds)
    assert (source.calls, seen.seen) == (0, [])
    assert values(ds) == values(Dataset.range(9).filter(lambda n: n >= 0).shuffle(4, seed=1))


LOOKS = {
    "head": lambda ds: ds.head(2),
    "html": lambda ds: ds._repr_html_(),
    "spec": lambda ds: ds.element_spec,
}


@pytest.mark.parametrize("look", LOOKS)
def test_looking_at_elements_starts_no_thread_counts_as_no_pass_and_reads_the_least(look: str) -> None:
    threads: set[Any] = set()
    seen = Counting(lambda n: threads.add(threading.current_thread()) or n)
    source = Yielding(*range(40))
    ds = Dataset.from_generator(source).shuffle(4, seed=1).map(seen).prefetch(20)
    LOOKS[look](ds)
    wanted = {"head": 2, "html": 5, "spec": 1}[look]
    assert len(seen.seen) == wanted
    assert source.given <= wanted + 4
    assert source.ended == source.calls == 1
    assert threads == {threading.current_thread()}
    expected = Dataset.from_generator(Yielding(*range(40))).shuffle(4, seed=1)
    assert values(ds) == values(expected)


def test_head_computes_no_more_of_a_pure_function_either() -> None:
    seen = Counting()
    assert [plain(n) for n in Dataset.range(1000).map(seen, purity="pure").head(3)] == [0, 1, 2]
    assert seen.seen == [0, 1, 2]


def test_head_of_less_and_of_nothing() -> None:
    assert len(Dataset.range(2).head()) == 2
    assert Dataset.range(9).head(0) == Dataset.range(0).head() == []
    assert len(Dataset.range(3).repeat().head(7)) == 7


@pytest.mark.parametrize(("count", "error"), [(-1, ValueError), (1.5, TypeError), (None, TypeError)])
def test_head_of_what_is_no_count_is_refused(count: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^head\(\): count must be"):
        Dataset.range(3).head(count)


def test_head_raises_the_error_of_an_element() -> None:
    with pytest.raises(KeyError):
        Dataset.range(3).map(failing_at(1)).head(2)


def test_the_table_for_notebooks_shows_components_by_name_and_escapes_text() -> None:
    html = Dataset.from_tensor_slices({"img": np.zeros((7, 28, 28)), "text": ["<b>"] * 7})._repr_html_()
    assert "<b>" not in html.replace("<b>&", "")
    assert "&lt;b&gt;" in html
    assert "float64 array of shape (28, 28)" in html
    assert html.count("<tr>") == 6
    assert "7 elements" in html


def test_the_table_for_notebooks_shows_an_error_instead_of_raising_it() -> None:
    assert "bad number" in Dataset.range(3).map(failing_at(0))._repr_html_()
    assert "0 elements" in Dataset.range(0)._repr_html_()


@pytest.mark.parametrize(
    ("ds", "text"),
    [
        (Dataset.range(3).batch(2), "<Dataset batch(2): 2 elements, TensorSpec((None,), int64)>"),
        (Dataset.range(3).repeat(), "<Dataset repeat(): endless, TensorSpec((), int64)>"),
        (Dataset.from_generator(list), "unknown length, unknown before the first element>"),
    ],
    ids=["known", "endless", "unknown"],
)
def test_the_repr_is_the_last_step_with_length_and_spec(ds: Dataset[Any], text: str) -> None:
    assert repr(ds).endswith(text)


def test_a_spec_that_is_not_known_is_found_once() -> None:
    seen = Counting()
    ds = Dataset.range(9).map(seen)
    assert ds.element_spec == ds.element_spec
    assert seen.seen == [0]


def test_batches_whose_spec_had_to_be_found_keep_an_open_first_dimension() -> None:
    ds = Dataset.range(4).batch(2).map(Counting())
    assert ds.element_spec == TensorSpec((None,), "int64")


def test_the_table_for_notebooks_shortens_long_text() -> None:
    html = Dataset.from_tensors("x" * 1000)._repr_html_()
    assert "x" * 70 in html
    assert "x" * 81 not in html


def test_the_spec_of_nothing_is_unknown() -> None:
    with pytest.raises(CardinalityError, match=r"element_spec: the dataset is empty.*declare output_signature"):
        _ = Dataset.from_generator(list).element_spec


def test_steps_that_keep_elements_keep_the_spec() -> None:
    ds = Dataset.from_tensor_slices({"a": np.zeros((4, 3), "float32"), "b": ["x"] * 4})
    kept = (
        ds.filter(lambda e: True).shuffle(2).repeat(2).take(3).skip(1).shard(2, 0).cache().prefetch(1),
        ds.shuffle(2).repeat().take(3),
        ds.concatenate(ds),
        ds.batch(2).unbatch(),
    )
    for derived in kept:
        assert derived.element_spec == ds.element_spec
