"""Operations on arrays as one line each, and random programs of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

TABLE = np.random.default_rng(5).normal(size=(10, 3)).astype(np.float32)
VECTOR = np.linspace(-2, 3, 3)
DTYPES = ["float32", "float64", "float16", "uint8", "int64", "int32", "bool", "int16", "uint32"]
SHAPES = [(), (3,), (1,), (2, 3), (4, 3), (2, 1, 3), (17,), (3, 3), (150,), (1, 3)]

Operation = Callable[[Any, Any], Any]
"""From two values to another; the second one may be left unused."""


def _changed(x: Any, change: Callable[[Any], None]) -> Any:
    x = x.copy()
    change(x)
    return x


def _masked(x: Any, y: Any) -> Any:
    x = x.copy()
    x[x > 1] = 1
    return x


def _first_set(x: Any, y: Any) -> Any:
    x = x.copy()
    x[0] = y[-1]
    return x


def _last_doubled(x: Any, y: Any) -> Any:
    x = x.copy()
    x[..., -1] *= 2
    return x


def _added_in_place(x: Any, y: Any) -> Any:
    x = x.copy()
    x += y
    return x


ELEMENTWISE: dict[str, Operation] = {
    **{
        name: lambda x, y, name=name: getattr(np, name)(x)
        for name in "negative abs sqrt exp log sin cos tanh floor ceil rint sign isnan isfinite logical_not square "
        "log1p exp2 cbrt arctan expm1 reciprocal invert sinh arcsinh log2 log10 trunc signbit degrees".split()
    },
    **{
        name: lambda x, y, name=name: getattr(np, name)(x, y)
        for name in "add subtract multiply divide maximum minimum floor_divide remainder power arctan2 hypot greater "
        "less_equal equal not_equal logical_and bitwise_xor fmax copysign fmod logaddexp heaviside".split()
    },
    **{
        f"{name} {value!r}": lambda x, y, name=name, value=value: getattr(np, name)(x, value)
        for name in ("add", "multiply", "power", "divide", "maximum", "less", "floor_divide")
        for value in (2, -1, 0.5, np.float32(1.5), np.uint8(7), True)
    },
    "operators": lambda x, y: -x + 2 * y - x / 3,
    "power operator": lambda x, y: x**2 + x**0.5,
    "reverse": lambda x, y: 1 - x,
    "divmod": lambda x, y: divmod(x, 3)[1],
    "vector": lambda x, y: x * VECTOR,
    "where": lambda x, y: np.where(x > y, x, y),
    "where constant": lambda x, y: np.where(x > 0, x, -1),
    "clip": lambda x, y: np.clip(x, -1, 2),
    "clip low": lambda x, y: np.clip(x, 0, None),
    "clip by value": lambda x, y: x.clip(y, 5),
    "round": lambda x, y: np.round(x, 1),
    "nan_to_num": lambda x, y: np.nan_to_num(x),
    "isclose": lambda x, y: np.isclose(x, y),
    **{
        f"astype {name}": (lambda x, y, name=name: x.astype(name))
        for name in ("float32", "float16", "int64", "uint32", "bool")
    },
}

REDUCTIONS: dict[str, Operation] = {
    f"{name} {axis} {keep}": lambda x, y, name=name, axis=axis, keep=keep: getattr(np, name)(
        x, axis=axis, keepdims=keep
    )
    for name in "sum mean std var min max prod any all argmax argmin".split()
    for axis in (None, 0, -1)
    for keep in (False, True)
}

STRUCTURE: dict[str, Operation] = {
    "sum 01": lambda x, y: x.sum((0, 1)),
    "mean 02": lambda x, y: x.mean(axis=(0, 2)),
    "reshape": lambda x, y: x.reshape(-1),
    "reshape reversed": lambda x, y: x.reshape(x.shape[::-1]),
    "ravel": lambda x, y: x.ravel(),
    "T": lambda x, y: x.T,
    "swapaxes": lambda x, y: np.swapaxes(x, 0, -1),
    "moveaxis": lambda x, y: np.moveaxis(x, -1, 0),
    "flip": lambda x, y: x[::-1],
    "flip all": lambda x, y: np.flip(x),
    "rot90": lambda x, y: np.rot90(x),
    "stride": lambda x, y: x[..., ::2],
    "item": lambda x, y: x[0],
    "last": lambda x, y: x[..., -1],
    "list": lambda x, y: x[[0, -1]],
    "columns": lambda x, y: x[..., np.array([0, 0])],
    "both": lambda x, y: x[[0, 1], :, [0, 1]],
    "newaxis": lambda x, y: x[..., None],
    "expand": lambda x, y: np.expand_dims(x, 0),
    "squeeze": lambda x, y: np.squeeze(x),
    "stack": lambda x, y: np.stack([x, x]),
    "stack last": lambda x, y: np.stack([x, y], axis=-1),
    "array": lambda x, y: np.array([x, y, x]),
    "concatenate": lambda x, y: np.concatenate([x, y], axis=-1),
    "hstack": lambda x, y: np.hstack([x, y]),
    "vstack": lambda x, y: np.vstack([x, y]),
    "append": lambda x, y: np.append(x, y),
    "pad": lambda x, y: np.pad(x, 1),
    "pad edge": lambda x, y: np.pad(x, [(1, 0)] * x.ndim, mode="edge"),
    "roll": lambda x, y: np.roll(x, 2, axis=-1),
    "tile": lambda x, y: np.tile(x, 2),
    "repeat": lambda x, y: np.repeat(x, 2, axis=-1),
    "cumsum": lambda x, y: np.cumsum(x, axis=0),
    "diff": lambda x, y: np.diff(x, axis=-1),
    "sort": lambda x, y: np.sort(x, axis=-1),
    "argsort": lambda x, y: np.argsort(x, axis=0, kind="stable"),
    "median": lambda x, y: np.median(x),
    "norm": lambda x, y: np.linalg.norm(x),
    "norm axis": lambda x, y: np.linalg.norm(x, axis=-1),
    "matmul": lambda x, y: x @ TABLE.T,
    "matmul left": lambda x, y: TABLE @ x,
    "matmul rows": lambda x, y: x @ y,
    "dot": lambda x, y: x.dot(TABLE.T),
    "outer": lambda x, y: np.outer(x, y),
    "einsum": lambda x, y: np.einsum("...i,ji->...j", x, TABLE),
    "one hot": lambda x, y: np.eye(10)[x.astype(np.int64) % 10],
    "lookup": lambda x, y: TABLE[x.astype(np.uint8) % 10],
    "take": lambda x, y: np.take(TABLE[:, 0], abs(x.astype(np.int64)) % 10),
    "pick": lambda x, y: x[abs(y.astype(np.int64)) % len(x)],
    "digitize": lambda x, y: np.digitize(x, VECTOR),
    "searchsorted": lambda x, y: np.searchsorted(VECTOR, x),
    "interp": lambda x, y: np.interp(x, VECTOR, VECTOR * 2),
    "percentile": lambda x, y: np.percentile(x, [10, 50]),
    "average": lambda x, y: np.average(x, axis=-1),
    "broadcast": lambda x, y: np.broadcast_to(x, (2, *x.shape)),
    "zeros like": lambda x, y: np.zeros_like(x) + y,
    "masked": _masked,
    "first set": _first_set,
    "last doubled": _last_doubled,
    "added in place": _added_in_place,
}

OPERATIONS = {**ELEMENTWISE, **REDUCTIONS, **STRUCTURE}


def column(rng: np.random.Generator, rows: int, shape: tuple[int, ...], dtype: str) -> Any:
    """Rows of random values; now and then a float that is no number."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return rng.integers(0, 2, (rows, *shape)).astype(bool)
    if kind.kind == "f":
        values = (rng.normal(size=(rows, *shape)) * rng.choice([1, 10, 100])).astype(kind)
        if rng.random() < 0.2:
            values.reshape(-1)[rng.integers(values.size)] = rng.choice([np.nan, np.inf, -0.0])
        return values
    bounds = np.iinfo(kind)
    return rng.integers(max(bounds.min, -300), min(bounds.max, 300), (rows, *shape)).astype(kind)


@st.composite
def programs(draw: Any) -> tuple[Callable[..., Any], list[Any], list[str]]:
    """A function of a few operations, columns to run it on, and the operations' names."""
    shape = draw(st.sampled_from(SHAPES))
    others = draw(st.lists(st.one_of(st.just(shape), st.sampled_from(SHAPES)), max_size=2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.sampled_from([1, 2, 9, 40]))
    columns = [column(rng, rows, each, draw(st.sampled_from(DTYPES))) for each in (shape, *others)]
    steps = draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=5
        )
    )

    def program(*values: Any) -> Any:
        known = list(values)
        for name, first, second in steps:
            known.append(OPERATIONS[name](known[-1 - first % len(known)], known[-1 - second % len(known)]))
        return tuple(known[-3:])

    return program, columns, [name for name, _, _ in steps]
