"""All pipelines on which penstock and TensorFlow have to agree, by what they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.oracle.engines import Engine
from tests.oracle.pipeline import (
    IMAGES,
    LABELS,
    WEIGHTS,
    Box,
    Pipeline,
    Point,
    even,
    generated,
    labelled,
    none,
    numbers,
    records,
    rows,
)
from tests.oracle.pipelines_of_sources import SOURCES

ONE_TO_ONE = [
    Pipeline("map", lambda e: numbers(e).map(lambda n: n * 2 + 1)),
    Pipeline("map of a tuple gets its items", lambda e: labelled(e).map(lambda image, label: (label, image))),
    Pipeline("map of a one tuple", lambda e: e.Dataset.from_tensor_slices((LABELS,)).map(lambda n: n)),
    Pipeline(
        "map of a dict gets the dict", lambda e: records(e).map(lambda r: {"b": r["label"], "a": r["weight"] * 2})
    ),
    Pipeline(
        "map of a named tuple gets it whole",
        lambda e: e.Dataset.from_tensor_slices(Point(LABELS, WEIGHTS)).map(lambda p: p.x),
    ),
    Pipeline("map to a named tuple", lambda e: labelled(e).map(lambda image, label: Point(image, label))),
    Pipeline("map to an attrs object", lambda e: labelled(e).map(lambda image, label: Box(label, image))),
    Pipeline(
        "map of nested tuples", lambda e: numbers(e).enumerate().enumerate().map(lambda i, pair: i + pair[0] + pair[1])
    ),
    Pipeline("map to a list is a tuple", lambda e: numbers(e).map(lambda n: [n, n * 2, n * 3])),
    Pipeline("map to a nested list is an array", lambda e: numbers(e).map(lambda n: ([n, n * 2], n))),
    Pipeline("map to a one tuple", lambda e: numbers(e).map(lambda n: (n,))),
    Pipeline("map to a constant", lambda e: numbers(e, 3).map(lambda n: 42), literals=True),
    Pipeline("map to text", lambda e: numbers(e, 3).map(lambda n: ("a", n))),
    Pipeline("map to none", lambda e: numbers(e, 3).map(lambda n: (n, None))),
    Pipeline(
        "map to another dtype", lambda e: labelled(e).map(lambda image, label: (e.cast(image, np.float32) / 255, label))
    ),
    Pipeline("map of batches", lambda e: numbers(e).batch(4).map(e.total)),
    Pipeline("map that stacks", lambda e: numbers(e).map(lambda n: e.stack([n, n + 1]))),
    Pipeline("map that indexes", lambda e: labelled(e).map(lambda image, label: image[..., 1])),
    Pipeline("map of comparisons", lambda e: numbers(e).map(lambda n: (n > 3, n == 2, ~(n < 4)))),
    Pipeline(
        "map with parallel calls", lambda e: numbers(e).map(lambda n: n - 1, num_parallel_calls=2, deterministic=True)
    ),
    Pipeline("map with an error", lambda e: numbers(e, 5).map(lambda n: e.checked(n, n != 2))),
    Pipeline(
        "map with an error before prefetch", lambda e: numbers(e, 5).map(lambda n: e.checked(n, n != 2)).prefetch(2)
    ),
    Pipeline(
        "maps in a row", lambda e: numbers(e).map(lambda n: n + 1).map(lambda n: (n, n * n)).map(lambda a, b: b - a)
    ),
    Pipeline("enumerate", lambda e: labelled(e).enumerate()),
    Pipeline("enumerate from a start", lambda e: numbers(e).enumerate(start=-3)),
    Pipeline("enumerate of a dict", lambda e: records(e).enumerate(5)),
    Pipeline("enumerate of unknown cardinality", lambda e: even(e).enumerate()),
]

WHICH_AND_IN_WHICH_ORDER = [
    Pipeline("filter", even),
    Pipeline("filter of tuples", lambda e: labelled(e).filter(lambda image, label: label > 0)),
    Pipeline("filter of dicts", lambda e: records(e).filter(lambda r: r["weight"] < 0.5)),
    Pipeline("filter of nothing", none),
    Pipeline("filter by a constant", lambda e: numbers(e, 3).filter(lambda n: True)),
    Pipeline("filter of endless elements", lambda e: e.Dataset.counter().filter(lambda n: n % 5 == 3)),
    Pipeline(
        "filter with an error", lambda e: numbers(e, 6).map(lambda n: e.checked(n, n != 3)).filter(lambda n: n % 2 == 0)
    ),
    Pipeline("take", lambda e: numbers(e).take(4)),
    Pipeline("take nothing", lambda e: numbers(e).take(0)),
    Pipeline("take more than there are", lambda e: numbers(e).take(99)),
    Pipeline("take minus one takes all", lambda e: numbers(e).take(-1)),
    Pipeline("take of endless", lambda e: e.Dataset.counter().take(3)),
    Pipeline("take of unknown", lambda e: even(e).take(2)),
    Pipeline("take nothing of unknown", lambda e: even(e).take(0)),
    Pipeline("skip", lambda e: numbers(e).skip(4)),
    Pipeline("skip nothing", lambda e: numbers(e).skip(0)),
    Pipeline("skip more than there are", lambda e: numbers(e).skip(99)),
    Pipeline("skip minus one drops all", lambda e: numbers(e).skip(-1)),
    Pipeline("skip of endless", lambda e: e.Dataset.counter().skip(7)),
    Pipeline("skip of unknown", lambda e: even(e).skip(2)),
    Pipeline("take and skip", lambda e: numbers(e).skip(2).take(5).skip(1).take(3)),
    Pipeline("take of a NumPy number", lambda e: numbers(e).take(np.int64(3)).skip(np.int32(1))),
    Pipeline("shard", lambda e: numbers(e).shard(3, 1)),
    Pipeline("shard without elements", lambda e: numbers(e, 5).shard(8, 7)),
    Pipeline("shard of endless", lambda e: e.Dataset.counter().shard(4, 3)),
    Pipeline("shard of unknown", lambda e: even(e).shard(2, 1)),
    Pipeline("shard of batches", lambda e: numbers(e).batch(3).shard(2, 0)),
    Pipeline("shard of a shard", lambda e: numbers(e, 30).shard(3, 2).shard(2, 1)),
    Pipeline("repeat", lambda e: numbers(e, 3).repeat(3)),
    Pipeline("repeat for ever", lambda e: numbers(e, 3).repeat()),
    Pipeline("repeat minus two is for ever", lambda e: numbers(e, 3).repeat(-2)),
    Pipeline("repeat no time", lambda e: numbers(e, 3).repeat(0)),
    Pipeline("repeat endless no time", lambda e: e.Dataset.counter().repeat(0)),
    Pipeline("repeat of nothing for ever", lambda e: numbers(e, 0).repeat()),
    Pipeline("repeat of what turns out to be nothing", lambda e: none(e).repeat()),
    Pipeline("repeat of unknown", lambda e: even(e).repeat(2)),
    Pipeline("repeat of unknown for ever", lambda e: even(e).repeat()),
    Pipeline("repeat of a generator", lambda e: generated(e).repeat(2)),
    Pipeline("repeat of a repeat", lambda e: numbers(e, 2).repeat(2).repeat(3)),
    Pipeline("take of a repeat of a skip", lambda e: numbers(e, 5).skip(2).repeat().take(8)),
    Pipeline("concatenate", lambda e: numbers(e, 3).concatenate(e.Dataset.range(7, 9))),
    Pipeline(
        "concatenate of other sizes",
        lambda e: e.Dataset.from_tensor_slices(rows(0, 2, 3)).concatenate(e.Dataset.from_tensor_slices(rows(5, 7, 4))),
    ),
    Pipeline(
        "concatenate of other ranks",
        lambda e: e.Dataset.from_tensor_slices(rows(0, 2, 3)).concatenate(e.Dataset.from_tensor_slices(rows(5, 7))),
    ),
    Pipeline("concatenate of tuples", lambda e: labelled(e).take(1).concatenate(labelled(e).skip(6))),
    Pipeline(
        "concatenate of named tuples",
        lambda e: e.Dataset.from_tensors(Point(1, 2)).concatenate(e.Dataset.from_tensors(Point(3, 4))),
        literals=True,
    ),
    Pipeline("concatenate of unknown", lambda e: even(e).concatenate(numbers(e, 2))),
    Pipeline("concatenate of endless", lambda e: even(e).concatenate(e.Dataset.counter())),
    Pipeline("concatenate to endless", lambda e: e.Dataset.counter().concatenate(even(e))),
    Pipeline("concatenate with nothing", lambda e: numbers(e, 0).concatenate(numbers(e, 2)).concatenate(numbers(e, 0))),
    Pipeline(
        "concatenate by reduce", lambda e: apply_all(numbers(e, 1), [lambda ds: ds.concatenate(numbers(e, 1))] * 30)
    ),
    Pipeline(
        "concatenate with an error",
        lambda e: numbers(e, 3).map(lambda n: e.checked(n, n != 1)).concatenate(numbers(e, 2)),
    ),
]


def apply_all(dataset: Any, steps: list[Callable[[Any], Any]]) -> Any:
    """The steps on the dataset, one after another."""
    for step in steps:
        dataset = dataset.apply(step)
    return dataset


ONE_TO_MANY = [
    Pipeline("batch", lambda e: numbers(e).batch(4)),
    Pipeline("batch that drops the remainder", lambda e: numbers(e).batch(4, drop_remainder=True)),
    Pipeline("batch that divides", lambda e: numbers(e, 8).batch(4)),
    Pipeline("batch larger than all", lambda e: numbers(e, 3).batch(10)),
    Pipeline("batch larger than all without remainder", lambda e: numbers(e, 3).batch(10, True)),
    Pipeline("batch of nothing", lambda e: numbers(e, 0).batch(2)),
    Pipeline("batch of unknown", lambda e: even(e).batch(2)),
    Pipeline("batch of endless", lambda e: e.Dataset.counter().batch(3)),
    Pipeline("batch of tuples", lambda e: labelled(e).batch(3)),
    Pipeline("batch of dicts", lambda e: records(e).batch(3, drop_remainder=True)),
    Pipeline("batch of named tuples", lambda e: e.Dataset.from_tensor_slices(Point(LABELS, WEIGHTS)).batch(2)),
    Pipeline("batch of text", lambda e: e.Dataset.from_tensor_slices((["a", "b", "c"], [b"x", b"y", b"z"])).batch(2)),
    Pipeline("batch of none", lambda e: e.Dataset.from_tensor_slices(LABELS).map(lambda n: (n, None)).batch(3)),
    Pipeline("batch of batches", lambda e: numbers(e, 12).batch(2, True).batch(3, True)),
    Pipeline("batch of batches with a remainder", lambda e: numbers(e, 11).batch(2).batch(2)),
    Pipeline(
        "batch of other shapes",
        lambda e: e.from_list([np.ones(n, np.float32) for n in (2, 2, 3, 1, 1, 1)]).batch(2),
    ),
    Pipeline("batch after repeat", lambda e: numbers(e, 5).repeat(3).batch(4)),
    Pipeline("batch after repeat without remainder", lambda e: numbers(e, 5).repeat(3).batch(4, drop_remainder=True)),
    Pipeline("batch before repeat", lambda e: numbers(e, 5).batch(3).repeat(3)),
    Pipeline("batch with parallel calls", lambda e: numbers(e).batch(3, False, 2, True)),
    Pipeline(
        "batch, map and take",
        lambda e: labelled(e).batch(2).map(lambda images, labels: (images[:, 0], labels + 1)).take(3),
    ),
    Pipeline("unbatch", lambda e: e.Dataset.from_tensors((IMAGES, LABELS)).unbatch()),
    Pipeline("unbatch of batches", lambda e: numbers(e).batch(4).unbatch()),
    Pipeline("unbatch of full batches", lambda e: labelled(e).batch(3, drop_remainder=True).unbatch()),
    Pipeline("unbatch of ragged", lambda e: e.from_list([np.arange(n) for n in (2, 0, 3)]).unbatch()),
    Pipeline("unbatch of dicts", lambda e: records(e).batch(4).unbatch()),
    Pipeline("unbatch of a one tuple", lambda e: e.Dataset.from_tensors((LABELS,)).unbatch()),
    Pipeline(
        "unbatch of nested",
        lambda e: numbers(e, 6).batch(3, True).enumerate().map(lambda i, x: ((x, x + i), x)).unbatch(),
    ),
    Pipeline("unbatch of none", lambda e: e.Dataset.from_tensors((LABELS, None)).unbatch()),
    Pipeline("unbatch of text", lambda e: e.Dataset.from_tensor_slices(["a", "b", "c"]).batch(2).unbatch()),
    Pipeline(
        "unbatch of unequal components",
        lambda e: e.Dataset.from_generator(
            lambda: [([1, 2], [3, 4]), ([5], [6, 7]), ([8], [9])],
            output_signature=(e.spec((None,), np.int64), e.spec((None,), np.int64)),
        ).unbatch(),
    ),
    Pipeline(
        "unbatch, filter and batch", lambda e: numbers(e, 20).batch(6).unbatch().filter(lambda n: n % 3 > 0).batch(4)
    ),
    Pipeline("flat map", lambda e: numbers(e, 5).flat_map(lambda n: e.Dataset.range(n))),
    Pipeline(
        "flat map of slices", lambda e: e.Dataset.from_tensor_slices(IMAGES).flat_map(e.Dataset.from_tensor_slices)
    ),
    Pipeline(
        "flat map of tuples",
        lambda e: labelled(e).flat_map(
            lambda image, label: e.Dataset.from_tensor_slices(image).map(lambda row: (row, label))
        ),
    ),
    Pipeline(
        "flat map of dicts",
        lambda e: records(e).flat_map(lambda r: e.Dataset.from_tensors({"label": r["label"]}).repeat(2)),
    ),
    Pipeline("flat map of nothing", lambda e: numbers(e, 4).flat_map(lambda n: e.Dataset.range(0)), has_spec=False),
    Pipeline(
        "flat map of nothing for ever",
        lambda e: numbers(e, 0).repeat().flat_map(lambda n: e.Dataset.range(3)),
        has_spec=False,
    ),
    Pipeline("flat map to endless", lambda e: numbers(e, 2).flat_map(lambda n: e.Dataset.counter(n))),
    Pipeline("flat map to a captured dataset", lambda e: capturing(e, numbers(e, 2))),
    Pipeline(
        "flat map in a flat map",
        lambda e: numbers(e, 4).flat_map(lambda n: e.Dataset.range(n).flat_map(lambda m: e.Dataset.range(m))),
    ),
    Pipeline("flat map and repeat", lambda e: numbers(e, 3).flat_map(lambda n: e.Dataset.range(n)).repeat(2).batch(2)),
    Pipeline(
        "flat map with an inner error",
        lambda e: numbers(e, 4).flat_map(lambda n: e.Dataset.range(n).map(lambda m: e.checked(m, m != 1))),
    ),
    *(
        Pipeline(
            f"interleave, cycle {cycle}, block {block}, calls {workers}",
            lambda e, cycle=cycle, block=block, workers=workers: numbers(e, 9).interleave(
                lambda n: e.Dataset.range((n * 7) % 5), cycle, block, num_parallel_calls=workers
            ),
        )
        for cycle, block, workers in ((1, 1, None), (2, 1, None), (2, 3, 2), (3, 2, None), (3, 2, 2), (20, 1, None))
    ),
    Pipeline(
        "interleave of tuples",
        lambda e: labelled(e).interleave(
            lambda image, label: e.Dataset.from_tensor_slices(image).map(lambda row: (row, label)), 2, 2
        ),
    ),
    Pipeline(
        "interleave of nothing",
        lambda e: numbers(e, 4).interleave(lambda n: e.Dataset.range(0), 2),
        has_spec=False,
    ),
    Pipeline("interleave of endless", lambda e: numbers(e, 4).interleave(lambda n: e.Dataset.counter(n), 3, 2)),
]


def capturing(e: Engine, inner: Any) -> Any:
    """`inner` three times, from the closure of a function."""
    return numbers(e, 3).flat_map(lambda n: inner)


MANY_TO_ONE = [
    Pipeline("zip", lambda e: e.Dataset.zip(numbers(e, 3), labelled(e))),
    Pipeline("zip of a tuple", lambda e: e.Dataset.zip((numbers(e, 3), labelled(e)))),
    Pipeline("zip of a dict", lambda e: e.Dataset.zip({"n": numbers(e, 9), "l": labelled(e)})),
    Pipeline("zip of nested", lambda e: e.Dataset.zip((numbers(e, 3), (numbers(e, 4), {"a": numbers(e, 5)})))),
    Pipeline("zip of a named tuple", lambda e: e.Dataset.zip(Point(numbers(e, 3), labelled(e)))),
    Pipeline("zip of one", lambda e: e.Dataset.zip(numbers(e, 3))),
    Pipeline("zip of a one tuple", lambda e: e.Dataset.zip((numbers(e, 3),))),
    Pipeline("zip by the older name", lambda e: e.Dataset.zip(datasets=(numbers(e, 2), even(e)))),
    Pipeline("zip of endless and finite", lambda e: e.Dataset.zip(e.Dataset.counter(), numbers(e, 3))),
    Pipeline("zip of endless", lambda e: e.Dataset.zip(e.Dataset.counter(), e.Dataset.counter(5))),
    Pipeline("zip of nothing and unknown", lambda e: e.Dataset.zip(numbers(e, 0), even(e))),
    Pipeline("zip of a dataset with itself", lambda e: zipped_with_itself(e, numbers(e, 5))),
    Pipeline("zip of batches", lambda e: e.Dataset.zip(numbers(e).batch(4), numbers(e).batch(3))),
    Pipeline(
        "zip with an error", lambda e: e.Dataset.zip(numbers(e, 4).map(lambda n: e.checked(n, n != 1)), numbers(e, 4))
    ),
    Pipeline(
        "zip, map and batch",
        lambda e: e.Dataset.zip(labelled(e), numbers(e)).map(lambda pair, n: (pair[0], pair[1], n)).batch(3),
    ),
]


def zipped_with_itself(e: Engine, dataset: Any) -> Any:
    """The dataset beside itself, in step."""
    return e.Dataset.zip(dataset, dataset.map(lambda n: -n))


WHEN = [
    Pipeline("cache", lambda e: numbers(e).map(lambda n: n * n).cache()),
    Pipeline("cache and repeat", lambda e: labelled(e).cache().repeat(2)),
    Pipeline("cache of unknown", lambda e: even(e).cache().batch(2)),
    Pipeline("cache of a generator and repeat", lambda e: generated(e).cache().repeat(2)),
    Pipeline("cache of nothing", lambda e: numbers(e, 0).cache()),
    Pipeline("take of a cache", lambda e: numbers(e).cache().take(3).repeat(2)),
    Pipeline("prefetch", lambda e: numbers(e).prefetch(2)),
    Pipeline("prefetch automatically", lambda e: numbers(e).prefetch(-1)),
    Pipeline("prefetch none", lambda e: numbers(e).prefetch(0)),
    Pipeline("prefetch of endless", lambda e: e.Dataset.counter().prefetch(3)),
    Pipeline("prefetch twice", lambda e: even(e).prefetch(1).batch(2).prefetch(1).repeat(2)),
    Pipeline("apply", lambda e: numbers(e).apply(lambda ds: ds.skip(2).batch(2))),
    Pipeline(
        "a training pipeline",
        lambda e: (
            labelled(e).cache().repeat(2).map(lambda x, y: (e.cast(x, np.float32) / 255, y)).batch(4, True).prefetch(1)
        ),
    ),
    Pipeline(
        "a pipeline of text",
        lambda e: (
            e.Dataset.from_tensor_slices({"text": ["a", "b", "c"], "label": LABELS[:3]})
            .repeat(2)
            .enumerate()
            .filter(lambda i, r: i != 1)
            .batch(2)
        ),
    ),
]

PIPELINES = [*SOURCES, *ONE_TO_ONE, *WHICH_AND_IN_WHICH_ORDER, *ONE_TO_MANY, *MANY_TO_ONE, *WHEN]
