"""Memory for batches: large buffers are used again, and only once nobody can reach them any more."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest

from penstock import Dataset
from penstock.memory import Allocator

FLOATS = np.dtype(np.float64)
LARGE = (512, 512)


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def test_a_large_buffer_comes_back_when_its_array_has_gone() -> None:
    allocator = Allocator()
    first = allocator.allocate(LARGE, FLOATS)
    place = address(first)
    del first
    assert address(allocator.allocate((512 * 512,), FLOATS)) == place


def test_two_users_never_share_one() -> None:
    allocator = Allocator()
    arrays = [allocator.allocate(LARGE, FLOATS) for _ in range(5)]
    for number, array in enumerate(arrays):
        array[:] = number
    assert [array[3, 3] for array in arrays] == [0, 1, 2, 3, 4]
    assert not any(np.shares_memory(a, b) for at, a in enumerate(arrays) for b in arrays[:at])


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[10:20],
        lambda a: a.T,
        lambda a: a.reshape(-1)[5:],
        lambda a: memoryview(a),
        lambda a: a.view(np.uint8),
    ],
    ids=["slice", "transpose", "reshape", "memoryview", "dtype"],
)
def test_any_view_keeps_it(view: Any) -> None:
    allocator = Allocator()
    array = allocator.allocate(LARGE, FLOATS)
    array[:] = 5
    kept = view(array)
    before = np.array(kept)
    del array
    gc.collect()
    for _ in range(3):
        allocator.allocate(LARGE, FLOATS)[:] = 9
    assert (np.array(kept) == before).all()


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((3,), FLOATS), ((0, 5), FLOATS), ((), FLOATS), ((300, 300), np.dtype(object)), (LARGE, FLOATS)],
)
def test_arrays_have_the_shape_and_dtype_that_were_asked_for_and_may_be_written(shape: Any, dtype: Any) -> None:
    array = Allocator().allocate(shape, dtype)
    assert (array.shape, array.dtype) == (shape, dtype)
    assert array.flags.writeable
    assert array.flags.c_contiguous
    assert type(array) is np.ndarray


def test_no_more_is_kept_than_a_few_buffers_of_a_few_sizes() -> None:
    allocator = Allocator()
    for _ in range(2):
        arrays = [allocator.allocate((rows, 1 << 10), FLOATS) for rows in range(130, 170) for _ in range(6)]
        del arrays
    assert len(allocator._free) <= 16
    assert all(len(free) <= 4 for free in allocator._free.values())


def test_a_batch_that_is_kept_is_never_written_over() -> None:
    ds = Dataset.range(8).map(lambda n: np.full((256, 600), n, np.float64)).batch(2)
    batches = list(ds)
    assert [batch[:, 0, 0].tolist() for batch in batches] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    part = next(iter(ds))[1, 5]
    assert [batch[0, 0, 0] for batch in ds] == [0, 2, 4, 6]
    assert (part == 1).all()


def test_batches_outlive_iterator_and_dataset() -> None:
    ds = Dataset.from_tensor_slices(np.ones((4, 256, 600))).batch(2)
    iterator = iter(ds)
    batch = next(iterator)
    iterator.close()
    del iterator, ds
    gc.collect()
    batch += 1
    assert (batch == 2).all()
