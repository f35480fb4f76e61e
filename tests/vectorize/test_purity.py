"""Verdicts on functions: what they do beyond computing, read from their code."""

from __future__ import annotations

import functools
import itertools
import json
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from penstock.node import Purity
from penstock.vectorize.purity import judge

ARRAY = np.ones((3, 4))
OBJECTS = np.array([1, "a"], object)
NUMBERS = (1, 2, (3.5, "x"))
ARRAYS = (ARRAY, ARRAY)
LIST = [1, 2]
LISTS = ([1], [2])
RNG = np.random.default_rng(0)
COUNT = itertools.count()
total = 0


class Point(NamedTuple):
    x: Any
    y: Any


@dataclass
class Pair:
    left: Any
    right: Any


@dataclass
class Eager:
    left: Any

    def __post_init__(self) -> None:
        LIST.append(self.left)


class Scaler:
    factor = 3

    def __init__(self) -> None:
        self.mean = np.zeros(4)
        self.count = 0

    def __call__(self, x: Any) -> Any:
        return (x - self.mean) * self.factor

    def counted(self, x: Any) -> Any:
        self.count += 1
        return x

    @staticmethod
    def twice(x: Any) -> Any:
        return x * 2

    def both(self, x: Any) -> Any:
        return self.twice(self(x))


def double(x: Any, by: int = 2) -> Any:
    return x * by


def factorial(n: Any) -> Any:
    return 1 if n < 2 else n * factorial(n - 1)


def appends_to_default(x: Any, seen: list[Any] = []) -> Any:  # noqa: B006
    seen.append(x)
    return x


def local_list(x: Any) -> Any:
    parts = []
    for value in x:
        parts.append(value * 2)
    return np.stack(parts)


def loops(x: Any) -> Any:
    total = 0
    for place, row in enumerate(x):
        total = total + row.sum() * place
        while total > 3:
            total = total.astype(np.float32) / 2
    return total


def loops_and_writes(x: Any) -> Any:
    for row in x:
        row = ARRAY if row is None else row
        row.sort()
    return x


def local_function(x: Any) -> Any:
    offset = x.mean()

    def shift(value: Any) -> Any:
        return value - offset

    return shift(x)


def handles_errors(x: Any) -> Any:
    try:
        return 1 / x
    except ZeroDivisionError:
        return 0.0
    finally:
        x = None


def uses_walrus(x: Any) -> Any:
    return y + 1 if (y := x * 2) > 3 else y


def raises(x: Any) -> Any:
    if x < 0:
        raise ValueError(f"negative: {x}")
    return x


def unpacks(x: Any) -> Any:
    first, *rest = x
    return first, {"rest": rest, "first": first}, [*rest, first]


def nested_comprehension(x: Any) -> Any:
    return [[a * b for a in x if a] for b in x]


def calls_with_stars(*args: Any, **kwargs: Any) -> Any:
    return double(*args, **kwargs)


def imports_inside(x: Any) -> Any:
    import math as m

    return m.floor(x)


@functools.lru_cache
def cached(x: Any) -> Any:
    return x * 2


@functools.cache
def cached_print(x: Any) -> Any:
    print(x)  # noqa: T201


PURE: list[Callable[..., Any]] = [
    lambda s: list(map(str.lower, s)),
    lambda x: cached(x),
    lambda x: x / 255,
    lambda x: np.clip(x @ ARRAY.T, 0, 1).astype("float32"),
    lambda x, y: {"x": x, "y": np.eye(10)[y]},
    lambda x: np.linalg.norm(np.fft.rfft(x)),
    lambda x: NUMBERS[0] * x + ARRAYS[0],
    lambda s: s.lower().strip().split(","),
    lambda x: math.sqrt(x) + math.pi,
    lambda x: sorted(x, key=lambda v: -v),
    lambda x: sum(v * v for v in x),
    lambda x: list(map(double, x)),
    lambda x: functools.reduce(lambda a, b: a + b, x),
    lambda x: list(itertools.chain(x, x)),
    lambda x: Point(x, y=x)._replace(x=1),
    lambda x: Pair(x, x).left,
    lambda x: f"{x:>{3}}!" if isinstance(x, int) else "",
    lambda x: np.add.reduce(x) + np.multiply.outer(x, x),
    lambda d: {**d, "x": d["x"] * 2},
    lambda x: x[::-1, ..., None],
    lambda x: np.finfo(x.dtype).max,
    lambda x: np.float32(x),
    Scaler(),
    Scaler().both,
    Scaler.twice,
    functools.partial(double, by=3),
    np.sqrt,
    len,
    factorial,
    local_list,
    loops,
    local_function,
    handles_errors,
    uses_walrus,
    raises,
    unpacks,
    nested_comprehension,
    calls_with_stars,
    imports_inside,
]


