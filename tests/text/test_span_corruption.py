from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Dataset, text

FIRST = 1000
SENTINELS = range(FIRST, FIRST - 100, -1)


def restored(inputs: list[int], targets: list[int]) -> list[int]:
    """The sequence that was corrupted: each sentinel of the inputs replaced by what stands behind it in the targets."""
    spans: dict[int, list[int]] = {}
    for token in targets:
        if token in SENTINELS:
            spans[token] = []
            last = token
        else:
            spans[last].append(token)
    return [part for token in inputs for part in (spans[token] if token in SENTINELS else [token])]


@given(st.integers(2, 300), st.floats(0.01, 0.99), st.floats(1, 10), st.booleans(), st.integers(0, 99))
def test_targets_hold_what_is_missing(length: int, density: float, mean: float, ends: bool, seed: int) -> None:
    corrupt = text.span_corruption(
        range(2000, 1000, -1), density=density, mean_span_length=mean, eos_id=999 if ends else None
    )
    ids = np.arange(length, dtype=np.int32)
    inputs, targets = corrupt(ids, np.random.default_rng(seed))
    assert inputs.dtype == targets.dtype == np.int32
    assert (len(inputs), len(targets)) == corrupt.lengths(length)
    found, said = inputs.tolist(), targets.tolist()
    if ends:
        assert found.pop() == said.pop() == 999
    spans = [token for token in found if token > 1000]
    assert spans == [token for token in said if token > 1000] == list(range(2000, 2000 - len(spans), -1))
    noise = [token for token in said if token <= 1000]
    assert len(noise) == min(max(round(length * density), 1), length - 1)
    assert sorted(noise + [token for token in found if token <= 1000]) == ids.tolist()
    # Spans are never empty, and something stands between any two.
    assert not any(a > 1000 and b > 1000 for a, b in zip([2001, *found[:-1]], found, strict=True))
    assert not any(a > 1000 and b > 1000 for a, b in zip(said, [*said[1:], 2001], strict=True))


@given(st.integers(2, 200), st.integers(0, 99))
def test_the_sequence_can_be_put_together_again(length: int, seed: int) -> None:
    ids = np.arange(length)
    inputs, targets = text.span_corruption(SENTINELS)(ids, np.random.default_rng(seed))
    assert restored(inputs.tolist(), targets.tolist()) == ids.tolist()


def test_lengths_are_those_of_t5() -> None:
    # The published setting: 568 tokens become 512 inputs and 114 targets, both with an end.
    assert text.span_corruption(SENTINELS, eos_id=1).lengths(568) == (512, 114)


def test_every_division_is_as_likely() -> None:
    corrupt = text.span_corruption([99], density=0.4, mean_span_length=2)
    rng = np.random.default_rng(0)
    two = text.span_corruption([99, 98], density=0.4, mean_span_length=2)
    found: dict[str, int] = {}
    for _ in range(1500):
        inputs, _ = two(np.arange(10), rng)
        found[str(inputs.tolist())] = found.get(str(inputs.tolist()), 0) + 1
    # Six tokens that stay in two stretches, four of noise in two spans: 5 * 3 ways.
    assert len(found) == 15
    assert max(found.values()) < 1.6 * 1500 / 15
    assert min(found.values()) > 0.4 * 1500 / 15
    assert corrupt(np.arange(5), rng)[0].tolist() == [0, 1, 2, 99]


def test_random_map_gives_the_same_in_each_epoch_of_a_number() -> None:
    ds = Dataset.from_list([np.arange(60) for _ in range(9)]).random_map(text.span_corruption(SENTINELS), seed=1)
    with ds.iterator(epoch=0) as elements:
        wanted = [[part.tolist() for part in pair] for pair in elements]
    with ds.iterator(epoch=0) as elements:
        assert [[part.tolist() for part in pair] for pair in elements] == wanted
    assert len({str(pair) for pair in wanted}) > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sentinel_ids": []}, "sentinel_ids must be different tokens, at least one"),
        ({"sentinel_ids": [5, 5]}, "sentinel_ids must be different tokens"),
        ({"sentinel_ids": [5], "density": 1.0}, "density must be above 0 and below 1, but is 1.0"),
        ({"sentinel_ids": [5], "mean_span_length": 0.5}, "mean_span_length must be at least 1, but is 0.5"),
    ],
)
def test_arguments_are_checked_at_the_call(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        text.span_corruption(**arguments)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.arange(1), r"needs at least 2 tokens, but has 1"),
        (np.array([5, 999, 6]), "token 999 at position 1 is one of sentinel_ids"),
        (np.zeros(900, int), r"900 tokens have 45 spans, but there are 2 sentinel_ids; give more, or truncate\(\)"),
        (np.zeros((2, 2), int), r"takes an array of shape \(length,\), but was given \(2, 2\)"),
    ],
)
def test_sequences_that_cannot_be_corrupted(ids: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        text.span_corruption([999, 998])(ids, np.random.default_rng(0))
