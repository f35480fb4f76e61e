"""The law of laziness: functions with effects run for elements that were asked for, once, in order."""

from __future__ import annotations

from collections.abc import Callable

from penstock.testing.case import Calls, Chain
from penstock.testing.observe import HORIZON, first, observe
from penstock.testing.reference import Recording


def laziness(chain: Chain, choose: Callable[[int, int], int]) -> None:
    """Functions are called as the lazy references call them: not before an element is asked for, and no further.

    Over a prefetch, calls may run ahead by its buffer and no further.
    """
    if not any(isinstance(value, Recording) for step in chain.walk() for value in step.arguments.values()):
        return
    count = choose(0, len(first(chain.elements())))
    logs: Calls = {}
    dataset = chain.build(logs)
    elements = iter(dataset)
    dataset.cardinality(), dataset.explain(), repr(dataset)
    assert not any(_calls(logs).values()), f"laziness: {_calls(logs)} was called before an element was asked for"
    observe(elements, count)
    elements.close()
    made = _calls(logs)
    logs = {}
    reference = chain.elements(calls=logs)
    first(reference, count)
    expected = _calls(logs)
    for place, calls in made.items():
        assert len(calls) <= len(expected[place]), f"laziness: {count} elements took\n{made}\nnot\n{expected}"
    first(reference, HORIZON)
    expected = _calls(logs)
    for place, calls in made.items():
        assert calls == expected[place][: len(calls)], f"laziness: called in another order:\n{made}\nnot\n{expected}"


def _calls(logs: Calls) -> dict[str, list[str]]:
    return {place: list(log.calls) for place, log in logs.items()}
