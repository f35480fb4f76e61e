"""What travels to a worker process and back: steps, elements, errors."""

import collections
import dataclasses
import functools
import gc
import re
import sys
import threading
from typing import Any

import numpy as np
import pytest

from penstock import Dataset, SparseTensor, tree
from penstock.block import Block, block_from_elements
from penstock.columns import Objects
from penstock.engine import processes, transport
from penstock.engine.portable import detached, portable
from penstock.errors import SpecError
from tests.engine.calling_step import Step, mapped, run
from tests.engine.platforms import on_posix

pytestmark = on_posix


@pytest.fixture
def worker():
    borrowed = processes.borrow()
    yield borrowed
    processes.give_back(borrowed)


@pytest.fixture(scope="module", autouse=True)
def close_all():
    yield
    processes.close_all()


def test_lambdas_closures_and_local_classes_travel(worker):
    @dataclasses.dataclass
    class Pair:
        left: int
        right: int

    offset = 10

    def add(x):
        return Pair(x + offset, offset)

    (first, second) = run(worker, add, [1, 2])
    assert type(first) is Pair
    assert (first.left, second.left, second.right) == (11, 12, 10)
    assert Pair(1, 2).left == 1
    assert run(worker, lambda pair: pair.left * 2, [first, second]) == [22, 24]


@pytest.mark.parametrize("keys", ["ab", "ba"])
def test_dicts_of_the_same_keys_keep_each_its_order(worker, keys):
    for order in (keys, keys[::-1]):
        assert run(worker, lambda element: "".join(element), [dict.fromkeys(order, 1)]) == [order]


def test_named_tuples_and_nested_structures_come_back(worker):
    Point = collections.namedtuple("Point", "x y")
    (found,) = run(worker, lambda n: {"p": Point(n, (n, str(n))), "b": b"\x00"}, [7])
    assert found == {"p": Point(7, (7, "7")), "b": b"\x00"}
    assert type(found["p"]) is Point


VALUES = {
    "numbers": [1, 2, 3],
    "text": ["a", "", "ä€"],
    "bytes": [b"a", b"", b"\xff"],
    "images": [np.full((60, 70, 3), n, np.uint8) for n in range(3)],
    "varlen": [np.arange(n * 1000) for n in range(3)],
    "sparse": [SparseTensor([[n]], [n], (9,)) for n in range(3)],
    "ragged images": [np.full((20 * n + 20, 90 - n), n, np.float32) for n in range(3)],
    "words": [np.array(["a", "bc"], object), np.array(["d", "e"], object), np.array(["", "f"], object)],
    "objects": [range(3), range(2), range(1)],
    "dates": [np.datetime64("2020-01-01"), np.datetime64("2021-01-01"), np.datetime64("NaT", "D")],
    "large numbers": [2**70, 1, 2**71],
    "nested": [(n, {"a": np.arange(n)}) for n in range(3)],
}


@pytest.mark.parametrize("shares_memory", [True, False])
@pytest.mark.parametrize("name", VALUES)
def test_every_kind_of_column_travels_both_ways(name, shares_memory, monkeypatch):
    worker = processes.borrow()
    # The worker keeps its own way: both take what comes either way.
    monkeypatch.setattr(transport, "_SHARED_FROM_BYTES", 1 if shares_memory else 1 << 40)
    block = block_from_elements(VALUES[name])
    for part in (block, block.slice(1, 3)):
        result = worker.call(Step(lambda block: block), part, 0, 0)
        assert result.treedef == part.treedef
        assert list(map(type, result.columns)) == list(map(type, part.columns))
        for before, after in zip(part.columns, result.columns, strict=True):
            assert after.spec() == before.spec()
        for before, after in zip(part.elements(), result.elements(), strict=True):
            leaves = zip(tree.flatten(before)[0], tree.flatten(after)[0], strict=True)
            for one, other in leaves:
                if isinstance(one, SparseTensor):
                    one, other = one.to_dense(), other.to_dense()
                np.testing.assert_array_equal(other, one)
        assert result.fresh == (not any(isinstance(column, Objects) for column in result.columns))
    processes.give_back(worker)


