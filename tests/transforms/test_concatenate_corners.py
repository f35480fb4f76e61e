"""`concatenate` in odd corners: empty and endless parts, specs that differ, errors, many parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import INFINITE_CARDINALITY, UNKNOWN_CARDINALITY, Dataset, TensorSpec
from penstock.errors import SpecError
from tests.corners import Yielding, failing_at, outcomes, values


def test_empty_parts_at_every_place() -> None:
    empty, some = Dataset.range(0), Dataset.range(2)
    assert values(empty.concatenate(some).concatenate(empty).concatenate(empty).concatenate(some)) == [0, 1, 0, 1]
    assert values(empty.concatenate(empty)) == []
    assert sorted(values(empty.concatenate(some).concatenate(empty).shuffle(9))) == [0, 1]


def test_what_follows_an_endless_part_never_comes() -> None:
    ds = Dataset.range(2).repeat().concatenate(Dataset.range(9, 10))
    assert ds.cardinality() == INFINITE_CARDINALITY
    assert values(ds.take(5)) == [0, 1, 0, 1, 0]


def test_cardinality() -> None:
    some, endless = Dataset.range(2), Dataset.range(2).repeat()
    unknown = some.filter(lambda n: n > 0)
    assert some.concatenate(some).cardinality() == 4
    assert some.concatenate(unknown).cardinality() == UNKNOWN_CARDINALITY
    assert unknown.concatenate(endless).cardinality() == INFINITE_CARDINALITY


def test_dimensions_that_differ_are_open_and_ranks_that_differ_make_the_shape_unknown() -> None:
    two, three, flat = (Dataset.from_tensors(np.zeros(shape)) for shape in ((2, 5), (3, 5), (5,)))
    assert two.concatenate(three).element_spec == TensorSpec((None, 5), "float64")
    assert two.concatenate(flat).element_spec == TensorSpec(None, "float64")
    assert [element.shape for element in two.concatenate(three).concatenate(flat)] == [(2, 5), (3, 5), (5,)]


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (Dataset.range(3, output_type=np.int32), "int64) and TensorSpec((), int32); map() them to one dtype"),
        (Dataset.from_tensors((1, 2)), "structures * and (*, *); map() them to one"),
        (Dataset.from_tensors({"a": 1}), "structures * and {'a': *}"),
    ],
    ids=["dtype", "tuple", "dict"],
)
def test_other_dtypes_and_structures_are_refused_at_the_call(other: Dataset[Any], text: str) -> None:
    with pytest.raises(TypeError, match=r"^concatenate\(\): ") as raised:
        Dataset.range(3).concatenate(other)
    assert text in str(raised.value)


def test_keys_in_another_order_are_the_same_structure() -> None:
    ds = Dataset.from_tensors({"a": 1, "b": 2}).concatenate(Dataset.from_tensors({"b": 4, "a": 3}))
    assert [(element["a"], element["b"]) for element in values(ds)] == [(1, 2), (3, 4)]


@pytest.mark.parametrize("other", [3, [1, 2], None], ids=repr)
def test_what_is_no_dataset_is_refused_at_the_call(other: Any) -> None:
    with pytest.raises(TypeError, match=r"^concatenate\(\): dataset must be a Dataset, but is"):
        Dataset.range(3).concatenate(other)


def test_structures_that_differ_unbeknown_are_errors_of_the_elements_that_come_later() -> None:
    left = Dataset.range(2).flat_map(lambda n: Dataset.range(1))
    right = Dataset.range(2).flat_map(lambda n: Dataset.from_tensors((n, n)))
    assert outcomes(left.concatenate(right)) == [0, 0, SpecError, SpecError]
    with pytest.raises(SpecError, match=r"structures \* and \(\*, \*\); map\(\) them to one"):
        list(left.concatenate(right).batch(4))


def test_errors_keep_their_places() -> None:
    ds = Dataset.range(3).map(failing_at(2)).concatenate(Dataset.range(3).map(failing_at(0)))
    assert outcomes(ds) == [0, 10, KeyError, KeyError, 10, 20]


def test_a_part_is_opened_when_the_one_before_has_ended_and_not_earlier() -> None:
    left, right = Yielding(1, 2), Yielding(3)
    iterator = iter(Dataset.from_generator(left).concatenate(Dataset.from_generator(right)))
    assert [next(iterator), next(iterator)] == [1, 2]
    assert right.calls == 0
    assert next(iterator) == 3
    assert (left.ended, right.calls) == (1, 1)


def test_the_dataset_itself_as_what_follows() -> None:
    ds = Dataset.range(2)
    assert values(ds.concatenate(ds).concatenate(ds)) == [0, 1] * 3
