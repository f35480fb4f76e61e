"""What a public method learns from its call: counts checked at once, and the user's line that made it."""

from __future__ import annotations

import operator
import os
import sys
import warnings
from collections.abc import Iterable
from itertools import pairwise
from types import FrameType, TracebackType
from typing import Any, TypeVar

from penstock.parallel import AUTOTUNE, EXECUTORS, Parallel

D = TypeVar("D")

# With the separator, so that a package whose name begins like ours is not ours.
_PACKAGE = os.path.join(os.path.dirname(__file__), "")

_LARGEST = 2**63 - 1


def count(method: str, name: str, value: Any, minimum: int | None = None, hint: str = "") -> int:
    """`value` as an int of at least `minimum`; NumPy integers and 0-d integer arrays count.

    Raises:
        TypeError: `value` is no whole number.
        ValueError: It is below `minimum` or does not fit 64 bits.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        wanted = "an integer" if minimum is None else f"an integer of at least {minimum}"
        raise TypeError(f"{method}(): {name} must be {wanted}, but is {value!r}{hint}") from None
    if minimum is not None and number < minimum:
        raise ValueError(f"{method}(): {name} must be at least {minimum}, but is {number}{hint}")
    if abs(number) > _LARGEST:
        raise ValueError(f"{method}(): {name} must fit 64 bits, but is {number}")
    return number


def counts(method: str, name: str, values: Any, minimum: int) -> tuple[int, ...]:
    """`values` as ints of at least `minimum`.

    Raises:
        TypeError: It is no sequence, or holds something else than whole numbers.
        ValueError: One is below `minimum`, or does not fit 64 bits.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"{method}(): {name} must be a list of integers, but is {values!r}")
    return tuple(count(method, f"{name}[{at}]", value, minimum) for at, value in enumerate(values))


def rising(method: str, name: str, values: Any) -> tuple[int, ...]:
    """`values` as ints, each greater than the one before and the first at least 1.

    Raises:
        TypeError: It is no sequence, or holds something else than whole numbers.
        ValueError: One is not greater than the one before, or below 1.
    """
    found = counts(method, name, values, 1)
    for at, (before, after) in enumerate(pairwise(found), 1):
        if after <= before:
            raise ValueError(f"{method}(): {name} must rise, but {name}[{at}] is {after} after {before}")
    return found


def seed(method: str, value: Any) -> int | None:
    """`value` as a seed: None, or an int of any sign folded into 64 bits."""
    if value is None:
        return None
    try:
        return operator.index(value) % 2**64
    except TypeError:
        raise TypeError(f"{method}(): seed must be an integer or None, but is {value!r}") from None


def choice(method: str, name: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    """`value` if it is one of those that are allowed.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{method}(): {name} must be one of {', '.join(map(repr, allowed))}, but is {value!r}")
    return value


def function(method: str, name: str, value: Any) -> Any:
    """`value` if it can be called.

    Raises:
        TypeError: It cannot.
    """
    if not callable(value):
        raise TypeError(f"{method}(): {name} must be a function, but is {value!r}")
    return value


def path(method: str, name: str, value: Any) -> str:
    """`value` as the text of one path.

    Raises:
        TypeError: It is no path.
    """
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(f"{method}(): {name} must be a path, but is {value!r}")
    return os.fsdecode(value)


def parallel(
    method: str, num_parallel_calls: Any, deterministic: Any = None, executor: str = "auto"
) -> Parallel | None:
    """What was asked for about parallel calls; None for one call after another.

    Warns that `deterministic=False` changes nothing without parallel calls; called by the public method itself.

    Raises:
        TypeError: `num_parallel_calls` is no whole number, or `deterministic` neither None nor a bool.
        ValueError: `num_parallel_calls` is neither AUTOTUNE (-1) nor positive, there is no such executor, or processes
            are asked for, but no parallel calls.
    """
    if executor not in EXECUTORS:
        raise ValueError(f"{method}(): executor must be 'auto', 'thread' or 'process', but is {executor!r}")
    if not (deterministic is None or isinstance(deterministic, bool)):
        raise TypeError(f"{method}(): deterministic must be True, False or None, but is {deterministic!r}")
    if num_parallel_calls is None and executor == "process":
        raise ValueError(
            f"{method}(): executor='process' is for parallel calls, but num_parallel_calls is None, so there are none; "
            "write num_parallel_calls=AUTOTUNE, or how many"
        )
    if num_parallel_calls is None:
        if deterministic is False:
            warnings.warn(
                f"{method}(): deterministic=False lets parallel results come as they are done, but num_parallel_calls "
                "is None, so there are none and the order is kept; write num_parallel_calls=AUTOTUNE, or how many",
                stacklevel=3,
            )
        return None
    number = count(method, "num_parallel_calls", num_parallel_calls)
    if number != AUTOTUNE:
        count(method, "num_parallel_calls", number, 1, "; use AUTOTUNE to leave it open")
    return Parallel(number, deterministic is not False, executor)


def datasets(method: str, kind: type[D], value: Any) -> list[D]:
    """`value` as a list of datasets.

    Args:
        method: The public function.
        kind: The class of datasets.
        value: What was given.

    Raises:
        TypeError: It is no sequence, or something in it is no dataset.
        ValueError: It is empty.
    """
    if isinstance(value, kind) or not isinstance(value, Iterable):
        raise TypeError(f"{method}(): datasets must be a list of datasets, but is {value!r}")
    found = list(value)
    for item in found:
        if not isinstance(item, kind):
            raise TypeError(f"{method}(): datasets must be a list of datasets, but {item!r} is none")
    if not found:
        raise ValueError(f"{method}(): datasets is empty; give at least one")
    return found


def is_ours(frame: FrameType) -> bool:
    """Whether a frame runs code of penstock."""
    return frame.f_code.co_filename.startswith(_PACKAGE)


def traceback_text(trace: TracebackType | None) -> str:
    """The frames of the user's code and of libraries that it called, as Python shows them."""
    import traceback  # takes milliseconds, and few programs need it

    while trace is not None and is_ours(trace.tb_frame):
        trace = trace.tb_next
    return "".join(traceback.format_tb(trace)).rstrip()


def message(error: BaseException) -> str:
    """The text of an exception of the user's; as Python shows it where making the text raises."""
    try:
        return str(error)
    except Exception:
        return "<exception str() failed>"


def shown(error: BaseException) -> str:
    """An exception of the user's as `repr` shows it, or its class where that raises."""
    try:
        return repr(error)
    except Exception:
        return type(error).__name__


def origin() -> str:
    """File and line of the nearest caller outside penstock."""
    frame = sys._getframe(1)
    while frame.f_back is not None and is_ours(frame):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
