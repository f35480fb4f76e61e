"""Generated chains of deterministic steps: what penstock makes of them is what TensorFlow makes of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from penstock import UNKNOWN_CARDINALITY
from penstock.errors import CardinalityError
from tests.oracle.chains import Chain, chains, leaves
from tests.oracle.engines import OURS
from tests.oracle.outcome import Component, cardinality, difference, elements, spec

LEAST_EXAMPLES = 200
MOST_ELEMENTS = 120
"""Enough for blocks on which functions run vectorised after they were proven."""


@settings(max_examples=max(LEAST_EXAMPLES, settings().max_examples))
@given(chain=chains())
def test_chains_agree(chain: Chain) -> None:
    ours = chain.build(OURS)
    theirs = elements(chain.theirs, MOST_ELEMENTS)
    for _ in range(2):
        found = elements(ours, MOST_ELEMENTS)
        told = [difference(*pair) for pair in zip(found, theirs, strict=False)]
        assert [text for text in told if text] == []
        assert len(found) == len(theirs), f"{found}\n{theirs}"
    assert_cardinality_agrees(chain, ours)
    assert_spec_agrees(chain, ours, bool(theirs))


def assert_cardinality_agrees(chain: Chain, ours: Any) -> None:
    """The same; but rows of elements whose spec is not known before the first are not counted."""
    found = cardinality(ours)
    if "unbatch" in repr(chain) and "map" in repr(chain) and found == UNKNOWN_CARDINALITY:
        return
    assert found == cardinality(chain.theirs)


def assert_spec_agrees(chain: Chain, ours: Any, has_elements: bool) -> None:
    """The same; but after a function that cannot be traced a size is known from the first element, or left open."""
    theirs = leaves(spec(chain.theirs))
    try:
        found = leaves(spec(ours))
    except CardinalityError:
        assert not has_elements, "an element would have told the spec"
        assert "map" in repr(chain)
        return
    if "map" not in repr(chain):
        assert found == theirs
    for mine, other in zip(found, theirs, strict=True):
        assert agree(mine, other), f"{found}\n{theirs}"


def agree(ours: Component, theirs: Component) -> bool:
    """Whether dtypes are equal and no size contradicts the other."""
    if ours.shape is None or theirs.shape is None:
        return ours.dtype == theirs.dtype
    if len(ours.shape) != len(theirs.shape) or ours.dtype != theirs.dtype:
        return False
    return all(mine == other or None in (mine, other) for mine, other in zip(ours.shape, theirs.shape, strict=True))
