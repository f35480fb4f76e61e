"""Datasets whose steps run in a process of their own, and states that they go on from."""

from __future__ import annotations

import json
from typing import Any

from penstock import Dataset
from tests.corners import outcomes


def apart(ds: Dataset[Any], buffer_size: int = 2) -> Dataset[Any]:
    return ds.prefetch(buffer_size, executor="process")


def resumed(ds: Dataset[Any], state: Any) -> list[Any]:
    iterator = iter(ds)
    iterator.load_state_dict(json.loads(json.dumps(state)))
    return outcomes(iterator)
