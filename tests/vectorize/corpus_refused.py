"""Functions that must run element by element: they branch, draw, count, print, read, or return what is ragged."""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import re
import time
from collections import Counter, deque
from typing import Any

import numpy as np

from tests.vectorize.corpus import (
    float_image,
    gray,
    gray_label,
    house,
    image_mask,
    integer,
    label,
    number,
    refused,
    rgb,
    row_f32,
    row_f64,
    signal,
    text,
    text_label,
    tokens,
    two_numbers,
)

RNG = np.random.default_rng(0)
STOP_WORDS = ["the", "a", "on"]
VOCABULARY = {"cat": 1, "sat": 2, "mat": 3}
COUNTS: Counter[int] = Counter()
CACHE: dict[int, Any] = {}
RUNNING_MEAN = np.zeros(13, np.float32)
LOG = logging.getLogger(__name__)
calls = 0


@refused(integer)
def branch(x: Any) -> Any:
    if x % 2 == 0:
        return x // 2
    return 3 * x + 1


refused(number, "ternary")(lambda x: x if x > 0 else 0.1 * x)
refused(integer, "and_filter")(lambda x: x > 3 and x < 50)
refused(integer, "not_filter")(lambda x: not x % 2)
refused(two_numbers, "mixed_max")(lambda a, b: max(a, 0))
refused(number, "python_text")(lambda x: str(round(x, 2)))
refused(integer, "multiplication_table")(lambda n: [n * i for i in range(n % 4)])
refused(tokens, "count_kinds")(lambda ids: len(set(ids.tolist())))
refused(integer, "chained")(lambda x: 3 < x < 50)


@refused(integer)
def while_loop(x: Any) -> Any:
    steps = 0
    while x > 1:
        x = x // 2
        steps += 1
    return steps


@refused(label)
def look_up_tuple(y: Any) -> Any:
    return ("low", "high")[int(y) > 4]


@refused(rgb)
def random_flip(image: Any) -> Any:
    if np.random.rand() > 0.5:
        return image[:, ::-1]
    return image


@refused(float_image)
def random_noise(image: Any) -> Any:
    return image + np.random.normal(0, 0.1, image.shape).astype(np.float32)


@refused(gray)
def random_crop(image: Any) -> Any:
    top = random.randint(0, 4)
    return image[top : top + 24, :24]


refused(row_f32, "generator_noise")(lambda x: x + RNG.normal(size=x.shape))
refused(float_image, "random_brightness")(lambda x: x * random.uniform(0.8, 1.2))


@refused(integer)
def count_calls(x: Any) -> Any:
    global calls
    calls += 1
    return x + calls


@refused(integer)
def count_in_counter(x: Any) -> Any:
    COUNTS[int(x)] += 1
    return x


def make_counter() -> Any:
    seen = 0

    def numbered(x: Any) -> Any:
        nonlocal seen
        seen += 1
        return seen, x

    return numbered


refused(integer, "nonlocal_counter")(make_counter())
refused(integer, "captured_iterator")(lambda x, numbers=itertools.count(): (next(numbers), x))  # noqa: B008


@refused(integer)
def memoised(x: Any) -> Any:
    key = int(x)
    if key not in CACHE:
        CACHE[key] = x * x
    return CACHE[key]


@refused(row_f32)
def running_mean(x: Any) -> Any:
    global RUNNING_MEAN
    RUNNING_MEAN = 0.9 * RUNNING_MEAN + 0.1 * x
    return x - RUNNING_MEAN


@refused(row_f32)
def running_mean_in_place(x: Any) -> Any:
    RUNNING_MEAN[...] += x
    return x - RUNNING_MEAN


class Recorder:
    """Keeps what it saw."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.last = 0

    def __call__(self, x: Any) -> Any:
        self.seen.append(x)
        return x

    def change(self, x: Any) -> Any:
        difference = x - self.last
        self.last = x
        return difference


refused(integer, "recorder")(Recorder())
refused(integer, "change_method")(Recorder().change)
refused(integer, "captured_deque")(lambda x, recent=deque(maxlen=3): (recent.append(x), x)[1])


@refused(integer)
def prints(x: Any) -> Any:
    print(x)  # noqa: T201
    return x


@refused(integer)
def logs(x: Any) -> Any:
    LOG.debug("element %s", x)
    return x


@refused(integer)
def stamped(x: Any) -> Any:
    return x, time.time()


@refused(integer)
def timed(x: Any) -> Any:
    start = time.perf_counter()
    return x * 2, time.perf_counter() - start


refused(text, "lower")(lambda s: s.lower())
refused(text, "split_words")(lambda s: s.split())
refused(text, "text_length")(lambda s: len(s))
refused(text, "contains")(lambda s: "Cat" in s)
refused(text_label, "lower_pair")(lambda s, y: (s.lower(), y))
refused(text, "substitute")(lambda s: re.sub(r"[A-Z]", "x", s))
refused(text, "first_word")(lambda s: s.split()[0])
refused(text, "hash_bucket")(lambda s: sum(map(ord, s)) % 100)
refused(text, "as_json")(lambda s: json.dumps({"text": s}))
refused(text, "drop_stop_words")(lambda s: " ".join(w for w in s.split() if w not in STOP_WORDS))
refused(text, "vocabulary")(lambda s: np.array([VOCABULARY.get(w.lower(), 0) for w in s.split()]))
refused(text, "file_size")(lambda s: os.path.exists(s))
refused(text, "bag_of_letters")(lambda s: np.bincount([ord(c) % 26 for c in s], minlength=26))
refused(label, "name_of_label")(lambda y: f"class_{y}")


@refused(text)
def read_file(path: Any) -> Any:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


refused(row_f64, "ragged_positive")(lambda x: x[x > 0])
refused(row_f64, "count_positive")(lambda x: len(x[x > 0]))
refused(row_f64, "sum_of_positive")(lambda x: np.sum(x[x > 0]))
refused(row_f64, "two_masks")(lambda x: x[x > 0] + x[x > 1].sum())
refused(image_mask, "masked_mean")(lambda image, mask: image[mask].mean())
refused(tokens, "strip_padding")(lambda ids: ids[: np.count_nonzero(ids)])
refused(tokens, "distinct")(lambda ids: np.unique(ids))
refused(row_f32, "where_indices")(lambda x: np.where(x > 0)[0])
refused(signal, "peaks")(lambda x: np.flatnonzero(x > 2))


@refused(house)
def price_class(row: Any) -> Any:
    if row["price"] < 200_000:
        row["class"] = 0
    elif row["price"] < 500_000:
        row["class"] = 1
    else:
        row["class"] = 2
    return row


@refused(gray_label)
def only_some_classes(x: Any, y: Any) -> Any:
    return y in {1, 2, 3}
