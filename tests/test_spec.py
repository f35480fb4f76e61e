"""Specs: what fits, what differs, and how they widen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from penstock import TensorSpec
from penstock.errors import SpecError
from penstock.spec import (
    array_of_list,
    batched,
    canonical_dtype,
    spec_of_element,
    spec_of_value,
    unbatched,
    unify,
)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("float32", np.dtype("float32")),
        (int, np.dtype("int64")),
        (str, str),
        ("U5", str),
        (np.dtypes.StringDType(), str),
        ("S3", bytes),
        (object, object),
        ("O", object),
        ("M8[ns]", np.dtype("M8[ns]")),
    ],
    ids=str,
)
def test_dtypes_have_one_form(dtype: Any, expected: Any) -> None:
    assert canonical_dtype(dtype) == expected
    assert TensorSpec((), dtype) == TensorSpec((), expected)
    assert hash(TensorSpec((), dtype)) == hash(TensorSpec((), expected))


def test_shapes_have_one_form() -> None:
    assert TensorSpec([None, 3]) == TensorSpec((-1, np.int64(3)))
    assert TensorSpec(None) != TensorSpec(())
    assert repr(TensorSpec((None, 3), "uint8")) == "TensorSpec((None, 3), uint8)"
    assert repr(TensorSpec((), str)) == "TensorSpec((), str)"


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [
        (TensorSpec((None, 3)), TensorSpec((5, 3)), True),
        (TensorSpec((5, 3)), TensorSpec((None, 3)), False),
        (TensorSpec(None), TensorSpec((5, 3)), True),
        (TensorSpec((5,)), TensorSpec(None), False),
        (TensorSpec((3,)), TensorSpec((3, 1)), False),
        (TensorSpec((), "int64"), TensorSpec((), "int32"), False),
        (TensorSpec((), str), TensorSpec((), bytes), False),
    ],
)
def test_what_fits(mine: TensorSpec, theirs: TensorSpec, fits: bool) -> None:
    assert mine.is_compatible_with(theirs) is fits


@pytest.mark.parametrize(
    ("left", "right", "wider"),
    [
        (TensorSpec((2, 3)), TensorSpec((2, 3)), TensorSpec((2, 3))),
        (TensorSpec((2, 3)), TensorSpec((4, 3)), TensorSpec((None, 3))),
        (TensorSpec((None, 3)), TensorSpec((4, 3)), TensorSpec((None, 3))),
        (TensorSpec((2,)), TensorSpec((2, 3)), TensorSpec(None)),
        (TensorSpec(None), TensorSpec((2,)), TensorSpec(None)),
        (TensorSpec((), "int64"), TensorSpec((), "float64"), None),
    ],
)
def test_unify_is_the_narrowest_that_both_fit(left: TensorSpec, right: TensorSpec, wider: TensorSpec | None) -> None:
    assert unify(left, right) == unify(right, left) == wider
    if wider is not None:
        assert wider.is_compatible_with(left)
        assert wider.is_compatible_with(right)


def test_batch_and_unbatch_are_inverse() -> None:
    for leaf in (TensorSpec((2, 3)), TensorSpec(()), TensorSpec(None)):
        assert unbatched(batched(leaf, None)) == leaf
    assert batched(TensorSpec((3,)), 5) == TensorSpec((5, 3))
    with pytest.raises(SpecError, match="scalar and has no axis to split"):
        unbatched(TensorSpec(()))


@pytest.mark.parametrize(
    ("value", "spec"),
    [
        (3, TensorSpec((), "int64")),
        (2.5, TensorSpec((), "float64")),
        (True, TensorSpec((), "bool")),
        ("a", TensorSpec((), str)),
        (b"a", TensorSpec((), bytes)),
        ([[1, 2]], TensorSpec((1, 2), "int64")),
        (["a", "b"], TensorSpec((2,), str)),
        (np.array(["a"]), TensorSpec((1,), str)),
        (np.array(["a", "b"], object), TensorSpec((2,), str)),
        (np.array(["a", 1], object), TensorSpec((2,), object)),
        (np.float32(1), TensorSpec((), "float32")),
        (NotImplemented, TensorSpec((), object)),
    ],
    ids=str,
)
def test_the_spec_of_a_value(value: Any, spec: TensorSpec) -> None:
    assert spec_of_value(value) == spec


def test_the_spec_of_an_element_keeps_its_structure() -> None:
    spec = spec_of_element({"b": 1, "a": (2.0, None)})
    assert spec.as_element() == {"b": TensorSpec((), "int64"), "a": (TensorSpec((), "float64"), None)}
    assert list(spec.as_element()) == ["b", "a"]


@pytest.mark.parametrize(
    ("items", "shape", "dtype"),
    [
        ([], (0,), "float64"),
        ([[], []], (2, 0), "float64"),
        ([1, 2.5], (2,), "float64"),
        ([(1, 2), (3, 4)], (2, 2), "int64"),
        ([np.zeros(3), np.ones(3)], (2, 3), "float64"),
        (["a", "bc"], (2,), "O"),
        ([["a"], ["bc"]], (2, 1), "O"),
        ([b"a\0", b""], (2,), "O"),
        ([True, False], (2,), "bool"),
    ],
    ids=str,
)
def test_a_list_is_one_array(items: list[Any], shape: tuple[int, ...], dtype: str) -> None:
    array = array_of_list(items)
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert np.array(array).tolist() == [np.array(item).tolist() if dtype != "O" else item for item in items]
