"""What is shown of a component, and what a look at a dataset reads and finds."""

from __future__ import annotations

import threading
import warnings
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from penstock import Dataset, DatasetIterator, SparseTensor, image
from penstock.ends import look
from penstock.seen import Seen
from penstock.show.cards import cards_of
from penstock.show.parts import Numbers, Part, Picture, Table, Words, part_of

RNG = np.random.default_rng(0)


def places(ds: Dataset[Any], count: int) -> list[str]:
    return [seen.place for seen in look(ds, count).seen]


@pytest.mark.parametrize(
    ("value", "kind", "brief"),
    [
        ("a line\nand another", Words, "a line and another"),
        (b"caf\xc3\xa9", Words, "café"),
        (b"\xff\x00\x10", Words, "3 bytes: ff 00 10"),
        (b"BM is no bitmap here", Words, "BM is no bitmap here"),
        (np.str_("word"), Words, "word"),
        (np.float32(0.1), Words, "0.1"),
        (np.array(7), Words, "7"),
        (True, Words, "True"),
        (np.datetime64("2024-02-29"), Words, "2024-02-29"),
        ({1, 2}, Words, "{1, 2}"),
        ([[1, 2], [3]], Words, "[[1, 2], [3]]"),
        ([1, 2], Table, "[1 2]"),
        (np.array(["a", "b"], object), Table, "['a' 'b']"),
        (np.zeros((3, 4)), Table, "float64 array of shape (3, 4)"),
        (np.zeros(0), Table, "[]"),
        (np.arange(100), Numbers, "int64 array of shape (100,): 0 to 99, mean 49.5"),
        (np.full(100, np.nan), Numbers, "float64 array of shape (100,), 100 NaN or infinite"),
        (np.array([1.0] * 99 + [np.inf]), Numbers, "float64 array of shape (100,): 1 to 1, mean 1, 1 NaN or infinite"),
        (np.array([1e308] * 100), Numbers, "float64 array of shape (100,): 1e+308 to 1e+308, mean 1e+308"),
        (np.zeros((4, 4, 4)), Numbers, "float64 array of shape (4, 4, 4): 0 to 0, mean 0"),
        (np.zeros((16, 512), np.int64), Numbers, "int64 array of shape (16, 512): 0 to 0, mean 0"),
        (np.zeros((28, 28), np.uint8), Picture, "uint8 array of shape (28, 28)"),
        (np.zeros((28, 28, 3), np.float32), Picture, "float32 array of shape (28, 28, 3)"),
        (np.zeros((3, 28, 28), np.float32), Picture, "float32 array of shape (3, 28, 28)"),
        (np.zeros((28, 28, 7)), Numbers, "float64 array of shape (28, 28, 7): 0 to 0, mean 0"),
        (np.zeros((9, 16, 16, 3)), Picture, "float64 array of shape (9, 16, 16, 3), the first 8 drawn"),
        (np.zeros((2, 3, 16, 16)), Picture, "float64 array of shape (2, 3, 16, 16), the first 2 drawn"),
        (SparseTensor([[1]], [5], (3,)), Table, "[0 5 0]"),
        (SparseTensor([[1]], [5], (10**9,)), Words, "SparseTensor(shape=(1000000000,), dtype=int64, num_values=1)"),
        (np.arange(200) * 1j, Words, "complex128 array of shape (200,)"),
    ],
)  # fmt: skip
def test_each_value_is_shown_as_what_it_is(value: Any, kind: type[Part], brief: str) -> None:
    part = part_of(value)
    assert type(part) is kind
    assert part.brief == brief


def test_frames_stand_side_by_side() -> None:
    frames = RNG.random((3, 10, 12, 1))
    part = part_of(frames)
    assert isinstance(part, Picture)
    assert np.array_equal(part.array[:, 12:24], frames[1])
    channels_first = part_of(frames.transpose(0, 3, 1, 2))
    assert isinstance(channels_first, Picture)
    assert channels_first.array.shape == (1, 10, 36)