@pytest.mark.parametrize("function", PURE)
def test_pure(function: Callable[..., Any]) -> None:
    verdict = judge(function)
    assert (verdict.purity, verdict.reason) == (Purity.PURE, "")


def test_pure_functions_mostly_leave_their_argument_alone() -> None:
    assert not any(judge(function).writes_argument for function in PURE)


STATELESS: list[Callable[..., Any]] = [
    lambda path: np.load(path),
    lambda path: open(path).read(),  # noqa: SIM115
    lambda path: open(path, "rb").read().decode(),  # noqa: SIM115
    lambda text: json.loads(text)["x"],
    lambda x: type(x) is int,
]


@pytest.mark.parametrize("function", STATELESS)
def test_stateless(function: Callable[..., Any]) -> None:
    verdict = judge(function)
    assert verdict.purity is Purity.STATELESS
    assert verdict.reason
    assert verdict.writes_argument


def prints(x: Any) -> Any:
    print(x)  # noqa: T201
    return x


def writes_global(x: Any) -> Any:
    global total
    total += x
    return total


def counter() -> Callable[[Any], Any]:
    count = 0

    def numbered(x: Any) -> Any:
        nonlocal count
        count += 1
        return x, count

    return numbered


def hidden(x: Any) -> Any:
    return prints(x)


def writes_captured(x: Any) -> Any:
    ARRAY[0] = x
    return x


def writes_captured_view(x: Any) -> Any:
    row = ARRAY[0]
    row += x
    return row


def writes_captured_renamed(x: Any) -> Any:
    table = ARRAY if x > 0 else x
    table *= 2
    return table


def writes_through_a_list(x: Any) -> Any:
    tables = [x]
    tables.append(ARRAY)
    tables[-1] += 1
    return x


def writes_through_a_function(x: Any) -> Any:
    def change(target: Any) -> None:
        target[0] = 1

    change(ARRAY)
    return x


def writes_through_method(x: Any) -> Any:
    ARRAY.sort()
    return x


def writes_file(x: Any) -> Any:
    with open("x", "w") as file:
        file.write(str(x))
    return x


def generates(x: Any) -> Any:
    yield x


EXIT = SystemExit(2)


def exits(x: Any) -> Any:
    if x > 3:
        raise SystemExit(1)
    return x


def exits_without_a_call(x: Any) -> Any:
    if x > 3:
        raise KeyboardInterrupt
    return x


def exits_with_an_object(x: Any) -> Any:
    if x > 3:
        raise EXIT from None
    return x


class Parent:
    def scaled(self, x: Any) -> Any:
        return x * 2


class Child(Parent):
    def scaled(self, x: Any) -> Any:
        return super().scaled(x)


class Countdown:
    """Counts each time that it is asked for anything."""

    left = 9

    def __index__(self) -> int:
        self.left -= 1
        return self.left

    def __len__(self) -> int:
        return self.__index__()

    def __pos__(self) -> int:
        return self.__index__()

    def __format__(self, spec: str) -> str:
        return str(self.__index__())


COUNTDOWN = Countdown()


def formats_for_nothing(x: Any) -> Any:
    text = f"{COUNTDOWN}"
    assert text
    return x


def positive_for_nothing(x: Any) -> Any:
    number = +COUNTDOWN
    assert number
    return x


def assigns_at(x: Any) -> Any:
    x = x.copy()
    x[COUNTDOWN] = 0
    return x


def assigns_up_to(x: Any) -> Any:
    x = x.copy()
    x[:COUNTDOWN] = 0
    return x


def loops_while(x: Any) -> Any:
    while COUNTDOWN:
        x = x + 1
    return x


USES_OF_COUNTDOWN: list[Callable[..., Any]] = [
    formats_for_nothing,
    positive_for_nothing,
    assigns_at,
    assigns_up_to,
    loops_while,
    lambda x: x if COUNTDOWN else -x,
    lambda x: x if COUNTDOWN and x.size else -x,
]


