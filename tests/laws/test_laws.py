"""The laws on chains of up to six transformations, which no one would think of writing down."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.testing import LAWS, PROCESSES, THREADS, Law, laws_with
from penstock.testing.workers import Workers
from tests.laws.chains import CHAINS

# Two tests, so that two processes share the work of `make laws`; each runs its laws on every chain that it draws.
HALVES = (LAWS[: len(LAWS) // 2 + 1], LAWS[len(LAWS) // 2 + 1 :])

CHAINS_WITH_WORKERS = 500
"""At most: a chain takes ten times as long, for threads start and end."""


@pytest.mark.laws
@pytest.mark.parametrize("laws", HALVES, ids=lambda laws: f"{laws[0].__name__} to {laws[-1].__name__}")
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_chains_keep_the_laws(laws: tuple[Law, ...], data: st.DataObject) -> None:
    chain = data.draw(CHAINS)
    for law in laws:
        law(chain, lambda low, high: data.draw(st.integers(low, high)))


@pytest.mark.laws
@pytest.mark.parametrize("workers", [THREADS, PROCESSES], ids=["threads", "processes"])
@settings(
    max_examples=min(settings().max_examples, CHAINS_WITH_WORKERS),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_chains_keep_the_laws_with_workers(workers: Workers, data: st.DataObject) -> None:
    chain = data.draw(CHAINS)
    for law in laws_with(workers):
        law(chain, lambda low, high: data.draw(st.integers(low, high)))
