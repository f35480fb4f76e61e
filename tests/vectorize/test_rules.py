"""Batching rules: each gives, for every row, the bits that NumPy gives for that element alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from penstock.spec import spec_of_element
from penstock.vectorize.trace import Refusal, Trace, trace
from tests.vectorize.programs import DTYPES, OPERATIONS, SHAPES, column, programs

ROWS = 9


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Numbers that are none are compared too; NumPy's warnings about them are beside the point."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def agree(left: Any, right: Any) -> bool:
    """Whether two arrays have the same shape, dtype and bits; which NaN it is does not count."""
    left, right = np.asarray(left), np.asarray(right)
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if left.dtype.kind == "f":
        both = np.isnan(left) & np.isnan(right)
        left, right = left[~both], right[~both]
    return bool(left.tobytes() == right.tobytes())


def element(columns: list[Any], row: int) -> list[Any]:
    return [values[row].copy() for values in columns]


def compare(function: Callable[..., Any], columns: list[Any]) -> str:
    """ "refused", "same", or a description of the difference."""
    rows = len(columns[0])
    traced = trace(function, spec_of_element(tuple(element(columns, 0))))
    if isinstance(traced, Refusal):
        assert traced.reason
        return "refused"
    before = [values.copy() for values in columns]
    try:
        expected = [function(*element(columns, row)) for row in range(rows)]
    except Exception:
        with pytest.raises(Exception):  # noqa: B017  which error, the run element by element will tell
            traced.run(columns, rows)
        return "same"
    try:
        # What NumPy flags as invalid, casts out of range above all, is never taken from a block.
        with np.errstate(invalid="raise"):
            outputs = traced.run(columns, rows)
    except FloatingPointError:
        return "same"
    assert all(agree(old, new) for old, new in zip(before, columns, strict=True)), "an input was changed"
    for row in range(rows):
        for number, value in enumerate(expected[row] if type(expected[row]) is tuple else (expected[row],)):
            if not agree(value, outputs[number][row]):
                return f"row {row}: {value!r} became {outputs[number][row]!r} by {traced.operations}"
    return "same"


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_on_every_shape_and_dtype(name: str) -> None:
    rng = np.random.default_rng(len(name))
    found = []
    for number, shape in enumerate(SHAPES):
        # Every dtype on the commonest shapes, and two of them on each of the others.
        for dtype in DTYPES if shape in ((), (4, 3)) else [*DTYPES, *DTYPES][number : number + 2]:
            columns = [column(rng, ROWS, shape, dtype), column(rng, ROWS, shape, dtype)]
            found.append(compare(OPERATIONS[name], columns))
            assert found[-1] in ("same", "refused"), (shape, dtype)
    assert "same" in found


@settings(max_examples=150, deadline=None)
@given(programs())
def test_programs(case: tuple[Callable[..., Any], list[Any], list[str]]) -> None:
    function, columns, names = case
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        assert compare(function, columns) in ("same", "refused"), names


CORE = (
    "add where clip sum mean std max any argmax reshape ravel T swapaxes moveaxis flip stride item list newaxis expand "
    "squeeze stack array concatenate hstack vstack append pad roll tile repeat cumsum diff sort median norm matmul "
    "outer lookup pick digitize interp broadcast masked"
).split()


@pytest.mark.parametrize("name", CORE)
def test_core_operations_run_on_whole_blocks(name: str) -> None:
    operation = OPERATIONS.get(name) or OPERATIONS[f"{name} None False"]
    values = np.ones((4, 3), np.float32)
    found = [
        trace(operation, spec_of_element((first, first))) for first in (values, values[0], values[0, 0], values[:, 0])
    ]
    programs_found = [traced.operations for traced in found if isinstance(traced, Trace)]
    assert any(all(not step.startswith("numpy.") for step in steps) for steps in programs_found), programs_found


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 7])
def test_rows_stay_rows_whatever_the_lengths_are(length: int, rows: int) -> None:
    """A scalar meets a vector, and a vector a matrix, where the number of rows is also the length of an axis."""
    rng = np.random.default_rng(length)
    columns = [column(rng, rows, shape, "float32") for shape in ((), (length,), (length, length))]
    for function in (
        lambda a, b, c: (a * b, b + c, a - c),
        lambda a, b, c: np.where(a > b, b, c),
        lambda a, b, c: np.clip(c, a, b),
        lambda a, b, c: np.arange(length) == a,
        lambda a, b, c: (np.stack([b, b * a]), np.concatenate([c, c])),
        lambda a, b, c: (c.sum(), c.sum(axis=0), c.max(axis=1), b.mean()),
        lambda a, b, c: (c @ b, b @ c, c @ c, c.T),
        lambda a, b, c: (c[:, 0], c[0], np.array([a, b[0]])),
    ):
        assert compare(function, columns) == "same"


SUMS = ["sum", "mean", "std", "var", "prod"]


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int16"])
@pytest.mark.parametrize(
    "shape", [(8,), (129,), (1000,), (9000,), (30, 40), (200, 3), (3, 200), (7, 9, 11), (28, 28, 1)]
)
def test_sums_add_up_in_the_order_of_one_element(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(shape[0])
    columns = [column(rng, 5, shape, dtype)]
    for axis in (None, *range(len(shape)), tuple(range(len(shape))), (0, -1) if len(shape) > 1 else 0):
        assert compare(lambda x, axis=axis: getattr(x, name)(axis=axis), columns) == "same"
        assert compare(lambda x, axis=axis: getattr(x.T, name)(axis=axis), columns) in ("same", "refused")
        assert compare(lambda x, axis=axis: getattr(x[::2], name)(axis=axis), columns) in ("same", "refused")
    if dtype == "uint8":
        assert compare(lambda x: getattr(np, name)(x, dtype=np.float32), columns) == "same"


def test_sums_of_arrays_in_another_order_of_memory() -> None:
    table = np.asfortranarray(np.random.default_rng(0).normal(size=(33, 70)).astype(np.float32))
    columns = [column(np.random.default_rng(1), 9, (), "float32")]
    for function in (
        lambda y: (table + y).sum(),
        lambda y: (table * y).mean(axis=0),
        lambda y: np.linalg.norm(table - y),
        lambda y: np.median(table.T + y, axis=1).sum(),
    ):
        assert compare(function, columns) in ("same", "refused")


@pytest.mark.parametrize("rows", [1, 2, 7, 64, 500])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
@pytest.mark.parametrize(("left", "right"), [((13,), (13, 4)), ((5, 13), (13, 4)), ((4, 13), (13,)), ((13,), (13,))])
def test_products_do_not_depend_on_the_number_of_rows(
    rows: int, dtype: str, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(rows)
    constant = column(rng, 1, right, dtype)[0]
    columns = [column(rng, rows, left, dtype), column(rng, rows, right, dtype)]
    for function in (
        lambda x, y: x @ constant,
        lambda x, y: np.dot(x, constant),
        lambda x, y: x @ y,
        lambda x, y: (x @ constant).sum(),
    ):
        assert compare(function, columns) == "same"
    assert compare(lambda x, y: constant.T @ x.T, columns) == "same"


@pytest.mark.parametrize(
    "name", ["exp", "log", "sin", "cos", "tanh", "log1p", "sqrt", "arctan", "cbrt", "exp2", "expm1"]
)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_function_of_one_number_is_that_of_many(name: str, dtype: str) -> None:
    values = [(np.random.default_rng(0).normal(size=3000) * 30).astype(dtype)]
    assert compare(lambda x: getattr(np, name)(x), values) == "same"


def test_powers_of_scalars() -> None:
    values = [np.random.default_rng(0).random(2000) * 40]
    for power in (2, 0.5, 3, -1, np.float64(2)):
        assert compare(lambda x, power=power: x**power, values) == "same"
        assert compare(lambda x, power=power: np.power(x, power), values) == "same"
