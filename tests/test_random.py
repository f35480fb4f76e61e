"""Draws are pure functions of key and index."""

import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.random import Key, fresh_seed, generator_at, integers, raw

KEY = Key(seed=7, name="shuffle", pass_number=0, epoch=0)


def key_of(seed: int) -> Key:
    return Key(seed=seed, name="shuffle", pass_number=0, epoch=0)


def chi_squared(counts: NDArray[np.int64]) -> float:
    """Standard deviations by which the chi-squared statistic of equally likely counts exceeds its mean."""
    expected = counts.sum() / counts.size
    freedom = counts.size - 1
    statistic = float(((counts - expected) ** 2).sum() / expected)
    return (statistic - freedom) / float(np.sqrt(2 * freedom))


# Keys and raw numbers


def test_importing_does_not_import_numpy_random() -> None:
    code = "import sys, penstock.random; sys.exit('numpy.random' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fresh_seeds_differ_and_have_64_bits() -> None:
    seeds = {fresh_seed() for _ in range(64)}
    assert len(seeds) == 64
    assert all(0 <= seed < 2**64 for seed in seeds)
    assert max(seeds) >= 2**60


def test_every_field_of_a_key_matters() -> None:
    keys = [
        KEY,
        Key(8, "shuffle", 0, 0),
        Key(7, "random_map", 0, 0),
        Key(7, "shuffle", 1, 0),
        Key(7, "shuffle", 0, 1),
        Key(7, "shuffle", 0, 2**64 - 1),
        Key(70, "shuffle", 0, 0),
    ]
    assert len({raw(key, 0, 2).tobytes() for key in keys}) == len(keys)


def test_a_key_of_numpy_integers_draws_alike() -> None:
    same = Key(np.int64(7), "shuffle", np.int32(0), np.uint64(0))
    np.testing.assert_array_equal(raw(same, 3, 5), raw(KEY, 3, 5))


@given(start=st.integers(0, 2**62), count=st.integers(0, 40), offset=st.integers(0, 40))
def test_raw_is_random_access(start: int, count: int, offset: int) -> None:
    whole = raw(KEY, start, offset + count)
    np.testing.assert_array_equal(raw(KEY, start + offset, count), whole[offset:])
    assert whole.shape == (offset + count,)


def test_raw_and_generators_do_not_disturb_each_other() -> None:
    expected = raw(KEY, 0, 8)
    generator = generator_at(KEY, 0)
    generator.integers(0, 10, dtype=np.uint32)  # leaves half of a number behind
    np.testing.assert_array_equal(raw(KEY, 0, 8), expected)


# Bounded draws


@given(
    start=st.integers(0, 2**40),
    count=st.integers(0, 40),
    offset=st.integers(0, 40),
    bound=st.integers(1, 2**63) | st.integers(1, 70_000) | st.sampled_from([2**16, 2**16 + 1, 2**32, 2**32 + 1, 2**63]),
)
def test_integers_are_random_access_and_within_bounds(start: int, count: int, offset: int, bound: int) -> None:
    whole = integers(KEY, start, offset + count, bound)
    part = integers(KEY, start + offset, count, bound)
    np.testing.assert_array_equal(part, whole[offset:])
    assert part.dtype == whole.dtype == (np.uint16 if bound <= 2**16 else np.uint32 if bound <= 2**32 else np.int64)
    assert all(0 <= draw < bound for draw in whole.tolist())


@given(start=st.integers(0, 2**40), bound=st.integers(2**16 + 1, 2**63))
def test_wide_integers_are_the_upper_half_of_the_product(start: int, bound: int) -> None:
    expected = [number * bound >> 64 for number in raw(KEY, start, 50).tolist()]
    assert integers(KEY, start, 50, bound).tolist() == expected


@given(start=st.integers(0, 2**40), bound=st.integers(1, 2**16))
def test_narrow_integers_take_32_bits_each(start: int, bound: int) -> None:
    numbers = raw(KEY, start, 25).tolist()
    halves = [half for number in numbers for half in (number & (2**32 - 1), number >> 32)]
    assert integers(KEY, 2 * start, 50, bound).tolist() == [half * bound >> 32 for half in halves]


