"""From the words of a command line to the command that they name, and to an exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Protocol

from penstock.commands import show, train, train_photos, train_text
from penstock.commands.exit_codes import FAILED, STOPPED
from penstock.errors import PenstockError


class Command(Protocol):
    """A module of this package.

    Its parser sets `run`, which takes the parsed arguments and returns an exit code. Beside its options these have what
    was typed, as `words`.
    """

    def add_arguments(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        """Add a parser, named with the one or two words that the command begins with."""


COMMANDS: tuple[Command, ...] = (train, train_photos, train_text, show)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv`, or with the arguments of this process; its exit code.

    0: done. 1: an error, told in a line on stderr. 2: arguments that cannot be. 130: stopped by Ctrl-C.
    """
    arguments = parse(sys.argv[1:] if argv is None else argv)
    try:
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        print("penstock: stopped", file=sys.stderr)
        return STOPPED
    except (PenstockError, OSError, ImportError, ValueError) as error:
        lines = [str(error), *getattr(error, "__notes__", [])]
        print("penstock: error: " + "\n  ".join(lines), file=sys.stderr)
        return FAILED
    return code


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options of the command that `words` begin with, its `run`, and the `words`."""
    parser = argparse.ArgumentParser(
        prog="penstock", description="Input pipelines for machine learning, and models trained from them."
    )
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for command in COMMANDS:
        command.add_arguments(subparsers)
    # Two words of a command are one name to argparse: so `train` can have data sets as its next word, and options.
    first_two = " ".join(words[:2])
    arguments = parser.parse_args([first_two, *words[2:]] if first_two in subparsers.choices else list(words))
    arguments.words = list(words)
    return arguments
