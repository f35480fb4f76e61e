"""Sources in memory in odd corners: lists, structures, text, sizes that differ, memory that is shared."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, namedtuple
from typing import Any

import numpy as np
import pytest

from penstock import Dataset, TensorSpec
from penstock.errors import SpecError
from tests.corners import values

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class Pair:
    left: Any
    right: Any


def test_a_list_is_one_array_and_never_structure() -> None:
    assert values(Dataset.from_tensors((1, [1, 2, 3]))) == [(1, [1, 2, 3])]
    assert values(Dataset.from_tensor_slices([[1, 2], [3, 4]])) == [[1, 2], [3, 4]]
    assert values(Dataset.from_tensors([(1, 2), (3, 4)])) == [[[1, 2], [3, 4]]]


@pytest.mark.parametrize("build", [Dataset.from_tensors, Dataset.from_tensor_slices])
@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([[1], [2, 3]], "not rectangular"),
        ([["a"], ["b", "c"]], "not rectangular"),
        ([{"a": 1}], "cannot hold a dict; use from_list()"),
        ([{1}], "cannot hold a set"),
        (["a", 1], "holds int and str; use a tuple of two components"),
        ([1, "a"], "holds int and str"),
        ([b"a", "a"], "holds bytes and str"),
    ],
    ids=str,
)
def test_lists_that_are_no_array_are_refused_at_the_call(build: Any, items: Any, text: str) -> None:
    with pytest.raises(ValueError, match=rf"^{build.__name__}\(\): .*a list becomes one array") as raised:
        build(items)
    assert text in str(raised.value)


def test_numbers_have_numpys_dtypes_and_arrays_keep_theirs() -> None:
    assert Dataset.from_tensors((1, 2.0, True, 1j, [1, 2.5])).element_spec == tuple(
        TensorSpec(shape, dtype)
        for shape, dtype in [((), "int64"), ((), "float64"), ((), "bool"), ((), "complex128"), ((2,), "float64")]
    )
    for dtype in ("uint8", "uint16", "uint32", "uint64", "int8", "float16", "float32", "complex64", "M8[s]"):
        ds = Dataset.from_tensor_slices(np.zeros(3, dtype))
        assert ds.element_spec == TensorSpec((), dtype)
        assert next(iter(ds)).dtype == dtype


def test_no_rows_at_all() -> None:
    assert values(Dataset.from_tensor_slices([])) == []
    assert Dataset.from_tensor_slices(np.zeros((0, 3))).element_spec == TensorSpec((3,), "float64")
    assert len(Dataset.from_tensor_slices({"a": np.zeros((0, 3)), "b": []})) == 0


def test_text_is_str_bytes_stay_bytes_and_zeros_at_their_end_too() -> None:
    assert values(Dataset.from_tensor_slices((["a", "bé"], [b"x", b"y\0"]))) == [("a", b"x"), ("bé", b"y\0")]
    assert Dataset.from_tensor_slices(["a"]).element_spec == TensorSpec((), str)
    assert type(next(iter(Dataset.from_tensor_slices(np.array(["a"]))))) is str
    assert type(next(iter(Dataset.from_tensor_slices([np.str_("a")])))) is str


@pytest.mark.parametrize(
    "element",
    [Point([1, 2], [3, 4]), Pair([1, 2], [3, 4]), {"z": [1, 2], "a": [3, 4]}, OrderedDict(z=[1, 2], a=[3, 4])],
)
def test_containers_survive(element: Any) -> None:
    for ds in (Dataset.from_tensor_slices(element), Dataset.from_tensors(element), Dataset.from_list([element])):
        found = next(iter(ds))
        assert type(found) is type(element)
        assert list(getattr(found, "keys", list)()) == list(getattr(element, "keys", list)())
    assert type(Dataset.from_tensors(element).element_spec) is type(element)


def test_dicts_with_keys_that_cannot_be_sorted() -> None:
    assert values(Dataset.from_tensor_slices({"a": [1], 2: [3], None: [4]})) == [{"a": 1, 2: 3, None: 4}]


def test_none_and_empty_tuples_are_components_beside_others_only() -> None:
    assert values(Dataset.from_tensor_slices(([0, 1], None, ()))) == [(0, None, ()), (1, None, ())]
    assert values(Dataset.from_tensors((1, None)).repeat(2).batch(2).unbatch()) == [(1, None), (1, None)]
    for nothing in ((), {}, None):
        with pytest.raises(ValueError, match=r"^from_tensor_slices\(\): there is no component"):
            Dataset.from_tensor_slices(nothing)
        with pytest.raises(ValueError, match=r"^from_tensors\(\): there is no component"):
            Dataset.from_tensors(nothing)


def test_datasets_are_components() -> None:
    inner = Dataset.range(2)
    assert values(Dataset.from_tensor_slices([inner, inner]).flat_map(lambda ds: ds)) == [0, 1, 0, 1]
    assert values(Dataset.from_tensors([inner, inner]).unbatch().flat_map(lambda ds: ds)) == [0, 1, 0, 1]
    assert values(Dataset.from_list([inner, inner]).flat_map(lambda ds: ds)) == [0, 1, 0, 1]


@pytest.mark.parametrize("scalar", [3, 2.5, np.float32(1), np.array(4), "abc"], ids=repr)
def test_scalars_have_no_rows(scalar: Any) -> None:
    with pytest.raises(
        ValueError, match=r"^from_tensor_slices\(\): component\[1\] is .*no axis to slice; use from_tensors"
    ):
        Dataset.from_tensor_slices(([1, 2], scalar))


def test_first_axes_that_differ_are_named_with_their_components() -> None:
    with pytest.raises(ValueError, match=r"component\['image'\] has 3 rows, component\['label'\] has 2 rows"):
        Dataset.from_tensor_slices({"image": np.zeros((3, 2)), "label": [1, 2]})


@pytest.mark.parametrize("thing", [{1, 2}, dict, (n for n in (1, 2))], ids=["set", "class", "generator"])
def test_what_is_no_component_is_refused_at_the_call(thing: Any) -> None:
    with pytest.raises(ValueError, match=r"^from_tensors\(\): a \w+ is no component; use an array"):
        Dataset.from_tensors((1, thing))
    with pytest.raises(ValueError, match=r"^from_tensor_slices\(\): component\[1\] is"):
        Dataset.from_tensor_slices(([1], thing))


def test_a_masked_array_is_refused_and_its_mask_not_lost() -> None:
    with pytest.raises(ValueError, match=r"component\['a'\] is a masked array; say what stands there with .filled"):
        Dataset.from_tensor_slices({"a": np.ma.array([1, 2], mask=[0, 1])})


def test_arrays_of_every_layout() -> None:
    rows = np.arange(12).reshape(3, 4)
    assert values(Dataset.from_tensor_slices(rows.T).batch(2)) == [rows.T[:2].tolist(), rows.T[2:].tolist()]
    assert values(Dataset.from_tensor_slices(rows[::-1, ::2])) == rows[::-1, ::2].tolist()
    assert values(Dataset.from_tensor_slices(np.arange(3).astype(">i4")).map(lambda n: n + 1)) == [1, 2, 3]
    assert [batch.shape for batch in Dataset.from_tensor_slices(np.zeros((3, 0, 2))).batch(2)] == [(2, 0, 2), (1, 0, 2)]


@pytest.mark.parametrize(
    ("elements", "error", "text"),
    [
        ((1, 2), TypeError, "elements must be a list, but is a tuple; use list(...)"),
        (np.arange(3), TypeError, "elements must be a list, but is a ndarray"),
        ([], ValueError, "the list is empty; pass at least one element"),
        ([1, (2, 3)], SpecError, "entry 1 has the structure (*, *), entry 0 has *"),
        ([{"a": 1}, {"b": 1}], SpecError, "entry 1 has the structure {'b': *}, entry 0 has {'a': *}"),
        ([1, 2, 2.5], SpecError, "entry 2 has dtype float64 where those before have int64; convert"),
        ([0, 1, 2**63], SpecError, "entry 2 has dtype uint64 where those before have int64; convert"),
        ([np.zeros(2), np.zeros(2), np.zeros(2, int)], SpecError, "entry 2 has dtype int64 where those before have f"),
        ([1, None], SpecError, "entry 1 has the structure None"),
    ],
    ids=str,
)
def test_wrong_lists_of_elements_are_refused_at_the_call(elements: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=r"^from_list\(\): ") as raised:
        Dataset.from_list(elements)
    assert text in str(raised.value)


def test_from_list_takes_the_most_general_spec() -> None:
    ds = Dataset.from_list([[[1]], [[2, 3]]])
    assert ds.element_spec == TensorSpec((1, None), "int64")
    assert values(ds) == [[[1]], [[2, 3]]]
    assert Dataset.from_list([[1], [[2]]]).element_spec == TensorSpec(None, "int64")


def test_the_arrays_are_read_where_they_are() -> None:
    rows = np.zeros((3, 2))
    element = next(iter(Dataset.from_tensor_slices(rows)))
    assert np.shares_memory(element, rows)
    assert not element.flags.writeable
    assert rows.flags.writeable


def test_a_frame_of_columns_is_a_dict() -> None:
    pandas = pytest.importorskip("pandas")
    ds = Dataset.from_tensor_slices(pandas.DataFrame({"n": [1, 2], "t": ["a", "b"]}))
    assert values(ds) == [{"n": 1, "t": "a"}, {"n": 2, "t": "b"}]
