from __future__ import annotations

import os
import pickle
from typing import Any

import numpy as np
import pytest
import tokenizers

from penstock import AUTOTUNE, Dataset, Options, text
from penstock.node import Purity
from penstock.text import libraries
from penstock.vectorize.purity import judge
from tests.text.tokenizers_at_hand import LINES, hugging_face, tiktoken_encoding

MAKERS = [hugging_face, tiktoken_encoding]
MANY = LINES * 4


def ids_of(tokenizer: Any, line: str) -> list[int]:
    """What the library says."""
    found = tokenizer.encode(line)
    return found if isinstance(found, list) else found.ids


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("settings", [{}, {"num_parallel_calls": AUTOTUNE}, {"vectorize": False}])
def test_ids_are_those_of_the_library(maker: Any, settings: dict[str, Any]) -> None:
    tokenizer = maker()
    ds = Dataset.from_list(MANY).map(text.tokenize(tokenizer), **settings)
    found = list(ds)
    assert [ids.tolist() for ids in found] == [ids_of(tokenizer, line) for line in MANY]
    assert {ids.dtype for ids in found} == {np.dtype(np.int32)}
    assert ds[2].tolist() == found[2].tolist()
    said = ds.explain()
    assert ("by its own form for many rows" in said) == ("vectorize" not in settings)
    assert ("in threads: its function is known to compute without the GIL" in said) == (
        "num_parallel_calls" in settings
    )


@pytest.mark.parametrize("maker", MAKERS)
def test_mask_on_request(maker: Any) -> None:
    tokenizer = maker()
    if maker is hugging_face:
        tokenizer.enable_padding(length=24, pad_id=2)
        tokenizer.enable_truncation(24)
    ds = Dataset.from_list(MANY).map(text.tokenize(tokenizer, attention_mask=True))
    for row, line in zip(ds, MANY, strict=True):
        wanted = ids_of(tokenizer, line)
        assert row["ids"].tolist() == wanted
        assert row["attention_mask"].tolist() == [int(maker is tiktoken_encoding or token != 2) for token in wanted]
        assert row["attention_mask"].dtype == np.int32
    assert "by its own form for many rows" in ds.explain()


def test_special_tokens_are_left_out_on_request() -> None:
    tokenizer = hugging_face()
    ds = Dataset.from_list(MANY).map(text.tokenize(tokenizer, add_special_tokens=False))
    assert [ids.tolist() for ids in ds] == [ids_of(tokenizer, line)[1:-1] for line in MANY]


def test_names_of_special_tokens_are_text_to_tiktoken() -> None:
    assert text.tokenize(tiktoken_encoding())("<|end|>").tolist() == list(b"<|end|>")


def test_whole_blocks_are_tokenized_together_in_one_thread() -> None:
    seen: list[tuple[int, str | None]] = []

    class Watched:
        """Stands for the tokenizer, and sees how it is called."""

        def encode_batch_fast(self, lines: list[str], **options: Any) -> Any:
            seen.append((len(lines), os.environ.get(libraries.PARALLELISM)))
            return hugging_face().encode_batch_fast(lines, **options)

    function = text.tokenize(hugging_face())
    function._backend._tokenizer = Watched()
    before = os.environ.get(libraries.PARALLELISM)
    assert len(function.for_rows(MANY)) == len(MANY)
    assert seen == [(len(MANY), before or "false")]
    assert os.environ.get(libraries.PARALLELISM) == before


def test_a_setting_of_the_user_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(libraries.PARALLELISM, "true")
    with libraries.one_thread():
        assert os.environ[libraries.PARALLELISM] == "true"
    monkeypatch.delenv(libraries.PARALLELISM)
    with libraries.one_thread(), libraries.one_thread():
        assert os.environ[libraries.PARALLELISM] == "false"
    assert libraries.PARALLELISM not in os.environ


@pytest.mark.parametrize("maker", MAKERS)
def test_tokenizers_travel_to_processes(maker: Any) -> None:
    function = text.tokenize(maker(), attention_mask=True)
    again = pickle.loads(pickle.dumps(function))
    assert again("low lower")["ids"].tolist() == function("low lower")["ids"].tolist()
    assert again.identity() == function.identity()


def test_in_processes_they_give_the_same() -> None:
    function = text.tokenize(hugging_face())
    ds = Dataset.from_list(LINES).map(function, num_parallel_calls=2, executor="process")
    assert [ids.tolist() for ids in ds] == [function(line).tolist() for line in LINES]


def test_an_element_that_is_no_text_is_an_error_in_its_place() -> None:
    ds = Dataset.range(800).map(lambda n: b"bytes" if n == 700 else f"line {n}").map(text.tokenize(hugging_face()))
    with iter(ds) as elements:
        for _ in range(700):
            next(elements)
        with pytest.raises(TypeError, match=r"takes a text, but was given b'bytes' \(bytes\); decode bytes with"):
            next(elements)
        assert len(list(elements)) == 99


