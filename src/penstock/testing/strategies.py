"""Hypothesis strategies for chains of cases; needs hypothesis and pytest, which are imported when this is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from penstock.node import INFINITE
from penstock.testing.case import Case, Chain, Step
from penstock.testing.laws import LAWS, Law
from penstock.testing.observe import first

_MOST_ELEMENTS = 40
_SAMPLE = 3


def chains_of(sources: Sequence[Case], cases: Sequence[Case], most_steps: int = 6, nested: bool = True) -> Any:
    """A strategy of chains: a source, then up to `most_steps` of the cases, with arguments that fit.

    Args:
        sources: Where a chain may begin.
        cases: What may follow.
        most_steps: How many at most.
        nested: Whether cases that read several datasets are among them.
    """
    from hypothesis import strategies as st

    @st.composite
    def chains(draw: Any) -> Chain:
        chain = Chain((_step(draw, draw(st.sampled_from(sources)), []),))
        for _ in range(draw(st.integers(0, most_steps))):
            chain = _grow(draw, chain, draw(st.sampled_from(cases)), sources, cases if nested else ())
        return chain

    return chains()


def _grow(
    draw: Callable[[Any], Any], chain: Chain, case: Case, sources: Sequence[Case], cases: Sequence[Case]
) -> Chain:
    """The chain with a further step, if it can be laid over what is there."""
    if case.inputs > 1 and not cases:
        return chain
    sample = first(chain.elements(), _MOST_ELEMENTS + 1)
    endless = chain.build().cardinality() == INFINITE
    if (case.needs_end or case.may_drop) if endless else len(sample) > _MOST_ELEMENTS:
        # It would look for an element for ever, or cost as much as there are elements.
        return chain
    others = []
    for _ in range(case.inputs - 1):
        single = [other for other in cases if other.inputs == 1]
        others.append(
            chain if case.reads_itself else draw(chains_of(sources, single, 2 if single else 0, nested=False))
        )
    step = _step(draw, case, sample[:_SAMPLE], tuple(others))
    return chain if step is None else chain.then(step)


def _step(draw: Callable[[Any], Any], case: Case, sample: list[Any], others: tuple[Chain, ...] = ()) -> Any:
    if case.arguments is None:
        return Step(case, {}, others)
    strategy = case.arguments(sample)
    return None if strategy is None else Step(case, draw(strategy), others)


def laws_for(
    case: Case, sources: Sequence[Case] = (), laws: Sequence[Law] = LAWS, max_examples: int | None = None
) -> Any:
    """A test that runs the laws on a case: over each of the sources, up to twice.

    Args:
        case: What is tested; a source stands for itself.
        sources: What it is laid over.
        laws: Which laws.
        max_examples: Examples per law; a third of those of hypothesis' profile if not given, as there are many laws.
    """
    import pytest
    from hypothesis import given, settings
    from hypothesis import strategies as st

    chains = chains_of([case], [], 0) if case.inputs == 0 else chains_of(sources, [case], 2)

    @pytest.mark.parametrize("law", laws, ids=lambda law: law.__name__)
    @given(st.data())
    def test_laws(law: Law, data: Any) -> None:
        law(data.draw(chains), lambda low, high: int(data.draw(st.integers(low, high))))

    profile: Any = settings.default
    return settings(max_examples=max_examples or max(1, profile.max_examples // 3))(test_laws)
