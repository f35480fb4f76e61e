"""The `penstock` command."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.errors import DownloadError, PenstockError
from penstock.recipes.training.settings import BACKENDS, DATASETS, LOOPS, STYLES, Settings

if TYPE_CHECKING:
    from penstock.recipes.datasets import ImageData
    from penstock.recipes.training.run import Result

_STOPPED = 130
"""Exit code of a command that Ctrl-C ended: 128 and the signal's number, as shells have it."""

_NETWORK_SECONDS = 4.0
"""How long to look for MNIST where nobody asked for it by name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv`, or with the arguments of this process; its exit code.

    0: done. 1: an error, told in a line on stderr. 2: arguments that cannot be. 130: stopped by Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser().parse_args(words)
    try:
        return _train(arguments, words)
    except KeyboardInterrupt:
        print("penstock: stopped", file=sys.stderr)
        return _STOPPED
    except (PenstockError, OSError, ImportError, ValueError) as error:
        lines = [str(error), *getattr(error, "__notes__", [])]
        print("penstock: error: " + "\n  ".join(lines), file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="penstock", description="Input pipelines for machine learning, and models trained from them."
    )
    commands = parser.add_subparsers(metavar="command", required=True)
    train = commands.add_parser(
        "train",
        help="train a small convolutional network on real images",
        description="Train a small convolutional network on real images, test it and save it.",
    )
    add = train.add_argument
    add("dataset", nargs="?", choices=DATASETS, help="images to train on; MNIST where it can be had, else digits")
    add("--style", choices=STYLES, default=STYLES[0], help="how the model is written (default: %(default)s)")
    add("--loop", choices=LOOPS, default=LOOPS[0], help="model.fit, or a loop of our own (default: %(default)s)")
    add("--backend", choices=BACKENDS, default=_default_backend(), help="what Keras runs on (default: %(default)s)")
    add("--epochs", type=_positive, default=5, help="passes through the images (default: %(default)s)")
    add("--batch-size", type=_positive, help="images per step (default: 32 for digits, else 128)")
    add("--seed", type=_seed, default=0, help="seed of weights, dropout and order (default: %(default)s)")
    add("--data-dir", type=Path, help="folder that has the image files already")
    add("--save", type=Path, help="folder for state, losses and model (default: runs/DATASET-STYLE-LOOP)")
    add("--save-every", type=_positive, default=100, help="steps between saves (default: %(default)s)")
    add("--resume", action="store_true", help="go on where the run in the folder was last saved")
    return parser


def _train(arguments: argparse.Namespace, words: list[str]) -> int:
    os.environ["KERAS_BACKEND"] = arguments.backend  # Keras reads it once, when it is imported.
    data = _load(arguments)
    settings = Settings(
        dataset=data.name,
        save_dir=arguments.save or Path("runs") / f"{data.name}-{arguments.style}-{arguments.loop}",
        style=arguments.style,
        loop=arguments.loop,
        backend=arguments.backend,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        save_every=arguments.save_every,
    )
    try:
        from penstock.recipes.training import run
    except ModuleNotFoundError as error:
        extra = "train" if arguments.backend == "jax" else f"train,{arguments.backend}"
        raise ImportError(
            f"training on {arguments.backend} needs {error.name}; install it with: pip install 'penstock[{extra}]'"
        ) from error
    from penstock.recipes.training.session import TrainingStopped

    print(
        f"{data.name}: {settings.style} model, {settings.loop} loop on {settings.backend}, "
        f"{len(data.train_labels):,} images in batches of {settings.rows}",
        flush=True,
    )
    try:
        _report(run.train(settings, data, resume=arguments.resume))
    except TrainingStopped as stopped:
        print(f"{stopped}\ngo on with: {_resume_command(arguments, words, data.name)}", file=sys.stderr)
        return _STOPPED
    return 0


def _load(arguments: argparse.Namespace) -> ImageData:
    from penstock.recipes import datasets

    if arguments.dataset is not None:
        return datasets.load(arguments.dataset, arguments.data_dir)
    try:
        return datasets.load("mnist", arguments.data_dir, timeout_seconds=_NETWORK_SECONDS)
    except DownloadError as error:
        print(f"training on digits, as MNIST cannot be had: {error}", flush=True)
        return datasets.load("digits")


def _report(result: Result) -> None:
    print(f"test accuracy: {result.test_accuracy:.2%}")
    print(f"waiting for input: {result.waiting_share:.2%} of step time")
    print(f"model saved as {result.model_path}")


def _resume_command(arguments: argparse.Namespace, words: list[str], dataset: str) -> str:
    """The command that goes on, with the data set that was found: next time another one might be."""
    named = words if arguments.dataset is not None else [*words, dataset]
    return shlex.join(["penstock", *named, *([] if arguments.resume else ["--resume"])])


def _default_backend() -> str:
    chosen = os.environ.get("KERAS_BACKEND", "")
    return chosen if chosen in BACKENDS else BACKENDS[0]


def _positive(text: str) -> int:
    return _whole_number(text, at_least=1)


def _seed(text: str) -> int:
    return _whole_number(text, at_least=0)


def _whole_number(text: str, at_least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = at_least - 1
    if number < at_least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {at_least}")
    return number
