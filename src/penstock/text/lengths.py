"""Sequences of tokens made longer or shorter: `pad` and `truncate`."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from penstock import calls

Side = Literal["left", "right"]


def pad(ids: NDArray[Any], length: int, value: Any = 0, side: Side = "right") -> NDArray[Any]:
    """Put `value` behind (or before) a sequence until it is `length` long.

    >>> text.pad(np.array([7, 8]), 4)
    array([7, 8, 0, 0])

    Args:
        ids: Shape (n, ...), n at most `length`.
        length: The length of the result.
        value: What fills it; it must fit the dtype of `ids`.
        side: Where it is put.

    Raises:
        ValueError: The sequence is longer than `length`, or `side` is neither "left" nor "right".
        OverflowError: `value` does not fit the dtype.

    See also: truncate, Dataset.padded_batch, which pads to the longest of a batch.
    """
    ids = np.asarray(ids)
    _check_side("pad", side)
    missing = calls.count("text.pad", "length", length, 0) - len(ids)
    if missing < 0:
        raise ValueError(f"text.pad(): the sequence is {len(ids)} long, more than length={length}; truncate() it first")
    # Three times as fast as np.pad(), which also takes a value that does not fit.
    filling = np.full((missing, *ids.shape[1:]), value, ids.dtype)
    return np.concatenate([filling, ids] if side == "left" else [ids, filling])


def truncate(ids: NDArray[Any], length: int, side: Side = "right") -> NDArray[Any]:
    """Cut a sequence down to `length`; shorter ones stay as they are.

    >>> text.truncate(np.array([7, 8, 9]), 2), text.truncate(np.array([7, 8, 9]), 2, side="left")
    (array([7, 8]), array([8, 9]))

    Args:
        ids: Shape (n, ...).
        length: What is left at most.
        side: Which end is cut off.

    Raises:
        ValueError: `length` is below 0, or `side` neither "left" nor "right".

    See also: pad.
    """
    _check_side("truncate", side)
    kept = calls.count("text.truncate", "length", length, 0)
    return ids[max(0, len(ids) - kept) :] if side == "left" else ids[:kept]


def _check_side(method: str, side: Any) -> None:
    if side not in ("left", "right"):
        raise ValueError(f'text.{method}(): side must be "left" or "right", but is {side!r}')
