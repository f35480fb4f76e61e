"""Orders are bijections that come out even, and what a plain list of slots would give."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.random import BufferedOrder, Key, Permutation, integers
from penstock.random.feistel import Feistel

KEY = Key(seed=7, name="shuffle", pass_number=0, epoch=0)


def key_of(seed: int) -> Key:
    return Key(seed=seed, name="shuffle", pass_number=0, epoch=0)


def chi_squared(counts: NDArray[np.int64]) -> float:
    """Standard deviations by which the chi-squared statistic of equally likely counts exceeds its mean."""
    expected = counts.sum() / counts.size
    freedom = counts.size - 1
    statistic = float(((counts - expected) ** 2).sum() / expected)
    return (statistic - freedom) / float(np.sqrt(2 * freedom))


# Full orders


@pytest.mark.parametrize("n", [0, 1, 2, 3, 1000, 2**16 - 1, 2**16, 2**16 + 1, 100_003, 2**17])
def test_a_permutation_holds_each_index_once(n: int) -> None:
    order = Permutation(KEY, n)(np.arange(n))
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(n))


@given(n=st.integers(1, 3000), seed=st.integers(0, 99))
def test_the_network_is_a_bijection_of_any_range(n: int, seed: int) -> None:
    np.testing.assert_array_equal(np.sort(Feistel(key_of(seed), n)(np.arange(n))), np.arange(n))


@settings(max_examples=40)
@given(bits=st.integers(17, 62), data=st.data())
def test_a_large_permutation_is_one_to_one_and_place_by_place(bits: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(2 ** (bits - 1) + 1, 2**bits))
    places = np.unique(np.linspace(0, n - 1, 5000).astype(np.int64).clip(0, n - 1))
    order = Permutation(KEY, n)
    results = order(places)
    assert results.min() >= 0
    assert results.max() < n
    assert len(np.unique(results)) == len(places)
    np.testing.assert_array_equal(order(places[7::3]), results[7::3])


@pytest.mark.parametrize("n", [1000, 100_000])
def test_a_permutation_keeps_the_shape_of_its_argument(n: int) -> None:
    order = Permutation(KEY, n)
    np.testing.assert_array_equal(order(np.arange(12).reshape(3, 4)), order(np.arange(12)).reshape(3, 4))
    assert order(np.empty(0, np.int64)).shape == (0,)
    np.testing.assert_array_equal(order(np.arange(40)[::-2]), order(np.arange(40))[::-2])


def test_a_permutation_of_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match=r"n is -1; write a number from 0"):
        Permutation(KEY, -1)
    with pytest.raises(ValueError, match="write a number from 0 to"):
        Permutation(KEY, 2**62 + 1)


def permutation_counts(order_of: Callable[[Key], NDArray[np.int64]], n: int, num_keys: int) -> NDArray[np.int64]:
    """How often each of the n! permutations comes out."""
    orders = np.array([order_of(key_of(seed)) for seed in range(num_keys)])
    _, counts = np.unique(orders @ (n ** np.arange(n)), return_counts=True)
    num_permutations = int(np.prod(np.arange(1, n + 1)))
    return np.concatenate([counts, np.zeros(num_permutations - len(counts), np.int64)])


@pytest.mark.parametrize("n", [3, 4, 5])
def test_every_permutation_of_a_table_is_as_likely(n: int) -> None:
    counts = permutation_counts(lambda key: Permutation(key, n)(np.arange(n)), n, 6000)
    assert abs(chi_squared(counts)) < 4


def test_a_small_network_sends_every_place_everywhere_in_every_order() -> None:
    n, neighbours = 200, np.array([0, 1, 2, 16, 17])  # 200 places are two digits of four bits
    results = np.array([Feistel(key_of(seed), n)(neighbours) for seed in range(4000)])
    for column in results.T:
        assert abs(chi_squared(np.bincount(column, minlength=n))) < 4
    order_code = np.argsort(results, axis=1) @ (5 ** np.arange(5))
    _, counts = np.unique(order_code, return_counts=True)
    assert counts.size == 120
    assert abs(chi_squared(counts)) < 4


def test_neighbours_in_a_large_permutation_go_apart_independently() -> None:
    n, num_cells = 1_000_000, 64
    order = Permutation(KEY, n)(np.arange(n))
    cells = order * num_cells // n
    for distance in (1, 2, 1024, 2048):
        pairs = np.bincount(cells[:-distance] * num_cells + cells[distance:], minlength=num_cells**2)
        assert abs(chi_squared(pairs)) < 5
    ahead = np.bincount(np.arange(n) * num_cells // n * num_cells + cells, minlength=num_cells**2)
    assert abs(chi_squared(ahead)) < 5


def test_two_keys_give_unrelated_large_permutations() -> None:
    n, num_cells = 200_000, 64
    first, second = (Permutation(key_of(seed), n)(np.arange(n)) * num_cells // n for seed in (1, 2))
    assert abs(chi_squared(np.bincount(first * num_cells + second, minlength=num_cells**2))) < 5


# Buffered orders


def buffered_reference(key: Key, buffer_rows: int, num_inputs: int) -> tuple[list[int], list[list[int]]]:
    """The outputs of a list of slots, step by step, and the slots before each step; then the slots that remain."""
    slots = list(range(buffer_rows))
    outputs, history = [], [list(slots)]
    num_steps = num_inputs - buffer_rows
    for step, slot in enumerate(integers(key, 0, num_steps, buffer_rows).tolist()):
        outputs.append(slots[slot])
        slots[slot] = buffer_rows + step
        history.append(list(slots))
    last = Permutation(Key(key.seed, key.name + "/tail", key.pass_number, key.epoch), buffer_rows)
    return outputs + [slots[place] for place in last(np.arange(buffer_rows)).tolist()], history


@given(
    seed=st.integers(0, 50),
    buffer_rows=st.integers(1, 30),
    num_steps=st.integers(1, 150),
    chunk_steps=st.integers(1, 40),
    width=st.sampled_from([np.uint16, np.uint32]),
    data=st.data(),
)
def test_a_buffered_order_is_that_of_a_list_of_slots(
    seed: int, buffer_rows: int, num_steps: int, chunk_steps: int, width: type, data: st.DataObject
) -> None:
    n = buffer_rows + num_steps
    expected, history = buffered_reference(key_of(seed), buffer_rows, n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("penstock.random.orders._CHUNK_STEPS", chunk_steps)  # short orders cross many chunks
        # Draws of 32 bits go another way than those of 16; only buffers above 2**16 have them by themselves.
        patch.setattr("penstock.random.orders.integers", lambda *what: integers(*what).astype(width))
        order = BufferedOrder(key_of(seed), buffer_rows)
        for _ in range(6):
            start = data.draw(st.integers(0, num_steps))
            count = data.draw(st.integers(0, num_steps - start))
            question = data.draw(st.sampled_from(["outputs", "slots", "oldest", "tail"]))
            if question == "outputs":
                assert order.outputs(start, count).tolist() == expected[start : start + count]
            elif question == "slots":
                assert order.slots(start).tolist() == history[start]
            elif question == "oldest":
                assert order.oldest_pending(start) == min(history[start])
            else:
                assert order.tail(n).tolist() == expected[num_steps:]


@given(
    seed=st.integers(0, 50), buffer_rows=st.integers(1, 30), chunk_steps=st.integers(1, 40), stride=st.integers(1, 9)
)
def test_the_oldest_pending_row_is_known_at_each_step(
    seed: int, buffer_rows: int, chunk_steps: int, stride: int
) -> None:
    _, history = buffered_reference(key_of(seed), buffer_rows, buffer_rows + 60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("penstock.random.orders._CHUNK_STEPS", chunk_steps)  # short orders cross many chunks
        order = BufferedOrder(key_of(seed), buffer_rows)
        for step in range(0, 60, stride):
            assert order.oldest_pending(step) == min(history[step])
            order.outputs(step, 3)
            assert order.oldest_pending(max(step - 5, 0)) == min(history[max(step - 5, 0)])


@pytest.mark.parametrize("buffer_rows", [1, 2, 100, 5000, 70_000])
def test_a_buffered_epoch_holds_each_input_once(buffer_rows: int) -> None:
    n = buffer_rows * 2 + 12_345
    order = BufferedOrder(KEY, buffer_rows)
    outputs = np.concatenate([order.outputs(0, n - buffer_rows), order.tail(n)])
    np.testing.assert_array_equal(np.sort(outputs), np.arange(n))
    expected, _ = buffered_reference(KEY, buffer_rows, n) if buffer_rows <= 100 else (outputs.tolist(), [])
    assert outputs.tolist() == expected


@pytest.mark.parametrize("buffer_rows", [1, 7, 1000, 70_000])
def test_a_cursor_moved_far_ahead_goes_on_as_one_that_walked(buffer_rows: int) -> None:
    walked, moved = BufferedOrder(KEY, buffer_rows), BufferedOrder(KEY, buffer_rows)
    step = 100_001
    expected = walked.outputs(0, step + 5000)[step:]
    np.testing.assert_array_equal(moved.outputs(step, 5000), expected)
    np.testing.assert_array_equal(moved.slots(step + 5000), walked.slots(step + 5000))
    np.testing.assert_array_equal(BufferedOrder(KEY, buffer_rows).slots(step + 5000), walked.slots(step + 5000))
    np.testing.assert_array_equal(moved.outputs(step, 10), expected[:10])


def test_a_buffer_of_one_slot_keeps_the_order() -> None:
    order = BufferedOrder(KEY, 1)
    assert order.outputs(0, 50).tolist() + order.tail(51).tolist() == list(range(51))


def test_outputs_that_were_handed_out_may_be_written_to() -> None:
    order = BufferedOrder(KEY, 10)
    expected = order.slots(5)
    order.outputs(0, 50)[:] = -1
    np.testing.assert_array_equal(order.slots(5), expected)


def test_positions_after_a_buffered_shuffle_follow_its_law() -> None:
    """Each step empties one of B slots, so element 0 comes out at step t with probability (1 - 1/B)**t / B."""
    buffer_rows, num_keys = 4, 4000
    steps = [int(np.flatnonzero(BufferedOrder(key_of(s), buffer_rows).outputs(0, 60) == 0)[0]) for s in range(num_keys)]
    counts = np.bincount(steps, minlength=12)[:12]
    expected = num_keys * (1 - 1 / buffer_rows) ** np.arange(12) / buffer_rows
    statistic = float(((counts - expected) ** 2 / expected).sum())
    assert statistic < 35  # chi-squared with about 12 degrees of freedom: once in 2,000 keys


def test_the_tail_is_shuffled_too() -> None:
    tails = np.array([np.argsort(BufferedOrder(key_of(seed), 3).tail(4)) for seed in range(3000)])
    _, counts = np.unique(tails @ (3 ** np.arange(3)), return_counts=True)
    assert counts.size == 6
    assert abs(chi_squared(counts)) < 4


def test_a_buffer_without_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="buffer_rows is 0; write a number of at least 1"):
        BufferedOrder(KEY, 0)


def test_a_huge_buffer_costs_nothing_before_it_is_used() -> None:
    BufferedOrder(KEY, 2**50)


def test_the_tail_of_a_short_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"an input of 5 elements does not fill 5 slots"):
        BufferedOrder(KEY, 5).tail(5)


# Frozen values: a change here changes the order of every seeded pipeline, and what saved states mean


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (5, [3, 2, 1, 0, 4]),
        (1000, [104, 661, 604, 52, 131]),
        (2**16, [48992, 14336, 21470, 54103, 57400]),
        (2**16 + 1, [37933, 40917, 48615, 33404, 51936]),
        (10**6, [447153, 773456, 430157, 56807, 6046]),
        (10**9, [867278599, 143275272, 426206846, 456187763, 407007793]),
        (2**31, [1705185635, 468137063, 1855340337, 1075972767, 987301838]),
        (2**31 + 1, [1787278317, 458996661, 377051350, 1578038658, 1736724798]),
        (
            2**62,
            [1069754927129790809, 1302871574719277527, 2148741931357454588, 3617115754182137594, 39958434861568350],
        ),
    ],
)
def test_frozen_permutations(n: int, expected: list[int]) -> None:
    assert Permutation(KEY, n)(np.arange(5) * (n // 5)).tolist() == expected


@pytest.mark.parametrize(
    ("buffer_rows", "outputs", "slots", "tail", "oldest"),
    [
        (3, [123448, 123451, 123453, 123454], [770, 779, 778], [322, 323, 319], 39998),
        (100, [123531, 123498, 123504, 123318], [625, 754, 687], [190, 389, 408], 39743),
        (10_000, [118355, 111707, 127502, 129785], [0, 1, 2], [8548, 3452, 2022], 30),
        (70_000, [179033, 163150, 127849, 189743], [0, 1, 2], [69700, 21403, 42242], 0),
    ],
)
def test_frozen_buffered_orders(
    buffer_rows: int, outputs: list[int], slots: list[int], tail: list[int], oldest: int
) -> None:
    order = BufferedOrder(KEY, buffer_rows)
    assert order.outputs(123_450, 4).tolist() == outputs
    assert order.slots(777)[:3].tolist() == slots
    assert order.tail(buffer_rows + 321)[:3].tolist() == tail
    assert order.oldest_pending(40_000) == oldest
