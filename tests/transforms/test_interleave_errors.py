"""`interleave` and `flat_map` over datasets that cannot be opened or break off, and what `on_error` makes of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock import Dataset, quarantine, read_quarantine
from penstock.block import Block, block_from_elements
from penstock.errors import StateError, TooManyErrorsError
from penstock.node import UNKNOWN, Context, Node, Operator, Purity, State
from penstock.record import record
from penstock.spec import Spec
from tests.corners import failing_at, outcomes, values

LENGTH = 4
WORKERS = pytest.mark.parametrize("workers", [None, 1, 3])
STEPS = pytest.mark.parametrize("step", ["interleave", "flat_map"])


@record
class Disk(Node):
    """`LENGTH` numbers, whose operator raises where `breaks_at` says; at -1 already when it is opened."""

    number: int
    breaks_at: int

    def known_spec(self) -> Spec | None:
        return None

    def cardinality(self) -> int:
        return UNKNOWN

    @property
    def purity(self) -> Purity:
        return Purity.STATEFUL

    def open(self, context: Context) -> Operator:
        if self.breaks_at < 0:
            raise FileNotFoundError(f"no disk {self.number}")
        return DiskOperator(self)


class DiskOperator:
    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.at = 0

    def next_block(self, rows: int) -> Block | None:
        if self.at == self.disk.breaks_at:
            raise OSError(f"disk {self.disk.number} breaks off at {self.at}")
        if self.at == LENGTH:
            return None
        self.at += 1
        return block_from_elements([np.int64(10 * self.disk.number + self.at - 1)])

    def get_state(self) -> State:
        return {"at": self.at}

    def set_state(self, state: State) -> None:
        self.at = state["at"]

    def close(self) -> None:
        pass


def disks(step: str, workers: int | None, **settings: Any) -> Dataset[Any]:
    """Five disks, of which the second breaks off after two numbers and the fourth cannot be opened."""
    breaks_at = {1: 2, 3: -1}
    cycle = {"cycle_length": 2} if step == "interleave" else {}
    return getattr(Dataset.range(5), step)(
        lambda n: Dataset(Disk(int(n), breaks_at.get(int(n), LENGTH + 1))),
        **cycle,
        num_parallel_calls=workers,
        **settings,
    )


IN_ORDER: dict[str, list[Any]] = {
    "interleave": [0, 10, 1, 11, 2, OSError, 3, 20, FileNotFoundError, 21, 22, 40, 23, 41, 42, 43],
    "flat_map": [0, 1, 2, 3, 10, 11, OSError, 20, 21, 22, 23, FileNotFoundError, 40, 41, 42, 43],
}


@STEPS
@WORKERS
def test_what_cannot_be_read_is_one_error_and_the_others_go_on(step: str, workers: int | None) -> None:
    assert outcomes(disks(step, workers)) == IN_ORDER[step]


@STEPS
@WORKERS
def test_skip_leaves_out_the_rest_of_a_dataset_that_breaks_off(step: str, workers: int | None) -> None:
    expected = [value for value in IN_ORDER[step] if isinstance(value, int)]
    assert values(disks(step, workers, on_error="skip")) == expected


@STEPS
@WORKERS
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_resume_reads_nothing_again_of_what_broke_off(step: str, workers: int | None, on_error: str) -> None:
    expected = outcomes(disks(step, workers, on_error=on_error))
    for cut in range(len(expected) + 1):
        iterator = iter(disks(step, workers, on_error=on_error))
        assert outcomes(iterator, cut) == expected[:cut]
        state = json.loads(json.dumps(iterator.state_dict()))
        iterator.close()
        resumed = iter(disks(step, None if workers else 2, on_error=on_error))
        resumed.load_state_dict(state)
        assert outcomes(resumed) == expected[cut:]


@WORKERS
def test_an_element_that_fails_is_left_out_alone(workers: int | None) -> None:
    def inside(n: Any) -> Dataset[Any]:
        return Dataset.range(3 * n, 3 * n + 3).map(lambda m: 1 // (m - 4) and m)

    ds = Dataset.range(2).interleave(inside, 2, num_parallel_calls=workers, on_error="skip")
    assert values(ds) == [0, 3, 1, 2, 5]


def test_errors_of_earlier_steps_are_raised_all_the_same() -> None:
    ds = Dataset.range(3).map(failing_at(1)).interleave(lambda n: Dataset.range(1), 2, on_error="skip")
    assert outcomes(ds) == [0, KeyError, 0]


def test_quarantine_writes_what_broke_off_and_counts_it(tmp_path: Path) -> None:
    path = tmp_path / "failed.jsonl"
    iterator = iter(disks("interleave", 2, on_error=quarantine(path), max_errors=2))
    assert len(values(iterator)) == 14
    assert [record.error_type for record in read_quarantine(path)] == [
        "OSError",
        "FileNotFoundError",
    ]
    assert sum(step.faults.get("quarantined", 0) for step in iterator.stats()) == 2


def test_more_than_may_fail_is_an_error() -> None:
    assert TooManyErrorsError in outcomes(disks("interleave", None, on_error="skip", max_errors=1))


def test_max_errors_without_a_policy_is_refused() -> None:
    with pytest.raises(ValueError, match=r"interleave\(\): max_errors=1 counts elements that are left out"):
        Dataset.range(3).interleave(lambda n: Dataset.range(n), max_errors=1)


@WORKERS
def test_a_place_that_does_not_fit_is_told_and_does_not_block_what_comes_after(
    workers: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: DiskOperator, state: State) -> None:
        raise StateError("of another disk")

    # One element at a time: where the state begins, both datasets have been opened. With workers that depends on time.
    iterator = iter(disks("interleave", None, purity="stateful"))
    assert values(iterator, 3) == [0, 10, 1]
    state = json.loads(json.dumps(iterator.state_dict()))
    iterator.close()
    monkeypatch.setattr(DiskOperator, "set_state", refuse)
    resumed = iter(disks("interleave", workers))
    if workers is None:
        with pytest.raises(StateError):
            resumed.load_state_dict(state)
        return
    resumed.load_state_dict(state)
    found: list[Any] = []
    while len(found) < 30:
        try:
            found.append(int(next(resumed)))
        except StopIteration:
            break
        except (OSError, StateError) as error:
            found.append(type(error))
    # The state is one element after where it begins: that was of a dataset that was refused, and none else is left out.
    assert state["taken"] == 1
    assert found == [StateError, StateError, 20, FileNotFoundError, 21, 22, 40, 23, 41, 42, 43]
