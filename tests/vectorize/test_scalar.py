"""Functions of integers that may be called with Python's ints: only where nobody could tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.spec import Spec, spec_of_element
from penstock.vectorize.scalar import prove_scalars

ONE = spec_of_element(np.int64(0))
TWO = spec_of_element((np.int64(0), np.int64(0)))
TABLE = (1, 2, 3)


def collatz(x: Any) -> Any:
    if x % 2 == 0:
        return x // 2
    return 3 * x + 1


def clamp(x: Any) -> Any:
    return min(max(x, -50), 50) * 7


def classify(x: Any) -> Any:
    if x < 0:
        return "negative"
    return "small" if x in (0, 1, 2) else "large"


def checked(x: Any) -> Any:
    if x > 90:
        raise ValueError("too large")
    return x * 2 - 1 if x & 1 else x >> 2


PROVEN: list[tuple[Callable[..., Any], Spec, tuple[type, ...]]] = [
    (collatz, ONE, (int,)),
    (clamp, ONE, (int,)),
    (classify, ONE, (str,)),
    (checked, ONE, (int,)),
    (lambda x: x if x > 0 else -x, ONE, (int,)),
    (lambda x: x > 3 and not x % 5, ONE, (bool,)),
    (lambda x: (x > 3) & (x < 50) if x else False, ONE, (bool,)),
    (lambda x: (x, x**2 if x > 0 else x**3, abs(x) > 7), ONE, (int, int, bool)),
    (lambda x: [x // -3, x % -7] if x else [0, 0], ONE, (int, int)),
    (lambda x: {"a": divmod(x, 9)[0] if x > 2 else 1}, ONE, (int,)),
    (lambda a, b: max(a, b) - min(a, b), TWO, (int,)),
    (lambda a, b: a * b if a < b else a ^ b, TWO, (int,)),
    (lambda x: x / 4 if x > 1 else 0.25 * x, ONE, (float,)),
    (lambda x: x * 0.1 + 2.5 if x != 3 else 1.0, ONE, (float,)),
    (lambda x: -(x << 3) | 5 if x else ~x, ONE, (int,)),
]


@pytest.mark.parametrize(("function", "spec", "kinds"), PROVEN)
@given(data=st.data())
def test_proven_functions_cannot_tell_the_numbers_apart(
    data: st.DataObject, function: Callable[..., Any], spec: Spec, kinds: tuple[type, ...]
) -> None:
    proof = prove_scalars(function, spec)
    assert proof is not None
    assert proof.output_kinds == kinds
    edge = data.draw(st.sampled_from([10, 100, 2**20, 2**31, 2**62]))
    values = [data.draw(st.integers(-edge, edge)) for _ in spec.leaves]
    if not proof.fits(min(values), max(values)):
        assert edge > 100
        return
    results = []
    for kind in (int, np.int64):
        try:
            results.append(np.atleast_1d(list(_flat(function(*map(kind, values))))))
        except ValueError as error:
            results.append(np.array([str(error)]))
    assert results[0].dtype == results[1].dtype
    assert results[0].tobytes() == results[1].tobytes()


def _flat(result: Any) -> Any:
    return result.values() if isinstance(result, dict) else result if isinstance(result, (tuple, list)) else (result,)


def forever(x: Any) -> Any:
    while x > 0:
        x = x - 1
    return x


REFUSED: list[Callable[[Any], Any]] = [
    lambda x: isinstance(x, int) if x > 0 else False,
    lambda x: x.item() if x > 0 else 0,
    lambda x: x.dtype == np.int64 if x > 0 else False,
    lambda x: int(x) if x > 0 else 0,
    lambda x: f"{x}" if x > 0 else "",
    lambda x: repr(x) if x > 0 else "",
    lambda x: x // (x - 1) if x > 1 else 0,
    lambda x: x // 0 if x > 1 else 0,
    lambda x: x / x if x > 1 else 0.0,
    lambda x: (x > 0) + 1 if x > 1 else 2,
    lambda x: ~(x > 0) if x > 1 else False,
    lambda x: x + True if x > 1 else 2,
    lambda x: x + np.float32(1) if x > 1 else 2,
    lambda x: np.abs(x) if x > 1 else 2,
    lambda x: np.ones(3)[x] if x > 1 else 2.0,
    lambda x: TABLE[x] if 0 <= x < 3 else 0,
    lambda x: {1: 2}.get(x, 3) if x > 1 else 2,
    lambda x: 1.5 if x > 1 else 2,
    lambda x: (x, x) if x > 1 else x,
    lambda x: x + 2**63 if x > 1 else 2,
    lambda x: x**-1 if x > 1 else 2,
    lambda x: 2**x if x > 1 else 2,
    lambda x: x << 63 if x > 1 else 2,
    lambda x: (x * 0.5) // 2 if x > 1 else 2.0,
    lambda x: (x * 0.5) < (x - 1) / 3 or x.bit_length(),
    lambda x: hash(x) if x > 1 else 2,
    lambda x: "ab" * x if x > 1 else "",
    forever,
]


@pytest.mark.parametrize("function", REFUSED)
def test_no_proof(function: Callable[[Any], Any]) -> None:
    assert prove_scalars(function, ONE) is None


def swallows(x: Any) -> Any:
    try:
        return np.abs(x) if x > 1 else 3
    except Exception:
        return 4


def test_an_except_does_not_hide_what_was_refused() -> None:
    assert prove_scalars(swallows, ONE) is None


@pytest.mark.parametrize("element", [np.int32(1), np.float64(1), np.bool_(True), np.ones(3, np.int64), (), "a"])
def test_only_int64_scalars_are_proven(element: Any) -> None:
    assert prove_scalars(lambda *x: 1, spec_of_element(element)) is None


def test_bounds_are_those_of_every_step() -> None:
    proof = prove_scalars(lambda x: (x * 8) // 8 if x > 0 else x, ONE)
    assert proof is not None
    assert proof.fits(0, 2**60 - 1)
    assert not proof.fits(0, 2**60)
    assert not proof.fits(-(2**60) - 1, 0)
    assert proof.fits(-5, 5)


BIG = 2**62


@pytest.mark.parametrize(
    ("function", "fits", "too_large"),
    [
        (lambda a, b: a + b if a else b, (-BIG, BIG - 1), (-BIG, BIG)),
        (lambda a, b: a - b if a else b, (-BIG, BIG - 1), (-BIG, BIG)),
        (lambda a, b: a * b if a else b, (-(2**31), 2**31), (-(2**32), 2**32)),
        (lambda a, b: a * 4 - b * 4 if a else b, (-(2**60), 2**60 - 1), (-(2**60), 2**60)),
        (lambda a, b: (a // 2) * 3 if a else b, (0, 2**61), (0, 2**63 - 1)),
        (lambda a, b: (a % 10) * (BIG // 8) if a else b, (-(2**63), 2**63 - 1), None),
        (lambda a, b: (a % -10) * (BIG // 8) if a else b, (-(2**63), 2**63 - 1), None),
        (lambda a, b: (a % 100) * BIG if a else b, None, (0, 1)),
        (lambda a, b: a**3 if a else b, (-(2**20), 2**20), (-(2**21) - 1, 0)),
        (lambda a, b: a << 10 if a else b, (0, 2**52), (0, 2**53)),
        (lambda a, b: (a >> 10) * 2**10 if a else b, (-(2**63), 2**63 - 1), None),
        (lambda a, b: (a & 7) * (a | 7) if a else b, (0, 2**20), (0, 2**40)),
    ],
)
def test_the_bounds_of_each_operation(
    function: Callable[..., Any], fits: tuple[int, int] | None, too_large: tuple[int, int] | None
) -> None:
    proof = prove_scalars(function, TWO)
    assert proof is not None
    assert too_large is None or not proof.fits(*too_large)
    assert fits is None or proof.fits(*fits)
    assert too_large is None or not proof.fits(*too_large)


def test_the_lowest_int64_has_no_opposite() -> None:
    for function in (lambda x: -x if x < 0 else x, lambda x: abs(x) if x < 0 else x, lambda x: x // -1 if x < 0 else x):
        proof = prove_scalars(function, ONE)
        assert proof is not None
        assert proof.fits(-(2**63) + 1, 0)
        assert not proof.fits(-(2**63), 0)


def test_integers_meet_floats_only_where_they_are_exact() -> None:
    proof = prove_scalars(lambda x: x / 3 if x > 0 else 0.0, ONE)
    assert proof is not None
    assert proof.fits(-(2**53), 2**53)
    assert not proof.fits(0, 2**53 + 1)
