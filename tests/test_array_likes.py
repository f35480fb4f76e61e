"""What stands for an array without being one becomes that array, wherever elements come from."""

from __future__ import annotations

import array
import ctypes
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from penstock import Dataset, TensorSpec, errors
from penstock.spec import is_array_like

WAYS: dict[str, Callable[[Callable[[Any], Any]], Dataset[Any]]] = {
    "map": lambda make: Dataset.range(3).map(make),
    "map in processes": lambda make: Dataset.range(3).map(make, num_parallel_calls=1, executor="process"),
    "from_generator": lambda make: Dataset.from_generator(lambda: map(make, range(3))),
    "from_list": lambda make: Dataset.from_list([make(n) for n in range(3)]),
    "from_tensors": lambda make: Dataset.from_tensors(make(0)).concatenate(
        Dataset.from_tensors(make(1)).concatenate(Dataset.from_tensors(make(2)))
    ),
}


class Like:
    """An array for whoever asks for one."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self.values, dtype)


class Table(Like):
    """Columns with names, which one array has no place for."""

    columns = ("a", "b")


def image(n: Any) -> Any:
    return Image.new("RGB", (2, 3), (int(n), 0, 0))


LIKES: dict[str, Callable[[Any], Any]] = {
    "range": lambda n: range(n, n + 3),
    "empty range": lambda n: range(0),
    "array.array": lambda n: array.array("f", [n, 2]),
    "memoryview": lambda n: memoryview(np.full((2, 2), n, np.int16)),
    "bytearray": lambda n: bytearray([n, 1]),
    "ctypes": lambda n: (ctypes.c_int * 2)(int(n), 5),
    "__array__": lambda n: Like([n, n]),
    "one number": lambda n: Like(n),
    "text": lambda n: Like(["a", "bc"]),
}


@pytest.mark.parametrize("like", LIKES)
@pytest.mark.parametrize("way", WAYS)
def test_it_becomes_the_array_that_numpy_makes_of_it(way: str, like: str) -> None:
    make = LIKES[like]
    expected = [np.asarray(make(n)) for n in range(3)]
    wanted = {"empty range": np.dtype(np.int64), "text": np.dtype(object)}.get(like, expected[0].dtype)
    ds = WAYS[way](lambda n: make(int(n)))
    (batch,) = ds.batch(3)
    assert batch.dtype == wanted
    assert batch.tolist() == [array.tolist() for array in expected]
    assert ds.element_spec == TensorSpec(expected[0].shape, str if like == "text" else wanted)


def test_inside_structures_and_lists_it_does_too() -> None:
    ds = Dataset.range(2).map(lambda n: ({"pair": Like([n, n])}, [Like([0]), Like([n])]))
    ((one, pairs),) = ds.batch(2)
    assert one["pair"].tolist() == [[0, 0], [1, 1]]
    assert pairs.tolist() == [[[0], [0]], [[0], [1]]]


def test_images_stay_objects_on_which_the_next_function_may_call_methods() -> None:
    ds = Dataset.range(2).map(image).map(lambda made: np.asarray(made.resize((1, 1))))
    (batch,) = ds.batch(2)
    assert batch.tolist() == [[[[0, 0, 0]]], [[[1, 0, 0]]]]


@pytest.mark.parametrize(
    "signature", [None, TensorSpec((2,), "float64"), TensorSpec((2,), "float32")], ids=["no signature", "same", "other"]
)
def test_a_buffer_that_is_filled_anew_is_taken_as_it_was(signature: Any) -> None:
    buffer = array.array("d", [0, 0])

    def fill(n: Any) -> Any:
        buffer[0] = n
        return buffer

    expected = [[n, 0] for n in range(100)]
    generated = Dataset.from_generator(lambda: map(fill, range(100)), output_signature=signature)
    assert next(iter(generated.batch(100))).tolist() == expected
    assert next(iter(Dataset.range(100).map(fill).batch(100))).tolist() == expected
    assert buffer[0] == 99
    next(iter(Dataset.range(1).map(fill).batch(1)))[:] = 7
    assert buffer[0] == 0, "a batch is the user's own"


def test_tables_and_other_objects_stay_objects() -> None:
    for made in (Table([[1, 2]]), object(), 1 + 0j, "text", io.BytesIO(b"ab")):
        assert not is_array_like(made)
    table = Table([[1, 2]])
    (batch,) = Dataset.range(2).map(lambda n: table).batch(2)
    assert batch.tolist() == [table, table]
    assert Dataset.range(2).map(lambda n: table).element_spec == TensorSpec((), object)
    released = memoryview(b"ab")
    released.release()
    assert not is_array_like(released)


def test_what_cannot_become_one_is_an_error_in_its_place() -> None:
    class Broken(Like):
        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            raise OSError("truncated")

    iterator = iter(Dataset.range(3).map(lambda n: Broken([n]) if n == 1 else Like([n])))
    assert next(iterator).tolist() == [0]
    with pytest.raises(OSError, match="truncated") as told:
        next(iterator)
    assert "element 1" in told.value.__notes__[0]
    assert next(iterator).tolist() == [2]


def test_an_object_is_not_what_was_declared() -> None:
    ds = Dataset.from_generator(lambda: iter([range(3)]), output_signature=TensorSpec((2,), "int64"))
    with pytest.raises(errors.SpecError, match=r"TensorSpec\(\(3,\), int64\), but output_signature says"):
        next(iter(ds))


def test_likes_that_are_held_are_not_changed() -> None:
    held = Like(np.zeros(2))
    for batch in Dataset.from_list([held, held]).batch(1):
        batch += 1
    assert held.values.tolist() == [0, 0]
