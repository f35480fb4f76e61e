"""Where calls run that are known to compute without the GIL: it depends on how long each takes."""

from __future__ import annotations

from typing import Any

import pytest

from penstock.engine.choice import Choice
from penstock.engine.crew import Run
from penstock.node import Purity
from penstock.parallel import Parallel


class _Step:
    purity = Purity.STATELESS
    is_vectorised = False
    lets_go_of_gil = True


def done(rows: int, seconds: float) -> Any:
    run = Run(0, None, rows, None)
    run.seconds = run.cpu_seconds = seconds
    return run


@pytest.mark.parametrize(("seconds_per_row", "way"), [(0.001, "thread"), (0.00004, "")])
def test_only_what_takes_long_runs_in_threads_unmeasured(seconds_per_row: float, way: str) -> None:
    settings = Parallel(2)
    choice = Choice(settings, _Step())
    assert settings.pace.way == ""
    for rows in (1, 1, 8, 16):
        choice.observe(done(rows, rows * seconds_per_row))
    assert settings.pace.way == way
    assert ("known" in settings.pace.why) == bool(way)


def test_what_reads_no_file_runs_in_threads_at_once() -> None:
    step: Any = _Step()
    step.purity = Purity.PURE
    settings = Parallel(2)
    Choice(settings, step)
    assert settings.pace.way == "thread"
