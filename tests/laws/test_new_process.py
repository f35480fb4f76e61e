"""A state that was written to a file goes on in a new process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.testing import observe, same
from penstock.testing.new_process import resume_in_new_process
from tests.laws.chains import CHAINS

CHAINS_PER_PROCESS = 20


@pytest.mark.laws
@settings(max_examples=2, derandomize=True, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(data=st.data())
def test_states_of_many_chains_go_on_in_a_new_process(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chains, states, expected = [], [], []
    for _ in range(CHAINS_PER_PROCESS):
        chain = data.draw(CHAINS)
        dataset = chain.build()
        number = data.draw(st.integers(0, 2))
        for _ in range(number):
            iter(dataset)
        cut = data.draw(st.integers(0, 10))
        elements = iter(dataset)
        observe(elements, cut)
        chains.append(chain)
        states.append(elements.state_dict())
        expected.append(observe(elements))
    folder: Path = tmp_path_factory.mktemp("new_process")
    found: list[Any] = resume_in_new_process(chains, states, folder)
    for chain, left, right in zip(chains, expected, found, strict=True):
        same(left, right, f"resumed in a new process: {chain}")
