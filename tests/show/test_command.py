"""`penstock show`: what it writes, prints and opens."""

from __future__ import annotations

import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from penstock.commands.main import main
from penstock.image import libraries

PIPELINE = """
import numpy as np
from penstock import Dataset

seen = []

def picture(n):
    seen.append(int(n))
    return np.full((8, 8), 50, np.uint8), n

dataset = Dataset.range(1000).map(picture, num_parallel_calls=2).prefetch(4)
ids = Dataset.from_tensors(np.array([1, 0, 2, -100, -100]))
empty = Dataset.range(0)
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    path = tmp_path / "shown_pipeline.py"
    path.write_text(PIPELINE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield path.name
    sys.modules.pop("shown_pipeline", None)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages that a browser would show; there is a display."""
    found: list[str] = []
    monkeypatch.setattr(webbrowser, "open", found.append)
    monkeypatch.setenv("DISPLAY", ":0")
    return found


def test_a_page_is_written_opened_and_named(file: str, opened: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", file]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.parent == Path.cwd()
    assert path.read_text("utf-8").count("<section>") == 16
    assert opened == [path.as_uri()]


def test_where_there_is_no_display_the_path_must_do(
    file: str, opened: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert main(["show", file]) == 0
    assert Path(capsys.readouterr().out.strip()).is_file()
    assert opened == []


def test_a_picture_is_written_of_as_many_as_were_asked_for(
    file: str, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", f"{file}:dataset", "--count", "3", "--output", "sheet.png"]) == 0
    assert capsys.readouterr().out == "sheet.png\n"
    with Image.open("sheet.png") as sheet:
        shades = np.asarray(sheet)[..., 0]
    assert np.count_nonzero(shades == 50) >= 3 * 112 * 112
    assert sys.modules["shown_pipeline"].seen == [0, 1, 2]
    assert opened == []


def test_token_ids_are_decoded_by_a_tokenizer(file: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    words = {"hello": 0, "oh": 1, "world": 2}
    tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="oh")).save("words.json")
    assert main(["show", f"{file}:ids", "--tokenizer", "words.json", "--output", "page.html"]) == 0
    text = Path("page.html").read_text("utf-8")
    assert "<pre>oh hello world [-100 x 2]</pre>" in text
    assert "5 tokens: 1 0 2 -100 -100" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--count", "0"], "--count: '0' is no whole number of at least 1"),
        (["--count", "few"], "--count: 'few' is no whole number"),
        (["--output", "sheet.gif"], "'sheet.gif' is neither a page nor a picture; end it in .html or .png"),
    ],
)
def test_arguments_that_cannot_be(
    file: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["show", file, *words])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("empty", [], "shown_pipeline.py:empty has no elements; its plan:\nas written:\n  range("),
        ("nothing", [], "shown_pipeline.py has no name 'nothing'"),
        ("dataset", ["--tokenizer", "gone.json"], "--tokenizer: gone.json does not exist"),
        ("dataset", ["--output", "gone/sheet.png"], "No such file or directory: 'gone/sheet.png'"),
    ],
)
def test_errors_are_told_without_a_traceback(
    file: str, name: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", f"{file}:{name}", *words]) == 1
    said = capsys.readouterr().err
    assert said.startswith("penstock: error: ")
    assert message in said
    assert "Traceback" not in said


def test_a_file_that_holds_no_tokenizer(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tokenizers")
    assert main(["show", f"{file}:ids", "--tokenizer", file]) == 1
    assert "holds no tokenizer" in capsys.readouterr().err


def test_without_pillow_nothing_is_computed_for_a_picture(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with patch.object(libraries, "find", lambda name: None):
        assert main(["show", file, "--output", "sheet.png"]) == 1
    assert 'needs Pillow, which is not installed; pip install "penstock[image]"' in capsys.readouterr().err
    assert "shown_pipeline" not in sys.modules
