"""`penstock train photos`: a small residual network on the images of a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.commands.options import add_training_options, positive, training_settings
from penstock.commands.training import job_module, run_job

if TYPE_CHECKING:
    from penstock.recipes.photos.folder import BrokenImage, PhotoFolder
    from penstock.recipes.photos.job import PhotoOutcome

_BATCH_SIZE = 32
_EPOCHS = 10
_SIDE, _SIDE_OF_DIGITS = 64, 16
_MOST_BROKEN = 20
"""That are told; all of them are in the log."""


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `train photos`."""
    parser = subparsers.add_parser(
        "train photos",
        prog="penstock train photos",
        help="train a small residual network on a folder of images",
        description="Train a small residual network on the images of a folder that holds a folder for each class; draw "
        "what it is trained on before, and which classes it takes for which after.",
    )
    add = parser.add_argument
    add("--data", metavar="FOLDER", help="a path or URL (default: scans of digits, written as PNG files)")
    add("--side", type=positive, help=f"pixels that images are brought to (default: {_SIDE}; digits {_SIDE_OF_DIGITS})")
    add("--flip", action="store_true", help="mirror half of the images at random; not where left and right differ")
    save = "runs/photos-NAME-LOOP"
    add_training_options(parser, what="images", batch_size=str(_BATCH_SIZE), save=save, epochs=_EPOCHS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train as `arguments` say; the exit code."""
    module = job_module("penstock.recipes.photos.job", arguments.backend, extras=["image"])
    from penstock.recipes.photos.digits import write_digits
    from penstock.recipes.photos.folder import open_folder
    from penstock.recipes.photos.settings import PhotoSettings

    data: str | None = arguments.data
    name = "digits" if data is None else Path(data).resolve().name
    options = training_settings(
        arguments, save_dir=Path("runs") / f"photos-{name}-{arguments.loop}", batch_size=_BATCH_SIZE
    )
    side = arguments.side or (_SIDE_OF_DIGITS if data is None else _SIDE)
    settings = PhotoSettings(side=side, flip=arguments.flip, **options)
    if data is None:
        data = str(settings.save_dir / "digits")
        write_digits(Path(data))
    folder = open_folder(data, settings.save_dir / "broken.jsonl", side)
    job = module.PhotoJob(settings, folder)
    print(
        f"{data}: {len(folder.train):,} images of {len(folder.class_names):,} classes to train on, in batches of "
        f"{settings.batch_size}, {len(folder.test):,} to test on; {side}x{side} pixels, {settings.loop} loop on "
        f"{settings.backend}\nthe first batch is drawn as {job.draw_augmented()}",
        flush=True,
    )

    def tell(outcome: PhotoOutcome) -> None:
        _tell(outcome)
        _tell_broken(folder, settings.save_dir / "broken.jsonl")

    return run_job(job, arguments, tell)


def _tell(outcome: PhotoOutcome) -> None:
    for line in outcome.confusion.told():
        print(f"  {line}")
    commonest, share = outcome.confusion.commonest
    print(f"test accuracy: {outcome.confusion.accuracy:.2%} ({share:.2%} by saying {commonest} each time)")
    print(f"confusion matrix drawn as {outcome.confusion_path}")


def _tell_broken(folder: PhotoFolder, log: Path) -> None:
    broken: tuple[BrokenImage, ...] = folder.broken
    if not broken:
        return
    print(f"images that could not be read and were left out: {len(broken):,}")
    for image in broken[:_MOST_BROKEN]:
        print(f"  {image.path} {image.reason}")
    if len(broken) > _MOST_BROKEN:
        print(f"  and {len(broken) - _MOST_BROKEN:,} more, in {log}")
