"""`prefetch(n, executor="process")`: what comes back, states, passes and counts, as from a thread or without."""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock import AUTOTUNE, Dataset, Options, retry
from penstock.engine import processes
from penstock.errors import ElementTimeoutError, StateError
from penstock.testing import LAWS, laws_apart
from penstock.testing.resuming import resume, resume_operators
from penstock.testing.workers import Executor, PrefetchedChain
from tests.corners import failing_at, outcomes, values
from tests.engine.apart_datasets import apart, resumed
from tests.engine.platforms import on_posix
from tests.laws.chains import CHAINS

pytestmark = on_posix


@pytest.fixture(scope="module", autouse=True)
def close_all() -> Iterator[None]:
    yield
    processes.close_all()


@pytest.mark.laws
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_chains_keep_the_laws_in_a_process_of_their_own(data: st.DataObject) -> None:
    chain, law = data.draw(CHAINS), data.draw(st.sampled_from(laws_apart()))
    law(chain, lambda low, high: data.draw(st.integers(low, high)))


def test_all_laws_but_one_are_among_them() -> None:
    assert len(laws_apart()) == len(LAWS) - 1


@pytest.mark.laws
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_states_of_chains_go_on_with_a_buffer_of_any_size(data: st.DataObject) -> None:
    prefetches: list[tuple[int, Executor]] = [(2, "thread"), (0, "thread"), (AUTOTUNE, "thread"), (1, "process")]
    chain = PrefetchedChain(data.draw(CHAINS).steps, itertools.cycle(prefetches))
    law = data.draw(st.sampled_from([resume, resume_operators]))
    law(chain, lambda low, high: data.draw(st.integers(low, high)))


def test_options_reach_it() -> None:
    def hangs(n: Any) -> Any:
        if n == 2:
            threading.Event().wait()
        return n

    ds = apart(Dataset.range(4).map(hangs, num_parallel_calls=2, executor="thread", purity="stateless"))
    found = outcomes(ds.with_options(Options(element_timeout_seconds=0.2)))
    assert ElementTimeoutError in found
    assert len(found) == 4  # on a busy machine, others may take as long


def test_passes_have_their_numbers() -> None:
    def shuffled() -> Dataset[Any]:
        return Dataset.range(30).map(lambda n: n).shuffle(5, seed=3)

    thread, process = shuffled().prefetch(2), apart(shuffled())
    assert [values(process) for _ in range(3)] == [values(thread) for _ in range(3)]
    assert values(process.iterator(epoch=5)) == values(thread.iterator(epoch=5))


class Overtaken:
    """Lets all elements overtake the first one while there is a pipe at `path`, until somebody writes there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, n: Any) -> Any:
        if n == 0 and self.path.exists():
            self.path.read_text()
        return n * 2


@pytest.mark.parametrize("taken", [1, 3, 6])
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_states_remember_a_free_order(tmp_path: Path, is_shuffled: bool, taken: int) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    free = Dataset.range(40).map(Overtaken(pipe), num_parallel_calls=5, executor="thread", deterministic=False)
    ds = apart(free, 3)
    ds = ds.shuffle(11, seed=4) if is_shuffled else ds
    iterator = iter(ds)
    first = values(iterator, taken)
    state = json.loads(json.dumps(iterator.state_dict()))
    pipe.write_text("")
    pipe.unlink()
    iterator.close()
    assert 0 not in first
    assert sorted(first + resumed(ds, state)) == list(range(0, 80, 2))


def test_each_epoch_has_its_own_draws() -> None:
    def repeated(executor: Any) -> list[Any]:
        ds = Dataset.range(20).filter(lambda n: n % 3 > 0).shuffle(9, seed=1)
        return values(ds.prefetch(2, executor=executor).repeat(3))

    assert repeated("process") == repeated("thread")


def test_counts_of_failed_elements_are_those_of_the_process() -> None:
    def counted(end: Callable[[Dataset[Any]], Dataset[Any]]) -> tuple[list[Any], list[Any]]:
        failing = Dataset.range(30).map(failing_at(2, 5, 11), on_error=retry(2, 0, then="skip"), max_errors=3)
        iterator = iter(end(failing.filter(lambda n: n != 40)))
        return values(iterator), [(step.elements, step.errors, step.faults) for step in iterator.stats()]

    assert counted(apart) == counted(lambda ds: ds.prefetch(2))


def test_a_budget_of_errors_goes_on_after_a_resume() -> None:
    ds = apart(Dataset.range(9).map(failing_at(1, 3, 6), on_error="skip", max_errors=2), 1)
    iterator = iter(ds)
    first = values(iterator, 3)
    assert (first, resumed(ds, iterator.state_dict())[0]) == ([0, 20, 40], 50)
    assert outcomes(ds) == outcomes(ds.with_options(Options())) != values(Dataset.range(9))


def test_stats_tell_of_the_steps_in_the_process_as_in_a_thread() -> None:
    def told(ds: Dataset[Any]) -> list[Any]:
        iterator = iter(ds)
        assert len(values(iterator)) == 25
        return [(step.label, step.elements, step.errors, step.thread) for step in iterator.stats()]

    ds = Dataset.range(100).map(lambda n: n + 1, num_parallel_calls=2, executor="thread").batch(4)
    assert told(apart(ds)) == told(ds.prefetch(2))


def test_stats_name_the_slow_step_and_its_workers() -> None:
    def slow(n: Any) -> Any:
        return sum(k * k for k in range(3000)) + n

    iterator = iter(apart(Dataset.range(40).map(slow, num_parallel_calls=2, executor="thread")))
    values(iterator, 30)
    iterator.close()
    (_, slow_step, last) = iterator.stats()
    assert slow_step.busy_seconds > 0
    assert last.queue_capacity == 2


def test_a_cache_above_it_gives_the_pass_that_was_kept() -> None:
    ds = apart(Dataset.range(20).shuffle(20, seed=2).cache())
    first = values(ds)
    assert [values(ds), values(ds)] == [first, first] != [list(range(20))] * 2


def test_a_file_that_is_written_there_is_read_here(tmp_path: Path) -> None:
    ds = Dataset.range(20).map(lambda n: n * 2).cache(tmp_path / "rows.arrow")
    assert values(apart(ds)) == list(range(0, 40, 2))
    assert ds[3] == 6
    assert values(apart(ds)) == values(ds)


def test_a_state_of_another_pipeline_is_refused() -> None:
    state = iter(apart(Dataset.range(5))).state_dict()
    with pytest.raises(StateError):
        iter(apart(Dataset.range(5).batch(2))).load_state_dict(state)


def test_batches_that_come_of_it_are_the_users_own() -> None:
    data = np.zeros((64, 4096), np.float32)
    batches = list(apart(Dataset.from_tensor_slices(data).batch(8), 3))
    for batch in batches:
        batch += 1
    assert all((batch == 1).all() for batch in batches)
    assert not data.any()
