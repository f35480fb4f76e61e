"""Training reaches what it should, and a run that was stopped goes on as if it had not been."""

from __future__ import annotations

import errno
import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from penstock.errors import DataLossError, StateError
from penstock.recipes import datasets
from penstock.recipes.small_images.settings import STYLES, SmallImageSettings
from penstock.recipes.training.checkpoint import Checkpoint, read_checkpoint, replacing, write_checkpoint
from penstock.recipes.training.session import StepClock, checkpoint_path
from penstock.recipes.training.settings import LOOPS
from tests.recipes.training_runs import (
    EPOCHS,
    NUM_STEPS,
    SAVE_EVERY,
    STEPS_PER_EPOCH,
    command,
    few_digits,
    logged_losses,
    paused_process,
    short_run,
    train,
)

BACKEND = keras.backend.backend()


class Crash(Exception):
    """Ends a run at a step, as a kill would, but in this process."""


def crash_at(crashing_step: int) -> Any:
    def on_step(step: int, loss: float) -> None:
        if step == crashing_step:
            raise Crash

    return on_step


@pytest.fixture(scope="module", params=LOOPS)
def loop(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def whole_run(loop: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The losses of a run that nothing stops."""
    save_dir = tmp_path_factory.mktemp("whole")
    train(short_run(save_dir, loop=loop), few_digits(), progress=False)
    return logged_losses(save_dir)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("loop", LOOPS)
def test_reaches_97_percent_on_digits(style: str, loop: str, tmp_path: Path) -> None:
    settings = SmallImageSettings(
        dataset="digits", save_dir=tmp_path, style=style, loop=loop, backend=BACKEND, epochs=5
    )
    data = datasets.load("digits")
    result = train(settings, data, progress=False)
    assert result.outcome >= 0.97
    assert result.num_steps == len(logged_losses(tmp_path)) == 5 * 45
    assert len(result.history) == 5
    assert 0 < result.waiting_share < 1
    loaded = keras.saving.load_model(result.model_path)
    logits = keras.ops.convert_to_numpy(loaded(data.test_images[..., None] / np.float32(255), training=False))
    assert (logits.argmax(axis=-1) == data.test_labels).mean() == pytest.approx(result.outcome)


class TestResume:
    # Nothing saved yet; just saved; after that; the last of an epoch; the first of one; the last of all.
    @pytest.mark.parametrize("step", [1, SAVE_EVERY, 3, STEPS_PER_EPOCH, STEPS_PER_EPOCH + 1, 8, NUM_STEPS])
    def test_goes_on_with_the_same_losses(self, step: int, loop: str, whole_run: list[str], tmp_path: Path) -> None:
        with pytest.raises(Crash):
            train(short_run(tmp_path, loop=loop), few_digits(), progress=False, on_step=crash_at(step))
        assert logged_losses(tmp_path) == whole_run[:step]
        steps: list[int] = []
        result = train(
            short_run(tmp_path, loop=loop),
            few_digits(),
            resume=True,
            progress=False,
            on_step=lambda step, loss: steps.append(step),
        )
        # The fifth step of an epoch is saved with the epoch, after `on_step`; so it is done again.
        saved = max([0, *(k for k in range(1, step + 1) if k % STEPS_PER_EPOCH and k % SAVE_EVERY == 0)])
        ended = (step - 1) // STEPS_PER_EPOCH * STEPS_PER_EPOCH
        assert steps == list(range(max(saved, ended) + 1, NUM_STEPS + 1))
        assert logged_losses(tmp_path) == whole_run
        assert result.num_steps == NUM_STEPS
        assert len(result.history) == EPOCHS

    def test_cut_twice(self, loop: str, whole_run: list[str], tmp_path: Path) -> None:
        for step in (4, 9):
            with pytest.raises(Crash):
                train(short_run(tmp_path, loop=loop), few_digits(), resume=True, progress=False, on_step=crash_at(step))
        train(short_run(tmp_path, loop=loop), few_digits(), resume=True, progress=False)
        assert logged_losses(tmp_path) == whole_run

    def test_history_is_that_of_the_whole_run(self, loop: str, tmp_path: Path) -> None:
        expected = train(short_run(tmp_path / "whole", loop=loop), few_digits(), progress=False)
        with pytest.raises(Crash):
            train(short_run(tmp_path / "cut", loop=loop), few_digits(), progress=False, on_step=crash_at(8))
        found = train(short_run(tmp_path / "cut", loop=loop), few_digits(), resume=True, progress=False)
        assert found.history == expected.history
        assert found.outcome == expected.outcome

    def test_run_that_ended_goes_on_with_more_epochs(self, loop: str, whole_run: list[str], tmp_path: Path) -> None:
        train(short_run(tmp_path, loop=loop, epochs=1), few_digits(), progress=False)
        ended = train(short_run(tmp_path, loop=loop, epochs=1), few_digits(), resume=True, progress=False)
        assert ended.num_steps == STEPS_PER_EPOCH
        train(short_run(tmp_path, loop=loop), few_digits(), resume=True, progress=False)
        assert logged_losses(tmp_path) == whole_run

    def test_killed_process(self, loop: str, whole_run: list[str], tmp_path: Path) -> None:
        with paused_process(command(tmp_path, loop), step=9) as process:
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        assert logged_losses(tmp_path) == whole_run[:9]
        train(short_run(tmp_path, loop=loop), few_digits(), resume=True, progress=False)
        assert logged_losses(tmp_path) == whole_run


class TestInterrupt:
    def test_ctrl_c_finishes_the_step_saves_and_says_how_to_go_on(
        self, loop: str, whole_run: list[str], tmp_path: Path
    ) -> None:
        with paused_process(command(tmp_path, loop), step=7) as process:
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate("go on\n")
            assert process.returncode == 130, errors
        assert "stopped after step 8" in errors
        assert "--resume" in errors
        assert logged_losses(tmp_path) == whole_run[:8]
        identity = short_run(tmp_path, loop=loop).identity()
        assert read_checkpoint(checkpoint_path(tmp_path), identity).step == 8
        assert "Traceback" not in errors + output

    def test_second_ctrl_c_acts_at_once(self, tmp_path: Path) -> None:
        def on_step(step: int, loss: float) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

        # A process that a shell started in the background ignores SIGINT from the start.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                train(short_run(tmp_path, loop="custom"), few_digits(), progress=False, on_step=on_step)
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        finally:
            signal.signal(signal.SIGINT, before)

    def test_other_threads_can_train(self, tmp_path: Path) -> None:
        settings = short_run(tmp_path, loop="custom", epochs=1)
        results: list[Any] = []
        thread = threading.Thread(target=lambda: results.append(train(settings, few_digits(), progress=False)))
        thread.start()
        thread.join()
        assert results[0].num_steps == STEPS_PER_EPOCH


class TestCheckpoint:
    CHECKPOINT = Checkpoint(
        identity={"style": "nested", "seed": 3},
        epoch=2,
        batch=5,
        step=25,
        history=[{"loss": 0.5}],
        pipeline={"row": 160},
        metrics=[1.5, 3, 32],
        variables={"trainable": [np.arange(6.0).reshape(2, 3), np.float32(1.5).reshape(())], "metrics": []},
        losses=np.array([0.1, 0.2]),
    )

    def test_round_trip(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "checkpoint.npz"
        write_checkpoint(path, self.CHECKPOINT)
        found = read_checkpoint(path, self.CHECKPOINT.identity)
        for name in ("identity", "epoch", "batch", "step", "history", "pipeline", "metrics"):
            assert getattr(found, name) == getattr(self.CHECKPOINT, name)
        assert found.losses.tolist() == [0.1, 0.2]
        assert list(found.variables) == ["trainable", "metrics"]
        for value, expected in zip(found.variables["trainable"], self.CHECKPOINT.variables["trainable"], strict=True):
            np.testing.assert_array_equal(value, expected, strict=True)

    def test_cut_off_or_corrupt_file_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "checkpoint.npz"
        write_checkpoint(path, self.CHECKPOINT)
        whole = path.read_bytes()
        for content in (*(whole[:length] for length in range(0, len(whole), 97)), b"no checkpoint at all"):
            path.write_bytes(content)
            with pytest.raises(DataLossError, match=r"checkpoint\.npz is cut off or corrupt"):
                read_checkpoint(path, self.CHECKPOINT.identity)

    def test_changed_byte_is_found_or_changes_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "checkpoint.npz"
        write_checkpoint(path, self.CHECKPOINT)
        whole = path.read_bytes()
        num_found = 0
        for place in range(0, len(whole), 7):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
            try:
                found = read_checkpoint(path, self.CHECKPOINT.identity)
            except DataLossError:
                num_found += 1
            else:  # For instance the time of day in the header of an entry.
                assert found.step == self.CHECKPOINT.step
                assert found.losses.tolist() == self.CHECKPOINT.losses.tolist()
        assert num_found > len(whole) // 7 // 2

    def test_another_run_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "checkpoint.npz"
        write_checkpoint(path, self.CHECKPOINT)
        with pytest.raises(StateError, match="belongs to a run with style=nested, asked for is style=functional"):
            read_checkpoint(path, {"style": "functional", "seed": 3})

    def test_newer_version_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "checkpoint.npz"
        monkeypatch.setattr("penstock.recipes.training.checkpoint._VERSION", 7)
        write_checkpoint(path, self.CHECKPOINT)
        monkeypatch.undo()
        with pytest.raises(StateError, match="version 7; this penstock reads 1"):
            read_checkpoint(path, self.CHECKPOINT.identity)

    def test_no_space_leaves_the_old_one_and_nothing_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "checkpoint.npz"
        write_checkpoint(path, self.CHECKPOINT)
        before = path.read_bytes()

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as caught:
            write_checkpoint(path, Checkpoint(identity={}, step=99))
        assert "was not replaced" in caught.value.__notes__[0]
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]

    def test_failure_while_writing_leaves_nothing(self, tmp_path: Path) -> None:
        def write_half() -> None:
            with replacing(tmp_path / "new.npz") as file:
                file.write(b"half")
                raise Crash

        with pytest.raises(Crash):
            write_half()
        assert list(tmp_path.iterdir()) == []


class TestRefusals:
    def test_resume_of_another_run(self, tmp_path: Path) -> None:
        write_checkpoint(checkpoint_path(tmp_path), Checkpoint(identity=short_run(tmp_path).identity()))
        with pytest.raises(StateError, match=r"batch_size=32, asked for is batch_size=16"):
            train(short_run(tmp_path, batch_size=16), few_digits(), resume=True, progress=False)

    def test_corrupt_checkpoint(self, tmp_path: Path) -> None:
        checkpoint_path(tmp_path).write_bytes(b"PK\x03\x04 cut off")
        with pytest.raises(DataLossError, match="remove it"):
            train(short_run(tmp_path), few_digits(), resume=True, progress=False)

    def test_other_backend_than_keras_runs_on(self, tmp_path: Path) -> None:
        other = "torch" if BACKEND != "torch" else "jax"
        with pytest.raises(StateError, match=f"KERAS_BACKEND={other}"):
            train(short_run(tmp_path, backend=other), few_digits(), progress=False)

    def test_other_images_than_the_settings_name(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"the images are digits, but settings\.dataset is mnist"):
            train(replace(short_run(tmp_path), dataset="mnist"), few_digits(), progress=False)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"style": "recursive"}, "style is 'recursive'; write one of sequential"),
            ({"loop": "while"}, "loop is 'while'; write one of fit, custom"),
            ({"epochs": 0}, "epochs is 0; it must be at least 1"),
            ({"batch_size": -1}, "batch_size is -1"),
            ({"save_every": 0}, "save_every is 0"),
        ],
    )
    def test_settings_that_cannot_be(self, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=message):
            short_run(tmp_path, **changes)


def test_run_begun_anew_keeps_the_old_state_under_another_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = short_run(tmp_path, loop="custom", epochs=1)
    train(settings, few_digits(), progress=False)
    before = checkpoint_path(tmp_path).read_bytes()
    with pytest.raises(Crash):
        train(settings, few_digits(), progress=False, on_step=crash_at(1))
    assert not checkpoint_path(tmp_path).exists()
    assert (tmp_path / "checkpoint.previous.npz").read_bytes() == before
    assert "checkpoint.previous.npz" in capsys.readouterr().out


def test_clock_leaves_out_steps_that_compiled() -> None:
    clock = StepClock()
    clock.start()
    clock.stop(waited_seconds=5.0, counts=False)
    assert clock.waiting_share == 0
    clock.start()
    clock.stop(waited_seconds=5.0, counts=True)
    assert clock.waited_seconds == 5.0
    assert clock.waiting_share > 0