def test_states_go_on_in_the_middle_of_a_block() -> None:
    ds = (
        Dataset.from_list(MANY).map(text.clean).map(text.tokenize(hugging_face()), num_parallel_calls=2).padded_batch(7)
    )
    whole = [batch.tolist() for batch in ds]
    with iter(ds) as elements:
        for _ in range(50):
            next(elements)
        state = elements.state_dict()
    with iter(ds) as other:
        other.load_state_dict(state)
        assert [batch.tolist() for batch in other] == whole[50:]


def test_another_tokenizer_is_another_pipeline() -> None:
    other = hugging_face()
    other.add_tokens(["fox"])
    identities = {
        text.tokenize(tokenizer, add_special_tokens=add).identity()
        for tokenizer in (hugging_face(), hugging_face(), other)
        for add in (True, False)
    }
    assert len(identities) == 4
    assert text.tokenize(tiktoken_encoding()).identity() == text.tokenize(tiktoken_encoding()).identity()


def test_a_file_of_another_tokenizer_is_refused(tmp_path: Any) -> None:
    from penstock.errors import CacheError

    other = hugging_face()
    other.add_tokens(["fox"])
    lines = Dataset.from_list(LINES)
    list(lines.map(text.tokenize(hugging_face())).cache(tmp_path / "ids"))
    assert len(list(lines.map(text.tokenize(hugging_face())).cache(tmp_path / "ids"))) == len(LINES)
    with pytest.raises(CacheError):
        list(lines.map(text.tokenize(other)).cache(tmp_path / "ids"))


def test_it_is_pure() -> None:
    function = text.tokenize(hugging_face())
    assert judge(function).purity is Purity.PURE
    assert judge(function).lets_go_of_gil
    assert judge(lambda row: function(text.clean(row["text"]))).purity is Purity.PURE


def test_objects_that_hold_a_tokenizer() -> None:
    class FastTokenizer:
        backend_tokenizer = hugging_face()

    assert text.tokenize(FastTokenizer())("low").tolist() == ids_of(hugging_face(), "low")


def test_what_is_no_tokenizer() -> None:
    with pytest.raises(
        TypeError, match=r"must be a tokenizers.Tokenizer or a tiktoken Encoding, but is 'gpt2' \(str\)"
    ):
        text.tokenize("gpt2")
    padding = hugging_face()
    padding.enable_padding()
    with pytest.raises(ValueError, match=r"pads to the longest text of a batch.*no_padding\(\)"):
        text.tokenize(padding)


def test_neither_library_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'neither is installed; pip install "penstock\[text\]"'):
        text.tokenize(object())
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"text.train_bpe\(\) needs tokenizers, which is not installed; pip install"):
        text.train_bpe(Dataset.from_list(["a"]), 300)


def test_trained_tokenizers_know_every_text() -> None:
    lines = ["to be or not to be", "that is the question"] * 5
    tokenizer = text.train_bpe(Dataset.from_list(lines), vocab_size=280, special_tokens=["<end>"])
    assert isinstance(tokenizer, tokenizers.Tokenizer)
    assert tokenizer.get_vocab_size() <= 280
    assert tokenizer.token_to_id("<end>") == 0
    assert len(tokenizer.encode("to be or").ids) < len("to be or")
    for unseen in ("\u65e5\u672c\u8a9e \x00 \U0001f98a", " two  spaces", ""):
        assert tokenizer.decode(tokenizer.encode(unseen).ids) == unseen
    rare = text.train_bpe(Dataset.from_list(lines), vocab_size=280, min_count=100)
    assert rare.get_vocab_size() == 256


@pytest.mark.parametrize("budget", [1, None])
def test_training_keeps_to_the_budget_of_cores(budget: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(libraries.PARALLELISM, raising=False)
    monkeypatch.setattr(libraries, "usable_cores", lambda: 2)
    seen: list[str | None] = []

    def lines() -> Any:
        seen.append(os.environ.get(libraries.PARALLELISM))
        yield "a b"

    ds = Dataset.from_generator(lines).with_options(Options(cpu_budget=budget))
    text.train_bpe(ds, 300)
    assert seen == ["false" if budget else None]


@pytest.mark.parametrize(
    ("ds", "size", "error", "message"),
    [
        (
            Dataset.from_list(["a"]),
            200,
            ValueError,
            "vocab_size must be at least 256, but is 200; all bytes are tokens",
        ),
        (Dataset.from_list(["a"]).repeat(), 300, ValueError, r"the dataset is endless; take\(\) as many"),
        (Dataset.range(3), 300, TypeError, r"element 0 is .*0.* but must be a text; map it first"),
    ],
)
def test_training_says_what_is_wrong(ds: Any, size: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        text.train_bpe(ds, size)
