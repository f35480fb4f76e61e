"""Bad arguments that both sides refuse, when the dataset is made and with the same class of error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.oracle.engines import OURS, TF, Engine
from tests.oracle.outcome import Failed, attempt
from tests.oracle.pipeline import Point, even, numbers


def generator(e: Engine, **arguments: Any) -> Any:
    """A generator of one number, declared in one way or another."""
    return e.Dataset.from_generator(lambda: [1], **arguments)


def tensors(e: Engine, *arrays: Any) -> Any:
    """One element."""
    return e.Dataset.from_tensors(arrays)


REFUSED: dict[str, tuple[type[Exception], Callable[[Engine], Any]]] = {
    "slices of a scalar": (ValueError, lambda e: e.Dataset.from_tensor_slices(5)),
    "slices of no component": (ValueError, lambda e: e.Dataset.from_tensor_slices(())),
    "slices of None": (ValueError, lambda e: e.Dataset.from_tensor_slices(None)),
    "slices of other sizes": (ValueError, lambda e: e.Dataset.from_tensor_slices((np.ones(2), np.ones(3)))),
    "slices of a ragged list": (ValueError, lambda e: e.Dataset.from_tensor_slices([[1], [2, 3]])),
    "slices of a set": (ValueError, lambda e: e.Dataset.from_tensor_slices({1, 2})),
    "slices of numbers and text": (ValueError, lambda e: e.Dataset.from_tensor_slices([1, "a"])),
    "an element of no component": (ValueError, lambda e: e.Dataset.from_tensors(())),
    "an element of an empty dict": (ValueError, lambda e: e.Dataset.from_tensors({})),
    "an element of None": (ValueError, lambda e: e.Dataset.from_tensors(None)),
    "an element of a ragged list": (ValueError, lambda e: e.Dataset.from_tensors([[1], [2, 3]])),
    "an element of a set": (ValueError, lambda e: e.Dataset.from_tensors({1, 2})),
    "an empty list": (ValueError, lambda e: e.from_list([])),
    "a list of other structures": (ValueError, lambda e: e.from_list([(1, 2), 3])),
    "range with step 0": (ValueError, lambda e: e.Dataset.range(1, 2, 0)),
    "range of a float": (TypeError, lambda e: e.Dataset.range(1.5)),
    "range of text": (TypeError, lambda e: e.Dataset.range("a")),
    "range beyond 64 bits": (ValueError, lambda e: e.Dataset.range(2**64)),
    "counter of a float": (TypeError, lambda e: e.Dataset.counter(1.5)),
    "counter of text": (TypeError, lambda e: e.Dataset.counter("a")),
    "a generator that is none": (TypeError, lambda e: e.Dataset.from_generator([1, 2], output_types=np.int64)),
    "a generator declared twice": (
        TypeError,
        lambda e: generator(e, output_types=np.int64, output_signature=e.spec((), np.int64)),
    ),
    "a generator of shapes only": (TypeError, lambda e: generator(e, output_shapes=())),
    "a generator of a list of types": (TypeError, lambda e: generator(e, output_types=[np.int64])),
    "a generator declared by numbers": (TypeError, lambda e: generator(e, output_signature=(3,))),
    "a generator declared by a list": (TypeError, lambda e: generator(e, output_signature=[e.spec((), np.int64)])),
    "a generator with a number as args": (TypeError, lambda e: generator(e, output_types=np.int64, args=3)),
    "batch of 0": (ValueError, lambda e: numbers(e).batch(0)),
    "batch of -1": (ValueError, lambda e: numbers(e).batch(-1)),
    "batch of 2.5": (TypeError, lambda e: numbers(e).batch(2.5)),
    "batch of text": (TypeError, lambda e: numbers(e).batch("2")),
    "unbatch of scalars": (ValueError, lambda e: numbers(e).unbatch()),
    "unbatch of other sizes": (ValueError, lambda e: tensors(e, np.ones(2), np.ones(3)).unbatch()),
    "shuffle of 0": (ValueError, lambda e: numbers(e).shuffle(0)),
    "shuffle of -1": (ValueError, lambda e: numbers(e).shuffle(-1)),
    "shuffle of 1.5": (TypeError, lambda e: numbers(e).shuffle(1.5)),
    "shuffle with text as seed": (TypeError, lambda e: numbers(e).shuffle(3, seed="a")),
    "shuffle with a float as seed": (TypeError, lambda e: numbers(e).shuffle(3, seed=1.5)),
    "shard of 0": (ValueError, lambda e: numbers(e).shard(0, 0)),
    "shard out of range": (ValueError, lambda e: numbers(e).shard(3, 3)),
    "shard below 0": (ValueError, lambda e: numbers(e).shard(3, -1)),
    "shard of floats": (TypeError, lambda e: numbers(e).shard(3.0, 1)),
    "take of a float": (TypeError, lambda e: numbers(e).take(1.5)),
    "take of text": (TypeError, lambda e: numbers(e).take("a")),
    "skip of a float": (TypeError, lambda e: numbers(e).skip(1.5)),
    "repeat of a float": (TypeError, lambda e: numbers(e).repeat(1.5)),
    "repeat of text": (TypeError, lambda e: numbers(e).repeat("a")),
    "enumerate from text": (TypeError, lambda e: numbers(e).enumerate("a")),
    "enumerate from a float": (TypeError, lambda e: numbers(e).enumerate(1.5)),
    "prefetch of -2": (ValueError, lambda e: numbers(e).prefetch(-2)),
    "prefetch of a float": (TypeError, lambda e: numbers(e).prefetch(1.5)),
    "zip of nothing": (TypeError, lambda e: e.Dataset.zip()),
    "zip of a list": (TypeError, lambda e: e.Dataset.zip([numbers(e), numbers(e)])),
    "zip in both forms": (TypeError, lambda e: e.Dataset.zip(numbers(e), datasets=numbers(e))),
    "zip of a number": (TypeError, lambda e: e.Dataset.zip(numbers(e), 3)),
    "concatenate of other dtypes": (TypeError, lambda e: numbers(e).concatenate(tensors(e, np.float32(1)))),
    "concatenate of other structures": (TypeError, lambda e: numbers(e).concatenate(numbers(e).enumerate())),
    "concatenate of other keys": (
        TypeError,
        lambda e: e.Dataset.from_tensors({"a": 1}).concatenate(e.Dataset.from_tensors({"b": 1})),
    ),
    "concatenate of another class": (
        TypeError,
        lambda e: tensors(e, 1, 2).concatenate(e.Dataset.from_tensors(Point(1, 2))),
    ),
    "map with 0 calls": (ValueError, lambda e: numbers(e).map(lambda n: n, num_parallel_calls=0)),
    "map with -2 calls": (ValueError, lambda e: numbers(e).map(lambda n: n, num_parallel_calls=-2)),
    "apply of no dataset": (TypeError, lambda e: numbers(e).apply(lambda ds: 5)),
    "apply of no function": (TypeError, lambda e: numbers(e).apply(5)),
    "len of endless": (TypeError, lambda e: len(numbers(e).repeat())),
    "len of unknown": (TypeError, lambda e: len(even(e))),
    "the single element of none": (ValueError, lambda e: numbers(e, 0).get_single_element()),
    "the single element of two": (ValueError, lambda e: numbers(e, 2).get_single_element()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_refuse_it_alike(name: str) -> None:
    kind, build = REFUSED[name]
    assert attempt(build, TF) == Failed(kind)
    assert attempt(build, OURS) == Failed(kind)
