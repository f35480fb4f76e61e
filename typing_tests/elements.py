"""The type of an element follows each step of a pipeline. Checked by mypy, never run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import penstock
from penstock import Dataset

Image = NDArray[np.uint8]
Scaled = NDArray[np.float32]


def scale(image: Image) -> Scaled:
    return image.astype(np.float32)


def with_label(image: Image) -> tuple[Image, int]:
    return image, 0


def scale_labelled(image: Image, label: int) -> tuple[Scaled, int]:
    return scale(image), label


def is_bright(image: Image) -> bool:
    return bool(image.mean() > 128)


def rows_of(image: Image) -> Dataset[NDArray[np.uint8]]:
    return Dataset.from_tensor_slices(image)


def flipped_at_random(image: Image, rng: np.random.Generator) -> Scaled:
    return scale(image[:, :: int(rng.integers(2)) * 2 - 1])


def add_mean(total: float, image: Image) -> float:
    return total + float(image.mean())


def functions_decide_the_type(images: Dataset[Image]) -> None:
    assert_type(images.map(scale), Dataset[Scaled])
    assert_type(images.map(with_label), Dataset[tuple[Image, int]])
    assert_type(images.map(with_label).map(scale_labelled), Dataset[tuple[Scaled, int]])
    assert_type(images.map(scale, num_parallel_calls=4, deterministic=False), Dataset[Scaled])
    assert_type(images.map(scale, vectorize=False), Dataset[Scaled])
    assert_type(images.random_map(flipped_at_random, seed=1), Dataset[Scaled])
    assert_type(images.flat_map(rows_of), Dataset[NDArray[np.uint8]])


def other_steps_keep_it(images: Dataset[Image]) -> None:
    assert_type(images.filter(is_bright), Dataset[Image])
    assert_type(images.shuffle(1000, seed=1, reshuffle_each_iteration=False), Dataset[Image])
    assert_type(images.repeat().skip(1).take(10).shard(2, 0), Dataset[Image])
    assert_type(images.cache().prefetch(2), Dataset[Image])
    assert_type(images.prefetch(2, executor="process"), Dataset[Image])
    assert_type(images.cache("images").take_while(is_bright).unique(), Dataset[Image])
    assert_type(images.batch(32, drop_remainder=True), Dataset[Image])
    assert_type(images.concatenate(images), Dataset[Image])
    assert_type(images.enumerate(), Dataset[tuple[np.int64, Image]])


def policies_keep_it(images: Dataset[Image]) -> None:
    assert_type(images.map(scale, on_error="skip", max_errors=0.01), Dataset[Scaled])
    assert_type(images.map(scale, on_error=penstock.retry(3, then=penstock.quarantine("bad.jsonl"))), Dataset[Scaled])
    assert_type(images.filter(is_bright, on_error=penstock.retry(3, 0.1, "skip")), Dataset[Image])
    assert_type(images.ignore_errors(log_warning=True), Dataset[Image])


def a_function_on_datasets_is_applied(images: Dataset[Image]) -> None:
    def scaled_batches(dataset: Dataset[Image]) -> Dataset[Scaled]:
        return dataset.map(scale).batch(32)

    assert_type(images.apply(scaled_batches), Dataset[Scaled])


def a_state_may_be_handed_on(images: Dataset[Image]) -> None:
    def running_mean(state: float, image: Image) -> tuple[float, Scaled]:
        return add_mean(state, image), scale(image)

    assert_type(images.scan(0.0, running_mean), Dataset[Scaled])


def two_types_may_follow_each_other(images: Dataset[Image], texts: Dataset[str]) -> None:
    assert_type(images.concatenate(texts), Dataset[Image | str])


def ends_give_elements(images: Dataset[Image]) -> None:
    for image in images:
        assert_type(image, Image)
    for image in images.as_numpy_iterator():
        assert_type(image, Image)
    for image in images.iterator(epoch=3):
        assert_type(image, Image)
    assert_type(next(iter(images)), Image)
    assert_type(images.get_single_element(), Image)
    assert_type(images.head(3), list[Image])
    assert_type(images.reduce(0.0, add_mean), float)
    iterator: Iterator[Image] = iter(images)
    assert_type(next(iterator), Image)


def facts_have_plain_types(images: Dataset[Image]) -> None:
    assert_type(images.cardinality(), int)
    assert_type(len(images), int)
    assert_type(images.explain(), str)
    state = images.iterator().state_dict()
    images.iterator().load_state_dict(state)


def elements_are_covariant(integers: Dataset[np.int64]) -> Dataset[np.integer[Any]]:
    return integers


def mixtures_have_the_type_of_their_inputs(images: Dataset[Image], choices: Dataset[np.int64]) -> None:
    assert_type(Dataset.sample_from_datasets([images, images], [0.5, 0.5], seed=1), Dataset[Image])
    assert_type(Dataset.sample_from_datasets([images, images], lambda step: (1.0, step), evenly=False), Dataset[Image])
    assert_type(Dataset.choose_from_datasets([images, images], choices), Dataset[Image])


def sources_are_datasets() -> None:
    assert_type(Dataset.range(10), Dataset[Any])
    assert_type(Dataset.counter(), Dataset[Any])
    assert_type(Dataset.random(seed=1), Dataset[Any])
    assert_type(Dataset.from_tensors(1), Dataset[Any])
    assert_type(Dataset.from_tensor_slices({"image": np.zeros((3, 28, 28))}), Dataset[Any])
    assert_type(Dataset.from_list([{"a": 1}, {"a": 2}]), Dataset[Any])
    assert_type(Dataset.from_generator(lambda: iter(range(3))), Dataset[Any])


def zip_takes_any_structure(images: Dataset[Image], texts: Dataset[str]) -> None:
    assert_type(Dataset.zip(images, texts), Dataset[Any])
    assert_type(Dataset.zip({"image": images, "text": texts}), Dataset[Any])
    pairs: Dataset[tuple[Image, str]] = Dataset.zip(images, texts)
    assert_type(next(iter(pairs))[1], str)
