"""Short training runs for the tests, in this process and in one that can be killed at a step of its choosing.

As a script it runs the `penstock` command of its arguments on a few digits only, and at step `PAUSE_AT` says so on
stdout and waits for a line on stdin.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.recipes import datasets
from penstock.recipes.datasets import ImageData, load
from penstock.recipes.small_images.settings import SmallImageSettings

if TYPE_CHECKING:
    from penstock.recipes.training.run import Result

ROOT = Path(__file__).parents[2]
NUM_IMAGES = 144
ROWS = 32
STEPS_PER_EPOCH = 5
EPOCHS = 3
NUM_STEPS = STEPS_PER_EPOCH * EPOCHS
SAVE_EVERY = 2
PAUSED = "paused"


def few_digits() -> ImageData:
    digits = load("digits")
    return replace(digits, train_images=digits.train_images[:NUM_IMAGES], train_labels=digits.train_labels[:NUM_IMAGES])


def short_run(save_dir: Path, **changes: Any) -> SmallImageSettings:
    options = {
        "dataset": "digits",
        "style": "nested",
        "backend": os.environ["KERAS_BACKEND"],
        "epochs": EPOCHS,
        "batch_size": ROWS,
        "seed": 11,
        "save_every": SAVE_EVERY,
    }
    return SmallImageSettings(save_dir=save_dir, **{**options, **changes})


def train(settings: SmallImageSettings, data: ImageData, **options: Any) -> Result[float]:
    from penstock.recipes.small_images.job import SmallImageJob
    from penstock.recipes.training import run

    return run.train(SmallImageJob(settings, data), **options)


def logged_losses(save_dir: Path) -> list[str]:
    """The lines of the log, each with the number of its step: they hold all bits of each loss."""
    lines = (save_dir / "losses.csv").read_text().splitlines()
    assert lines[0] == "step,loss"
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(1, len(lines)))
    return lines[1:]


def command(save_dir: Path, loop: str) -> list[str]:
    """The arguments of `penstock` for the same run as `short_run`."""
    options = f"train digits --style nested --loop {loop} --epochs {EPOCHS} --batch-size {ROWS} --seed 11"
    return [*options.split(), "--save-every", str(SAVE_EVERY), "--save", str(save_dir)]


def paused_process(arguments: Sequence[str], step: int) -> subprocess.Popen[str]:
    """A process that runs the command and has come to the end of `step`, where it waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.recipes.training_runs", *arguments],
        cwd=ROOT,
        env={**os.environ, "PAUSE_AT": str(step)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        if line.strip() == PAUSED:
            return process
        said.append(line)
    raise AssertionError(f"the run ended before step {step}: {''.join(said)}{process.communicate()[1]}")


def main() -> int:
    from penstock import cli
    from penstock.recipes.training import run

    pause_at = int(os.environ.get("PAUSE_AT", "0"))
    train = run.train

    def train_and_pause(job: Any, **options: Any) -> run.Result[Any]:
        def pause(step: int, loss: float) -> None:
            if step == pause_at:
                sys.stdout.write(f"{PAUSED}\n")
                sys.stdout.flush()
                sys.stdin.readline()

        return train(job, on_step=pause, **options)

    run.train = train_and_pause
    datasets.load = lambda *_, **__: few_digits()
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
