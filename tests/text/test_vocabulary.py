from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock import Dataset, text

WORDS = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "dd", "<unk>", "\u65e5"]), max_size=6), min_size=1, max_size=6
)


def as_array(words: list[str]) -> Any:
    found = np.empty(len(words), object)
    found[:] = words
    return found


@given(WORDS, st.integers(1, 3), st.none() | st.integers(1, 7))
def test_words_by_frequency_then_alphabet(lines: list[list[str]], min_count: int, max_size: int | None) -> None:
    ds = Dataset.from_generator(lambda: map(as_array, lines))
    found = text.vocabulary(ds, min_count=min_count, max_size=max_size)
    counts = Counter(word for line in lines for word in line if word != "<unk>")
    wanted = [word for word in sorted(counts, key=lambda word: (-counts[word], word)) if counts[word] >= min_count]
    assert found.tokens == ("<unk>", *wanted)[:max_size]


def test_elements_may_be_words() -> None:
    found = text.vocabulary(Dataset.from_list(["b", "a", "b"]), special=["<pad>", "<unk>"])
    assert found.tokens == ("<pad>", "<unk>", "b", "a")
    assert len(found) == 4
    assert "b" in found
    assert "c" not in found


def test_lookup_and_inverse_are_each_others() -> None:
    words = text.Vocabulary(["<unk>", "to", "be"])
    asked = np.array([["to", "be"], ["or", "be"]], object)
    ids = words.lookup(asked)
    assert ids.dtype == np.int32
    assert ids.tolist() == [[1, 2], [0, 2]]
    assert words.inverse(ids).tolist() == [["to", "be"], ["<unk>", "be"]]
    assert words.inverse(1) == "to"
    assert words.lookup("be") == 2
    assert words.lookup([]).tolist() == []
    assert words.inverse([]).tolist() == []


@pytest.mark.parametrize("by", ["itself", "method", "lambda"])
def test_in_a_pipeline(by: str) -> None:
    words = text.Vocabulary(["<unk>", "to", "be"])
    function = {"itself": words, "method": words.lookup, "lambda": lambda line: words.lookup(line)}[by]
    ds = Dataset.from_list([as_array(["to"] * n) for n in range(1, 401)]).map(function)
    assert [len(ids) for ids in ds] == list(range(1, 401))
    assert ds[299].tolist() == [1] * 300


def test_saved_and_loaded_and_pickled(tmp_path: Path) -> None:
    words = text.Vocabulary(["\u65e5", "<oov>", 'q"'], unknown="<oov>")
    words.save(tmp_path / "words.json")
    for again in (text.Vocabulary.load(tmp_path / "words.json"), pickle.loads(pickle.dumps(words))):
        assert (again.tokens, again.unknown) == (words.tokens, "<oov>")
        assert again.lookup("x") == 1
        assert again.identity() == words.identity()


@pytest.mark.parametrize("content", ["[]", "{}", "nonsense", '{"version": 9, "tokens": [], "unknown": null}'])
def test_files_that_are_no_vocabulary(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(ValueError, match=r"Vocabulary.load\(\): .*other.json (is no vocabulary|has version 9)"):
        text.Vocabulary.load(tmp_path / "other.json")


def test_without_a_word_for_unknown_ones_they_are_errors() -> None:
    words = text.Vocabulary(["to", "be"], unknown=None)
    with pytest.raises(ValueError, match="'or' is no word of it, and there is none for unknown ones"):
        words.lookup(["to", "or"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: text.Vocabulary(["a", "a"], unknown=None), ValueError, "'a' is there twice"),
        (lambda: text.Vocabulary(["a"]), ValueError, "unknown='<unk>' is no word of it"),
        (lambda: text.Vocabulary([1], unknown=None), TypeError, "words must be texts, but one is 1"),
        (lambda: text.Vocabulary(["<unk>"]).inverse([1]), ValueError, "id 1 is not within the vocabulary, 0 to 0"),
        (lambda: text.Vocabulary(["<unk>"]).inverse([-1]), ValueError, "id -1 is not within the vocabulary"),
        (lambda: text.Vocabulary(["<unk>"]).inverse([0.5]), TypeError, "ids must be integers, but are float64"),
        (lambda: text.Vocabulary(["<unk>"]).lookup([b"a"]), TypeError, r"one is b'a' \(bytes\)"),
        (lambda: text.vocabulary(Dataset.range(3)), TypeError, r"words must be texts.*split lines with"),
        (lambda: text.vocabulary(Dataset.from_list(["a"]).repeat()), ValueError, "the dataset is endless"),
        (lambda: text.vocabulary(Dataset.from_list(["a"]), max_size=0), ValueError, "max_size must be at least 1"),
        (
            lambda: text.vocabulary(Dataset.from_list(["a"]), special=["<pad>"]),
            ValueError,
            "unknown='<unk>' is no word",
        ),
    ],
)
def test_what_is_wrong_is_said(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
