"""`sample_from_datasets` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import count, islice
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset
from penstock.mixing.even import Even
from penstock.random import Key, raw
from penstock.testing import Case, Failure, Recording, Stream, laws_for
from tests.corners import Yielding, outcomes, values
from tests.laws.sources import SOURCES


def reference(
    left: Stream, right: Stream, weights: Any, seed: int, stop: bool, again: bool, skipped: int, evenly: bool
) -> Iterator[Any]:
    parts = [iter(left), islice(right, skipped, None)]
    is_open = [True, True]
    had = [0, 0]
    epoch, number = (left.epoch, left.number) if again else (0, 0)
    for step in count():
        if not any(is_open):
            return
        if callable(weights):
            try:
                shares = [float(weight) for weight in weights(np.int64(step))]
            except Exception as error:
                yield Failure(type(error), str(error), "sample_from_datasets")
                continue
        else:
            shares = [1.0, 1.0] if weights is None else weights
        if not any(share for share, still in zip(shares, is_open, strict=True) if still):
            return
        draw = int(raw(Key(seed, "sample_from_datasets", number, epoch), step, 1)[0] >> 11) / 2**53
        pick = next_evenly(shares, had, step) if evenly else int(draw >= shares[0] / sum(shares))
        had[pick] += 1
        try:
            if is_open[pick]:
                yield next(parts[pick])
        except StopIteration:
            is_open[pick] = False
            if stop:
                return


def next_evenly(weights: list[float], had: list[int], step: int) -> int:
    """Of those whose share is at least a half more than they had, the one whose share is one more the soonest."""
    exact = [Fraction(str(weight)) for weight in weights]
    shares = [weight / sum(exact) for weight in exact]
    if 0 in shares:
        return int(shares[0] == 0)
    due = [n for n in range(2) if shares[n] * (step + 1) - had[n] >= Fraction(1, 2)]
    return min(due, key=lambda n: (had[n] + Fraction(1, 2)) / shares[n])


def growing(step: Any) -> Any:
    return np.stack([np.float64(1), step / 4])


def fails_at_threes(step: Any) -> Any:
    if step % 4 == 3:
        raise ValueError(f"no {step}")
    return 1.0, 2.0


def build(left: Any, right: Any, weights: Any, seed: Any, stop: bool, again: bool, skipped: int, evenly: bool) -> Any:
    parts = [left, right.skip(skipped)]
    return Dataset.sample_from_datasets(parts, weights, seed, stop, again, evenly=evenly)


def cardinality(left: int, right: int, weights: Any, stop: bool, skipped: int, **_: Any) -> int | None:
    if left == UNKNOWN_CARDINALITY:
        return UNKNOWN_CARDINALITY
    if weights == [0.0, 0.0]:
        return 0
    if left == INFINITE_CARDINALITY:
        return INFINITE_CARDINALITY
    if callable(weights) or stop or isinstance(weights, Recording):
        return UNKNOWN_CARDINALITY
    sizes = [left, max(0, right - skipped)]
    return sum(size for size, weight in zip(sizes, weights or [1, 1], strict=True) if weight)


FIXED: list[Any] = [None, [0.5, 0.5], [0.9, 0.1], [1.0, 0.0], [0.0, 3.0], [0.0, 0.0]]
CHANGING: list[Any] = [growing, fails_at_threes, Recording(lambda step: (1.0, 0.5)), lambda step: (0.25, 0.75)]


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, Any]:
    evenly = draw(st.booleans())
    return {
        "weights": draw(st.sampled_from(FIXED if evenly else FIXED + CHANGING)),
        "seed": draw(st.integers(0, 5)),
        "stop": draw(st.booleans()),
        "again": draw(st.booleans()),
        "skipped": draw(st.integers(0, 6)),
        "evenly": evenly,
    }


CASE = Case(
    "sample_from_datasets",
    build,
    reference,
    lambda sample: arguments(),
    cardinality,
    inputs=2,
    reads_itself=True,
)

test_laws = laws_for(CASE, SOURCES)

ENDLESS = [Dataset.counter(1000 * n) for n in range(4)]


def shares(ds: Dataset[Any], elements: int, inputs: int = 4) -> list[float]:
    """The part of the first elements that each of the endless datasets gave."""
    found = np.concatenate(list(ds.map(lambda n: n // 1_000_000).take(elements).batch(4096)))
    return [float((found == number).mean()) for number in range(inputs)]


def test_frequencies_follow_the_weights() -> None:
    far_apart = [Dataset.counter(1_000_000 * n) for n in range(4)]
    weights = [1, 0, 2.5, 6.5]
    counted = np.array(shares(Dataset.sample_from_datasets(far_apart, weights, seed=3), 40_000)) * 40_000
    expected = np.array(weights) * 4000
    assert counted[1] == 0
    # Chi-squared with two degrees of freedom: exceeded by chance once in ten thousand seeds.
    assert ((counted - expected)[expected > 0] ** 2 / expected[expected > 0]).sum() < 18.4


def test_over_streams_and_by_index_the_same_elements_come() -> None:
    for weights in ([0.2, 0.3, 0.1, 0.4], lambda step: (1.0, step % 7, 0.0, 2.0)):
        streams = [ds.filter(lambda n: True) for ds in ENDLESS]
        by_index = Dataset.sample_from_datasets(ENDLESS, weights, seed=1)
        assert values(by_index, 3000) == values(Dataset.sample_from_datasets(streams, weights, seed=1), 3000)
        assert [int(by_index[at]) for at in (2999, 5)] == [values(by_index, 3000)[at] for at in (2999, 5)]


def test_each_iteration_draws_alike_unless_told_otherwise() -> None:
    ds = Dataset.sample_from_datasets(ENDLESS, seed=1)
    assert values(ds, 50) == values(ds, 50)
    again = Dataset.sample_from_datasets(ENDLESS, seed=1, rerandomize_each_iteration=True)
    assert values(again, 50) == values(ds, 50) != values(again, 50)
    finite = Dataset.sample_from_datasets([Dataset.range(9), Dataset.range(50, 59)], seed=2)
    assert values(finite.repeat(2)) == values(finite) * 2


def test_when_one_ends_the_others_go_on_or_everything_ends() -> None:
    parts = [Dataset.range(5), Dataset.range(100, 140)]
    ds = Dataset.sample_from_datasets(parts, [0.5, 0.5], seed=1)
    assert len(ds) == 45
    assert sorted(values(ds)) == [*range(5), *range(100, 140)]
    stopped = Dataset.sample_from_datasets(parts, [0.5, 0.5], 1, True)
    assert values(stopped) == values(ds)[: len(values(stopped))]
    assert 5 <= len(values(stopped)) < 45


def test_a_rest_of_little_weight_still_comes() -> None:
    parts = [Dataset.range(2), Dataset.range(100, 103).filter(lambda n: True)]
    ds = Dataset.sample_from_datasets(parts, [1.0, 0.001], seed=1)
    assert sorted(values(ds)) == [0, 1, 100, 101, 102]


def test_only_weights_of_zero_left_are_the_end() -> None:
    parts = [Dataset.range(3), Dataset.counter(100)]
    assert values(Dataset.sample_from_datasets(parts, [1.0, 0.0])) == [0, 1, 2]
    assert values(Dataset.sample_from_datasets(parts, lambda step: (1.0, 0.0))) == [0, 1, 2]
    assert values(Dataset.sample_from_datasets(parts, [0.0, 0.0])) == []
    vectors = Dataset.from_tensors(np.array([1.0, 0.0])).repeat()
    assert values(Dataset.sample_from_datasets(parts, vectors)) == [0, 1, 2]


def test_a_dataset_of_weights_gives_those_of_each_step_and_ends_it() -> None:
    vectors = Dataset.from_tensor_slices(np.eye(4)[[0, 2, 2, 3, 0]])
    for weights in (vectors, vectors.filter(lambda vector: True)):
        assert values(Dataset.sample_from_datasets(ENDLESS, weights)) == [0, 2000, 2001, 3000, 1]
    ramp = Dataset.counter().map(lambda step: (1.0, step * 1.0, 0.0, 0.0))
    assert values(Dataset.sample_from_datasets(ENDLESS, ramp, seed=1), 500) == values(
        Dataset.sample_from_datasets(ENDLESS, lambda step: (1.0, step * 1.0, 0.0, 0.0), seed=1), 500
    )


def test_weights_that_change_are_followed() -> None:
    far_apart = [Dataset.counter(1_000_000 * n) for n in range(2)]
    ds = Dataset.sample_from_datasets(far_apart, lambda step: np.stack([1.0, (step >= 2000) * 3.0]), seed=1)
    assert shares(ds, 2000, 2) == [1.0, 0.0]
    assert shares(ds.skip(2000), 8000, 2)[1] == pytest.approx(0.75, abs=0.03)


def test_a_function_of_arithmetic_is_called_for_many_steps_at_once() -> None:
    ds = Dataset.sample_from_datasets(ENDLESS, lambda step: (1.0, step * 0.5, 2.0, 3.0))
    for _ in islice(ds, 2000):
        pass
    assert ds._node.function.is_vectorised


def test_a_function_with_effects_is_called_when_its_step_comes() -> None:
    asked: list[int] = []

    def weights(step: Any) -> Any:
        asked.append(int(step))
        return (1.0, 1.0)

    elements = iter(Dataset.sample_from_datasets(ENDLESS[:2], weights))
    for _ in range(3):
        next(elements)
    assert asked == [0, 1, 2]


@pytest.mark.parametrize(
    "weights",
    [
        lambda step: (1.0, 2.0),
        lambda step: (1.0, -1.0, 1.0, 1.0),
        lambda step: np.full(4, np.nan),
        lambda step: np.zeros(4),
        lambda step: "a lot",
    ],
)
def test_weights_of_a_step_that_mean_nothing_are_an_error(weights: Callable[[Any], Any]) -> None:
    elements = iter(Dataset.sample_from_datasets(ENDLESS, weights))
    with pytest.raises(ValueError, match=r"^sample_from_datasets\(\): the weights of step 0 are .*; give 4 numbers"):
        next(elements)


def test_arguments_are_checked_at_the_call() -> None:
    def told(text: str, weights: Any, **more: Any) -> None:
        with pytest.raises((TypeError, ValueError), match=r"^sample_from_datasets\(\): " + text):
            Dataset.sample_from_datasets(ENDLESS[:2], weights, **more)

    told("there are 3 weights for 2 datasets; give one for each", [1.0, 1.0, 1.0])
    told(r"weights are \(1\.0, -1\.0\); each must be finite and at least 0", [1.0, -1.0])
    told("weights must be numbers, a Dataset or a function of the step, but are 'ab'", "ab")
    told("evenly=True needs weights that stay", lambda step: (1.0, 1.0), evenly=True)
    told("seed must be an integer", None, seed="a")


def test_the_two_states_of_a_stream_and_of_its_seed_go_on() -> None:
    sources = [Yielding(*range(20)), Yielding(*range(100, 120))]

    def build() -> Dataset[Any]:
        return Dataset.sample_from_datasets([Dataset.from_generator(source) for source in sources], [0.7, 0.3])

    elements = iter(build())
    first = [int(next(elements)) for _ in range(25)]
    resumed = iter(build())
    resumed.load_state_dict(elements.state_dict())
    rest = values(resumed)
    assert rest == values(elements)
    assert sorted(first + rest) == [*range(20), *range(100, 120)]


EVEN_STEPS = 600


@pytest.mark.parametrize(
    "weights",
    [[1.0], [0.5, 0.5], [0.7, 0.2, 0.1], [1.0] * 12, [100.0, *[1.0] * 11], list(np.random.default_rng(0).random(9))],
)
def test_even_picks_are_never_off_by_one(weights: list[float]) -> None:
    picks = Even(weights).picks(0, EVEN_STEPS)
    counts = np.cumsum(picks[:, None] == np.arange(len(weights)), axis=0)
    exact = np.arange(1, EVEN_STEPS + 1)[:, None] * (np.array(weights) / np.sum(weights))
    bound = 1 - 1 / max(2, 2 * len(weights) - 2)
    assert np.abs(counts - exact).max() <= bound + 1e-9


def test_even_picks_are_the_same_from_anywhere() -> None:
    for weights in ([0.35, 0.4, 0.25], list(np.random.default_rng(1).random(5))):
        whole = Even(weights).picks(0, 3000)
        for start in (2999, 1024, 1000, 7):
            assert (Even(weights).picks(start, 3000 - start) == whole[start:]).all()


def test_a_mixture_that_is_even_over_time() -> None:
    ds = Dataset.sample_from_datasets(ENDLESS[:3], [0.5, 0.3, 0.2], evenly=True)
    assert [n // 1000 for n in values(ds, 10)] == [0, 1, 0, 2, 0, 1, 0, 2, 1, 0]
    assert outcomes(ds.take(3)) == [0, 1000, 1]
