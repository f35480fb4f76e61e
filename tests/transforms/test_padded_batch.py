"""`padded_batch` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from penstock import Dataset, SparseTensor, TensorSpec
from penstock.errors import SpecError
from penstock.testing import Case, Stream, laws_for
from penstock.testing.reference import in_groups
from tests.corners import Yielding, failing_at, outcomes, values
from tests.laws.sources import SOURCES
from tests.padded import padded


def reference(elements: Stream, batch_size: int, drop_remainder: bool) -> Iterator[Any]:
    for group in in_groups(elements, batch_size):
        if len(group) == batch_size or not drop_remainder:
            yield padded(group)


def cardinality(size: int, batch_size: int, drop_remainder: bool) -> int:
    if size < 0:
        return size
    return size // batch_size if drop_remainder else -(-size // batch_size)


CASE = Case(
    "padded_batch",
    Dataset.padded_batch,
    reference,
    lambda sample: st.fixed_dictionaries({"batch_size": st.integers(1, 5), "drop_remainder": st.booleans()}),
    cardinality,
)

test_laws = laws_for(CASE, SOURCES)

RAGGED = Dataset.from_list([[1], [2, 3, 4], [5, 6], np.zeros(0, int)])


def test_elements_are_filled_up_to_the_largest_of_their_batch() -> None:
    ds = Dataset.from_list([[1], [2, 3, 4], [5, 6]])
    assert values(ds.padded_batch(2)) == [[[1, 0, 0], [2, 3, 4]], [[5, 6]]]
    assert values(ds.padded_batch(2, drop_remainder=True)) == [[[1, 0, 0], [2, 3, 4]]]
    assert values(ds.padded_batch(2, [None])) == values(ds.padded_batch(2, [-1])) == values(ds.padded_batch(2))
    assert values(ds.padded_batch(3, [4], 9)) == [[[1, 9, 9, 9], [2, 3, 4, 9], [5, 6, 9, 9]]]


def test_each_component_has_a_shape_and_a_value_of_its_own() -> None:
    rows = [({"a": np.ones((n, 2), np.float32)}, "x" * n, np.array(["t"] * n, object)) for n in (1, 2)]
    ds = Dataset.from_list(rows)
    ((mapping, texts, tokens),) = list(ds.padded_batch(2, ({"a": [3, None]}, [], [None]), ({"a": -1.0}, "-", "<pad>")))
    assert mapping["a"].dtype == np.float32
    assert mapping["a"][0].tolist() == [[1, 1], [-1, -1], [-1, -1]]
    assert texts.tolist() == ["x", "xx"]
    assert tokens.tolist() == [["t", "<pad>"], ["t", "t"]]
    ((_, _, tokens),) = list(ds.padded_batch(2))
    assert tokens.tolist() == [["t", ""], ["t", "t"]]


def test_all_axes_are_padded() -> None:
    ds = Dataset.from_list([np.ones((1, 3), np.int8), np.ones((2, 1), np.int8)])
    assert values(ds.padded_batch(2)) == [[[[1, 1, 1], [0, 0, 0]], [[1, 0, 0], [1, 0, 0]]]]


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.float16, np.int64, np.complex64, "M8[s]"])
@pytest.mark.parametrize("lengths", [[3, 0, 5, 1], [0, 0], [1] * 70, [*range(100)]], ids=len)
@pytest.mark.parametrize("item", [(), (2,), (2, 0)], ids=str)
def test_rows_of_a_column_are_padded_as_one_by_one(dtype: Any, lengths: list[int], item: tuple[int, ...]) -> None:
    rows = [np.arange(n * 6).astype(dtype).reshape(-1)[: n * int(np.prod(item))].reshape(n, *item) for n in lengths]
    ds = Dataset.from_list(rows).shuffle(len(rows), seed=1) if len(rows) > 2 else Dataset.from_list(rows)
    (found,) = list(ds.padded_batch(len(rows)))
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, padded(list(ds.iterator(epoch=0))))


def test_the_spec_has_the_padded_sizes() -> None:
    assert RAGGED.padded_batch(2).element_spec == TensorSpec((None, None), np.int64)
    assert RAGGED.padded_batch(2, [5], drop_remainder=True).element_spec == TensorSpec((2, 5), np.int64)
    pair = Dataset.from_tensor_slices((np.zeros((4, 3)), [1, 2, 3, 4]))
    image, label = pair.padded_batch(2, ([7], [])).element_spec
    assert (image.shape, label.shape) == ((None, 7), (None,))


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, but is 0"),
        ({"padded_shapes": ([None], [None])}, ValueError, "is not of the elements' structure"),
        ({"padded_shapes": [None, None]}, SpecError, "has 1 axes, but padded_shapes has (None, None)"),
        ({"padded_shapes": [-2]}, ValueError, "a size in padded_shapes must be at least 0, but is -2"),
        ({"padded_shapes": [2.5]}, TypeError, "a size in padded_shapes must be an integer"),
        ({"padded_shapes": "ab"}, ValueError, "it must hold a sequence of sizes for each component"),
        ({"padding_values": 1.5}, TypeError, "the padding value 1.5 does not fit component of dtype int64"),
        ({"padding_values": np.int32(1)}, TypeError, "does not fit component of dtype int64"),
        ({"padding_values": 2**63}, TypeError, "does not fit"),
        ({"padding_values": (1, 2)}, TypeError, "the padding value (1, 2) does not fit"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_at_the_call(arguments: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^padded_batch\(\): ") as raised:
        RAGGED.padded_batch(**{"batch_size": 2, **arguments})
    assert text in str(raised.value)


def test_a_fixed_shape_that_is_too_small_is_refused_at_the_call() -> None:
    with pytest.raises(SpecError, match=r"elements of up to \(3,\), more than the shape \(2,\)"):
        Dataset.from_tensor_slices(np.zeros((4, 3))).padded_batch(2, [2])


def test_an_element_that_is_too_long_costs_its_batch_only() -> None:
    assert outcomes(RAGGED.padded_batch(1, [2])) == [[[1, 0]], SpecError, [[5, 6]], [[0, 0]]]
    with pytest.raises(SpecError, match="cut them with map") as raised:
        list(RAGGED.skip(1).padded_batch(2, [2]))
    assert raised.value.__notes__[0] == "in the batch of elements 0 to 1"


def test_what_cannot_be_padded_says_what_to_do() -> None:
    sparse = Dataset.from_list([SparseTensor([[0]], [1], (2,)), SparseTensor([[1]], [1], (2,))])
    with pytest.raises(SpecError, match=r"is a sparse component, which cannot be padded; batch\(\) keeps it"):
        list(sparse.padded_batch(2))
    kinds = Dataset.range(2).map(lambda n: np.zeros(2) if n else np.zeros(1, np.float32))
    with pytest.raises(SpecError, match="dtypes float32 and float64 within a batch; convert"):
        list(kinds.padded_batch(2))
    ranks = Dataset.range(2).map(lambda n: np.zeros((1,) * (int(n) + 1)))
    with pytest.raises(SpecError, match="axes; give them as many"):
        list(ranks.padded_batch(2))


def test_an_error_makes_its_batch_that_error() -> None:
    ds = Dataset.range(6).map(failing_at(2)).map(lambda n: np.full(int(n) // 10, n))
    assert outcomes(ds.padded_batch(2)) == [[[0], [10]], KeyError, [[40] * 4 + [0], [50] * 5]]


def test_elements_by_index() -> None:
    batches = Dataset.from_list([[1], [2, 3, 4], [5, 6], [7], [8, 9]]).padded_batch(2)
    assert [batches[at].tolist() for at in (2, 0)] == [[[8, 9]], [[1, 0, 0], [2, 3, 4]]]
    assert len(batches) == 3
    assert sorted(values(batches.shuffle(3, seed=5))) == sorted(values(batches))


def test_batches_may_be_written_into() -> None:
    first, second = list(Dataset.from_tensor_slices(np.zeros((4, 2))).padded_batch(2))
    first[...] = 1
    assert second.sum() == 0


def test_no_more_is_read_than_the_batches_that_were_asked_for() -> None:
    source = Yielding(*range(10))
    iterator = iter(Dataset.from_generator(source).padded_batch(3))
    assert next(iterator).tolist() == [0, 1, 2]
    assert source.given == 3
