"""Tracing: what is recorded, what stops it and why, and what a run may touch."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from penstock.spec import Spec, TensorSpec, spec_of_element
from penstock.tree import flatten
from penstock.vectorize.trace import Refusal, Trace, trace

TABLE = np.arange(40.0).reshape(10, 4)
IMAGE = np.zeros((6, 4), np.uint8)


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Pair:
    left: Any
    right: Any


def traced(function: Callable[..., Any], *components: Any) -> Trace:
    found = trace(function, spec_of_element(components[0] if len(components) == 1 else components))
    assert isinstance(found, Trace), found
    return found


def reason(function: Callable[..., Any], *components: Any) -> str:
    found = trace(function, spec_of_element(components[0] if len(components) == 1 else components))
    assert isinstance(found, Refusal)
    assert "\n" not in found.reason
    return found.reason


def run(function: Callable[..., Any], *columns: Any) -> Any:
    """The first output for all rows."""
    found = traced(function, *(column[0] for column in columns))
    return found.run(columns, len(columns[0]))[0]


def test_shapes_and_dtypes_are_those_of_one_element() -> None:
    found = traced(lambda x, y: {"a": x / np.float32(255), "b": (y + 1, None), "c": 1}, IMAGE, np.int32(3))
    assert found.output.leaves == (TensorSpec((6, 4), "float32"), TensorSpec((), "int32"), TensorSpec((), "int64"))
    assert found.output.treedef == flatten({"a": 0, "b": (1, None), "c": 2})[1]
    assert found.operations == ("divide", "add")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: [x, x], (0, 0)),
        (lambda x: (x, [x, x]), (0, 0)),
        (lambda x: Point(x, x), Point(0, 0)),
        (lambda x: Pair(x, {"b": x, "a": x}), Pair(0, {"b": 0, "a": 0})),
        (lambda x: {"b": x, "a": None}, {"b": 0, "a": None}),
    ],
)
def test_structure(function: Callable[..., Any], expected: Any) -> None:
    assert traced(function, np.float32(1)).output.treedef == flatten(expected)[1]


def test_only_an_exact_tuple_is_unpacked() -> None:
    assert traced(lambda p: p.x + p.y, Point(1, 2)).operations == ("add",)
    assert traced(lambda p: p[0], (np.ones(2),)).operations == ("index",)
    assert "TypeError" in reason(lambda p: p, 1, 2)


def test_literals_become_arrays() -> None:
    found = traced(lambda x: (1, 2.5, True, [1, 2], np.float32(3)), 0)
    assert [leaf.dtype for leaf in found.output.leaves] == ["int64", "float64", "bool", "int64", "float32"]
    outputs = found.run([np.zeros(3)], 3)
    assert [output.tolist() for output in outputs] == [[1] * 3, [2.5] * 3, [True] * 3, [[1, 2]] * 3, [3.0] * 3]
    assert found.uses == frozenset()


def test_unused_components_are_not_needed() -> None:
    found = traced(lambda x, y, z: (y * 2, z), 1, 2, 3)
    assert found.uses == {1, 2}
    assert found.passes == {1: 2}
    column = np.arange(3)
    outputs = found.run([None, column, column], 3)
    assert outputs[0].tolist() == [0, 2, 4]
    assert outputs[1] is column


def test_text_passes_through_and_stops_on_use() -> None:
    spec = Spec(flatten(("a", 1))[1], (TensorSpec((), str), TensorSpec((), "int64")))
    found = trace(lambda text, y: {"a": -y, "b": text}, spec)
    assert isinstance(found, Trace)
    assert found.passes == {1: 0}
    assert found.output.leaves[1].dtype is str
    words = ["a", "b"]
    assert found.run([words, np.arange(2)], 2)[1] is words
    stopped = trace(lambda text, y: text.upper(), spec)
    assert isinstance(stopped, Refusal)
    assert "uses .upper of a component" in stopped.reason
    assert isinstance(trace(lambda text, y: y if isinstance(text, str) else -y, spec), Trace)


@pytest.mark.parametrize("use", [len, list, bool, str, hash, lambda x: x[0], lambda x: x + 1, np.sum, lambda x: x == x])
def test_a_shape_that_varies_stops_on_use(use: Callable[[Any], Any]) -> None:
    spec = Spec(flatten(0)[1], (TensorSpec((None, 3), "float32"),))
    assert isinstance(trace(lambda x: x, spec), Trace)
    assert isinstance(trace(use, spec), Refusal)


def branches(x: Any) -> Any:
    y = x + 1
    if y > 3:
        return y
    return x


def swallows(x: Any) -> Any:
    try:
        return hash(x)
    except Exception:
        return 0


def swallows_all(x: Any) -> Any:
    try:
        return hash(x)
    except BaseException:
        return 0


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (branches, "branches on a value (line"),
        (swallows, "dict or set"),
        (swallows_all, "dict or set"),
        (lambda x: complex(x), "calls complex()"),
        (lambda x: range(x), "Python index or count"),
        (lambda x: f"{x}", "turns a value into text"),
        (lambda x: {x: 1}, "dict or set"),
        (lambda x: x in (1, 2), "branches on a value"),
        (lambda x: x.tolist(), ".tolist()"),
        (lambda x: len(x), "TypeError"),
        (lambda x: (*x,), "iterates over a scalar"),
        (lambda x: np.zeros((2, x)), "Python index or count"),
        (lambda x: np.unique(x), "numpy.unique has no batching rule"),
        (lambda x: np.arange(9)[:x], "slices by a value"),
        (lambda x: np.arange(9)[x > 2], "shape depends on values"),
        (lambda x: np.repeat(np.arange(2), x), "depends on values"),
        (lambda x: {1, 2}, "returns a set"),
        (lambda x: "constant", "returns a str"),
        (lambda x: x.astype(str), "no batching rule"),
        (lambda x: x.real_part, "real_part"),
        (lambda x: x.__missing__, "__missing__"),
    ],
)
def test_reasons(function: Callable[..., Any], expected: str) -> None:
    assert expected in reason(function, 3)


def test_the_function_is_called_once() -> None:
    calls = []
    traced(lambda x: calls.append(1) or x, 3)
    assert calls == [1]


def test_a_symbol_says_it_is_what_it_stands_for() -> None:
    def asks(x: Any, y: Any) -> Any:
        assert isinstance(x, np.ndarray)
        assert isinstance(y, np.float64)
        assert isinstance(y, float)
        assert not isinstance(y, np.ndarray)
        assert (x.shape, x.ndim, x.size, x.dtype, len(x), x.itemsize, x.nbytes) == ((6, 4), 2, 24, np.uint8, 6, 1, 24)
        assert np.isscalar(y)
        assert np.ndim(x) == 2
        assert np.shape(y) == ()
        return x

    assert traced(asks, IMAGE, 1.0).passes == {0: 0}


def changes_slice(x: Any) -> Any:
    x[1:3] *= 2
    x[0] = 7
    return x


def changes_through_view(x: Any) -> Any:
    row = x[2]
    row += 1
    return x


def changes_view_of_view(x: Any) -> Any:
    x[1:][0] -= 3
    return x


def changes_by_mask(x: Any) -> Any:
    x[x > 5] = -1
    return x


def changes_out(x: Any) -> Any:
    np.multiply(x, 2, out=x)
    return x


def keeps_the_name(x: Any) -> Any:
    y = x
    x += 1
    return x, y


def keeps_a_copy(x: Any) -> Any:
    y = x.copy()
    x += 1
    return x - y, y


def fills(x: Any) -> Any:
    x.fill(3)
    return x


def sorts(x: Any) -> Any:
    x.sort()
    return x


@pytest.mark.parametrize(
    "function",
    [
        changes_slice, changes_through_view, changes_view_of_view, changes_by_mask, changes_out, keeps_the_name,
        keeps_a_copy, fills, sorts,
    ],
)  # fmt: skip
def test_in_place(function: Callable[..., Any]) -> None:
    column = np.random.default_rng(0).integers(0, 10, (5, 4))
    before = column.copy()
    found = traced(function, column[0])
    outputs = found.run([column], 5)
    for row in range(5):
        expected, _ = flatten(function(before[row].copy()))
        for output, value in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(output[row], value)
    np.testing.assert_array_equal(column, before)


def uses_old_view(x: Any) -> Any:
    row = x[0]
    x += 1
    return row


def uses_old_owner(x: Any) -> Any:
    flat = x.reshape(-1)
    flat += 1
    return x


def returns_stale(x: Any) -> Any:
    flat = x.T
    x[0] = 1
    return flat


@pytest.mark.parametrize("function", [uses_old_view, uses_old_owner, returns_stale])
def test_memory_that_was_changed_through_another_name(function: Callable[..., Any]) -> None:
    assert "changed through another name" in reason(function, np.ones((2, 3)))


def test_in_place_keeps_numpys_casting_rule() -> None:
    def halves(x: Any) -> Any:
        x /= 2
        return x

    assert "cast" in reason(halves, np.ones(3, np.int64))
    assert run(halves, np.ones((4, 3), np.float32)).dtype == np.float32
    assert run(halves, np.arange(4)).dtype == np.float64  # a scalar is bound anew


def test_captured_arrays_are_read_when_it_runs() -> None:
    table = np.zeros(3)
    offset = np.ones(2)
    found = traced(lambda y: (table[y], y * (offset * 2).sum()), 0)
    table[:] = [5, 6, 7]
    offset[:] = 4
    first, second = found.run([np.array([2, 0])], 2)
    assert first.tolist() == [7, 5]
    assert second.tolist() == [32, 0]


class Scaled:
    def __init__(self) -> None:
        self.factor = 2

    def __call__(self, x: Any) -> Any:
        return x * self.factor


def test_a_trace_knows_when_what_it_captured_was_bound_anew() -> None:
    factor, scaled, space = 2, Scaled(), {"factor": 2}
    local = traced(lambda x: x * factor, 1)
    attribute = traced(scaled, 1)
    code = compile("lambda x: x * factor", "", "eval").co_consts[0]
    glob = traced(types.FunctionType(code, space), 1)
    assert [found.is_current() for found in (local, attribute, glob)] == [True] * 3
    factor = 3
    assert [found.is_current() for found in (local, attribute, glob)] == [False, True, True]
    scaled.factor = 3
    assert [found.is_current() for found in (local, attribute, glob)] == [False, False, True]
    space["factor"] = 3
    assert [found.is_current() for found in (local, attribute, glob)] == [False] * 3


def pixel_loop(x: Any) -> Any:
    out = np.zeros((28, 28))
    for row in range(28):
        for column in range(28):
            out[row, column] = x[row, column] * 2
    return out


def test_a_loop_over_items_runs_element_by_element() -> None:
    assert "more than" in reason(pixel_loop, np.ones((28, 28)))


def test_outputs_are_memory_of_their_own() -> None:
    column = np.arange(12.0).reshape(3, 4)
    for function in (
        lambda x: x[1:], lambda x: x.reshape(2, 2), lambda x: np.broadcast_to(x[0], 4), lambda x: TABLE[0],
        lambda x: (x * 2)[::2], lambda x: np.expand_dims(x, 0),
    ):  # fmt: skip
        output = run(function, column)
        assert output.flags.c_contiguous
        assert output.flags.writeable
        assert not np.may_share_memory(output, column)
        assert not np.may_share_memory(output, TABLE)
    one, other = traced(lambda x: ((y := x * 2), y), column[0]).run([column], 3)
    assert not np.may_share_memory(one, other)


def test_allocate_provides_all_computed_memory() -> None:
    def work(x: Any, y: Any) -> Any:
        scaled = (x.astype(np.float32) / 255)[..., None]
        return scaled, scaled.sum(), y, TABLE[y], x.T, np.stack([x, x])

    columns = [np.random.default_rng(0).integers(0, 255, (5, 6, 4)).astype(np.uint8), np.arange(5)]
    made: list[Any] = []

    def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        made.append(np.full(shape, 99, dtype))
        return made[-1]

    found = traced(work, columns[0][0], 0)
    outputs = found.run(columns, 5, allocate)
    assert outputs[2] is columns[1]
    assert all(any(output is memory for memory in made) for output in outputs[:2] + outputs[3:])
    assert len(made) == 5
    for output, plain in zip(outputs, found.run(columns, 5), strict=True):
        np.testing.assert_array_equal(output, plain)


def test_rows_that_are_not_contiguous_give_the_same_sums() -> None:
    column = np.asfortranarray(np.random.default_rng(0).normal(size=(7, 300)).astype(np.float32))
    expected = [np.ascontiguousarray(row).sum() for row in column]
    assert run(lambda x: x.sum(), column).tolist() == expected
    assert run(lambda x: x.sum(), np.repeat(column, 2, axis=1)[:, ::2]).tolist() == expected


def reads_twice(x: Any) -> Any:
    doubled = x * 2
    flat = doubled.reshape(-1)
    return doubled + 1, doubled * 3, (doubled - 4) + doubled, flat + 5


def test_memory_is_written_over_only_when_nothing_reads_it_again() -> None:
    column = np.arange(12.0).reshape(3, 2, 2)
    found = traced(reads_twice, column[0])
    for outputs in (found.run([column], 3), found.run([column], 3, np.empty)):
        for row in range(3):
            for output, value in zip(outputs, reads_twice(column[row]), strict=True):
                np.testing.assert_array_equal(output[row], value)


def test_no_rows() -> None:
    found = traced(lambda x, y: (x.sum(axis=0), y, TABLE[y]), IMAGE, 0)
    outputs = found.run([np.zeros((0, 6, 4), np.uint8), np.zeros(0, np.int64)], 0)
    assert [output.shape for output in outputs] == [(0, 4), (0,), (0, 4)]


def test_an_error_of_one_row_is_raised_even_if_its_result_is_not_used() -> None:
    def looks_up(y: Any) -> Any:
        TABLE[y]
        return y

    found = traced(looks_up, 0)
    with pytest.raises(IndexError):
        found.run([np.array([3, 10])], 2)


def test_the_users_function_and_its_globals_stay_as_they_are() -> None:
    space = {"np": np, "table": TABLE}
    function = types.FunctionType(compile("lambda y: np.float32(table[y])", "", "eval").co_consts[0], space)
    traced(function, 0)
    assert space["np"] is np
    assert space["table"] is TABLE
    assert set(space) <= {"np", "table", "__builtins__"}


def test_methods_and_helpers_are_traced_too() -> None:
    class Embed:
        def __init__(self) -> None:
            self.table = TABLE

        def __call__(self, y: Any) -> Any:
            return self.look(y) * 2

        def look(self, y: Any) -> Any:
            return self.table[y]

    column = np.array([3, 1])
    np.testing.assert_array_equal(run(Embed(), column), TABLE[column] * 2)
    np.testing.assert_array_equal(run(Embed().look, column), TABLE[column])


def recursive(x: Any, depth: int = 3) -> Any:
    return x if depth == 0 else recursive(x * 2, depth - 1)


def test_recursion_over_constants() -> None:
    assert run(recursive, np.arange(3)).tolist() == [0, 8, 16]
