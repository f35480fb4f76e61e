"""`from_tensor_slices`, `from_tensors` and `from_list` keep the laws; what they mean in plain Python."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock import Dataset, SparseTensor, tree
from penstock.testing import Case, laws_for

SLICED: list[Callable[[int], Any]] = [
    lambda n: np.arange(n),
    lambda n: np.arange(n, dtype=np.int32) * 9,
    lambda n: np.linspace(-1, 1, n),
    lambda n: (np.arange(n, dtype=np.int32), np.arange(n)[::-1]),
    lambda n: {"image": np.arange(n * 4, dtype=np.int16).reshape(n, 2, 2), "label": np.arange(n) % 3},
    lambda n: (np.arange(3 * n).reshape(n, 3), ({"x": np.arange(n) > 2}, None)),
    lambda n: np.array(["", "a", "bc", "déf"] * n, object)[:n],
    lambda n: OrderedDict(b=np.arange(n), a=np.array([b"x", b"yz"] * n, object)[:n]),
    lambda n: np.arange(2 * n, dtype=np.float32).reshape(n, 2)[:, ::-1],
    lambda n: (np.full(n, np.nan), np.zeros((n, 0), np.int8)),
]

LISTED: list[Callable[[int], list[Any]]] = [
    lambda n: [np.arange(k % 4) for k in range(n)],
    lambda n: [(np.int64(k), "x" * (k % 3)) for k in range(n)],
    lambda n: [np.full((k % 2 + 1, 2), k, np.float32) for k in range(n)],
    lambda n: [np.zeros((1,) * (k % 3), np.int16) for k in range(n)],
    lambda n: list(range(n)),
]


def slices_reference(elements: Any, make: Callable[[int], Any], rows: int) -> list[Any]:
    leaves, treedef = tree.flatten(make(rows))
    return [tree.unflatten(treedef, row) for row in zip(*leaves, strict=True)]


FROM_TENSOR_SLICES = Case(
    "from_tensor_slices",
    lambda cls, make, rows: cls.from_tensor_slices(make(rows)),
    slices_reference,
    lambda sample: st.fixed_dictionaries({"make": st.sampled_from(SLICED), "rows": st.integers(0, 12)}),
    cardinality=lambda size, make, rows: rows,
    inputs=0,
)

FROM_TENSORS = Case(
    "from_tensors",
    lambda cls, make, rows: cls.from_tensors(make(rows)),
    lambda elements, make, rows: [make(rows)],
    lambda sample: st.fixed_dictionaries({"make": st.sampled_from(SLICED), "rows": st.integers(0, 3)}),
    cardinality=lambda size, make, rows: 1,
    inputs=0,
)

FROM_LIST = Case(
    "from_list",
    lambda cls, make, rows: cls.from_list(make(rows)),
    lambda elements, make, rows: make(rows),
    lambda sample: st.fixed_dictionaries({"make": st.sampled_from(LISTED), "rows": st.integers(1, 12)}),
    cardinality=lambda size, make, rows: rows,
    inputs=0,
)

test_from_tensor_slices_laws = laws_for(FROM_TENSOR_SLICES)
test_from_tensors_laws = laws_for(FROM_TENSORS)
test_from_list_laws = laws_for(FROM_LIST)


def test_slices_of_an_array_share_its_memory() -> None:
    images = np.zeros((4, 2, 2))
    assert all(np.shares_memory(image, images) for image in Dataset.from_tensor_slices(images))


def test_sparse_component_is_sliced_row_by_row() -> None:
    sparse = SparseTensor([[0, 1], [2, 0]], [5, 7], (3, 2))
    assert [row.to_dense().tolist() for row in Dataset.from_tensor_slices(sparse)] == [[0, 5], [0, 0], [7, 0]]
