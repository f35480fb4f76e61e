"""`from_generator` in odd corners: what may be returned, what fits a signature, errors, endings, buffers used again."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock import UNKNOWN_CARDINALITY, Dataset, TensorSpec
from penstock.ends.run import prepare
from penstock.engine.run import RunContext
from penstock.errors import DataLossError, SpecError
from penstock.readers import generator
from tests.corners import Yielding, outcomes, values

SECONDS = 30.0
"""Longer than anything takes, so that a test that would hang fails instead."""


@pytest.mark.parametrize("made", [[1, 2], (1, 2), np.array([1, 2]), range(1, 3), {1: "a", 2: "b"}], ids=repr)
def test_anything_iterable_may_be_returned(made: Any) -> None:
    assert values(Dataset.from_generator(lambda: made)) == [1, 2]


def test_an_iterator_class_of_the_users_own() -> None:
    class Countdown:
        def __init__(self) -> None:
            self.left = 2

        def __iter__(self) -> Countdown:
            return self

        def __next__(self) -> int:
            if not self.left:
                raise StopIteration
            self.left -= 1
            return self.left

    assert values(Dataset.from_generator(Countdown).repeat(2)) == [1, 0, 1, 0]


def test_nothing_is_called_when_the_dataset_is_made() -> None:
    source = Yielding(1, 2)
    ds = Dataset.from_generator(source)
    assert (ds.cardinality(), source.calls) == (UNKNOWN_CARDINALITY, 0)
    repr(ds)
    assert source.calls == 0
    assert values(ds) == values(ds) == [1, 2]
    assert (source.calls, source.ended) == (2, 2)


def test_one_element_is_taken_for_one_that_is_asked_for() -> None:
    source = Yielding(*range(100))
    iterator = iter(Dataset.from_generator(source))
    for given in range(1, 5):
        next(iterator)
        assert source.given == given


def test_args_come_as_values_of_numpy() -> None:
    def made(*args: Any) -> Any:
        return [f"{type(arg).__name__}" for arg in args]

    assert values(Dataset.from_generator(made, args=(3, [1, 2], "t"))) == ["int64", "ndarray", "str"]


def test_args_that_are_no_tuple_are_refused_at_the_call() -> None:
    with pytest.raises(TypeError, match=r"^from_generator\(\): args must be a tuple, but is 3; write args=\(3,\)"):
        Dataset.from_generator(range, args=3)


def raises_in_the_middle() -> Any:
    yield 1
    yield 2
    raise OSError("gone")


def test_an_error_in_the_middle_comes_after_everything_before_it_and_ends_that_epoch() -> None:
    ds = Dataset.from_generator(raises_in_the_middle)
    assert outcomes(ds) == [1, 2, OSError]
    assert outcomes(ds.repeat(2)) == [1, 2, OSError] * 2
    assert outcomes(ds.batch(2)) == [[1, 2], OSError]


def test_its_note_names_the_generator_the_line_that_added_it_and_the_element() -> None:
    with pytest.raises(OSError, match="gone") as raised:
        list(Dataset.from_generator(raises_in_the_middle))
    (note,) = raised.value.__notes__
    assert "in from_generator(raises_in_the_middle)" in note
    assert f"{__file__}:" in note
    assert note.endswith("element 2")


@pytest.mark.parametrize("made", [3, None, object()], ids=["int", "None", "object"])
def test_a_result_that_cannot_be_iterated_over(made: Any) -> None:
    with pytest.raises(
        TypeError, match=r"from_generator\(\): .* returned a \w+, which cannot be iterated over; return"
    ):
        list(Dataset.from_generator(lambda: made))


@pytest.mark.parametrize("wrong", [[1, 2], 3, (n for n in (1, 2))], ids=["list", "int", "generator"])
def test_what_cannot_be_called_is_refused_at_the_call(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"^from_generator\(\): generator must be a function, but is"):
        Dataset.from_generator(wrong)


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        (
            {"output_signature": np.int32},
            "output_signature holds <class 'numpy.int32'>; put a TensorSpec in each place",
        ),
        ({"output_signature": TensorSpec(()), "output_types": np.int32}, "not both"),
        ({"output_shapes": ()}, "output_shapes needs output_types too"),
        ({"output_types": [np.int32]}, "output_types is a list; use a tuple"),
        ({"output_types": np.int32, "output_shapes": [[1]]}, "output_shapes is [[1]]; write a shape"),
        ({"output_types": (np.int32, str), "output_shapes": ((),)}, "1 output_shapes for 2 output_types"),
    ],
    ids=str,
)
def test_wrong_signatures_are_refused_at_the_call(keywords: Any, text: str) -> None:
    with pytest.raises(TypeError, match=r"^from_generator\(\): ") as raised:
        Dataset.from_generator(lambda: [1], **keywords)
    assert text in str(raised.value)


def test_elements_take_the_declared_dtypes() -> None:
    ds = Dataset.from_generator(
        lambda: [(1, 2, "a")], output_signature=(TensorSpec((), "int8"), TensorSpec((), "float32"), TensorSpec((), str))
    )
    (element,) = list(ds)
    assert [type(part) for part in element] == [np.int8, np.float32, str]
    listed = Dataset.from_generator(lambda: [(1, 2)], output_signature=TensorSpec((2,), "int64"))
    assert values(listed) == [[1, 2]]


def test_the_older_types_and_shapes() -> None:
    ds = Dataset.from_generator(lambda: [(1, [2.0])], (np.int32, np.float32), ((), (None,)))
    assert ds.element_spec == (TensorSpec((), "int32"), TensorSpec((None,), "float32"))
    assert values(ds) == [(1, [2.0])]
    assert Dataset.from_generator(lambda: [1], np.int32).element_spec == TensorSpec(None, "int32")


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (("a", 2), "component[0]"),
        ((np.zeros(2), 2), "component[0] is TensorSpec((2,), int64), but output_signature says TensorSpec((), int64)"),
        ((1j, 2), "complex128, but output_signature says int64"),
        ((1, 2, 3), "structure (*, *, *), not (*, *)"),
        ({"a": 1}, "structure {'a': *}, not (*, *)"),
        (None, "yielded None"),
    ],
    ids=str,
)
def test_an_element_that_does_not_fit_costs_itself_only(bad: Any, text: str) -> None:
    signature = (TensorSpec((), "int64"), TensorSpec((), "int64"))
    ds = Dataset.from_generator(lambda: [(0, 1), bad, (2, 3)], output_signature=signature)
    assert outcomes(ds) == [(0, 1), SpecError, (2, 3)]
    with pytest.raises(SpecError, match=r"^from_generator\(\): ") as raised:
        list(ds)
    assert text in str(raised.value)
    assert raised.value.__notes__[0].endswith("element 1")


def test_without_a_signature_the_first_element_gives_the_structure() -> None:
    assert outcomes(Dataset.from_generator(lambda: [1, (2, 3), 4])) == [1, SpecError, 4]
    assert values(Dataset.from_generator(lambda: [[1], [2, 3]])) == [[1], [2, 3]]


def test_a_generator_may_fill_one_buffer_again_and_again() -> None:
    def fills() -> Any:
        buffer = np.zeros(2)
        for n in range(6):
            buffer[:] = n
            yield buffer

    expected = [[float(n), float(n)] for n in range(6)]
    ds = Dataset.from_generator(fills)
    assert [element.tolist() for element in list(ds)] == expected
    assert values(ds.batch(6)) == [expected]
    assert sorted(values(ds.shuffle(4, seed=1))) == expected
    assert values(ds.prefetch(3)) == expected
    assert values(ds.cache().repeat(2)) == expected * 2


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_writing_into_what_comes_of_it_changes_nothing_of_the_generators_own(rows: int) -> None:
    own = np.full(2, 255.0)
    ds = Dataset.from_generator(lambda: [own] * 200)

    def scaled(element: Any) -> Any:
        element /= 255
        return element

    assert values(ds.map(scaled)) == [[1.0, 1.0]] * 200
    for batch in ds.batch(rows):
        batch[:] = 0
    assert own.tolist() == [255.0, 255.0]


def test_a_generator_that_raises_when_it_is_closed_keeps_no_other_from_being_closed() -> None:
    closed = []

    def numbers(name: str) -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(name)
            raise OSError(f"{name} cannot be closed")

    parts = [Dataset.from_generator(numbers, args=(name,)) for name in ("first", "second")]
    elements = iter(Dataset.zip(*parts))
    next(elements)
    with pytest.warns(
        RuntimeWarning, match=r"closing the generator in from_generator\(.*numbers\), .* raised OSError"
    ) as told:
        elements.close()
    assert closed == ["first", "second"]
    assert len(told) == 2


def test_a_generator_that_runs_in_another_thread_is_left_to_it() -> None:
    began, goes_on = threading.Event(), threading.Event()

    def waits() -> Iterator[int]:
        began.set()
        goes_on.wait(SECONDS)
        yield 1

    elements = iter(Dataset.from_generator(waits))
    reader = threading.Thread(target=lambda: list(elements))
    reader.start()
    assert began.wait(SECONDS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        elements.close()
    goes_on.set()
    reader.join(SECONDS)
    assert not reader.is_alive()


@pytest.mark.parametrize("left", [0, 1, 3])
@pytest.mark.parametrize("behind", [lambda ds: ds, lambda ds: ds.prefetch(2), lambda ds: ds.batch(1)])
def test_a_generator_that_gives_less_than_when_the_state_was_saved_is_an_error(
    behind: Callable[[Dataset[Any]], Dataset[Any]], left: int, tmp_path: Path
) -> None:
    path = tmp_path / "lines"
    path.write_text("a\n" * 8)
    ds = behind(Dataset.from_generator(lambda: path.read_text().splitlines()))
    with iter(ds) as elements:
        values([next(elements) for _ in range(4)])
        state = elements.state_dict()
    path.write_text("a\n" * left)
    with iter(ds) as elements:
        elements.load_state_dict(state)
        with pytest.raises(DataLossError, match="has its data changed"):
            next(elements)
        assert values(elements) == []


def test_a_generator_that_gives_just_what_it_had_given_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("a\n" * 8)
    elements = iter(Dataset.from_generator(lambda: path.read_text().splitlines()))
    values([next(elements) for _ in range(4)])
    state = elements.state_dict()
    path.write_text("a\n" * 4)
    elements.load_state_dict(state)
    assert values(elements) == []


@pytest.mark.parametrize(("longest_wait", "lengths"), [(0.0, [1, 1, 1, 1]), (SECONDS, [4])])
def test_a_row_that_has_come_does_not_wait_long_for_the_next(
    longest_wait: float, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "_LONGEST_WAIT_SECONDS", longest_wait)
    operator = Dataset.from_generator(lambda: range(4))._node.open(RunContext(prepare))
    found = []
    while (block := operator.next_block(9)) is not None:
        found.append(block.rows)
    assert found == lengths
