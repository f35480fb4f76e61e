"""The two sides of the comparison, penstock and tf.data, under one set of names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

import penstock


@dataclass(frozen=True)
class Engine:
    """What pipelines are written with.

    Attributes:
        name: For the ids of tests.
        Dataset: The class under comparison.
        from_list: What makes a dataset of a list; TensorFlow keeps it outside the class.
        spec: (shape, dtype) of a component, for `output_signature`; dtype `str` for text.
        cast: (value, dtype) to another dtype.
        stack: Values to one with a new first axis.
        total: The sum of all numbers in a value.
        checked: (value, verdict) the value, or an error in the place of its element where the verdict is false.
    """

    name: str
    Dataset: Any
    from_list: Callable[[Any], Any]
    spec: Callable[[Any, Any], Any]
    cast: Callable[[Any, Any], Any]
    stack: Callable[[Sequence[Any]], Any]
    total: Callable[[Any], Any]
    checked: Callable[[Any, Any], Any]

    def __repr__(self) -> str:
        return self.name


def _checked(value: Any, verdict: Any) -> Any:
    if not verdict:
        raise ValueError("refused")
    return value


def _tf_checked(value: Any, verdict: Any) -> Any:
    with tf.control_dependencies([tf.debugging.Assert(verdict, ["refused"])]):
        return tf.identity(value)


OURS = Engine(
    name="penstock",
    Dataset=penstock.Dataset,
    from_list=penstock.Dataset.from_list,
    spec=penstock.TensorSpec,
    cast=lambda value, dtype: value.astype(dtype),
    stack=np.stack,
    total=np.sum,
    checked=_checked,
)

TF = Engine(
    name="tf.data",
    Dataset=tf.data.Dataset,
    from_list=tf.data.experimental.from_list,
    spec=lambda shape, dtype: tf.TensorSpec(shape, tf.string if dtype in (str, bytes) else dtype),
    cast=tf.cast,
    stack=tf.stack,
    total=tf.reduce_sum,
    checked=_tf_checked,
)

ENGINES = (OURS, TF)
