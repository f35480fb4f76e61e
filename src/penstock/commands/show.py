"""`penstock show`: the first elements of a pipeline, to look at."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.commands.exit_codes import DONE
from penstock.commands.options import positive

if TYPE_CHECKING:
    from penstock.seen import Look
    from penstock.show.cards import Cards

_SUFFIXES = (".png", ".html")


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `show`."""
    parser = subparsers.add_parser(
        "show",
        help="show the first elements of a pipeline",
        description="Show the first elements of a pipeline: images drawn, text decoded, numbers in tables.",
    )
    add = parser.add_argument
    add(
        "pipeline",
        help="FILE.py:NAME or module.path:NAME, a Dataset or a function of no arguments that returns one "
        "(NAME is `dataset` where there is none)",
    )
    add("--count", type=positive, default=16, help="elements, or rows of batches (default: %(default)s)")
    add("--output", type=_output, help="FILE.html or FILE.png (default: a page in the temporary folder, opened)")
    add("--tokenizer", type=Path, metavar="FILE", help="tokenizer.json that decodes arrays of token ids")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show what `arguments` name; the exit code."""
    # Only this command needs these, and `penstock --help` should come at once.
    from penstock.dataset import Dataset
    from penstock.ends import look
    from penstock.show.cards import cards_of
    from penstock.show.loading import load
    from penstock.show.tokens import load_decoder

    _check_drawable(arguments.output)
    decode = None if arguments.tokenizer is None else load_decoder(arguments.tokenizer)
    dataset: Dataset[Any] = load(arguments.pipeline, Dataset)
    seen = look(dataset, arguments.count)
    if not seen.seen:
        raise ValueError(f"{arguments.pipeline} has no elements; its plan:\n{seen.plan}")
    cards = cards_of(seen.seen, decode)
    path = _write(arguments.pipeline, arguments.output, seen, cards)
    print(path)
    if arguments.output is None and _has_display():
        webbrowser.open(path.as_uri())
    return DONE


def _check_drawable(output: Path | None) -> None:
    """That what is missing is said before anything is computed."""
    if output is not None and output.suffix == ".png":
        from penstock.show.lettering import Pillow

        Pillow(f"--output {output}")


def _write(title: str, output: Path | None, seen: Look, cards: Cards) -> Path:
    if output is not None and output.suffix == ".png":
        from penstock.show.element_sheet import element_sheet

        element_sheet(title, cards).save(output)
        return output
    from penstock.show.page import page

    text = page(title, seen, cards)
    if output is None:
        handle, name = tempfile.mkstemp(prefix="penstock-show-", suffix=".html")
        os.close(handle)
        output = Path(name)
    output.write_text(text, encoding="utf-8")
    return output


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _output(text: str) -> Path:
    path = Path(text)
    if path.suffix not in _SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a page nor a picture; end it in .html or .png")
    return path