def test_only_the_rows_of_a_slice_travel(worker):
    elements = [np.arange(n, n + 5 + n % 2) for n in range(1000)]
    part = block_from_elements(elements).slice(500, 502)
    sizes = worker.call(Step(lambda block: block_from_elements([len(block.columns[0].array)])), part, 0, 0)
    assert list(sizes.elements()) == [11]


def test_results_are_writable_and_stay_what_they_are(worker):
    step = Step(lambda block: block)
    kept = [worker.call(step, block_from_elements([np.full(50_000, n)] * 2), 0, 0) for n in range(30)]
    for n, block in enumerate(kept):
        (array,) = (column.array for column in block.columns)
        assert array.flags.writeable
        assert (array == n).all()
        array[:] = -1
    assert worker.call(step, block_from_elements([1]), 0, 0).rows == 1


def test_what_a_function_keeps_of_its_elements_is_not_overwritten(worker):
    kept = []

    def keep(block):
        kept.append(block.columns[0].array)
        return block_from_elements([tuple(int(array.max()) for array in kept[:3])])

    step = Step(keep)
    for n in range(6):
        found = worker.call(step, block_from_elements([np.full(50_000, n)] * 2), 0, 0)
    assert list(found.elements()) == [(0, 1, 2)]


def test_errors_stand_in_their_rows_with_notes_and_replay(worker):
    ds = Dataset.range(3)
    block = worker.call(mapped(lambda x: 1 // int(x)), block_from_elements([1, 0, 2]), 0, 5)
    assert list(block.errors) == [1]
    error = block.errors[1]
    assert type(error) is ZeroDivisionError
    notes = "\n".join(error.__notes__)
    assert "element 6" in notes
    assert "traceback in worker process" in notes
    assert "lambda x: 1 // int(x)" in notes
    assert error.__traceback__ is None
    with pytest.raises(ZeroDivisionError):
        ds.replay(error)


def test_the_replay_calls_the_function_of_this_process(worker):
    calls = []

    def fails(x):
        calls.append(x)
        raise ValueError(x)

    error = worker.call(mapped(fails), block_from_elements([4]), 0, 0).errors[0]
    assert calls == []
    with pytest.raises(ValueError):
        Dataset.range(1).replay(error)
    assert calls == [4]


def test_the_replay_of_a_random_function_draws_the_same(worker):
    def fails(x, rng):
        raise ValueError(int(rng.integers(1 << 40)))

    node = Dataset.range(3).random_map(fails, seed=1)._node
    block = block_from_elements([1, 2])
    errors = worker.call(node, block, 0, 0).errors
    expected = {error.args for error in errors.values()}
    assert len(expected) == 2
    for error in errors.values():
        for _ in range(2):
            with pytest.raises(ValueError) as again:
                Dataset.range(1).replay(error)
            assert again.value.args == error.args


def test_errors_of_earlier_steps_do_not_travel(worker):
    class Unpicklable(Exception):
        def __reduce__(self):
            raise TypeError

    first, second = Unpicklable(), Unpicklable()
    block = block_from_elements([1, 2, 3])
    block = Block(block.treedef, block.columns, 3, {0: first, 2: second})
    result = worker.call(mapped(lambda x: x * 10), block, 0, 0)
    assert result.errors == {0: first, 2: second}
    assert result.element(1) == 20
    nothing = worker.call(mapped(lambda x: x), Block(None, (), 1, {0: first}), 0, 0)
    assert nothing.treedef is None
    assert nothing.errors == {0: first}


class TwoArguments(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")
        self.one = one


class OneKeyword(Exception):
    def __new__(cls, *, said):
        return super().__new__(cls)

    def __init__(self, *, said):
        super().__init__()


class Unsayable(Exception):
    def __str__(self):
        raise TypeError("there are no words")


def raising(make):
    def fails(x):
        raise make()

    return fails


def make_with_lock():
    error = KeyError("key")
    error.lock = threading.Lock()
    return error


def make_chained():
    try:
        try:
            raise OSError(2, "gone", "file")
        except OSError as error:
            raise ValueError("above") from error
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: TwoArguments(1, 2), TwoArguments, "1 and 2"),
        (lambda: OSError(2, "gone", "file"), FileNotFoundError, "[Errno 2] gone: 'file'"),
        (lambda: UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), UnicodeDecodeError, None),
        (lambda: ValueError(threading.Lock()), ValueError, None),
        (make_with_lock, KeyError, "'key'"),
        (lambda: SpecError("no"), SpecError, "no"),
        (lambda: ExceptionGroup("several", [ValueError(1)]), ExceptionGroup, "several (1 sub-exception)"),
        (lambda: OneKeyword(said=3), OneKeyword, ""),
        (lambda: Unsayable(3), Unsayable, None),
    ],
)
def test_exceptions_keep_type_and_text(worker, make, kind, text):
    error = worker.call(mapped(raising(make)), block_from_elements([1]), 0, 0).errors[0]
    assert type(error) is kind
    assert text is None or str(error) == text
    assert error.penstock_replay.row.element(0) == 1


