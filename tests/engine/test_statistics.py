"""Statistics of a run: exact counts, times by a clock that only the test moves, and the sentence made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from penstock import AUTOTUNE, Dataset
from penstock.block import Block, block_from_elements
from penstock.engine import measured
from penstock.engine.measured import Measure, MeasuredOperator, PlanMeasures
from penstock.engine.report import verdict
from penstock.engine.statistics import OperatorStatistics, QueueStatistics, Statistics
from penstock.faults import FaultCounts
from penstock.node import Operator, State
from tests.corners import Counting, Yielding, failing_at, outcomes, values


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def takes(self, seconds: float) -> Callable[[Any], Any]:
        """A function for `map` that takes so long."""

        def slow(element: Any) -> Any:
            self.now += seconds
            return element

        return slow

    def generator(self, count: int, seconds: float) -> Callable[[], Iterator[int]]:
        def slow_source() -> Iterator[int]:
            for number in range(count):
                self.now += seconds
                yield number

        return slow_source

    def reads(self, iterator: Any, step_seconds: float) -> None:
        """A loop whose step takes so long."""
        for _ in iterator:
            self.now += step_seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(measured, "perf_counter", found)
    return found


def counts(iterator: Any) -> list[tuple[str, int]]:
    return [(step.label.split("(")[0], step.elements) for step in iterator.stats()]


def five() -> Dataset[Any]:
    return Dataset.from_generator(Yielding(*range(5)))


TWICE = Dataset.from_generator(Yielding(0, 1, 2)).map(Counting())

COUNTS: dict[str, tuple[Dataset[Any], list[tuple[str, int]]]] = {
    "batch": (five().map(Counting()).batch(2), [("from_generator", 5), ("map", 5), ("batch", 3)]),
    "dropped remainder": (five().batch(2, drop_remainder=True), [("from_generator", 5), ("batch", 2)]),
    "filter": (five().filter(lambda n: n > 2), [("from_generator", 5), ("filter", 2)]),
    "take": (five().take(3), [("from_generator", 3), ("take", 3)]),
    "skip": (five().skip(3), [("from_generator", 5), ("skip", 2)]),
    "opened anew": (five().repeat(3), [("from_generator", 15), ("repeat", 15)]),
    "unbatch": (five().batch(2).unbatch(), [("from_generator", 5), ("batch", 3), ("unbatch", 5)]),
    "zip": (
        Dataset.zip(five().take(2), five().skip(1)),
        [("from_generator", 2), ("take", 2), ("from_generator", 3), ("skip", 2), ("zip", 2)],
    ),
    "one dataset twice": (
        Dataset.zip(TWICE.skip(1), TWICE),
        [("from_generator", 3), ("map", 3), ("skip", 2), ("from_generator", 2), ("map", 2), ("zip", 2)],
    ),
    "concatenate": (five().concatenate(five()), [("from_generator", 5), ("from_generator", 5), ("concatenate", 10)]),
    "flat_map": (five().flat_map(lambda n: Dataset.range(n)), [("from_generator", 5), ("flat_map", 10)]),
    "prefetch": (five().prefetch(2).map(Counting()), [("from_generator", 5), ("prefetch", 5), ("map", 5)]),
    "by index": (Dataset.range(5).shuffle(5, seed=1).take(4), [("range", 4)]),
    "empty": (five().take(0), [("from_generator", 0), ("take", 0)]),
}


@pytest.mark.parametrize("name", COUNTS)
def test_elements_of_each_step(name: str) -> None:
    ds, expected = COUNTS[name]
    iterator = iter(ds)
    number = sum(1 for _ in iterator)
    assert counts(iterator) == expected
    assert iterator.stats().elements == number == iterator.stats()[-1].elements


def test_they_are_there_before_while_and_after_iterating() -> None:
    iterator = iter(five().map(Counting()).batch(2))
    assert counts(iterator) == [("from_generator", 0), ("map", 0), ("batch", 0)]
    next(iterator)
    assert counts(iterator) == [("from_generator", 2), ("map", 2), ("batch", 1)]
    iterator.close()
    assert counts(iterator) == [("from_generator", 2), ("map", 2), ("batch", 1)]


def test_a_loaded_state_begins_them_anew() -> None:
    ds = five().map(Counting())
    iterator = iter(ds)
    values(iterator, 2)
    state = iterator.state_dict()
    iterator.load_state_dict(state)
    assert counts(iterator) == [("from_generator", 0), ("map", 0)]
    assert values(iterator) == [2, 3, 4]
    # The one before the state is computed again, since a generator cannot go to a place.
    assert counts(iterator) == [("from_generator", 4), ("map", 4)]


def test_blocks_and_bytes(clock: Clock) -> None:
    iterator = iter(
        Dataset.from_generator(Yielding(*range(6))).batch(2).map(lambda n: n.astype("int8"), purity="stateful")
    )
    list(iterator)
    assert [(step.blocks, step.bytes) for step in iterator.stats()] == [(3, 48), (3, 48), (3, 6)]


def test_bytes_that_were_not_counted_are_like_the_others() -> None:
    measure = Measure(None)
    measure.tally.blocks, measure.counted_elements, measure.counted_bytes = 1000, 10, 45
    assert measure.num_bytes() == 4500


def test_counting_bytes_takes_a_thousandth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(measured, "perf_counter", clock)
    looked = 0

    def num_bytes(self: Block) -> int:
        nonlocal looked
        looked += 1
        clock.now += 0.25
        return 8 * self.rows

    monkeypatch.setattr(Block, "num_bytes", property(num_bytes))
    measure = Measure(None)
    operator = MeasuredOperator(_Blocks(clock, 1.0), measure)
    for _ in range(1024):
        operator.next_block(1)
    # The first block, and another once a quarter of a second is a thousandth.
    assert looked == 5
    assert measure.num_bytes() == 8 * 1024


class _Blocks:
    """Any number of rows, each block after so many seconds."""

    def __init__(
        self, clock: Clock, seconds: float, queue: QueueStatistics | None = None, source: Operator | None = None
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._source = source
        if queue is not None:
            self.queue_statistics = lambda: queue

    def next_block(self, rows: int) -> Block:
        if self._source is not None:
            self._source.next_block(rows)
        self._clock.now += self._seconds
        return block_from_elements([np.int64(0)] * rows)

    def get_state(self) -> State:
        return None

    def set_state(self, state: State) -> None:
        self._clock.now += self._seconds

    def close(self) -> None:
        pass


def test_time_is_that_of_the_step_that_took_it(clock: Clock) -> None:
    ds = Dataset.from_generator(clock.generator(6, 1.0)).map(clock.takes(2.0)).batch(2).map(clock.takes(0.5))
    iterator = iter(ds)
    clock.reads(iterator, 4.0)
    stats = iterator.stats()
    assert [step.busy_seconds for step in stats] == [6.0, 12.0, 0.0, 1.5]
    assert [step.waited_for_input_seconds for step in stats] == [0.0, 6.0, 18.0, 18.0]
    assert (stats.waited_seconds, stats.step_seconds) == (19.5, 12.0)


def test_time_of_a_step_that_stands_twice(clock: Clock) -> None:
    source = Dataset.from_generator(clock.generator(3, 1.0))
    iterator = iter(Dataset.zip(source.map(clock.takes(2.0)), source.map(clock.takes(4.0))))
    list(iterator)
    assert [step.busy_seconds for step in iterator.stats()] == [3.0, 6.0, 3.0, 12.0, 0.0]


def test_time_of_what_an_error_broke_off_counts(clock: Clock) -> None:
    def fails(number: Any) -> Any:
        clock.now += 2.0
        raise KeyboardInterrupt

    iterator = iter(Dataset.from_generator(clock.generator(3, 1.0)).map(fails))
    with pytest.raises(KeyboardInterrupt):
        next(iterator)
    assert [step.busy_seconds for step in iterator.stats()] == [1.0, 2.0]


def test_time_of_restoring_is_not_the_loops(clock: Clock) -> None:
    measures = PlanMeasures(Dataset.range(3)._node)
    measure = measures.reader.below(Dataset.range(3)._node)
    assert measure is not None
    operator = MeasuredOperator(_Blocks(clock, 2.0), measure)
    operator.set_state(None)
    assert measure.all_seconds() == 2.0
    assert measure.seconds == 0.0


def test_steps_below_a_thread_run_in_that(clock: Clock) -> None:
    seen = Counting(clock.takes(2.0))
    iterator = iter(five().map(seen).prefetch(2).map(Counting()).batch(5).prefetch(1))
    list(iterator)
    stats = iterator.stats()
    assert [step.thread for step in stats] == [2, 2, 1, 1, 1, 0]
    assert stats[1].busy_seconds == 10.0
    assert [step.queue_capacity for step in stats] == [None, None, 2, None, None, 1]
    assert [step.queue_filled for step in stats] == [None, None, 0, None, None, 0]
    assert stats[5].busy_seconds == stats[2].busy_seconds == 0.0


def test_the_queues_of_operators_one_after_another_add_up(clock: Clock) -> None:
    measure = Measure(None)
    for seconds in (1.0, 2.0):
        queue = QueueStatistics(4, 1, seconds, 10 * seconds, 100 * seconds, workers=2)
        operator = MeasuredOperator(_Blocks(clock, 1.0, queue), measure)
        operator.next_block(1)
        operator.close()
        operator.close()
    running = MeasuredOperator(_Blocks(clock, 1.0, QueueStatistics(8, 3, 4.0, 40.0, 400.0, workers=3)), measure)
    assert measure.queue() == QueueStatistics(8, 3, 7.0, 70.0, 700.0, workers=3)
    running.close()
    assert measure.queue() == QueueStatistics(8, 3, 7.0, 70.0, 700.0, workers=3)


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (QueueStatistics(4, 1, 1.0, 0.0, 10.0, workers=2), (10.0, 5.0)),
        (QueueStatistics(4, 1, 1.0, 0.0, 10.0, workers=0), (15.0, 0.0)),
        (QueueStatistics(4, 1, 1.0, 0.0, input_has_thread=True), (0.0, 0.0)),
    ],
    ids=["workers", "none left", "a thread for its input"],
)
def test_what_the_reader_of_workers_does_itself_is_counted(
    clock: Clock, queue: QueueStatistics, expected: tuple[float, float]
) -> None:
    plan = five().map(Counting())._node
    measures = PlanMeasures(plan)
    measure = measures.reader.below(plan)
    assert measure is not None
    below = measure.below(plan.inputs[0])
    assert below is not None
    source = MeasuredOperator(_Blocks(clock, 2.0), below)
    operator = MeasuredOperator(_Blocks(clock, 6.0, queue, source), measure)
    operator.next_block(1)
    step = measures.statistics()[0][-1]
    assert (step.busy_seconds, step.reader_busy_seconds) == expected
    operator.close()


def test_a_step_that_came_to_need_no_workers_is_busy_in_its_reader_alone(clock: Clock) -> None:
    ds: Any = five().map(clock.takes(2.0), num_parallel_calls=2)
    ds._node.settings.pace.way = "inline"
    iterator = iter(ds)
    clock.reads(iterator, 1.0)
    step = iterator.stats()[-1]
    assert (step.workers, step.busy_seconds, step.reader_busy_seconds) == (0, pytest.approx(10.0), 0.0)
    assert "AUTOTUNE instead" not in iterator.report()


def test_threads_that_read_datasets_are_counted_after_the_end_too() -> None:
    def three(n: Any) -> Dataset[Any]:
        return Dataset.from_generator(lambda: iter([n] * 3))

    iterator = iter(Dataset.range(6).interleave(three, cycle_length=2, num_parallel_calls=2))
    next(iterator)
    assert iterator.stats()[1].workers
    assert len(list(iterator)) == 17
    assert iterator.stats()[1].workers


def test_errors_stand_in_every_step_that_hands_them_on() -> None:
    iterator = iter(five().map(Counting(failing_at(1, 3))).filter(lambda n: n >= 0))
    assert outcomes(iterator) == [0, KeyError, 20, KeyError, 40]
    assert [step.errors for step in iterator.stats()] == [0, 2, 2]
    assert str(iterator.stats()).splitlines()[2].endswith("2 errors")


def test_faults_are_those_of_this_iterator() -> None:
    class Node:
        faults = FaultCounts()

    Node.faults.add(skipped=3, retried=1)
    measure = Measure(Node())
    assert measure.faults() == {}
    Node.faults.add(skipped=2, quarantined=1)
    assert measure.faults() == {"skipped": 2, "quarantined": 1}


def test_a_long_plan_is_measured_at_its_last_fifty_steps(clock: Clock) -> None:
    ds = Dataset.from_generator(clock.generator(2, 1.0))
    for _ in range(70):
        ds = ds.take(2).filter(lambda n: True)
    iterator = iter(ds)
    list(iterator)
    stats = iterator.stats()
    assert len(stats) == 50
    assert stats[0].busy_seconds == stats.waited_seconds == 2.0


def test_the_table() -> None:
    stats = Statistics(
        (
            OperatorStatistics("from_generator(read)", 5000, 5000, 40000, 1.25, 0.0, thread=1),
            OperatorStatistics(
                "prefetch()", 5000, 500, 40000, 0.0, 0.5, 0.125, queue_capacity=4, queue_filled=3, faults={"skipped": 2}
            ),
        ),
        5000,
        0.5,
        2.0,
    )
    assert str(stats).splitlines() == [
        "step                  elements  blocks   bytes  busy s  input s  output s  thread  workers  queue     errors",
        "from_generator(read)     5,000   5,000  40,000   1.250    0.000                 1",
        "prefetch()               5,000     500  40,000   0.000    0.500     0.125       0             3/4  2 skipped",
        "the loop got 5,000 elements, waited 0.500 s for them and took 2.000 s of its own",
    ]


def test_as_a_json_tree() -> None:
    iterator = iter(five().batch(5))
    list(iterator)
    stats = iterator.stats()
    told = json.loads(json.dumps(stats.as_dict()))
    assert [step["label"] for step in told["operators"]] == [step.label for step in stats]
    assert told["elements"] == 1
    assert stats[1].as_dict() == stats.as_dict()["operators"][1]


READS: dict[str, tuple[float, float, float, str]] = {
    "slow map": (
        *(0.0, 8.0, 1.0),
        "the loader is the bottleneck: the training step waits for it 89% of the time, most of all for map(slow), "
        "which is busy 89% of the time; write num_parallel_calls=AUTOTUNE in map(slow), and prefetch(AUTOTUNE) as the "
        "last step",
    ),
    "nothing but reading": (
        *(9.0, 1.0, 0.01),
        "the loader is the bottleneck: the training step waits for it 100% of the time, most of all for "
        "from_generator(Clock.generator.<locals>.slow_source), which is busy 90% of the time; read several such "
        "sources at once, with interleave(..., num_parallel_calls=AUTOTUNE)",
    ),
    "taking turns": (
        *(1.0, 3.0, 9.0),
        "the training step is the bottleneck, but the loader works in the same thread and takes 31% of the time; write "
        "prefetch(AUTOTUNE) as the last step, so that both go on at once",
    ),
    "slow step": (
        *(0.0, 0.1, 9.0),
        "the training step is the bottleneck: it waits for the loader only 1.1% of the time",
    ),
}


@pytest.mark.parametrize("name", READS)
def test_the_sentence_about_a_loop(clock: Clock, name: str) -> None:
    source_seconds, map_seconds, step_seconds, sentence = READS[name]
    slow = clock.takes(map_seconds)
    iterator = iter(Dataset.from_generator(clock.generator(10, source_seconds)).map(slow))
    slow.__qualname__ = "slow"
    clock.reads(iterator, step_seconds)
    assert iterator.report() == sentence


def test_the_sentence_before_there_is_anything_to_say(clock: Clock) -> None:
    iterator = iter(five())
    assert iterator.report().startswith("nothing to report yet")
    next(iterator)
    assert iterator.report().startswith("nothing to report yet")


def told(ds: Dataset[Any], steps: list[dict[str, Any]], waited: float, own: float) -> str:
    """The sentence about statistics that are made up."""
    _, nodes = PlanMeasures(ds._node).statistics()
    assert len(nodes) == len(steps)
    operators = tuple(OperatorStatistics(f"step {number}", **step) for number, step in enumerate(steps))
    return verdict(Statistics(operators, 100, waited, own), nodes)


def test_the_thread_that_is_busiest_in_all_holds_the_others_up() -> None:
    ds = five().map(Counting()).prefetch(1).map(Counting())
    one_slow_step = [{"busy_seconds": 1.0, "thread": 1}, {"busy_seconds": 4.0, "thread": 1}, {}, {"busy_seconds": 3.0}]
    assert "most of all for step 1, which is busy 40%" in told(ds, one_slow_step, 6.0, 4.0)
    two_in_another = [{"busy_seconds": 3.5, "thread": 1}, {"busy_seconds": 3.0, "thread": 1}, {}, {"busy_seconds": 4.0}]
    assert "most of all for step 0, which is busy 35%" in told(ds, two_in_another, 6.0, 4.0)


def test_workers_that_rest_during_the_step_are_to_go_on() -> None:
    for calls in (4, AUTOTUNE):
        resting = five().map(Counting(), num_parallel_calls=calls)
        assert told(resting, [{}, {"busy_seconds": 20.0, "workers": 4}], 4.6, 5.4) == (
            "the loader is the bottleneck: the training step waits for it 46% of the time, most of all for step 1, "
            "which is busy 50% of the time in each of 4 workers; write prefetch(AUTOTUNE) as the last step, so that "
            "its workers go on during the training step"
        )
    elsewhere = five().map(Counting(), num_parallel_calls=4).prefetch(1)
    steps: list[dict[str, Any]] = [{"thread": 1}, {"busy_seconds": 20.0, "workers": 4, "thread": 1}, {}]
    assert told(elsewhere, steps, 4.6, 5.4).endswith("write num_parallel_calls=AUTOTUNE instead of 4 there")


def test_a_step_with_workers_is_as_busy_as_each_of_them() -> None:
    ds = five().map(Counting(), num_parallel_calls=4).map(Counting())
    enough = [{}, {"busy_seconds": 8.0, "workers": 4}, {"busy_seconds": 3.0}]
    assert "most of all for step 2, which is busy 30% of the time; write num_par" in told(ds, enough, 6.0, 4.0)
    too_few = [{}, {"busy_seconds": 36.0, "workers": 4}, {"busy_seconds": 3.0}]
    assert told(ds, too_few, 6.0, 4.0) == (
        "the loader is the bottleneck: the training step waits for it 60% of the time, most of all for step 1, which "
        "is busy 90% of the time in each of 4 workers; write num_parallel_calls=AUTOTUNE instead of 4 there"
    )


def test_workers_whose_rows_are_not_taken_as_quickly_need_no_others() -> None:
    ds = five().map(Counting(), num_parallel_calls=4).map(Counting())
    steps: list[dict[str, Any]] = [
        {},
        {"busy_seconds": 20.0, "workers": 4, "reader_busy_seconds": 6.0},
        {"busy_seconds": 1.0},
    ]
    assert told(ds, steps, 9.8, 0.2) == (
        "the loader is the bottleneck: the training step waits for it 98% of the time, most of all for step 1, which "
        "is busy 60% of the time in the thread that takes rows from its workers; more workers would not help: let them "
        "hand on fewer and larger elements, such as batches"
    )


def test_a_column_tells_what_readers_of_workers_do() -> None:
    steps = (OperatorStatistics("a"), OperatorStatistics("b", busy_seconds=2.0, workers=2, reader_busy_seconds=0.5))
    columns, *lines = str(Statistics(steps)).splitlines()
    assert columns.endswith("reader s")
    assert lines[1].endswith("0.500")


def test_where_blocks_are_quick_some_are_timed_and_stand_for_those_before_them(clock: Clock) -> None:
    ds = Dataset.from_generator(clock.generator(1701, 0.00001)).map(clock.takes(0.00002))
    iterator = iter(ds)
    clock.reads(iterator, 0.00004)
    stats = iterator.stats()
    assert [step.elements for step in stats] == [1701, 1701]
    # At most each 127th is timed; so up to 126 at the end are missing.
    assert [step.busy_seconds for step in stats] == pytest.approx([0.01701, 0.03402], rel=126 / 1701)
    assert stats.step_seconds == pytest.approx(0.06804, rel=126 / 1701)


def test_the_loop_s_own_waits_are_all_timed_however_seldom(clock: Clock) -> None:
    slow = clock.takes(1.0)
    ds = Dataset.from_generator(clock.generator(2000, 0.00001)).map(lambda n: slow(n) if n % 50 == 49 else n)
    iterator = iter(ds)
    clock.reads(iterator, 0.001)
    stats = iterator.stats()
    assert stats.waited_seconds == pytest.approx(40.02)
    assert stats.step_seconds == pytest.approx(2.0, abs=0.01)
    # The step below is known by samples, which are held to what the loop has seen.
    assert sum(step.busy_seconds for step in stats) == pytest.approx(40.02)


def test_blocks_that_become_slow_are_all_timed_again(clock: Clock) -> None:
    iterator = iter(
        Dataset.from_generator(clock.generator(1000, 0.00001)).map(lambda n: clock.takes(1.0 * (n >= 500))(n))
    )
    list(iterator)
    # The first slow one may stand for up to 126 quick ones before it.
    assert iterator.stats()[1].busy_seconds == pytest.approx(500, abs=126)
