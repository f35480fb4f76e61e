"""Wrong arguments of functions of images are refused with the function's and the argument's name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penstock import image
from penstock.errors import DataLossError
from tests.image.photographs import encoded, photograph

PHOTO = photograph(20, 30)
SHARES = np.ones((1, 2), np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


NOT_FROM_0_TO_1 = (None, "x", (1,), math.nan, -0.1, 1.5, True)
NO_PAIRS = (
    None,
    1,
    "ab",
    (1,),
    (0.1, 0.2, 0.3),
    (0.5, "x"),
    (0.5, 0.1),
    (-1, 1),
    (0, 1),
    (math.nan, 1),
    (0.1, math.inf),
)
CALLS: dict[str, tuple[Callable[[Any], Any], tuple[Any, ...]]] = {
    "random_flip(): probability": (lambda v: image.random_flip(PHOTO, rng(), probability=v), NOT_FROM_0_TO_1),
    "random_erasing(): probability": (lambda v: image.random_erasing(PHOTO, rng(), probability=v), NOT_FROM_0_TO_1),
    "random_erasing(): scale": (lambda v: image.random_erasing(PHOTO, rng(), scale=v), (*NO_PAIRS, (0.1, 1.1))),
    "random_erasing(): ratio": (lambda v: image.random_erasing(PHOTO, rng(), ratio=v), NO_PAIRS),
    "random_erasing(): fill": (
        lambda v: image.random_erasing(PHOTO, rng(), fill=v),
        (None, "x", (1, 2), math.nan, (1, 2, math.inf)),
    ),
    "random_resized_crop(): scale": (
        lambda v: image.random_resized_crop(PHOTO, 4, rng(), scale=v),
        (*NO_PAIRS, (0.1, 1.1), np.array(3)),
    ),
    "random_resized_crop(): ratio": (lambda v: image.random_resized_crop(PHOTO, 4, rng(), ratio=v), NO_PAIRS),
    "rotate(): degrees": (lambda v: image.rotate(PHOTO, v), (None, "x", (1,), math.nan, math.inf, True)),
    "rotate(): fill": (lambda v: image.rotate(PHOTO, 3, fill=v), (None, "x", (1, 2))),
    "resize(): fill": (
        lambda v: image.resize(PHOTO, (9, 4), fit="pad", fill=v),
        (None, "x", (1, 2), math.nan, -1, 256, (0, 0, 300)),
    ),
    "color_jitter(): brightness": (
        lambda v: image.color_jitter(PHOTO, rng(), brightness=v),
        (None, "x", (1,), math.nan, math.inf, -0.1),
    ),
    "color_jitter(): hue": (lambda v: image.color_jitter(PHOTO, rng(), hue=v), (None, "x", math.nan, 0.6, -0.1)),
    "normalize(): mean": (lambda v: image.normalize(PHOTO, mean=v), ("x", (1, 2), math.nan)),
    "mixup(): alpha": (
        lambda v: image.mixup(PHOTO[None], SHARES, rng(), alpha=v),
        (None, "x", (1,), math.nan, math.inf, 0, -1, True),
    ),
    "mixup(): images": (lambda v: image.mixup(v, SHARES, rng()), (None, 3, "x", [PHOTO], np.array(3))),
    "mixup(): labels": (lambda v: image.mixup(PHOTO[None], v, rng()), (None, 3, "x", [1.0], np.array(1.0))),
    "cutmix(): alpha": (lambda v: image.cutmix(PHOTO[None], SHARES, rng(), alpha=v), (None, math.inf, 0)),
}


@pytest.mark.parametrize("name", CALLS)
def test_wrong_arguments_are_named(name: str) -> None:
    call, wrong = CALLS[name]
    for value in wrong:
        with pytest.raises((TypeError, ValueError), match=re.escape(f"image.{name} must be ")):
            call(value)


def test_numbers_of_other_types_are_numbers() -> None:
    always, half = np.float32(1), np.array(0.5)
    assert np.array_equal(image.random_flip(PHOTO, rng(), probability=always), PHOTO[:, ::-1])
    assert image.random_resized_crop(PHOTO, 4, rng(), scale=[half, np.int64(1)]).shape == (4, 4, 3)
    assert (image.resize(PHOTO, (9, 4), fit="pad", fill=(1, 2, 3))[0] == (1, 2, 3)).all()


def test_what_pillow_does_not_know_is_told_without_an_address() -> None:
    data = encoded(PHOTO, "GIF")[:20]
    with pytest.raises(DataLossError, match="cannot identify image file; fetch"):
        image.decode(data)