def test_a_group_keeps_its_members_whatever_they_hold(worker):
    def make():
        inner = ExceptionGroup("inner", [ValueError(threading.Lock()), TwoArguments(1, 2)])
        inner.exceptions[1].add_note("a note")
        return ExceptionGroup("outer", [inner, make_chained()])

    error = worker.call(mapped(raising(make)), block_from_elements([1]), 0, 0).errors[0]
    inner, chained = error.exceptions
    assert [type(each) for each in (error, inner, *inner.exceptions)] == [
        *(ExceptionGroup, ExceptionGroup, ValueError, TwoArguments)
    ]
    assert inner.exceptions[1].__notes__[0] == "a note"
    assert type(chained.__cause__) is FileNotFoundError
    assert "make_chained" in chained.__notes__[0]
    assert error.subgroup(TwoArguments).exceptions[0].exceptions == (inner.exceptions[1],)


def test_exceptions_keep_their_causes(worker):
    error = worker.call(mapped(raising(make_chained)), block_from_elements([1]), 0, 0).errors[0]
    assert type(error) is ValueError
    assert type(error.__cause__) is FileNotFoundError
    assert error.__cause__.filename == "file"
    assert error.__suppress_context__


def test_a_local_exception_is_caught_by_its_class(worker):
    class Mine(Exception):
        def told(self):
            return self.args

    before = Mine.told

    def fails(x):
        raise Mine(1)

    error = worker.call(mapped(fails), block_from_elements([1]), 0, 0).errors[0]
    assert type(error) is Mine
    # The class that comes back is the one that went, and was not written into.
    assert Mine.told is before


def test_what_a_step_raises_itself_travels_back(worker):
    def fails(block):
        try:
            raise KeyError(1)
        except KeyError:
            sys.exit(3)

    with pytest.raises(SystemExit) as raised:
        worker.call(Step(fails), block_from_elements([1]), 0, 0)
    assert raised.value.code == 3
    assert type(raised.value.__context__) is KeyError
    assert "sys.exit(3)" in "\n".join(raised.value.__notes__)
    assert run(worker, lambda x: x + 1, [1]) == [2]


def test_a_step_that_cannot_be_pickled_says_what_to_do(worker):
    lock = threading.Lock()

    def locked(x):
        with lock:
            return x

    with pytest.raises(TypeError, match=r"map\(.*locked\).*'lock' \(a lock\).*executor='thread'"):
        run(worker, locked, [1])
    assert run(worker, lambda x: x + 1, [1]) == [2]


def test_an_element_that_cannot_be_pickled_says_what_to_do(worker):
    block = Block(tree.LEAF, [Objects.from_rows([threading.Lock()])], 1)
    with pytest.raises(TypeError, match=r"element cannot be sent.*executor='thread'"):
        worker.call(mapped(lambda x: x), block, 0, 0)
    assert run(worker, lambda x: x + 1, [1]) == [2]


def test_results_that_cannot_be_pickled_are_errors_of_their_rows():
    def locked(n):
        return {"lock": threading.Lock() if n in (1, 3) else int(n)}

    ds = Dataset.range(5).map(locked, num_parallel_calls=2, executor="process")
    iterator = iter(ds)
    found: list[Any] = []
    for _ in range(5):
        try:
            found.append(next(iterator))
        except TypeError as error:
            found.append(error)
    failed = found[1], found[3]
    assert found == [{"lock": 0}, failed[0], {"lock": 2}, failed[1], {"lock": 4}]
    for n, error in zip((1, 3), failed, strict=True):
        assert f"element {n} cannot be sent from a worker process" in str(error)
        assert "executor='thread'" in str(error)
        assert any("map(" in note and "added at" in note for note in error.__notes__)


