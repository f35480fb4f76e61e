"""Pipelines of one source, on which penstock and TensorFlow have to agree."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from tests.oracle.pipeline import (
    IMAGES,
    LABELS,
    WEIGHTS,
    Box,
    Pipeline,
    Point,
    generated,
    labelled,
    records,
)


def ragged_pairs() -> Any:
    """Pairs of a number and as many ones."""
    for size in range(4):
        yield np.int64(size), np.ones(size, np.float32)


SOURCES = [
    Pipeline("slices of an array", lambda e: e.Dataset.from_tensor_slices(IMAGES)),
    Pipeline("slices of a tuple", labelled),
    Pipeline("slices of a dict keep its order", records),
    Pipeline(
        "slices of a nested structure", lambda e: e.Dataset.from_tensor_slices((IMAGES, {"b": LABELS, "a": (WEIGHTS,)}))
    ),
    Pipeline("slices of a one tuple", lambda e: e.Dataset.from_tensor_slices((LABELS,))),
    Pipeline("slices of a named tuple", lambda e: e.Dataset.from_tensor_slices(Point(LABELS, WEIGHTS))),
    Pipeline("slices of an attrs object", lambda e: e.Dataset.from_tensor_slices(Box(LABELS, WEIGHTS))),
    Pipeline("slices of an ordered dict", lambda e: e.Dataset.from_tensor_slices(OrderedDict(z=LABELS, a=WEIGHTS))),
    Pipeline("slices of a list of numbers", lambda e: e.Dataset.from_tensor_slices([3, 1, 2]), literals=True),
    Pipeline(
        "slices of a list of lists", lambda e: e.Dataset.from_tensor_slices([[0.5, 1.0], [2.0, 3.0]]), literals=True
    ),
    Pipeline("slices of text", lambda e: e.Dataset.from_tensor_slices(["a", "", "ünïcode"])),
    Pipeline("slices of bytes", lambda e: e.Dataset.from_tensor_slices([b"a", b"", b"\xff\x01"])),
    Pipeline("slices of an array of text", lambda e: e.Dataset.from_tensor_slices(np.array([["a", "bc"], ["d", ""]]))),
    Pipeline("slices with an empty tuple", lambda e: e.Dataset.from_tensor_slices((LABELS, ()))),
    Pipeline("slices of nothing", lambda e: e.Dataset.from_tensor_slices(np.zeros((0, 3), np.float32))),
    Pipeline("slices of booleans and complex", lambda e: e.Dataset.from_tensor_slices((LABELS > 1, WEIGHTS * 1j))),
    Pipeline(
        "slices of every width",
        lambda e: e.Dataset.from_tensor_slices(
            tuple(np.arange(3, dtype=t) for t in "int8 int16 uint8 uint16 uint32 uint64 float16 float64".split())
        ),
    ),
    Pipeline("one element", lambda e: e.Dataset.from_tensors((IMAGES, {"label": LABELS}))),
    Pipeline("one element of numbers", lambda e: e.Dataset.from_tensors((1, 2.5, True)), literals=True),
    Pipeline("one element of text", lambda e: e.Dataset.from_tensors({"a": "x", "b": ["y", "z"], "c": b"q"})),
    Pipeline("one element with none", lambda e: e.Dataset.from_tensors((LABELS, None))),
    Pipeline("one element of a list", lambda e: e.Dataset.from_tensors([[1, 2], [3, 4]]), literals=True),
    Pipeline("list of tuples", lambda e: e.from_list([(1, "a"), (2, "b")]), literals=True),
    Pipeline("list of ragged arrays", lambda e: e.from_list([np.ones(n, np.float32) for n in (1, 3, 0)])),
    Pipeline("list of arrays of the same shape", lambda e: e.from_list([np.ones((2, 2)), np.zeros((2, 2))])),
    Pipeline("list of dicts", lambda e: e.from_list([{"n": LABELS, "s": "a"}, {"n": LABELS[:2], "s": "b"}])),
    Pipeline("range", lambda e: e.Dataset.range(5)),
    Pipeline("range from start", lambda e: e.Dataset.range(-2, 3)),
    Pipeline("range with a step", lambda e: e.Dataset.range(1, 20, 6)),
    Pipeline("range downwards", lambda e: e.Dataset.range(5, -6, -3)),
    Pipeline("range of the wrong direction", lambda e: e.Dataset.range(5, 0, 2)),
    Pipeline("range below zero", lambda e: e.Dataset.range(-3)),
    Pipeline("range of another dtype", lambda e: e.Dataset.range(5, output_type=np.float32)),
    Pipeline("counter", lambda e: e.Dataset.counter()),
    Pipeline("counter downwards", lambda e: e.Dataset.counter(10, -4)),
    Pipeline("counter of int32", lambda e: e.Dataset.counter(2**31 - 2, 1, np.int32).take(2)),
    Pipeline("generator", generated),
    Pipeline("generator of nothing", lambda e: e.Dataset.from_generator(list, output_signature=e.spec((), np.int64))),
    Pipeline(
        "generator of ragged pairs",
        lambda e: e.Dataset.from_generator(
            ragged_pairs, output_signature=(e.spec((), np.int64), e.spec((None,), np.float32))
        ),
    ),
    Pipeline(
        "generator of dicts",
        lambda e: e.Dataset.from_generator(
            lambda: ({"s": "t" * n, "n": n} for n in range(3)),
            output_signature={"s": e.spec((), str), "n": e.spec((), np.int32)},
        ),
    ),
    Pipeline(
        "generator with arguments",
        lambda e: e.Dataset.from_generator(lambda stop: range(stop), args=(4,), output_signature=e.spec((), np.int64)),
    ),
    Pipeline(
        "generator of types and shapes",
        lambda e: e.Dataset.from_generator(
            lambda: ([n, n] for n in range(3)), output_types=np.int64, output_shapes=(2,)
        ),
    ),
    Pipeline(
        "generator of unknown rank",
        lambda e: e.Dataset.from_generator(
            lambda: (np.ones((1,) * n, np.int64) for n in range(3)), output_signature=e.spec(None, np.int64)
        ),
    ),
    Pipeline(
        "generator whose elements are converted",
        lambda e: e.Dataset.from_generator(lambda: [1, 2], output_signature=e.spec((), np.float32)),
    ),
    Pipeline(
        "generator with an element of another shape",
        lambda e: e.Dataset.from_generator(lambda: [[1, 2], [3], [4, 5]], output_signature=e.spec((2,), np.int64)),
    ),
    Pipeline(
        "generator with an element of another structure",
        lambda e: e.Dataset.from_generator(
            lambda: [(1, 2), (3,), (4, 5)], output_signature=(e.spec((), np.int64), e.spec((), np.int64))
        ),
    ),
]