@pytest.mark.parametrize("bound", [2, 3, 10, 1000])
def test_integers_come_out_even(bound: int) -> None:
    assert abs(chi_squared(np.bincount(integers(KEY, 0, 200_000, bound), minlength=bound))) < 4


@pytest.mark.parametrize("bound", [0, -1, 2**63 + 1])
def test_a_bound_out_of_range_is_refused(bound: int) -> None:
    with pytest.raises(ValueError, match=rf"bound is {bound}; write a bound from 1 to"):
        integers(KEY, 0, 1, bound)


# Generators


@given(index=st.integers(0, 2**64 - 1), before=st.integers(0, 2**64 - 1))
def test_a_generator_depends_on_key_and_index_alone(index: int, before: int) -> None:
    expected = generator_at(KEY, index).integers(0, 2**32, 5, dtype=np.uint32).tolist()
    other = generator_at(key_of(8), before)
    other.random(3)
    other.integers(0, 10, dtype=np.uint32)
    assert generator_at(KEY, index).integers(0, 2**32, 5, dtype=np.uint32).tolist() == expected


@given(index=st.integers(0, 2**64 - 1))
def test_a_generator_starts_at_the_first_half_of_its_first_number(index: int) -> None:
    first = int(generator_at(KEY, index).bit_generator.random_raw())
    drawn = generator_at(KEY, index).integers(0, 2**32, 2, dtype=np.uint32).tolist()
    assert drawn == [first & (2**32 - 1), first >> 32]


def test_generators_of_different_indices_are_independent() -> None:
    first = np.array([generator_at(KEY, index).random(2) for index in range(4000)])
    assert len(np.unique(first)) == first.size
    correlations = np.corrcoef(np.vstack([first[:-1].T, first[1:].T]))
    assert np.abs(correlations - np.eye(4)).max() < 0.06


def test_generator_and_arrays_of_one_key_share_no_numbers() -> None:
    drawn = raw(KEY, 0, 1000).tolist()
    assert not set(drawn) & set(generator_at(KEY, 0).bit_generator.random_raw(1000).tolist())
    assert not set(drawn) & set(generator_at(KEY, 1).bit_generator.random_raw(1000).tolist())


def test_the_generator_is_reused_within_a_thread_and_not_between() -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(generator_at(KEY, 0)))
    thread.start()
    thread.join()
    assert generator_at(KEY, 0) is generator_at(KEY, 1)
    assert found[0] is not generator_at(KEY, 0)


def test_a_generator_refuses_children_that_the_key_would_not_determine() -> None:
    with pytest.raises(TypeError):
        generator_at(KEY, 0).spawn(1)


# Frozen values: a change here changes the order of every seeded pipeline, and what saved states mean

FAR_KEY = Key(seed=2**64 - 1, name="Ω shuffle", pass_number=3, epoch=2**64 - 1)


def test_frozen_raw_numbers() -> None:
    assert raw(KEY, 0, 3).tolist() == [14098801735795735411, 13539999643036306912, 12387248694095812370]
    assert raw(FAR_KEY, 2**62 + 3, 2).tolist() == [4496410193647431586, 16753184218888634223]
    assert generator_at(KEY, 3).bit_generator.random_raw(2).tolist() == [11108639153404762756, 15651247038587443353]
    far_numbers = generator_at(FAR_KEY, 2**64 - 1).bit_generator.random_raw(2)
    assert far_numbers.tolist() == [14134309392942823234, 12008984401538215161]


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (6, [4, 5, 0, 2, 0]),
        (10_000, [7634, 9496, 1317, 4124, 1083]),
        (10**6, [297594, 811033, 735531, 154612, 544400]),
        (2**40, [327208432988, 891741215268, 808725822159, 169997935046, 598574686440]),
    ],
)
def test_frozen_integers(bound: int, expected: list[int]) -> None:
    assert integers(KEY, 11, 5, bound).tolist() == expected
