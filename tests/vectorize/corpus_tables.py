"""Functions of numbers, rows of tables, labels, signals and tokens."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.vectorize.corpus import (
    case,
    house,
    integer,
    label,
    lambdas,
    number,
    points,
    row_f32,
    row_f64,
    row_target,
    signal,
    stereo,
    text_label,
    tokens,
    tokens_label,
    two_numbers,
    window,
)

FEATURE_MEAN = np.linspace(-1, 1, 13).astype(np.float32)
FEATURE_STD = np.linspace(1, 2, 13).astype(np.float32)
WEIGHTS = np.random.default_rng(2).normal(size=(13, 4)).astype(np.float32)
EMBEDDING = np.random.default_rng(3).normal(size=(100, 8)).astype(np.float32)
LABEL_NAMES = np.arange(10)[::-1].copy()
CLASS_WEIGHTS = np.linspace(0.5, 2, 10)
HANN = np.hanning(64).astype(np.float32)
EDGES = np.array([-1.0, 0.0, 1.0])
PAD = 0

lambdas(
    integer,
    double=lambda x: x * 2,
    square_int=lambda x: x**2,
    divisible=lambda x: x % 3 == 0,
    half=lambda x: x / 2,
    shift=lambda x: x + 1,
    bucket=lambda x: x // 10,
    positive=lambda x: x > 0,
    as_float=lambda x: x.astype(np.float32),
    as_float_call=lambda x: np.float32(x),
    pair_with_square=lambda x: (x, x * x),
    dict_of=lambda x: {"x": x, "y": -x},
    as_list=lambda x: [x, x + 1],
    array_of=lambda x: np.array([x, x + 1, x + 2]),
    interval=lambda x: np.arange(5) + x,
    sine=lambda x: np.sin(x / 10),
    constant=lambda x: 1,
    bits=lambda x: (x >> np.arange(8)) & 1,
    in_range=lambda x: (x >= 10) & (x < 50),
    not_five=lambda x: x != 5,
    sign=lambda x: np.sign(x - 30),
    polynomial=lambda x: 3 * x**2 - 2 * x + 1,
)

lambdas(
    number,
    absolute=lambda x: abs(x),
    relu=lambda x: np.maximum(x, 0),
    sigmoid=lambda x: 1 / (1 + np.exp(-x)),
    tanh=lambda x: np.tanh(x),
    clip=lambda x: np.clip(x, -5, 5),
    power_two=lambda x: x**2,
    log_scale=lambda x: np.log(np.abs(x) + 1),
    round_two=lambda x: np.round(x, 2),
    finite=lambda x: np.isfinite(x),
    replace_nan=lambda x: np.nan_to_num(x, nan=0.0),
    digitize=lambda x: np.digitize(x, EDGES),
    interp=lambda x: np.interp(x, [-10, 0, 10], [0, 1, 4]),
    where_sign=lambda x: np.where(x > 0, 1.0, -1.0),
)

lambdas(
    two_numbers,
    add=lambda a, b: a + b,
    hypot=lambda a, b: np.hypot(a, b),
    angle=lambda a, b: np.arctan2(b, a),
    ordered=lambda a, b: a < b,
    vector=lambda a, b: np.stack([a, b]),
    features=lambda a, b: np.array([a, b, a * b, a**2], dtype=np.float32),
    ratio=lambda a, b: a / (b + 1e-9),
)

lambdas(
    label,
    one_hot=lambda y: np.eye(10, dtype=np.float32)[y],
    one_hot_arange=lambda y: (np.arange(10) == y) * 1.0,
    relabel=lambda y: LABEL_NAMES[y],
    class_weight=lambda y: (y, CLASS_WEIGHTS[y]),
    take=lambda y: np.take(CLASS_WEIGHTS, y),
    smooth=lambda y: np.eye(10)[y] * 0.9 + 0.01,
    binary=lambda y: (y > 4).astype(np.int64),
    minus_one=lambda y: np.where(y == 0, -1, y),
)


@case(label)
def one_hot_by_hand(y: Any) -> Any:
    out = np.zeros(10, np.float32)
    out[y] = 1
    return out


lambdas(
    integer,
    python_int=lambda x: int(x),
    python_float=lambda x: float(x) / 2,
    python_bool=lambda x: bool(x % 2),
    python_compare=lambda x: int(x) % 3 == 1,
    item=lambda x: x.item() + 1,
    look_up=lambda x: CLASS_WEIGHTS[int(x) % 10],
    int_dict=lambda x: {"id": int(x), "half": int(x) / 2, "square": int(x) ** 2},
)

lambdas(
    number,
    math_sqrt=lambda x: math.sqrt(abs(x)),
    math_log=lambda x: math.log(abs(x) + 1) * 2,
    math_exp=lambda x: 1 / (1 + math.exp(-float(x))),
    math_floor=lambda x: math.floor(x) % 5,
    python_round=lambda x: round(float(x), 1),
    round_to_int=lambda x: round(x),
    truncate_to_int=lambda x: int(x),
)

lambdas(
    two_numbers,
    builtin_max=lambda a, b: max(a, b),
    builtin_range=lambda a, b: max(a, b) - min(a, b),
    math_distance=lambda a, b: math.hypot(a, b),
)

lambdas(
    row_target,
    float_target=lambda x, y: (x.tolist() if x is None else x * float(y), float(y)),
    largest_item=lambda x, y: max(x),
    has_positive=lambda x, y: np.count_nonzero(x > 0) > 6 and True,
)

lambdas(
    row_f32,
    standardise=lambda x: (x - FEATURE_MEAN) / FEATURE_STD,
    linear=lambda x: x @ WEIGHTS,
    linear_dot=lambda x: x.dot(WEIGHTS),
    affine_relu=lambda x: np.maximum(x @ WEIGHTS + np.float32(0.1), 0),
    unit_norm=lambda x: x / np.linalg.norm(x),
    softmax=lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
    split_target=lambda x: (x[:-1], x[-1]),
    select_columns=lambda x: x[[0, 3, 5]],
    drop_column=lambda x: np.delete(x, 2),
    add_bias=lambda x: np.append(x, np.float32(1)),
    add_bias_concat=lambda x: np.concatenate([x, np.ones(1, np.float32)]),
    log_columns=lambda x: np.concatenate([np.log1p(np.abs(x[:4])), x[4:]]),
    outer_features=lambda x: np.outer(x[:3], x[:3]),
    argmax=lambda x: x.argmax(),
    no_nan=lambda x: not_nan(x),
    first_positive=lambda x: x[0] > 0,
    any_large=lambda x: np.any(np.abs(x) > 2.5),
    ranks=lambda x: np.argsort(np.argsort(x)),
    top_sorted=lambda x: np.sort(x)[::-1][:3],
    median=lambda x: np.median(x),
)


def not_nan(x: Any) -> Any:
    return ~np.isnan(x).any()


@case(row_target)
def scale_both(features: Any, target: Any) -> Any:
    features -= FEATURE_MEAN
    features /= FEATURE_STD
    return features, target / 10


lambdas(
    row_target,
    target_column=lambda x, y: (x, y[np.newaxis]),
    target_asarray=lambda x, y: (x, np.asarray([y])),
    sample_weight=lambda x, y: (x, y, np.abs(y) + 1),
    named=lambda x, y: {"features": {"all": x, "first": x[0]}, "target": y},
)

lambdas(
    row_f64,
    cumsum=lambda x: np.cumsum(x),
    cumsum_method=lambda x: x.cumsum() / x.sum(),
    reverse=lambda x: x[::-1],
    moments=lambda x: np.array([x.mean(), x.std(), x.min(), x.max()]),
    differences=lambda x: np.diff(x),
    percent=lambda x: np.percentile(x, [25, 50, 75]),
    two_sum=lambda x: sum(v * v for v in x),
    pairs=lambda x: x.reshape(4, 2).T,
)


@dataclass
class Home:
    """What a house becomes."""

    features: Any
    price: Any


@case(house)
def to_features(row: Any) -> Any:
    features = np.array([row["rooms"], row["area"], row["area"] / row["rooms"]], dtype=np.float32)
    return features, np.log(row["price"])


@case(house)
def to_dataclass(row: Any) -> Any:
    return Home(np.stack([row["area"], row["lat"], row["lon"]]).astype(np.float32), row["price"] / 1000)


@case(house)
def add_ratio(row: Any) -> Any:
    row["ratio"] = row["price"] / row["area"]
    return row


@case(house)
def on_the_sphere(row: Any) -> Any:
    lat, lon = np.radians(row["lat"]), np.deg2rad(row["lon"])
    return {"xyz": np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)]), "y": row["price"]}


lambdas(
    house,
    affordable=lambda row: (row["price"] < 400_000) & (row["rooms"] >= 3),
    new_homes=lambda row: row["new"],
    without_price=lambda row: {key: value for key, value in row.items() if key != "price"},
    as_vector=lambda row: np.array(list(row.values()), dtype=np.float64),
)

lambdas(
    signal,
    windowed=lambda x: x * HANN,
    remove_mean=lambda x: x - x.mean(),
    energy=lambda x: np.sum(x**2),
    rms=lambda x: np.sqrt(np.mean(np.square(x))),
    pre_emphasis=lambda x: np.append(x[0], x[1:] - 0.97 * x[:-1]),
    frames=lambda x: x.reshape(8, 8).mean(axis=1),
    zero_crossings=lambda x: (np.sign(x[1:]) != np.sign(x[:-1])).sum(),
    spectrum=lambda x: np.abs(x * HANN).astype(np.float64).cumsum(),
    loud=lambda x: np.abs(x).max() > 2.5,
    convolve=lambda x: np.convolve(x, [0.25, 0.5, 0.25], mode="same"),
)

lambdas(
    stereo,
    mono=lambda x: x.mean(axis=0),
    to_float=lambda x: x.astype(np.float32) / 32768.0,
    swap_channels=lambda x: x[::-1],
    peak=lambda x: np.abs(x.astype(np.int32)).max(),
)

lambdas(
    tokens,
    attention_mask=lambda ids: {"ids": ids, "mask": (ids != PAD).astype(np.int32)},
    length=lambda ids: (ids != PAD).sum(),
    shift_right=lambda ids: (ids[:-1], ids[1:]),
    embed=lambda ids: EMBEDDING[ids],
    bag=lambda ids: EMBEDDING[ids].mean(axis=0),
    long_enough=lambda ids: np.count_nonzero(ids) >= 1,
    begin_end=lambda ids: np.concatenate([[101], ids, [102]]),
    truncate=lambda ids: ids[:8].astype(np.int32),
    padded=lambda ids: np.pad(ids, (0, 4), constant_values=PAD),
    causal=lambda ids: np.tril(np.ones((12, 12), bool)) & (ids != PAD),
)

lambdas(
    tokens_label,
    tokens_dict=lambda ids, y: ({"input_ids": ids, "attention_mask": ids > 0}, y),
    keep_ones=lambda ids, y: y == 1,
    float_label=lambda ids, y: (ids, np.float32(y)),
)

lambdas(
    text_label,
    pass_text=lambda text, y: (text, y.astype(np.float32)),
    text_one_hot=lambda text, y: (text, np.eye(2)[y]),
)

lambdas(
    window,
    inputs_target=lambda w: (w[:-1], w[-1, 0]),
    last_change=lambda w: w[-1] / w[0] - 1,
    window_scale=lambda w: (w - w.mean(axis=0)) / (w.std(axis=0) + 1e-8),
    relative=lambda w: w - w[:1],
    moving_average=lambda w: np.cumsum(w, axis=0)[4:] / 5,
)

lambdas(
    points,
    centre_points=lambda p: p - p.mean(axis=0),
    distances=lambda p: np.linalg.norm(p, axis=1),
    scale_points=lambda p: p / np.abs(p).max(),
    pairwise=lambda p: ((p[:, None] - p[None]) ** 2).sum(-1),
    gram=lambda p: p.T @ p,
    gram_einsum=lambda p: np.einsum("ij,ik->jk", p, p),
)