STATEFUL: list[tuple[Callable[..., Any], str]] = [
    (prints, "prints"),
    (hidden, "prints"),
    (writes_global, "global variable total"),
    (counter(), "variable count"),
    (writes_captured, "outside the function"),
    (writes_captured_view, "outside the function"),
    (loops_and_writes, "outside the function"),
    (writes_captured_renamed, "outside the function"),
    (writes_through_a_list, "captured object"),
    (writes_through_a_function, "outside the function"),
    (writes_through_method, "outside the function"),
    (writes_file, "opens a file for writing"),
    (generates, "generator"),
    (exits, "raises SystemExit"),
    (exits_without_a_call, "raises KeyboardInterrupt"),
    (exits_with_an_object, "raises SystemExit"),
    (lambda x: exits(x), "raises SystemExit"),
    (appends_to_default, "`seen`, a list"),
    (lambda x: LIST.append(x), "`LIST`, a list"),
    (lambda x: x + LIST[0], "`LIST`, a list"),
    (lambda x: LISTS[0], "`LISTS`, a list"),
    (lambda x: OBJECTS[0], "array of objects"),
    (lambda x: np.random.rand() + x, "random numbers"),
    (lambda x: np.random.default_rng(0).normal() + x, "random numbers"),
    (lambda x: RNG.normal() + x, "random numbers"),
    (lambda x: random.random() * x, "random numbers"),
    (lambda x: time.time() + x, "clock"),
    (lambda x: input(x), "keyboard"),
    (lambda x: np.add(x, 1, out=ARRAY), "outside the function"),
    (lambda x: np.add(x, 1, ARRAY), "outside the function"),
    (lambda x: np.copyto(ARRAY, x), "outside the function"),
    (lambda x: np.add.at(ARRAY, 0, x), "at()"),
    (lambda x: np.save("x", x), "numpy.save()"),
    (lambda x: x.tofile("x"), ".tofile()"),
    (lambda x: Eager(x), "Eager()"),
    (lambda x: exec(x), "exec()"),
    (lambda x: setattr(x, "a", 1), "setattr()"),
    (lambda x, rest=COUNT: next(rest), "iterator"),
    (lambda x: x(1), "not known before it runs"),
    (Scaler().counted, ".count"),
    (functools.partial(prints), "prints"),
    (lambda x: list(map(prints, x)), "prints"),
    (lambda x: sorted(x, key=lambda v: LIST.append(v)), "`LIST`, a list"),
    (lambda x: undefined_name(x), "undefined_name"),  # type: ignore[name-defined]  # noqa: F821
    (print, "prints"),
    (lambda x: cached_print(x), "prints"),
    (Child().scaled, "calls super()"),
    *((function, "captured Countdown") for function in USES_OF_COUNTDOWN),
]


@pytest.mark.parametrize(("function", "reason"), STATEFUL)
def test_stateful(function: Callable[..., Any], reason: str) -> None:
    verdict = judge(function)
    assert verdict.purity is Purity.STATEFUL
    assert reason in verdict.reason
    assert "\n" not in verdict.reason
    assert verdict.writes_argument


def in_place(x: Any) -> Any:
    x /= 255
    return x


def item(x: Any) -> Any:
    x[0] = 1
    return x


def view(x: Any) -> Any:
    x.T[0] = 1
    return x


def sorts(x: Any) -> Any:
    x.sort()
    return x


def of_dict(d: Any) -> Any:
    d["x"] = 1
    return d


def through_a_call(x: Any) -> Any:
    return in_place(x)


def through_a_container(x: Any) -> Any:
    parts: list[Any] = []
    parts.append(x)
    parts[0] += 1
    return x


@pytest.mark.parametrize("function", [in_place, item, view, sorts, of_dict, through_a_call, through_a_container])
def test_a_function_that_writes_its_argument_is_pure_and_says_so(function: Callable[..., Any]) -> None:
    verdict = judge(function)
    assert verdict.purity is Purity.PURE
    assert verdict.writes_argument


def copies_first(x: Any) -> Any:
    x = x.astype(np.float32)
    y = np.zeros(3)
    y[0] = x[0]
    z = x / 2
    z -= ARRAY[0]
    return z


def test_writes_into_what_the_function_made_are_nobody_elses() -> None:
    assert judge(copies_first).purity is Purity.PURE


def test_a_cell_without_a_value() -> None:
    def outer() -> Callable[[Any], Any]:
        def inner(x: Any) -> Any:
            return later + x

        if RNG is None:
            later = 1
        return inner

    assert judge(outer()).purity is Purity.STATEFUL


def test_judging_never_calls() -> None:
    def explode(x: Any) -> Any:
        raise AssertionError

    assert judge(explode).purity is Purity.PURE
