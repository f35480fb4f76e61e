"""Ends in odd corners: `reduce`, `get_single_element`, `len`, access by index and by slice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from penstock.errors import CardinalityError
from tests.corners import Counting, Yielding, failing_at, plain, values


def test_reduce_gets_elements_whole_and_an_empty_dataset_gives_the_initial_state() -> None:
    pairs = Dataset.from_tensor_slices(([1, 2], [3, 4]))
    assert pairs.reduce(0, lambda state, pair: state + pair[0] * pair[1]) == 11
    assert Dataset.range(0).reduce(("start", 1), lambda state, n: state) == ("start", 1)
    assert plain(Dataset.range(4).reduce((0, 1), lambda s, n: (s[0] + n, s[1] * (n + 1)))) == (6, 24)


@pytest.mark.parametrize(
    ("ds", "function", "error", "text"),
    [
        (Dataset.range(3).repeat(), max, ValueError, "the dataset is endless; take(n) elements first"),
        (Dataset.range(3), 3, TypeError, "reduce_func must be a function, but is 3"),
        (
            Dataset.range(3),
            lambda state, n: (state, n),
            TypeError,
            "returned the structure (*, *) for element 0; initial_state has *",
        ),
        (Dataset.range(3), lambda state, n: None, TypeError, "returned the structure None for element 0"),
    ],
    ids=["endless", "no function", "structure", "None"],
)
def test_reduce_refuses(ds: Dataset[Any], function: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^reduce\(\): ") as raised:
        ds.reduce(0, function)
    assert text in str(raised.value)


def test_reduce_raises_the_error_of_an_element_and_ends_the_source() -> None:
    source = Yielding(0, 1, 2)
    with pytest.raises(KeyError):
        Dataset.from_generator(source).map(failing_at(1)).reduce(0, lambda state, n: state + n)
    assert source.ended == 1


def test_one_single_element() -> None:
    assert Dataset.from_tensors("only").get_single_element() == "only"
    assert Dataset.range(5).batch(9).get_single_element().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("ds", "text"),
    [
        (Dataset.range(0), "no element"),
        (Dataset.range(2), "more than one element"),
        (Dataset.range(2).repeat(), "more than one element"),
    ],
    ids=["none", "two", "endless"],
)
def test_no_single_element(ds: Dataset[Any], text: str) -> None:
    with pytest.raises(
        CardinalityError, match=rf"^get_single_element\(\): the dataset has {text}; use head\(n\) or take"
    ):
        ds.get_single_element()


def test_looking_for_a_single_element_reads_no_more_than_two() -> None:
    seen = Counting()
    with pytest.raises(CardinalityError):
        Dataset.range(100).map(seen).get_single_element()
    assert seen.seen == [0, 1]


def test_every_dataset_is_true_and_has_a_length_if_that_is_known() -> None:
    for ds in (Dataset.range(0), Dataset.range(3), Dataset.range(3).repeat(), Dataset.from_generator(list)):
        assert ds
    assert len(Dataset.range(5).batch(2)) == 3
    with pytest.raises(TypeError, match=r"^len\(\): the dataset is infinite; use take\(n\)"):
        len(Dataset.range(3).repeat())
    with pytest.raises(TypeError, match=r"^len\(\): the number of elements is unknown"):
        len(Dataset.range(3).filter(lambda n: n > 1))


def test_elements_by_index_are_those_of_the_first_pass() -> None:
    ds = Dataset.range(20).shuffle(20, seed=3).map(lambda n: n * 2).batch(3)
    whole = values(ds.iterator(epoch=0))
    assert [plain(ds[at]) for at in range(len(ds))] == whole
    assert plain(ds[-1]) == whole[-1]
    assert values(ds) == whole


def _twice_beside_itself() -> Dataset[Any]:
    ds = Dataset.range(9).shuffle(9, seed=3)
    return Dataset.zip(ds, ds)


def _twice_after_steps() -> Dataset[Any]:
    ds = Dataset.range(9).shuffle(9, seed=3)
    return Dataset.zip(ds.map(lambda n: n + 1).shuffle(4, seed=1), ds.batch(1).unbatch()).concatenate(
        Dataset.zip(ds, ds.prefetch(1))
    )


def _twice_cached() -> Dataset[Any]:
    ds = Dataset.range(9).shuffle(9, seed=3)
    kept = ds.cache()
    return Dataset.zip(ds, kept.shuffle(9, seed=2), kept, ds.map(lambda n: n).cache(), ds)


def _cached_in_a_cache() -> Dataset[Any]:
    kept = Dataset.range(9).shuffle(9, seed=3).cache()
    outer = kept.random_map(lambda n, rng: n + rng.integers(9), seed=1).cache()
    return Dataset.zip(outer, kept, Dataset.random(seed=5).take(9), outer.shuffle(5, seed=1))


def _flat_mapped_twice() -> Dataset[Any]:
    ds = Dataset.range(3).flat_map(lambda n: Dataset.range(5).shuffle(5, seed=1))
    return Dataset.zip(ds, ds)


SHARED_STEPS = [_twice_beside_itself, _twice_after_steps, _twice_cached, _cached_in_a_cache, _flat_mapped_twice]


@pytest.mark.parametrize("build", SHARED_STEPS, ids=lambda build: build.__name__)
def test_a_chosen_pass_is_what_the_loop_of_that_number_gives_where_a_step_stands_more_than_once(build: Any) -> None:
    ds = build()
    loops = [values(ds) for _ in range(4)]
    assert loops[0] != loops[1]
    for number, loop in enumerate(loops):
        assert values(build().iterator(epoch=number)) == loop
        assert values(ds.iterator(epoch=number)) == loop
    assert [plain(element) for element in build().head(4)] == loops[0][:4]
    assert [plain(element) for element in ds.head(4)] == loops[0][:4]


def test_branches_of_one_dataset_take_passes_of_their_own() -> None:
    ds = _twice_beside_itself()
    passes = [values(Dataset.range(9).shuffle(9, seed=3).iterator(epoch=number)) for number in range(8)]
    for number in (0, 3):
        pairs = values(ds.iterator(epoch=number))
        assert pairs == list(zip(passes[2 * number], passes[2 * number + 1], strict=True))
    assert [plain(ds[at]) for at in range(9)] == list(zip(passes[0], passes[1], strict=True))


def test_branches_of_one_dataset_take_passes_of_their_own_within_a_flat_map() -> None:
    def pairs(n: Any) -> Any:
        ds = Dataset.range(30).shuffle(30, seed=3)
        return Dataset.zip(ds, ds)

    found = values(Dataset.range(2).flat_map(pairs))
    assert all([left for left, _ in part] != [right for _, right in part] for part in (found[:30], found[30:]))
    assert found[:30] != found[30:]


def test_caches_within_a_flat_map_keep_an_order_of_their_own_for_each_element() -> None:
    ds = Dataset.range(2).flat_map(lambda n: Dataset.range(30).shuffle(30, seed=3).cache())
    found = values(ds)
    assert found[:30] != found[30:]


@pytest.mark.parametrize("index", [3, -4, 2**62, -(2**62)])
def test_an_index_out_of_range(index: int) -> None:
    with pytest.raises(IndexError, match=r"the dataset has 3 elements"):
        Dataset.range(3)[index]


def test_an_index_into_nothing_and_into_the_endless() -> None:
    with pytest.raises(IndexError, match="0 elements"):
        Dataset.range(0)[0]
    with pytest.raises(IndexError, match="endless"):
        Dataset.range(3).repeat()[-1]
    assert Dataset.range(3).repeat()[10**12] == 10**12 % 3


@pytest.mark.parametrize("index", [1.5, "a", None, (0, 1)], ids=repr)
def test_what_is_no_index(index: Any) -> None:
    with pytest.raises(TypeError, match="index must be an integer, but is"):
        Dataset.range(3)[index]


def test_the_step_without_access_by_index_is_named_with_a_way_out() -> None:
    ds = Dataset.range(9).filter(lambda n: n > 1).map(lambda n: n)
    with pytest.raises(TypeError, match=r"filter\(.*has no access by index; use skip\(4\).take\(1\)"):
        ds[4]


def test_the_error_of_an_element_reached_by_index() -> None:
    ds = Dataset.range(3).map(failing_at(1), purity="stateless")
    assert ds[2] == 20
    with pytest.raises(KeyError) as raised:
        ds[1]
    assert raised.value.__notes__[0].endswith("element 1")


@pytest.mark.parametrize(
    "part", [slice(2, 8), slice(None, 3), slice(-3, None), slice(1, -1), slice(2, 9, 3), slice(8, 2), slice(0, 100)]
)
def test_slices_are_datasets_of_pythons_rules(part: slice) -> None:
    assert values(Dataset.range(10)[part]) == list(range(10))[part]


def test_slices_of_unknown_and_endless_numbers() -> None:
    assert values(Dataset.range(9).filter(lambda n: n % 2 == 0)[1:3]) == [2, 4]
    assert values(Dataset.range(3).repeat()[4:8]) == [1, 2, 0, 1]
    with pytest.raises(TypeError, match="needs a known number of elements"):
        Dataset.range(3).repeat()[-2:]
    with pytest.raises(ValueError, match="the step must be at least 1, but is -1"):
        Dataset.range(3)[::-1]


def test_numpy_integers_are_indices() -> None:
    assert Dataset.range(5)[np.int64(3)] == 3
