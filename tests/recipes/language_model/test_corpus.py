"""Text files looked through, cut into paragraphs and split."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from penstock.errors import DataLossError
from penstock.recipes.language_model import corpus
from penstock.recipes.language_model.corpus import TEST_EVERY, Corpus, look_through, write_topics


def corpus_of(folder: Path, content: str | bytes, name: str = "a.txt") -> Corpus:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return look_through([path])


class TestSplit:
    def test_every_twentieth_paragraph_is_for_testing_and_nothing_is_lost(self, tmp_path: Path) -> None:
        paragraphs = [f"paragraph {number}\n  goes on\n" + "\n" * (1 + number % 3) for number in range(50)]
        found = corpus_of(tmp_path, "".join(paragraphs))
        assert "".join(found.test_lines()) == paragraphs[1] + paragraphs[21] + paragraphs[41]
        left = [text for number, text in enumerate(paragraphs) if number % TEST_EVERY != 1]
        assert "".join(found.train_lines()) == "".join(left)

    def test_lines_without_an_empty_one_between_them_are_cut(self, tmp_path: Path) -> None:
        lines = [f"{number}\n" for number in range(1000)]
        found = corpus_of(tmp_path, "".join(lines))
        assert list(found.test_lines()) == lines[20:40] + lines[420:440] + lines[820:840]

    def test_paragraphs_are_counted_through_all_files(self, tmp_path: Path) -> None:
        for name in ("a", "b[1]"):  # Brackets are no pattern here.
            (tmp_path / f"{name}.txt").write_text(f"first of {name}\n\nsecond of {name}\n\n")
        found = look_through([tmp_path / "a.txt", tmp_path / "b[1].txt"])
        assert list(found.test_lines()) == ["second of a\n", "\n"]
        assert list(found.train_lines()) == ["first of a\n", "\n", "first of b[1]\n", "\n", "second of b[1]\n", "\n"]

    def test_lines_keep_their_indentation_and_lose_what_is_behind_them(self, tmp_path: Path) -> None:
        found = corpus_of(tmp_path, "\ufeff    if cafe\u0301: \t \r\n\tpass")
        assert list(found.train_lines()) == ["    if caf\u00e9:\n", "\tpass\n"]


class TestLookThrough:
    def test_hash_and_size_are_those_of_the_text_whatever_its_compression(self, tmp_path: Path) -> None:
        plain = corpus_of(tmp_path, "so much depends\n")
        packed = corpus_of(tmp_path, gzip.compress(b"so much depends\n"), "a.txt.gz")
        assert (packed.digest, packed.num_bytes) == (plain.digest, 16)
        assert list(packed.train_lines()) == list(plain.train_lines()) == ["so much depends\n"]
        assert corpus_of(tmp_path, "so much depends \n").digest != plain.digest

    def test_text_that_moves_from_one_file_to_the_next_is_another(self, tmp_path: Path) -> None:
        digests = set()
        for at in (1, 2):
            for name, content in (("a", "abc"[:at]), ("b", "abc"[at:])):
                (tmp_path / name).write_text(content)
            digests.add(look_through([tmp_path / "a", tmp_path / "b"]).digest)
        assert len(digests) == 2

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", r"a\.txt is empty"),
            (b"GIF89a\x00\x01", r"a\.txt is no text: byte 6 is zero"),
            (b"caf\xe9 au lait", r"a\.txt is no text in UTF-8: byte 3 is 0xe9"),
            ("naïve cafés and more".encode()[:11], r"byte 10 is 0xc3"),  # Cut within its last character.
        ],
    )
    @pytest.mark.parametrize("piece_bytes", [2, 1 << 20])
    def test_what_is_no_text_is_named_with_its_place(
        self, content: bytes, message: str, piece_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(corpus, "_READ_BYTES", piece_bytes)
        with pytest.raises((DataLossError, ValueError), match=message):
            corpus_of(tmp_path, content)

    def test_missing_file_folder_and_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="poem: there is no such file"):
            look_through([tmp_path / "poem"])
        with pytest.raises(IsADirectoryError, match=r"is a folder; name its files, such as .*\*\.txt"):
            look_through([tmp_path])
        with pytest.raises(ValueError, match="no file is named"):
            look_through([])

    def test_topics_of_python_are_text(self, tmp_path: Path) -> None:
        write_topics(tmp_path / "topics.txt")
        found = look_through([tmp_path / "topics.txt"])
        assert found.num_bytes > 300_000
        assert "lambda" in (tmp_path / "topics.txt").read_text()
