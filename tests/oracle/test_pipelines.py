"""The same pipelines on penstock and on TensorFlow: elements, structure, cardinality and spec are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from penstock.errors import CardinalityError
from tests.oracle.engines import OURS, TF
from tests.oracle.outcome import cardinality, difference, elements, spec
from tests.oracle.pipeline import Pipeline
from tests.oracle.pipelines import PIPELINES


@dataclass(frozen=True)
class Pair:
    """One pipeline on both sides."""

    pipeline: Pipeline
    ours: Any
    theirs: Any

    def assert_elements_are_the_same(self) -> None:
        """Element by element, in values, dtypes, shapes and structure, and as many."""
        ours, theirs = elements(self.ours), elements(self.theirs)
        told = [difference(*pair, self.pipeline.literals) for pair in zip(ours, theirs, strict=False)]
        assert [text for text in told if text] == []
        assert len(ours) == len(theirs), f"{ours}\n{theirs}"


@pytest.fixture(scope="module", params=PIPELINES, ids=lambda pipeline: pipeline.name.replace(" ", "-"))
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param, request.param.build(OURS), request.param.build(TF))


def test_elements_are_the_same_in_each_iteration(pair: Pair) -> None:
    pair.assert_elements_are_the_same()
    pair.assert_elements_are_the_same()


def test_cardinality_is_the_same(pair: Pair) -> None:
    assert cardinality(pair.ours) == cardinality(pair.theirs)


def test_spec_is_the_same(pair: Pair) -> None:
    if pair.pipeline.has_spec:
        assert difference(spec(pair.ours), spec(pair.theirs), pair.pipeline.literals) == ""
    else:
        with pytest.raises(CardinalityError):
            spec(pair.ours)
