"""How long a thread had no core: who asks how often."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock import core_time


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Any]:
    """Lets the system's file say for how many nanoseconds the thread waited for a core."""
    file = tmp_path / "schedstat"
    monkeypatch.setattr(core_time, "_FILE", str(file))
    monkeypatch.setattr(core_time, "_seen", core_time._Seen())
    return lambda nanoseconds: file.write_text(f"1 {nanoseconds} 1\n")


def test_nobody_looks_before_there_was_some_work(says: Callable[[int], Any]) -> None:
    says(1_000_000)
    assert core_time.seconds_without_core(0.02) == 0.0  # what was before is none of ours
    says(4_000_000)
    assert core_time.seconds_without_core(0.015) == 0.0
    assert core_time.seconds_without_core(0.015) == pytest.approx(0.003)


def test_of_many_threads_each_looks_less_often(says: Callable[[int], Any]) -> None:
    says(1_000_000)
    assert core_time.seconds_without_core(0.1, threads=16) == 0.0
    says(4_000_000)
    assert core_time.seconds_without_core(0.05, threads=16) == 0.0
    assert core_time.seconds_without_core(0.05, threads=16) == pytest.approx(0.003)


def test_it_is_no_more_than_the_work_took(says: Callable[[int], Any]) -> None:
    says(0)
    core_time.seconds_without_core(1.0)
    says(9_000_000_000)
    assert core_time.seconds_without_core(1.0) == 1.0


def test_where_the_system_does_not_tell_it_is_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(core_time, "_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(core_time, "_seen", core_time._Seen())
    assert [core_time.seconds_without_core(1.0) for _ in range(3)] == [0.0] * 3
