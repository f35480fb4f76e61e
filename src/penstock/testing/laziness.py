"""The law of laziness: functions with effects run for elements that were asked for, once, in order."""

from __future__ import annotations

from collections.abc import Callable

from penstock.testing.case import Calls, Chain
from penstock.testing.observe import HORIZON, first, observe
from penstock.testing.reference import Recording


def laziness(chain: Chain, choose: Callable[[int, int], int]) -> None:
    """A recorded function is called as the lazy references call it: nothing before the first element, then no more.

    Over a prefetch, calls may run ahead by its buffer and no further.
    """
    if not any(isinstance(value, Recording) for step in chain.walk() for value in step.arguments.values()):
        return
    count = choose(0, len(first(chain.elements())))
    made: Calls = {}
    dataset = chain.build(made)
    elements = iter(dataset)
    dataset.cardinality(), dataset.explain(), repr(dataset)
    assert not any(made.values()), f"laziness: {made} was called before the first element was asked for"
    observe(elements, count)
    elements.close()
    expected: Calls = {}
    reference = chain.elements(calls=expected)
    first(reference, count)
    if "prefetch" not in chain.names:
        assert made == expected, f"laziness: {count} elements took the calls\n{made}\nand not\n{expected}"
        return
    for place, calls in made.items():
        assert len(calls) <= len(expected[place]), f"laziness: {count} elements took\n{made}\nnot\n{expected}"
    first(reference, HORIZON)
    for place, calls in made.items():
        assert calls == expected[place][: len(calls)], f"laziness: called in another order:\n{made}\nnot\n{expected}"
