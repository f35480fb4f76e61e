from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Dataset, text

CLS, SEP, PAD, MASK = 0, 1, 2, 3


@given(
    st.lists(st.integers(0, 49), max_size=60),
    st.sampled_from([0.0, 0.15, 0.5, 1.0]),
    st.sampled_from([(0.8, 0.1), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)]),
    st.integers(0, 99),
)
def test_labels_say_what_was_there(ids: list[int], probability: float, shares: tuple[float, float], seed: int) -> None:
    hide = text.mask_tokens(
        50, MASK, probability=probability, special_ids=[CLS, SEP, PAD], mask_share=shares[0], random_share=shares[1]
    )
    before = np.array(ids, np.int32)
    inputs, labels = hide(before, np.random.default_rng(seed))
    assert inputs.dtype == labels.dtype == np.int32
    assert before.tolist() == ids
    chosen = labels != -100
    assert (labels[chosen] == before[chosen]).all()
    assert (inputs[~chosen] == before[~chosen]).all()
    assert not np.isin(before[chosen], [CLS, SEP, PAD, MASK]).any()
    changed = inputs[inputs != before]
    assert not np.isin(changed, [CLS, SEP, PAD]).any()
    if probability == 1.0:
        assert (chosen == ~np.isin(before, [CLS, SEP, PAD, MASK])).all()
        if shares == (1.0, 0.0):
            assert (inputs[chosen] == MASK).all()
        if shares == (0.0, 1.0):
            assert (inputs[chosen] != MASK).all()
        if shares == (0.0, 0.0):
            assert (inputs == before).all()
    if probability == 0.0:
        assert not chosen.any()


def test_shares_are_those_of_bert() -> None:
    ids = np.full(200_000, 25)
    inputs, labels = text.mask_tokens(50, MASK)(ids, np.random.default_rng(0))
    chosen = labels != -100
    assert abs(chosen.mean() - 0.15) < 0.005
    assert abs((inputs[chosen] == MASK).mean() - 0.8) < 0.01
    drawn = inputs[chosen & (inputs != MASK) & (inputs != 25)]
    assert abs(len(drawn) / chosen.sum() - 0.1 * 48 / 49) < 0.01
    assert set(drawn.tolist()) == set(range(50)) - {MASK, 25}


def test_the_same_whatever_the_workers() -> None:
    rows = [np.arange(5, 25) for _ in range(40)]
    hide = text.mask_tokens(50, MASK, probability=0.5)
    alone = Dataset.from_list(rows).random_map(hide, seed=4)
    workers = Dataset.from_list(rows).random_map(hide, seed=4, num_parallel_calls=2)
    wanted = [(inputs.tolist(), labels.tolist()) for inputs, labels in alone]
    assert [(inputs.tolist(), labels.tolist()) for inputs, labels in workers] == wanted
    assert len({str(row) for row in wanted}) == 40


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"vocab_size": 5, "mask_id": 5},
            ValueError,
            r"token 5 is not within the vocabulary of 5; vocab_size counts special",
        ),
        ({"vocab_size": 5, "mask_id": 1, "special_ids": [7]}, ValueError, "token 7 is not within the vocabulary of 5"),
        (
            {"vocab_size": 5, "mask_id": 1, "probability": 1.5},
            ValueError,
            "probability must be within 0 and 1, but is 1.5",
        ),
        (
            {"vocab_size": 5, "mask_id": 1, "random_share": 0.3},
            ValueError,
            r"mask_share \+ random_share must be within 0 and 1",
        ),
        (
            {"vocab_size": 2, "mask_id": 1, "special_ids": [0]},
            ValueError,
            "all 2 tokens .* are special.*random_share=0",
        ),
        ({"vocab_size": 5.5, "mask_id": 1}, TypeError, "vocab_size must be an integer of at least 1, but is 5.5"),
    ],
)
def test_arguments_are_checked_at_the_call(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        text.mask_tokens(**arguments)


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (np.array([1, 50]), ValueError, r"token 50 is not within the vocabulary, 0 to 49; pass the vocab_size"),
        (np.array([1, -1]), ValueError, "token -1 is not within the vocabulary"),
        (np.array([1.0]), TypeError, "takes an array of token ids, integers, but was given float64"),
    ],
)
def test_tokens_that_are_none(ids: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        text.mask_tokens(50, MASK)(ids, np.random.default_rng(0))


def test_unsigned_ids_get_labels_that_can_be_negative() -> None:
    _, labels = text.mask_tokens(50, MASK, probability=0)(np.array([7], np.uint16), np.random.default_rng(0))
    assert labels.tolist() == [-100]
