"""Options that every command which trains has, and what they may be."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from penstock.recipes.training.settings import BACKENDS, LOOPS


def add_training_options(
    parser: argparse.ArgumentParser, *, batch_size: str, save: str, what: str, epochs: int = 5
) -> None:
    """Add the options that say how to train.

    Args:
        parser: Where to.
        batch_size: What is taken where no size is given, in words.
        save: The folder that is taken where none is given, in words.
        what: What a batch is made of, in the plural.
        epochs: Passes where no number is given.
    """
    add = parser.add_argument
    add("--loop", choices=LOOPS, default=LOOPS[0], help="model.fit, or a loop of our own (default: %(default)s)")
    add("--backend", choices=BACKENDS, default=_default_backend(), help="what Keras runs on (default: %(default)s)")
    add("--epochs", type=positive, default=epochs, help=f"passes through the {what} (default: %(default)s)")
    add("--batch-size", type=positive, help=f"{what} per step (default: {batch_size})")
    add("--seed", type=seed, default=0, help="seed of weights, dropout and order (default: %(default)s)")
    add("--save", type=Path, help=f"folder for state, losses and model (default: {save})")
    add("--save-every", type=positive, default=100, help="steps between saves (default: %(default)s)")
    add("--resume", action="store_true", help="go on where the run in the folder was last saved")


def training_settings(arguments: argparse.Namespace, *, save_dir: Path, batch_size: int) -> dict[str, Any]:
    """What `Settings` takes, from the options of `add_training_options`.

    Args:
        arguments: The parsed options.
        save_dir: The folder where none is given.
        batch_size: The size where none is given.
    """
    return {
        "save_dir": arguments.save or save_dir,
        "loop": arguments.loop,
        "backend": arguments.backend,
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size or batch_size,
        "seed": arguments.seed,
        "save_every": arguments.save_every,
    }


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    return _whole_number(text, at_least=1)


def seed(text: str) -> int:
    """A whole number of at least 0, for argparse."""
    return _whole_number(text, at_least=0)


def _whole_number(text: str, at_least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = at_least - 1
    if number < at_least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least {at_least}")
    return number


def _default_backend() -> str:
    chosen = os.environ.get("KERAS_BACKEND", "")
    return chosen if chosen in BACKENDS else BACKENDS[0]
