"""The `penstock` command: what it does, says and returns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from penstock import cli
from penstock.commands import train
from penstock.commands.main import parse
from penstock.commands.training import resume_command
from penstock.errors import DownloadError
from penstock.recipes import datasets

ROOT = Path(__file__).parents[1]


def run_penstock(*words: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock", *words],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--style", "recursive"], "--style: invalid choice: 'recursive'"),
        (["train", "--loop", "while"], "--loop: invalid choice: 'while'"),
        (["train", "--backend", "numpy"], "--backend: invalid choice: 'numpy'"),
        (["train", "cifar"], "invalid choice: 'cifar'"),
        (["train", "--epochs", "0"], "'0' is no whole number of at least 1"),
        (["train", "--batch-size", "2.5"], "'2.5' is no whole number of at least 1"),
        (["train", "--seed", "-1"], "'-1' is no whole number of at least 0"),
        (["train", "--save-every", "often"], "'often' is no whole number of at least 1"),
        (["trian"], "invalid choice: 'trian'"),
        ([], "required: command"),
    ],
)
def test_arguments_that_cannot_be(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_help_names_every_choice_and_loads_no_framework() -> None:
    code = (
        "import sys; from penstock import cli\n"
        "try: cli.main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "loaded = {'numpy', 'keras', 'jax', 'torch', 'sklearn'} & set(sys.modules)\n"
        "print('loaded:', sorted(loaded))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "loaded: []" in output
    for word in ("nested", "custom", "tensorflow", "fashion_mnist", "--resume", "--save-every"):
        assert word in output


def test_trains_on_digits_saves_and_reports(tmp_path: Path) -> None:
    done = run_penstock("train", "digits", "--epochs", "1", "--style", "functional", "--loop", "custom", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "digits: functional model, custom loop" in done.stdout
    assert "1,437 images in batches of 32" in done.stdout
    assert "epoch 1/1: loss" in done.stdout
    assert "test accuracy: " in done.stdout
    assert "waiting for input: " in done.stdout
    folder = Path("runs/digits-functional-custom")
    assert f"model saved as {folder / 'model.keras'}" in done.stdout
    assert {path.name for path in (tmp_path / folder).iterdir()} == {"checkpoint.npz", "losses.csv", "model.keras"}


class TestWithoutADataSetNamed:
    """What is trained on, up to the moment where training would begin."""

    @pytest.fixture
    def trained_on(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        names: list[str] = []

        def report_data(arguments: Any) -> int:
            names.append(train.load(arguments).name)
            return 0

        monkeypatch.setattr(train, "run", report_data)
        return names

    def test_mnist_where_it_can_be_had(self, trained_on: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        digits = datasets.load("digits")
        asked: list[str] = []

        def load(name: str, data_dir: Path | None = None, **options: Any) -> datasets.ImageData:
            asked.append(name)
            return datasets.ImageData(name, *list(vars(digits).values())[1:])

        monkeypatch.setattr(datasets, "load", load)
        cli.main(["train"])
        assert trained_on == asked == ["mnist"]

    def test_digits_where_there_is_no_network(
        self, trained_on: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        load = datasets.load

        def load_offline(name: Any, *arguments: Any, **options: Any) -> datasets.ImageData:
            if name == "digits":
                return load(name)
            assert options["timeout_seconds"] < 5
            raise DownloadError("no mirror answers")

        monkeypatch.setattr(datasets, "load", load_offline)
        cli.main(["train"])
        assert trained_on == ["digits"]
        said = capsys.readouterr().out
        assert said == "training on digits, as MNIST cannot be had: no mirror answers\n"

    def test_folder_without_the_files_is_an_error(
        self, trained_on: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["train", "--data-dir", str(tmp_path)]) == 1
        assert trained_on == []
        assert str(tmp_path) in capsys.readouterr().err


def test_errors_are_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.npz").write_bytes(b"cut off")
    done = run_penstock("train", "digits", "--resume", "--save", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("penstock: error: ")
    assert "checkpoint.npz is cut off or corrupt" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_backend_says_what_to_install(tmp_path: Path) -> None:
    missing = "tensorflow"
    try:
        __import__(missing)
    except ModuleNotFoundError:
        done = run_penstock("train", "digits", "--backend", missing, "--save", str(tmp_path))
        assert done.returncode == 1
        assert "pip install 'penstock[train,tensorflow]'" in done.stderr
    else:
        pytest.skip("TensorFlow is installed")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "mnist", "--seed", "3"], "penstock train mnist --seed 3 --resume"),
        (["train", "--save", "my runs"], "penstock train --save 'my runs' digits --resume"),
        (["train", "digits", "--resume"], "penstock train digits --resume"),
    ],
)
def test_command_that_goes_on_names_the_data_that_was_found(words: list[str], expected: str) -> None:
    arguments = parse(words)
    found = resume_command(train.lasting_words(arguments, arguments.dataset or "digits"), arguments.resume)
    assert found == expected


@pytest.mark.parametrize("other", ["photos", "text"])
def test_train_says_where_the_other_commands_are(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["train", "--epochs", "2", other])
    assert f"write it before all options: penstock train {other}" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["train", "--help"])
    assert f"penstock train {other} --help" in " ".join(capsys.readouterr().out.split())