def test_a_step_that_cannot_be_loaded_is_an_error_each_time(worker):
    class Broken:
        def __reduce__(self):
            return (int, ("no number",))

        def __call__(self, x):
            return x

    step = mapped(Broken())
    for _ in range(2):
        with pytest.raises(ValueError, match="no number"):
            worker.call(step, block_from_elements([1]), 0, 0)


def test_the_data_of_a_source_does_not_travel():
    ds = Dataset.from_tensor_slices(np.zeros(10_000_000)).map(lambda x: x + 1, num_parallel_calls=2)
    alone = detached(ds._node)
    assert not alone.inputs[0].inputs
    assert len(portable(ds._node).pickled) < 5_000


def test_a_step_is_pickled_once_and_not_kept():
    pickles = []

    class Counted:
        def __reduce__(self):
            pickles.append(1)
            return Counted, ()

        def __call__(self, x):
            return x

    step = mapped(Counted(), vectorize=False)
    workers = [processes.borrow() for _ in range(2)]
    for worker in workers * 2:
        worker.call(step, block_from_elements([1]), 0, 0)
    del worker
    assert len(pickles) == 1
    for each in workers:
        processes.give_back(each)
    gc.collect()
    before = portable(step)
    assert len(pickles) == 2
    del before


def test_a_worker_knows_a_step_again_and_forgets_old_ones(worker):
    steps = [mapped(lambda x, n=n: x + n) for n in range(10)]
    for _ in range(2):
        for n, step in enumerate(steps):
            assert list(worker.call(step, block_from_elements([1]), 0, 0).elements()) == [1 + n]
    key = portable(steps[-1]).key
    assert key in worker._known
    assert len(worker._known) <= 4


def test_places_travel_as_numbers_and_as_arrays(worker):
    class Places(Step):
        def apply(self, block, context, epochs, indices):
            return block_from_elements([(np.asarray(epochs), np.asarray(indices))])

    block = block_from_elements([1, 2])
    ((epochs, indices),) = worker.call(Places(None), block, 3, 7).elements()
    assert (epochs, indices) == (3, 7)
    given = np.array([1, 2], np.uint64), np.array([5, 9])
    ((epochs, indices),) = worker.call(Places(None), block, *given).elements()
    assert (epochs.tolist(), indices.tolist()) == ([1, 2], [5, 9])


def with_locks():
    """Functions, by what in them cannot be pickled; local ones, since those of modules travel by name."""
    lock = threading.Lock()

    class Guarded:
        def __init__(self):
            self.guard = lock

        def __call__(self, n):
            return n if self.guard else None

    guarded = Guarded()

    def with_lock(n):
        return n if lock else calls_another(n)

    def calls_another(n):
        return with_lock(n)

    def with_argument(own, n):
        return n if own else None

    return {
        "the variable 'lock' (a lock)": with_lock,
        "the default of 'own' (a lock)": lambda n, own=lock: n if own else None,
        "the argument '0' (a lock)": functools.partial(with_argument, lock),
        "the argument 'own' (a lock)": functools.partial(lambda n, own: n if own else None, own=lock),
        "the attribute 'guard' (a lock)": guarded,
        "the variable 'lock' (a lock) of 'with_lock'": calls_another,
        "the attribute 'guard' (a lock) of 'guarded'": lambda n: guarded(n),
    }


@pytest.mark.parametrize("told", with_locks())
def test_what_cannot_be_pickled_is_named(told):
    function = with_locks()[told]
    for ds in (
        Dataset.range(4).map(function, num_parallel_calls=2, executor="process"),
        Dataset.range(4).map(function).prefetch(2, executor="process"),
    ):
        with pytest.raises(TypeError, match=re.escape(f", since {told} cannot be pickled")):
            list(ds)


def test_an_open_file_does_not_travel_as_a_copy_that_each_process_reads_anew(tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_text("0\n1\n2\n3\n")
    with path.open() as file:
        ds = Dataset.range(4).map(lambda n: int(file.readline()), num_parallel_calls=2, executor="process")
        with pytest.raises(TypeError, match=r"the variable 'file' \(a TextIOWrapper\) cannot be pickled"):
            list(ds)
