"""`cache` keeps the laws; what it means in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from penstock import Dataset
from penstock.testing import Case, Failure, Stream, laws_for
from tests.laws.sources import SOURCES


def reference(elements: Stream) -> Iterator[Any]:
    kept: list[Any] = elements.memory.setdefault("kept", [])
    state = elements.memory
    done = 0
    while done < len(kept):
        yield kept[done]
        done += 1
    if state.get("complete"):
        return
    # Always the epoch 0 of the pass that filled the cache, so that what is kept fits what is computed.
    for element in islice(elements.at(0, elements.first), done, None):
        if done == len(kept) and not isinstance(element, Failure):
            kept.append(element)
        done += 1
        yield element
    state["complete"] = done == len(kept)


CASE = Case("cache", Dataset.cache, reference, needs_end=True)

test_laws = laws_for(CASE, SOURCES)


def test_elements_are_computed_once() -> None:
    computed: list[int] = []
    ds = Dataset.range(3).map(lambda n: computed.append(int(n)) or n).cache()
    assert list(ds) == list(ds) == [0, 1, 2]
    assert computed == [0, 1, 2]
