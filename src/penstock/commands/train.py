"""`penstock train`: a small convolutional network on small images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.commands.options import add_training_options, training_settings
from penstock.commands.training import job_module, run_job
from penstock.errors import DownloadError
from penstock.recipes.small_images.settings import DATASETS, STYLES, SmallImageSettings, suitable_batch_size

if TYPE_CHECKING:
    from penstock.recipes.datasets import ImageData

_OTHERS = ("photos", "text")
"""What else there is to train on, by commands of their own."""

_NETWORK_SECONDS = 4.0
"""How long to look for MNIST where nobody asked for it by name."""


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `train`."""
    parser = subparsers.add_parser(
        "train",
        help="train a small convolutional network on real images",
        description="Train a small convolutional network on real images, test it and save it.",
        epilog="Trained by commands of their own: "
        + ", ".join(f"{name} (see penstock train {name} --help)" for name in _OTHERS),
    )
    add = parser.add_argument
    add(
        "dataset",
        nargs="?",
        type=_dataset,
        choices=DATASETS,
        help="images to train on; MNIST where it can be had, else digits",
    )
    add("--style", choices=STYLES, default=STYLES[0], help="how the model is written (default: %(default)s)")
    add_training_options(parser, what="images", batch_size="32 for digits, else 128", save="runs/DATASET-STYLE-LOOP")
    add("--data-dir", type=Path, help="folder that has the image files already")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train as `arguments` say; the exit code."""
    data = load(arguments)
    settings = SmallImageSettings(
        dataset=data.name,
        style=arguments.style,
        **training_settings(
            arguments,
            save_dir=Path("runs") / f"{data.name}-{arguments.style}-{arguments.loop}",
            batch_size=suitable_batch_size(data.name),
        ),
    )
    job = job_module("penstock.recipes.small_images.job", arguments.backend).SmallImageJob(settings, data)
    print(
        f"{data.name}: {settings.style} model, {settings.loop} loop on {settings.backend}, "
        f"{len(data.train_labels):,} images in batches of {settings.batch_size}",
        flush=True,
    )
    return run_job(job, arguments, _tell, lasting_words(arguments, data.name))


def load(arguments: argparse.Namespace) -> ImageData:
    """The images that are asked for; where none are, MNIST if it can be had soon."""
    from penstock.recipes import datasets

    if arguments.dataset is not None:
        return datasets.load(arguments.dataset, arguments.data_dir)
    try:
        return datasets.load("mnist", arguments.data_dir, timeout_seconds=_NETWORK_SECONDS)
    except DownloadError as error:
        print(f"training on digits, as MNIST cannot be had: {error}", flush=True)
        return datasets.load("digits")


def lasting_words(arguments: argparse.Namespace, dataset: str) -> list[str]:
    """The words that were typed, with the data set that was found: next time another one might be."""
    named: list[str] = list(arguments.words)
    return named if arguments.dataset is not None else [*named, dataset]


def _tell(test_accuracy: float) -> None:
    print(f"test accuracy: {test_accuracy:.2%}")


def _dataset(name: str) -> str:
    if name in _OTHERS:
        raise argparse.ArgumentTypeError(f"write it before all options: penstock train {name} ...")
    return name
