"""The same pipelines on penstock and on TensorFlow: elements, structure, cardinality and spec are the same."""

from __future__ import annotations

from typing import Any

import pytest
from tests.oracle.engines import OURS, TF
from tests.oracle.outcome import cardinality, difference, elements, spec
from tests.oracle.pipelines import PIPELINES, Pipeline


@pytest.fixture(params=PIPELINES, ids=lambda pipeline: pipeline.name.replace(" ", "-"))
def pipeline(request: pytest.FixtureRequest) -> Pipeline:
    found: Pipeline = request.param
    return found


def test_elements_are_the_same(pipeline: Pipeline) -> None:
    ours, theirs = (elements(pipeline.build(engine)) for engine in (OURS, TF))
    told = [difference(*pair, pipeline.literals) for pair in zip(ours, theirs, strict=False)]
    assert [text for text in told if text] == []
    assert len(ours) == len(theirs), f"{ours}\n{theirs}"


def test_a_second_iteration_yields_the_same(pipeline: Pipeline) -> None:
    dataset: Any = pipeline.build(OURS)
    first, second = elements(dataset), elements(dataset)
    theirs = elements(pipeline.build(TF))
    assert len(first) == len(second) == len(theirs)
    assert [text for pair in zip(second, theirs, strict=True) if (text := difference(*pair, pipeline.literals))] == []


def test_cardinality_is_the_same(pipeline: Pipeline) -> None:
    assert cardinality(pipeline.build(OURS)) == cardinality(pipeline.build(TF))


def test_spec_is_the_same(pipeline: Pipeline) -> None:
    assert difference(spec(pipeline.build(OURS)), spec(pipeline.build(TF)), pipeline.literals) == ""
