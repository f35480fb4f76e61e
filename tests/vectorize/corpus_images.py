"""Functions of images, with or without labels."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from tests.vectorize.corpus import (
    case,
    float_image,
    gray,
    gray_label,
    image_box,
    image_dict,
    image_mask,
    lambdas,
    pair_of_images,
    rgb,
    rgb_label,
)

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
GRAY_WEIGHTS = np.array([0.299, 0.587, 0.114])
SEPIA = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]], np.float32)
PALETTE = np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)
GAMMA = ((np.arange(256) / 255.0) ** (1 / 2.2) * 255).astype(np.uint8)
NUM_CLASSES = 10

lambdas(
    gray,
    scale_32=lambda x: x / np.float32(255),
    scale_cast=lambda x: x.astype(np.float32) / 255,
    scale_string_dtype=lambda x: x.astype("float32") / 255.0,
    scale_64=lambda x: x / 255.0,
    centre=lambda x: (x.astype(np.float32) - 127.5) / 127.5,
    channel_axis=lambda x: np.expand_dims(x, -1),
    channel_none=lambda x: x[..., None].astype(np.float32) / 255,
    channel_newaxis=lambda x: x[np.newaxis, :, :],
    flatten=lambda x: x.reshape(-1) / np.float32(255),
    flatten_method=lambda x: x.flatten(),
    ravel_row=lambda x: x.ravel().astype(np.float16),
    invert=lambda x: 255 - x,
    threshold=lambda x: (x > 127).astype(np.uint8),
    threshold_where=lambda x: np.where(x > 127, 255, 0).astype(np.uint8),
    pad_32=lambda x: np.pad(x, 2),
    pad_edge=lambda x: np.pad(x, ((2, 2), (1, 3)), mode="edge"),
    crop=lambda x: x[4:-4, 4:-4],
    stride=lambda x: x[::2, ::2],
    to_rgb=lambda x: np.stack([x, x, x], axis=-1),
    to_rgb_repeat=lambda x: np.repeat(x[..., np.newaxis], 3, axis=-1),
    palette=lambda x: PALETTE[x],
    gamma=lambda x: GAMMA[x],
    brightest=lambda x: x.max(),
    is_bright=lambda x: x.mean() > 30,
    not_blank=lambda x: x.any(),
    rows_sums=lambda x: x.sum(axis=1),
    transpose=lambda x: x.T,
)

lambdas(
    gray_label,
    scale_pair=lambda x, y: (x / np.float32(255), y),
    scale_dict=lambda x, y: {"image": x.astype(np.float32) / 255, "label": y},
    only_image=lambda x, y: x,
    swap=lambda image, label: (label, image),
    one_hot_eye=lambda x, y: (x, np.eye(NUM_CLASSES)[y]),
    one_hot_compare=lambda x, y: (x, (np.arange(10) == y).astype(np.float32)),
    even_labels=lambda x, y: y % 2 == 0,
    two_classes=lambda x, y: (y == 3) | (y == 7),
    zero_class=lambda x, y: np.logical_or(y == 0, y == 1),
    parity_target=lambda x, y: (x[..., None] / 255.0, y % 2),
)


@case(gray_label)
def preprocess(image: Any, label: Any) -> Any:
    image = image.astype("float32")
    image /= 255.0
    image = np.expand_dims(image, axis=-1)
    return image, label.astype(np.int32)


@case(gray)
def in_place_scale(x: Any) -> Any:
    x = x.astype(np.float32)
    x -= 33.3
    x /= 78.6
    return x


@case(gray)
def binarize_in_place(x: Any) -> Any:
    x[x < 128] = 0
    x[x >= 128] = 1
    return x


@case(gray)
def blank_border(x: Any) -> Any:
    x[0] = 0
    x[-1] = 0
    x[:, 0] = 0
    x[:, -1] = 0
    return x


@case(gray)
def weighted_rows(x: Any) -> Any:
    total = np.float64(0)
    for place, row in enumerate(x):
        total = total + row.sum() * place
    return total


@case(gray)
def box_blur(x: Any) -> Any:
    padded = np.pad(x, 1, mode="edge")
    out = np.zeros(x.shape, np.float32)
    for dy in range(3):
        for dx in range(3):
            out += padded[dy : dy + 28, dx : dx + 28].astype(np.float32) / 9
    return out


@case(gray)
def writes_out(x: Any) -> Any:
    x = x.astype(np.float32)
    np.maximum(x, 10, out=x)
    np.clip(x, 0, 200, out=x)
    return np.copy(x)


@case(gray)
def darken_bright(x: Any) -> Any:
    x = x.astype(np.float64)
    x[x > 128] *= 0.5
    return x


@case(float_image)
def stretch(x: Any) -> Any:
    x[x > 0.5] = (x[x > 0.5] - 0.5) * 2 + 0.5
    x[x < 0.1] = -np.sqrt(x[x < 0.1])
    return x


@case(pair_of_images)
def paste(a: Any, b: Any) -> Any:
    bright = b > 0.7
    a[bright] = b[bright]
    return a


@case(image_mask)
def dim_masked(image: Any, mask: Any) -> Any:
    image[mask] //= 2
    return image


@case(gray)
def mean_of_corners(x: Any) -> Any:
    return np.mean([x[0, 0], x[0, -1], x[-1, 0], x[-1, -1]])


@case(gray)
def canvas(x: Any) -> Any:
    out = np.zeros((32, 32), dtype=np.float32)
    out[2:30, 2:30] = x
    return out


lambdas(
    rgb,
    flip_lr=lambda x: x[:, ::-1],
    flip_ud=lambda x: np.flipud(x),
    fliplr=lambda x: np.fliplr(x).astype(np.float32),
    rotate=lambda x: np.rot90(x),
    chw=lambda x: x.transpose(2, 0, 1),
    chw_moveaxis=lambda x: np.moveaxis(x, -1, 0) / np.float32(255),
    bgr=lambda x: x[..., ::-1],
    bgr_list=lambda x: x[:, :, [2, 1, 0]],
    red=lambda x: x[..., 0],
    grayscale=lambda x: (x @ GRAY_WEIGHTS).astype(np.uint8),
    grayscale_dot=lambda x: np.dot(x, [0.299, 0.587, 0.114]),
    grayscale_sum=lambda x: 0.299 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2],
    grayscale_mean=lambda x: x.mean(axis=-1, keepdims=True),
    brighten=lambda x: np.clip(x.astype(np.int16) + 40, 0, 255).astype(np.uint8),
    contrast=lambda x: np.clip((x - 128.0) * 1.5 + 128, 0, 255).astype(np.uint8),
    solarize=lambda x: np.where(x < 128, x, 255 - x),
    posterize=lambda x: x & 0b11100000,
    channel_means=lambda x: x.mean(axis=(0, 1)),
    channel_stats=lambda x: (x.mean((0, 1)), x.std((0, 1))),
    roll=lambda x: np.roll(x, 2, axis=1),
    tile=lambda x: np.tile(x, (2, 2, 1)),
    upsample=lambda x: x.repeat(2, axis=0).repeat(2, axis=1),
    pool=lambda x: x.reshape(8, 2, 6, 2, 3).mean(axis=(1, 3)),
    max_pool=lambda x: x.reshape(8, 2, 6, 2, 3).max((1, 3)),
    centre_crop=lambda x: x[(16 - 8) // 2 : (16 + 8) // 2, 2:10, :],
    with_alpha=lambda x: np.concatenate([x, np.full((16, 12, 1), 255, np.uint8)], axis=-1),
    sepia=lambda x: np.clip(x.astype(np.float32) @ SEPIA.T, 0, 255).astype(np.uint8),
    gradient=lambda x: np.abs(np.diff(x.astype(np.int16), axis=0)),
    asarray=lambda x: np.asarray(x, dtype=np.float32),
    cast_call=lambda x: np.float32(x) / 255,
    histogram_free=lambda x: (x.reshape(-1, 3) > 128).sum(axis=0),
    byte_mean=lambda x: np.mean(x, dtype=np.float32),
)


@case(rgb)
def imagenet(image: Any) -> Any:
    image = image.astype(np.float32) / 255.0
    image = (image - MEAN) / STD
    return image.transpose(2, 0, 1)


@case(rgb_label)
def imagenet_pair(image: Any, label: Any) -> Any:
    image = (image / np.float32(255) - MEAN) / STD
    return np.ascontiguousarray(image.transpose((2, 0, 1))), label.astype(np.int64)


@case(rgb)
def channelwise(image: Any) -> Any:
    out = np.empty(image.shape, np.float32)
    for channel in range(3):
        out[..., channel] = (image[..., channel] / 255 - MEAN[channel]) / STD[channel]
    return out


@case(rgb)
def checks_shape(image: Any) -> Any:
    assert image.ndim == 3
    if image.shape[-1] == 1:
        image = np.repeat(image, 3, -1)
    h, w, _ = image.shape
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    return image[top : top + side, left : left + side]


@case(rgb)
def checks_dtype(image: Any) -> Any:
    if image.dtype == np.uint8:
        image = image.astype(np.float32) / 255
    return image * 2 - 1


class Normalize:
    """A transformation as torchvision users write them."""

    def __init__(self, mean: Any, std: Any) -> None:
        self.mean = np.asarray(mean, np.float32)
        self.std = np.asarray(std, np.float32)

    def __call__(self, image: Any) -> Any:
        return (image / 255.0 - self.mean) / self.std

    def back(self, image: Any) -> Any:
        return image * self.std + self.mean


case(rgb)(Normalize(MEAN, STD))
case(float_image)(Normalize(MEAN, STD).back)


def scale(image: Any, low: float, high: float) -> Any:
    return image / 255.0 * (high - low) + low


case(rgb, "partial")(functools.partial(scale, low=-1.0, high=1.0))


class Sample(NamedTuple):
    image: Any
    label: Any


lambdas(
    float_image,
    per_image_standard=lambda x: (x - x.mean()) / (x.std() + 1e-7),
    min_max=lambda x: (x - x.min()) / (x.max() - x.min()),
    gamma_power=lambda x: np.power(x, 0.45),
    square=lambda x: x**2,
    sqrt=lambda x: np.sqrt(x),
    log1p=lambda x: np.log1p(x * 255),
    to_bytes=lambda x: (x * 255).astype(np.uint8),
    rounded=lambda x: np.round(x * 255).astype(np.uint8),
    mirror=lambda x: np.concatenate([x, x[:, ::-1]], axis=1),
    views=lambda x: (x, x[:, ::-1]),
    four_crops=lambda x: np.stack([x[:8, :6], x[:8, 6:], x[8:, :6], x[8:, 6:]]),
    weighted=lambda x: np.average(x, axis=-1, weights=GRAY_WEIGHTS),
    l2_pixels=lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True),
    blur=lambda x: (x[:-2] + x[1:-1] + x[2:]) / 3,
    saturation=lambda x: x.max(axis=-1) - x.min(axis=-1),
)

lambdas(
    pair_of_images,
    blend=lambda a, b: 0.3 * a + 0.7 * b,
    difference=lambda a, b: np.abs(a - b).mean(),
    side_by_side=lambda a, b: np.hstack([a, b]),
    stack_pair=lambda a, b: np.stack((a, b)),
    stack_channels=lambda a, b: np.dstack((a, b)),
    close=lambda a, b: np.mean((a - b) ** 2) < 0.17,
    maximum=lambda a, b: np.maximum(a, b),
)

lambdas(
    image_dict,
    dict_scale=lambda d: {"image": d["image"] / 255, "label": d["label"]},
    dict_spread=lambda d: {**d, "image": d["image"].astype(np.float32)},
    dict_to_tuple=lambda d: (d["image"], d["label"]),
    dict_to_named=lambda d: Sample(d["image"] / np.float32(255), d["label"]),
    dict_filter=lambda d: d["label"] < 5,
)


@case(image_dict)
def write_into_dict(sample: Any) -> Any:
    sample["image"] = sample["image"].astype("float32") / 127.5 - 1
    sample["one_hot"] = np.eye(NUM_CLASSES, dtype=np.float32)[sample["label"]]
    return sample


lambdas(
    image_mask,
    apply_mask=lambda image, mask: np.where(mask[..., None], image, 0),
    mask_share=lambda image, mask: mask.mean(),
    mask_channel=lambda image, mask: np.concatenate([image / 255.0, mask[..., None]], axis=-1),
    big_mask=lambda image, mask: mask.sum() > 90,
    both_flipped=lambda image, mask: (image[:, ::-1], mask[:, ::-1]),
)


@case(image_mask)
def erase(image: Any, mask: Any) -> Any:
    image = image.copy()
    image[mask] = 0
    return image


@case(image_box)
def box_to_pixels(image: Any, box: Any) -> Any:
    height, width = image.shape[:2]
    return image, box * np.array([height, width, height, width], np.float32)


@case(image_box)
def box_centre(image: Any, box: Any) -> Any:
    y0, x0, y1, x1 = box
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], dtype=np.float32)


@case(image_box)
def box_large(image: Any, box: Any) -> Any:
    return (box[2] - box[0]) * (box[3] - box[1]) > 0.1
