"""Whose memory it is: batches are the user's, single elements read-only, and nobody's source ever changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from penstock import Dataset, tree
from tests.corners import Counting, values

Rows = np.ndarray[Any, np.dtype[np.float64]]


def scaled(x: Any) -> Any:
    x /= 255
    return x


def _flat_map_of_kept_batches(ds: Dataset[Any]) -> Dataset[Any]:
    kept = ds.batch(2).cache()
    return Dataset.range(2).flat_map(lambda n: kept)


BATCHES: dict[str, Callable[[Dataset[Any]], Dataset[Any]]] = {
    "batch": lambda ds: ds.batch(2),
    "batch of one": lambda ds: ds.batch(1),
    "all in one": lambda ds: ds.batch(9),
    "stream": lambda ds: ds.filter(lambda x: True).batch(2),
    "same": lambda ds: ds.map(lambda x: x).batch(2),
    "same, per element": lambda ds: ds.map(lambda x: x, vectorize=False).batch(1),
    "same, with effects": lambda ds: ds.map(Counting()).batch(1),
    "a part": lambda ds: ds.batch(4).map(lambda b: b[:2]),
    "kept": lambda ds: ds.batch(2).map(lambda b: b),
    "kept, with effects": lambda ds: ds.batch(2).map(Counting()),
    "view": lambda ds: ds.map(lambda x: x.reshape(-1)[:]).batch(2),
    "unbatched": lambda ds: ds.batch(3).unbatch().batch(2),
    "twice": lambda ds: ds.batch(1).batch(2),
    "cached": lambda ds: ds.cache().batch(2),
    "cached batches": lambda ds: ds.batch(2).cache(),
    "shuffled batches": lambda ds: ds.batch(2).shuffle(2).repeat(2),
    "prefetched": lambda ds: ds.batch(2).prefetch(1),
    "concatenated": lambda ds: ds.batch(2).concatenate(ds.batch(4)),
    "skipped": lambda ds: ds.batch(2).skip(1),
    "flat_map": lambda ds: ds.flat_map(lambda x: Dataset.from_tensors(x)).batch(1),
    "map_batches": lambda ds: ds.map_batches(lambda b: b, 2).batch(2),
    "flat_map of batches": lambda ds: ds.batch(4).flat_map(lambda b: Dataset.from_tensor_slices(b).batch(1)),
    "flat_map of one batch": lambda ds: ds.batch(4).flat_map(Dataset.from_tensors),
    "flat_map of kept batches": _flat_map_of_kept_batches,
    "flat_map of batches, further steps": lambda ds: (
        ds.batch(4).flat_map(lambda b: Dataset.from_tensor_slices(b).batch(1)).map(lambda b: b).shuffle(3).take(9)
    ),
    "flat_map of a flat_map": lambda ds: Dataset.range(2).flat_map(lambda n: ds.flat_map(Dataset.from_tensors)),
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize(
    "source",
    [Dataset.from_tensor_slices, lambda rows: Dataset.from_list(list(rows)), lambda rows: Dataset.from_tensors(rows)],
    ids=["slices", "list", "tensors"],
)
def test_batches_may_be_written_into_and_change_nothing_else(name: str, source: Any) -> None:
    rows = np.full((4, 2), 255.0)
    ds = BATCHES[name](source(rows))
    for _ in range(2):
        for batch in ds:
            assert (batch == 255).all()
            batch[:] = 7
    assert (rows == 255).all()


@pytest.mark.parametrize("rows", [2, 300])
def test_batches_of_a_captured_constant_are_no_part_of_it(rows: int) -> None:
    constant = np.ones(2)
    for function in (lambda n: constant, Counting(lambda n: constant), lambda n: (constant, n)):
        for batch in Dataset.range(rows).map(function).batch(1):
            (batch[0] if isinstance(batch, tuple) else batch)[:] = 7
    assert constant.tolist() == [1, 1]


def test_components_of_one_batch_are_memory_of_their_own() -> None:
    rows = np.full((600, 2), 255.0)
    once = Dataset.from_tensor_slices(rows).batch(2)
    twins: list[Dataset[Any]] = [
        once.map(lambda b: (b, b)),
        once.map(Counting(lambda b: (b, b))),
        Dataset.zip(once, once),
        Dataset.from_tensor_slices(rows).map(lambda x: (x, x)).batch(2),
    ]
    for ds in twins:
        for left, right in ds:
            left[:] = 0
            assert (right == 255).all()


@pytest.mark.parametrize(
    "ds",
    [
        Dataset.from_tensor_slices(np.zeros((3, 2))),
        Dataset.from_tensors(np.zeros((3, 2))),
        Dataset.from_list([np.zeros(2), np.zeros(3)]),
        Dataset.from_list([np.zeros(2), np.zeros((3, 3))]),
        Dataset.from_generator(lambda: [np.zeros(2)]),
        Dataset.range(3).map(lambda n: np.zeros(2)),
        Dataset.from_tensor_slices(np.zeros((3, 2))).batch(2).unbatch(),
        Dataset.from_tensor_slices(np.zeros((3, 2))).cache(),
    ],
    ids=["slices", "tensors", "varlen", "objects", "generator", "map", "unbatch", "cache"],
)
def test_single_elements_are_read_only(ds: Dataset[Any]) -> None:
    for element in ds:
        with pytest.raises(ValueError, match="read-only"):
            element[0] = 1


def test_the_spec_of_a_flat_map_keeps_the_first_axis_unless_what_follows_makes_batches() -> None:
    ds = Dataset.range(2).flat_map(lambda n: Dataset.from_tensors(np.zeros((2, 3))))
    assert ds.element_spec.shape == ds.take(1).element_spec.shape == (2, 3)
    assert ds.batch(2).element_spec.shape == (None, 2, 3)
    assert Dataset.range(4).batch(2).map_batches(lambda b: b).element_spec.shape == (2,)


def test_what_a_flat_map_yields_is_read_only_for_as_numpy_iterator() -> None:
    for batch in Dataset.range(2).flat_map(lambda n: Dataset.range(4).batch(2)).as_numpy_iterator():
        with pytest.raises(ValueError, match="read-only"):
            batch[0] = 1


def test_elements_reached_by_index_and_head_follow_the_same_rules() -> None:
    rows = np.zeros((4, 2))
    ds = Dataset.from_tensor_slices(rows)
    with pytest.raises(ValueError, match="read-only"):
        ds[0][0] = 1
    with pytest.raises(ValueError, match="read-only"):
        ds.head(1)[0][0] = 1
    ds.batch(2)[0][:] = 7
    ds.batch(2).head(1)[0][:] = 7
    ds.batch(4).get_single_element()[:] = 7
    assert (rows == 0).all()


def into(x: Any) -> Any:
    np.multiply(x, 2, out=x)
    return x


def through_a_view(x: Any) -> Any:
    x.reshape(-1)[:1] += 1
    return x


def by_method(x: Any) -> Any:
    x.fill(3)
    x.sort()
    return x


def by_another_function(x: Any) -> Any:
    [scaled][0](x)
    np.copyto(x, 1)
    return x


def shuffled(x: Any) -> Any:
    np.random.shuffle(x)
    return x


class Adding:
    def __call__(self, x: Any) -> Any:
        x += 1
        return x


WRITERS = [scaled, into, through_a_view, by_method, by_another_function, Adding(), shuffled]
SOURCES: dict[str, Callable[[Rows], Dataset[Any]]] = {
    "slices": Dataset.from_tensor_slices,
    "list": lambda rows: Dataset.from_list(list(rows)),
    "objects": lambda rows: Dataset.from_list([rows[0], rows[1:3], *rows[3:]]),
    "shuffled objects": lambda rows: Dataset.from_list([rows[0], rows[1:3], *rows[3:]]).shuffle(9),
    "tensors": lambda rows: Dataset.from_tensors(rows).repeat(3),
    "generator": lambda rows: Dataset.from_generator(lambda: iter(rows)),
    "cache": lambda rows: Dataset.from_tensor_slices(rows).cache(),
    "batches": lambda rows: Dataset.from_tensor_slices(rows).batch(2),
    "constant": lambda rows: Dataset.range(3).map(lambda n: rows),
    "constants": lambda rows: Dataset.range(3).map(Counting(lambda n: rows[: int(n)])),
}


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: getattr(writer, "__name__", "object"))
@pytest.mark.parametrize("name", SOURCES)
def test_a_function_may_write_into_its_argument_and_never_changes_the_source(name: str, writer: Any) -> None:
    rows = np.full((4, 2), 255.0)
    rows[:, 1] = 100
    before = rows.copy()
    ds = SOURCES[name](rows)
    for _ in range(2):
        list(ds.map(writer))
        list(ds.map(writer).batch(1))
    assert (rows == before).all()


def test_what_it_wrote_is_what_comes_out() -> None:
    assert values(Dataset.from_tensor_slices(np.full((600, 2), 255.0)).map(scaled), 600) == [[1.0, 1.0]] * 600


def test_a_function_may_change_the_dict_that_it_gets() -> None:
    rows = {"x": np.full((2, 2), 255.0)}

    def changed(element: Any) -> Any:
        element["x"] /= 255
        element["y"] = element.pop("x")
        return element

    ds = Dataset.from_tensor_slices(rows).map(changed)
    assert values(ds) == values(ds) == [{"y": [1.0, 1.0]}] * 2
    assert list(rows) == ["x"]
    assert (rows["x"] == 255).all()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_function_may_fill_buffers_of_its_own_again_and_again(count: int) -> None:
    buffers = [np.zeros(2) for _ in range(count)]

    def fills(n: Any) -> Any:
        buffer = buffers[int(n) % count]
        buffer[:] = n
        return {"b": buffer, "n": n} if count == 3 else buffer

    expected = [[float(n)] * 2 for n in range(200)]
    ds = Dataset.range(200).map(fills)
    rows = [element["b"].tolist() if count == 3 else element.tolist() for element in list(ds)]
    assert rows == expected
    (batch,) = list(ds.batch(200))
    assert (batch["b"] if count == 3 else batch).tolist() == expected


IN_LISTS: dict[str, Any] = {
    "list": lambda buffer, n: [buffer, n],
    "list in a tuple": lambda buffer, n: ([buffer, buffer], n),
    "list in a dict": lambda buffer, n: {"b": [[buffer], [buffer]]},
}


@pytest.mark.parametrize("form", IN_LISTS)
def test_buffers_in_lists_may_be_filled_again_too(form: str) -> None:
    buffer = np.zeros(2)

    def fill(n: Any) -> Any:
        buffer[:] = n
        return IN_LISTS[form](buffer, n)

    (batch,) = Dataset.range(200).map(fill).batch(200)
    filled = tree.flatten(batch)[0][0]
    assert filled.reshape(200, -1)[:, 0].tolist() == list(range(200))


def test_so_may_the_list_itself() -> None:
    numbers = [0, 0]

    def fill(n: Any) -> Any:
        numbers[0] = int(n)
        return {"numbers": numbers}

    (batch,) = Dataset.range(200).map(fill).batch(200)
    assert batch["numbers"][:, 0].tolist() == list(range(200))
