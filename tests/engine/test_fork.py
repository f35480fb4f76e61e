"""Pipelines in a process that was forked off one that runs or ran pipelines: threads do not come along in a fork."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# In a process of its own: forking the test runner, which has threads of others, proves nothing and may hang.
_PROGRAM = """
import os, signal, sys, warnings
import penstock
from penstock import Dataset

warnings.simplefilter("ignore", DeprecationWarning)  # Python's own about forks of processes with threads


def forked(work):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        work()
        sys.exit()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the child failed or hung"


def pipeline():
    return {pipeline}


def values(elements):
    return [int(n) for n in elements]
"""
PIPELINES = {
    "threads": "Dataset.range(40).map(lambda n: n + 1, num_parallel_calls=2, executor='thread', vectorize=False)",
    "processes": "Dataset.range(40).map(lambda n: n + 1, num_parallel_calls=2, executor='process')",
    "prefetch": "Dataset.range(40).map(lambda n: int(n) + 1, purity='stateful').prefetch(4)",
    "apart": "Dataset.range(40).map(lambda n: n + 1).prefetch(4, executor='process')",
    "interleave": "Dataset.range(4).interleave(lambda n: Dataset.range(n * 10 + 1, n * 10 + 11), cycle_length=1, "
    "num_parallel_calls=2)",
}


def run(pipeline: str, body: str) -> None:
    program = _PROGRAM.replace("{pipeline}", pipeline) + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@pytest.mark.parametrize("kind", PIPELINES)
def test_a_child_runs_pipelines_after_its_parent_did(kind):
    run(
        PIPELINES[kind],
        """
        expected = list(range(1, 41))

        def work():
            assert values(pipeline()) == expected

        assert values(pipeline()) == expected
        forked(work)
        assert values(pipeline()) == expected
        """,
    )


def test_files_are_read_by_parent_and_child_each_at_its_own_place(tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_text("".join(f"{n}\n" for n in range(1, 200_001)))  # many times what is read at once
    run(
        f"penstock.TextLineDataset({str(path)!r})",
        """
        def rest():
            assert begin + values(iterator) == list(range(1, 200_001))

        iterator = iter(pipeline())
        begin = [int(next(iterator)) for _ in range(7)]
        forked(rest)
        rest()
        """,
    )


@pytest.mark.parametrize("kind", PIPELINES)
def test_an_open_iterator_goes_on_in_the_child_and_in_the_parent(kind):
    run(
        PIPELINES[kind],
        """
        iterator = iter(pipeline())
        begin = [int(next(iterator)) for _ in range(7)]

        def work():
            other = iter(pipeline())
            other.load_state_dict(iterator.state_dict())
            assert begin + values(other) == list(range(1, 41))
            assert begin + values(iterator) == list(range(1, 41))

        forked(work)
        assert begin + values(iterator) == list(range(1, 41))
        """,
    )
