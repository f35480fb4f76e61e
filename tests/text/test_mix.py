"""`text.mix`: the shares at every step, what comes at a corpus' end, schedules, and that a state goes on."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, Dataset, text
from tests.corners import outcomes, plain, values

FIRST = 1000
"""Corpus k counts from k thousands, so that an element tells its corpus."""


def corpora(count: int, size: int = 400) -> dict[str, Dataset[Any]]:
    return {f"corpus {k}": Dataset.range(k * FIRST, k * FIRST + size) for k in range(count)}


def counts(dataset: Dataset[Any], steps: int, count: int) -> np.ndarray[Any, Any]:
    """How many elements of each corpus there were after each step."""
    sources = np.array([int(n) // FIRST for n in islice(dataset, steps)])
    assert len(sources) == steps
    return np.cumsum(sources[:, None] == np.arange(count), axis=0)


@given(st.lists(st.floats(0, 100, allow_subnormal=False), min_size=1, max_size=5).filter(any))
def test_each_corpus_has_its_share_at_every_step(weights: list[float]) -> None:
    named = corpora(len(weights))
    found = counts(text.mix(named, dict(zip(named, weights, strict=True))), 300, len(weights))
    shares = np.arange(1, 301)[:, None] * np.array(weights) / sum(weights)
    assert (np.abs(found - shares) < 1 + 1e-9).all()


@given(st.integers(2, 5), st.integers(0, 1000))
def test_weights_that_change_are_followed(count: int, seed: int) -> None:
    table = np.random.default_rng(seed).random((300, count)) ** 4
    found = counts(text.mix(corpora(count), lambda step: table[step]), 300, count)
    ahead = found - np.cumsum(table / table.sum(axis=1, keepdims=True), axis=0)
    assert ahead.max() <= 1 - 1 / count + 1e-9
    assert -ahead.min() <= sum(1 / k for k in range(2, count + 1)) + 1e-9


def test_a_schedule_by_name() -> None:
    def weights(step: Any) -> Any:
        return {"b": step, "a": 10 - step}

    named = {"a": Dataset.range(100), "b": Dataset.range(100, 200)}
    found = [int(n) >= 100 for n in text.mix(named, weights).take(10)]
    assert found[:3] == [False, False, False]
    assert found[-3:] == [True, True, True]
    assert sum(found) in (4, 5)


def test_what_comes_when_a_corpus_has_ended() -> None:
    named = {"short": Dataset.range(2), "long": Dataset.range(10, 15)}
    repeated = text.mix(named)
    assert repeated.cardinality() == INFINITE_CARDINALITY
    assert values(repeated.take(7)) == [0, 10, 1, 11, 0, 12, 1]
    assert values(text.mix(named, at_end="stop")) == [0, 10, 1, 11]
    assert values(text.mix(named, at_end="go_on")) == [0, 10, 1, 11, 12, 13, 14]
    schedule = text.mix(named, lambda step: np.ones(2), at_end="go_on")
    assert values(schedule) == [0, 10, 1, 11, 12, 13, 14]
    assert values(text.mix(named, lambda step: np.ones(2), at_end="stop")) == [0, 10, 1, 11]


def test_elements_with_the_name_of_their_source() -> None:
    named = {"wiki": Dataset.from_list(["w"]), "code": Dataset.from_list(["c"])}
    ds = text.mix(named, {"code": 3, "wiki": 1}, with_source=True)
    assert sorted(ds.take(4)) == [("code", "c")] * 3 + [("wiki", "w")]
    assert list(text.mix(named, {"wiki": 1, "code": 0}).take(2)) == ["w", "w"]


@pytest.mark.parametrize("is_schedule", [False, True])
def test_a_state_goes_on(is_schedule: bool) -> None:
    weights: Any = {"corpus 0": 0.3, "corpus 1": 0.7}
    named = corpora(2, size=5)
    ds = text.mix(named, (lambda step: (step % 3, 1)) if is_schedule else weights)
    with iter(ds) as elements:
        before = [plain(next(elements)) for _ in range(17)]
        state = elements.state_dict()
        after = [plain(next(elements)) for _ in range(20)]
    with iter(ds) as resumed:
        resumed.load_state_dict(state)
        assert [plain(next(resumed)) for _ in range(20)] == after
    assert values(ds.take(37)) == before + after


def test_weights_of_a_step_that_are_none() -> None:
    named = corpora(2)
    ds = text.mix(named, lambda step: np.array([1.0, -1.0 if step == 1 else 1.0]))
    assert outcomes(ds.take(3)) == [0, ValueError, FIRST]
    with pytest.raises(
        ValueError, match=r"the function of the step returned .*; return a number of at least 0 for each"
    ):
        next(iter(text.mix(named, lambda step: {"other": step})))


def test_wrong_calls() -> None:
    named = corpora(2)
    for weights, kind, message in [
        ({"corpus 0": 1}, ValueError, r"weights are of \['corpus 0'\], corpora of \['corpus 0', 'corpus 1'\]"),
        ({"corpus 0": 1, "corpus 1": -1}, ValueError, "the weight of 'corpus 1' must be finite and at least 0, but is"),
        ({"corpus 0": 0, "corpus 1": 0}, ValueError, "all weights are 0; give one above 0"),
        ({"corpus 0": 1, "corpus 1": "2"}, TypeError, "the weight of 'corpus 1' must be a number, but is '2'"),
        ([1, 2], TypeError, "weights must be a dict by name or a function of the step"),
    ]:
        with pytest.raises(kind, match=message):
            text.mix(named, weights)
    with pytest.raises(TypeError, match="corpora must be a dict of datasets by name"):
        text.mix(list(named.values()))
    with pytest.raises(ValueError, match="datasets is empty; give at least one"):
        text.mix({})
    with pytest.raises(ValueError, match="at_end must be one of 'repeat', 'stop', 'go_on', but is 'end'"):
        text.mix(named, at_end="end")