def test_encoded_images_are_decoded_and_broken_ones_say_so() -> None:
    pixels = RNG.integers(0, 256, (20, 30, 3), np.uint8)
    data = image.encode(pixels, "PNG")
    whole, broken = part_of(data), part_of(data[:-40])
    assert isinstance(whole, Picture)
    assert np.array_equal(whole.array, pixels)
    assert whole.brief == f"PNG, {len(data):,} bytes"
    assert isinstance(broken, Words)
    assert broken.text.startswith(f"{len(data) - 40:,} bytes: 89 50 4e 47")
    assert "a PNG image" in broken.remark


def test_long_text_is_cut_and_says_how_long_it_is() -> None:
    part = part_of("x" * 10_000)
    assert isinstance(part, Words)
    assert part.text.endswith("x… (10,000 characters)")
    assert len(part.brief) == 80


def test_a_table_has_the_numbers_of_each_row() -> None:
    part = part_of(np.array([[1.0, 2.25], [np.nan, 1 / 3]]))
    assert isinstance(part, Table)
    assert part.rows == [["1", "2.25"], ["nan", "0.3333"]]


@given(
    arrays.arrays(
        st.sampled_from([np.int8, np.uint64, np.float16, np.float64, np.complex64, np.bool_, "U3", "S2", "M8[s]"]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9),
    )
)
def test_any_array_is_shown(array: np.ndarray[Any, Any]) -> None:
    assert len(part_of(array).brief) < 200
    with warnings.catch_warnings():
        # What NumPy says when it converts halves that are no numbers is no concern of whoever looks at them.
        warnings.simplefilter("error")
        cards_of([Seen("element 0", array)])


def test_token_ids_are_decoded_but_not_what_goes_with_them() -> None:
    element = {"ids": np.array([5, 6], np.int32), "attention_mask": np.array([1, 1]), "scores": np.zeros(2)}
    parts = cards_of([Seen("element 0", element)], decode=lambda ids: "-".join(map(str, ids))).cards[0].parts
    assert parts["ids"] == Words("5-6", "5-6", "2 tokens: 5 6")
    assert isinstance(parts["attention_mask"], Table)
    assert isinstance(parts["scores"], Table)


def test_names_are_those_of_the_user_in_his_order() -> None:
    element = ({"z": 1, "a": {"left": 2}}, 3)
    cards = cards_of([Seen("element 0", element)])
    assert cards.names == ["[0].z", "[0].a.left", "[1]"]
    assert [part.brief for part in cards.cards[0].parts.values()] == ["1", "2", "3"]


def test_images_of_a_component_share_a_scale() -> None:
    seen = [Seen(str(n), {"x": np.full((8, 8), 3.0 * n), "y": np.zeros((8, 8), np.uint8)}) for n in range(3)]
    cards = cards_of(seen)
    drawn = [card.parts["x"] for card in cards.cards]
    assert [int(part.array[0, 0, 0]) for part in drawn if isinstance(part, Picture)] == [0, 128, 255]
    assert cards.notes == [
        "x: 8 x 8 pixels · float64, 0 to 6 (least and greatest) drawn as black to white",
        "y: 8 x 8 pixels · uint8, 0 to 255",
    ]


def test_a_look_reads_no_more_than_it_shows_and_starts_no_thread() -> None:
    threads: set[Any] = set()
    seen: list[int] = []

    def note(n: Any) -> Any:
        threads.add(threading.current_thread())
        seen.append(int(n))
        return n

    ds = Dataset.range(100).map(note, num_parallel_calls=4).prefetch(8)
    found = look(ds, 3)
    assert [int(one.element) for one in found.seen] == seen == [0, 1, 2]
    assert threads == {threading.current_thread()}
    assert found.summary == "100 elements"
    assert found.spec == "element: TensorSpec((), int64)"
    assert "map(" in found.plan


def test_a_look_counts_as_no_pass() -> None:
    ds = Dataset.range(20).shuffle(20, seed=1)
    look(ds, 5)
    assert list(ds) == list(Dataset.range(20).shuffle(20, seed=1))


