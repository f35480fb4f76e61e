"""A training run as a command: the backend is chosen, the run reported, and Ctrl-C tells how to go on."""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.commands.exit_codes import DONE, STOPPED

if TYPE_CHECKING:
    from penstock.recipes.training.job import Job

Outcome = TypeVar("Outcome")


def job_module(name: str, backend: str, extras: Sequence[str] = ()) -> Any:
    """Import a module of a job, which imports Keras, with Keras on `backend`.

    Args:
        name: The module's full name.
        backend: What Keras runs on from now on; it can be chosen once a process.
        extras: Extras of penstock that the job needs besides those for training.

    Raises:
        ImportError: Something that it needs is not installed; says what to install.
    """
    os.environ["KERAS_BACKEND"] = backend  # Keras reads it once, when it is imported.
    try:
        importlib.import_module("penstock.recipes.training.run")
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        wanted = ",".join(["train", *([] if backend == "jax" else [backend]), *extras])
        raise ImportError(
            f"training on {backend} needs {error.name}; install it with: pip install 'penstock[{wanted}]'"
        ) from error


def run_job(
    job: Job[Outcome],
    arguments: argparse.Namespace,
    tell: Callable[[Outcome], None],
    words: Sequence[str] | None = None,
) -> int:
    """Train, and report what came of it.

    Args:
        job: What to train.
        arguments: The parsed options, those of `add_training_options` among them.
        tell: Prints what the job's test gave.
        words: The command line that trains the same again, where that is not the one that was typed.

    Returns:
        The exit code: that of Ctrl-C if it ended the run, which is told together with the command that goes on.
    """
    from penstock.recipes.training import run
    from penstock.recipes.training.session import TrainingStopped

    try:
        result = run.train(job, resume=arguments.resume)
    except TrainingStopped as stopped:
        command = resume_command(arguments.words if words is None else words, arguments.resume)
        print(f"{stopped}\ngo on with: {command}", file=sys.stderr)
        return STOPPED
    tell(result.outcome)
    print(f"waiting for input: {result.waiting_share:.2%} of step time")
    print(f"model saved as {result.model_path}")
    return DONE


def resume_command(words: Sequence[str], is_resumed: bool) -> str:
    """The command line that goes on with the run that `words` began, or went on with already."""
    return shlex.join(["penstock", *words, *([] if is_resumed else ["--resume"])])
