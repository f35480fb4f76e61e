"""A language model trained on a small text: exact after a stop, better than counting tokens, loaded as it was saved."""

from __future__ import annotations

import json
import os
import shlex
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from penstock import cli
from penstock.errors import StateError
from penstock.recipes.language_model import prepared
from penstock.recipes.language_model.corpus import look_through
from penstock.recipes.language_model.job import TextJob, TextOutcome
from penstock.recipes.language_model.prepared import PreparedText
from penstock.recipes.language_model.settings import TextSettings
from penstock.recipes.language_model.trained import load
from penstock.recipes.training import run
from penstock.recipes.training.run import Result
from tests.recipes.training_runs import logged_losses, paused_process

BACKEND = keras.backend.backend()
SIZES = (
    "--vocab-size 280 --window 8 --width 8 --layers 1 --batch-size 16 --seed 5 --save-every 2 --epochs 12 "
    "--learning-rate 0.03"
)
WORDS = "so much depends upon a red wheel barrow glazed with rain water beside the white chickens".split()


@pytest.fixture(scope="module")
def poem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "poem.txt"
    rng = np.random.default_rng(0)
    path.write_text("".join(" ".join(rng.choice(WORDS, 8)) + "\n\n" for _ in range(45)))
    return path


@pytest.fixture(scope="module")
def whole_run(poem: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result[TextOutcome]]:
    """A run that nothing stops: its folder, and what came of it."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, run.train(TextJob(short_run(folder, poem)), progress=False)


def short_run(save_dir: Path, text: Path, **changes: Any) -> TextSettings:
    names = ("vocab_size", "window", "width", "num_layers", "batch_size", "seed", "save_every", "epochs")
    sizes = dict(zip((*names, "learning_rate"), map(json.loads, SIZES.split()[1::2]), strict=True))
    options = {"corpus": look_through([text]), "backend": BACKEND, "sample_tokens": 12, **sizes}
    return TextSettings(save_dir=save_dir, **{**options, **changes})


def command(save_dir: Path, text: Path) -> list[str]:
    """The arguments of `penstock` for the same run as `short_run`."""
    return ["train", "text", str(text), *SIZES.split(), "--save", str(save_dir)]


class TestTraining:
    def test_is_better_than_counting_tokens(self, whole_run: tuple[Path, Result[TextOutcome]]) -> None:
        folder, result = whole_run
        assert 0 < result.outcome.bits_per_byte < 0.9 * result.outcome.unigram_bits_per_byte
        assert result.num_steps == len(logged_losses(folder)) == 12 * 7

    def test_loaded_it_foretells_and_writes_as_before(
        self, whole_run: tuple[Path, Result[TextOutcome]], poem: Path
    ) -> None:
        folder, result = whole_run
        model = load(folder)
        tested = "".join(look_through([poem]).test_lines())
        assert len(tested) == result.outcome.num_test_bytes
        assert model.bits_per_byte(tested) == pytest.approx(result.outcome.bits_per_byte, rel=1e-4)
        assert model.sample(num_tokens=12, seed=5) == result.outcome.sample
        assert model.sample("so much", num_tokens=3, temperature=0).startswith("so much")
        assert model.bits_per_byte("so much\n") == model.bits_per_byte("so much  \r\n")
        with pytest.raises(ValueError, match="there is no text"):
            model.bits_per_byte("")


def test_killed_and_stopped_it_goes_on_with_the_same_losses(
    whole_run: tuple[Path, Result[TextOutcome]],
    poem: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = logged_losses(whole_run[0])
    with paused_process(command(tmp_path, poem), step=9) as process:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert logged_losses(tmp_path) == expected[:9]

    # This process goes on; Ctrl-C comes after the seventeenth step, in the middle of an epoch.
    train = run.train

    def interrupted(job: TextJob, **options: Any) -> Any:
        def press(step: int, loss: float) -> None:
            if step == 17:
                os.kill(os.getpid(), signal.SIGINT)

        return train(job, **options, progress=False, on_step=press)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(run, "train", interrupted)
            assert cli.main([*command(tmp_path, poem), "--resume"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    words = shlex.split(capsys.readouterr().err.splitlines()[-1].removeprefix("go on with: "))
    assert words[0] == "penstock"
    assert cli.main(words[1:]) == 0
    assert logged_losses(tmp_path) == expected
    said = capsys.readouterr().out
    outcome = whole_run[1].outcome
    assert f"bits per byte: {outcome.bits_per_byte:.3f} on {outcome.num_test_bytes} bytes" in said
    assert "it writes:\n  | " in said
    assert f"model saved as {tmp_path / 'model.keras'}" in said


class TestPrepared:
    def test_windows_are_the_text_one_after_another(self, poem: Path, tmp_path: Path) -> None:
        settings = short_run(tmp_path, poem)
        made = PreparedText(settings)
        ids = np.concatenate([*made.windows()])
        text = "".join(settings.corpus.train_lines())
        assert text.startswith(made.tokenizer.decode(ids))
        assert 0 <= len(made.tokenizer.encode(text).ids) - len(ids) < 9
        assert all(window.shape == (9,) for window in made.windows())

    def test_are_used_again_where_nothing_has_changed(
        self, poem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = short_run(tmp_path, poem)
        expected = [window.tolist() for window in PreparedText(settings).windows()]
        trained = []
        train_bpe = prepared.text.train_bpe
        monkeypatch.setattr(prepared.text, "train_bpe", lambda *a: trained.append(a) or train_bpe(*a))
        changed = (tmp_path / "windows.arrow").stat().st_mtime_ns
        again = PreparedText(replace(settings, width=16, epochs=7))
        assert [window.tolist() for window in again.windows()] == expected
        assert (tmp_path / "windows.arrow").stat().st_mtime_ns == changed
        assert not trained
        assert PreparedText(replace(settings, vocab_size=270)).tokenizer.get_vocab_size() == 270
        assert len(trained) == 1
        assert not (tmp_path / "windows.arrow").exists()

    def test_are_made_anew_where_they_were_cut_off_or_the_file_has_moved(self, poem: Path, tmp_path: Path) -> None:
        expected = [window.tolist() for window in PreparedText(short_run(tmp_path, poem)).windows()]
        (tmp_path / "prepared.json").write_text('{"text": ')
        assert [window.tolist() for window in PreparedText(short_run(tmp_path, poem)).windows()] == expected
        moved = tmp_path / "moved.txt"
        moved.write_bytes(poem.read_bytes())
        assert [window.tolist() for window in PreparedText(short_run(tmp_path, moved)).windows()] == expected


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "text.txt is empty"),
            ("one line", "fewer than the 9 tokens of a single window; name more text, or write a smaller --window"),
            ("one paragraph is enough to learn from\n" * 9, "there is no second; name more text"),
            ("\n\n \n", "too little text"),
        ],
    )
    def test_too_little_text(
        self, content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
    ) -> None:
        path = tmp_path / "text.txt"
        path.write_text(content)
        assert cli.main(command(tmp_path / "run", path)) == 1
        said = capsys.readouterr().err
        assert said.startswith("penstock: error: ")
        assert message in said
        assert not (tmp_path / "run" / "losses.csv").exists()

    def test_resume_with_another_text(
        self, poem: Path, whole_run: tuple[Path, Result[TextOutcome]], tmp_path: Path
    ) -> None:
        folder, _ = whole_run
        other = tmp_path / "other.txt"
        other.write_text(poem.read_text() + "more\n")
        with pytest.raises(StateError, match="belongs to a run with text="):
            run.train(TextJob(short_run(folder, other)), resume=True, progress=False)
        load(folder)  # What stands there is as it was.

    def test_folder_without_a_model(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"has no model\.keras; name a folder in which"):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"vocab_size": 255}, "vocab_size is 255; it must be at least 256"),
            ({"window": 0}, "window is 0; it must be at least 1"),
            ({"width": 48}, "width is 48; it must be a multiple of 32, or below"),
            ({"num_layers": 0}, "num_layers is 0"),
            ({"learning_rate": 0.0}, r"learning_rate is 0\.0; it must be above 0"),
        ],
    )
    def test_settings_that_cannot_be(self, changes: dict[str, Any], message: str, poem: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=message):
            short_run(tmp_path, poem, **changes)
