"""`unbatch` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from penstock import Dataset, tree
from penstock.testing import Case, Failure, Stream, laws_for, rows_of
from tests.laws.sources import SOURCES


def reference(elements: Stream) -> Iterator[Any]:
    for element in elements:
        yield from rows_of(element)


def can_be_split(sample: list[Any]) -> Any:
    """No arguments where elements have an axis; the call itself refuses those without, and those known to differ."""
    elements = [tree.flatten(item)[0] for item in sample if not isinstance(item, Failure)]
    if not elements or not all(isinstance(leaf, np.ndarray) and leaf.ndim for leaves in elements for leaf in leaves):
        return None
    sizes_by_component = [{len(leaf) for leaf in leaves} for leaves in zip(*elements, strict=True)]
    static = {min(sizes) for sizes in sizes_by_component if len(sizes) == 1}
    return st.just({}) if len(static) < 2 else None


CASE = Case("unbatch", Dataset.unbatch, reference, can_be_split, lambda size: None, may_drop=True)

test_laws = laws_for(CASE, SOURCES)


def test_rows_of_each_element_follow_one_another() -> None:
    assert [int(n) for n in Dataset.from_list([[1, 2], [3]]).unbatch()] == [1, 2, 3]