def test_batches_are_unfolded_to_rows() -> None:
    seen: list[int] = []
    ds = Dataset.range(10).map(lambda n: seen.append(int(n)) or (n, np.ones(3) * n)).batch(4).prefetch(1)
    found = look(ds, 6)
    assert [one.place for one in found.seen] == [
        *(f"batch 0, row {row}" for row in range(4)),
        *(f"batch 1, row {row}" for row in range(2)),
    ]
    assert [int(one.element[0]) for one in found.seen] == list(range(6))
    assert found.seen[5].element[1].tolist() == [5, 5, 5]
    assert seen == list(range(8))
    assert found.spec == "[0]: TensorSpec((None,), int64)\n[1]: TensorSpec((None, 3), float64)"


@pytest.mark.parametrize(
    ("ds", "place"),
    [
        (Dataset.range(9).padded_batch(2), "batch 0, row 0"),
        (Dataset.range(9).batch(2).map(lambda x: x * 2), "batch 0, row 0"),
        (Dataset.range(9).batch(2).map(lambda x: x.sum()), "element 0"),
        (Dataset.range(9).batch(2).map(lambda x: (x, x.sum())), "element 0"),
        (Dataset.zip(Dataset.range(9).batch(2), Dataset.range(9).batch(2)), "batch 0, row 0"),
        (Dataset.zip(Dataset.range(9).batch(2), Dataset.range(9)), "element 0"),
        (Dataset.zip(Dataset.range(9).batch(2), Dataset.from_tensor_slices(np.zeros((9, 2)))), "element 0"),
        (Dataset.range(9).batch(2).unbatch(), "element 0"),
        (Dataset.from_tensor_slices(np.zeros((4, 2))), "element 0"),
        (Dataset.range(9).window(2), "element 0"),
    ],
)
def test_only_batches_are_unfolded(ds: Dataset[Any], place: str) -> None:
    assert places(ds, 1) == [place]


def fail_at_two(n: Any) -> Any:
    if n % 4 == 2:
        raise ValueError(f"no sound in {n}")
    return n


def test_an_error_stands_in_its_place_and_the_rest_follows() -> None:
    found = look(Dataset.range(10).map(fail_at_two), 4)
    assert [one.place for one in found.seen] == ["element 0", "element 1", "element 2", "element 3"]
    card = cards_of(found.seen).cards[2]
    assert card.error.startswith("ValueError: no sound in 2\nin map(fail_at_two), added at ")
    assert card.error.endswith(", element 2")
    assert "in fail_at_two" in card.trace
    assert "in __next__" not in card.trace
    assert places(Dataset.range(10).map(fail_at_two).batch(2), 4)[2:] == ["batch 1", "batch 2, row 0"]


def test_where_every_element_fails_there_is_a_card_for_each_and_no_spec() -> None:
    found = look(Dataset.range(3).map(lambda n: [][int(n)]), 10)
    assert len(found.seen) == 3
    assert all(isinstance(one.error, IndexError) for one in found.seen)
    assert found.spec == "unknown, as no element could be computed"


def test_a_source_that_breaks_off_is_one_error() -> None:
    def read() -> Any:
        yield 1
        raise OSError("gone")

    found = look(Dataset.from_generator(read), 10)
    assert [one.error is None for one in found.seen] == [True, False]


def test_where_it_cannot_go_on_there_is_one_error() -> None:
    skipping = Dataset.range(100).map(fail_at_two, on_error="skip", max_errors=1)
    assert [one.error is None for one in look(skipping, 100).seen] == [True] * 5 + [False]
    with patch.object(DatasetIterator, "_next_block", side_effect=OSError("no step runs")):
        assert len(look(Dataset.range(9), 9).seen) == 1


def test_a_notebook_shows_images() -> None:
    html = Dataset.from_tensors({"img": np.zeros((28, 28), np.uint8), "label": 3})._repr_html_()
    assert '<img class=small width=96 alt="uint8 array of shape (28, 28)" src="data:image/png;base64,' in html
    assert "<th>img</th><th>label</th>" in html
    assert "<td>3</td>" in html
