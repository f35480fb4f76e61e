"""`penstock train text`: a small Transformer language model on text files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.commands.options import add_training_options, positive, training_settings
from penstock.commands.training import job_module, run_job

if TYPE_CHECKING:
    from penstock.recipes.language_model.job import TextOutcome

_BATCH_SIZE = 8
_EPOCHS = 6
_TOPICS = "topics"


def add_arguments(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `train text`."""
    parser = subparsers.add_parser(
        "train text",
        prog="penstock train text",
        help="train a small language model on text files",
        description="Train a tokenizer and a small Transformer on text files, say in how many bits it writes a byte of "
        "text that it has not seen, and have it write some.",
    )
    add = parser.add_argument
    what = "text in UTF-8, also .gz, .zz or .zst (default: the help topics that Python carries)"
    add("files", nargs="*", type=Path, metavar="FILE", help=what)
    add("--vocab-size", type=positive, default=2048, help="tokens of the tokenizer at most (default: %(default)s)")
    add("--window", type=positive, default=128, help="tokens that the model sees at once (default: %(default)s)")
    add("--width", type=positive, default=128, help="size of the model's vectors (default: %(default)s)")
    add("--layers", type=positive, default=2, help="blocks of the model (default: %(default)s)")
    add("--learning-rate", type=float, default=3e-3, help="of the first step; it falls (default: %(default)s)")
    add("--prompt", default="", help="what the text that it writes begins with (default: nothing)")
    save = "runs/text-NAME-LOOP"
    add_training_options(parser, what="windows", batch_size=str(_BATCH_SIZE), save=save, epochs=_EPOCHS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train as `arguments` say; the exit code."""
    module = job_module("penstock.recipes.language_model.job", arguments.backend, extras=["text"])
    from penstock.recipes.language_model.corpus import look_through, write_topics
    from penstock.recipes.language_model.settings import TextSettings

    name = arguments.files[0].name.split(".")[0] if arguments.files else _TOPICS
    options = training_settings(
        arguments, save_dir=Path("runs") / f"text-{name}-{arguments.loop}", batch_size=_BATCH_SIZE
    )
    files = arguments.files
    if not files:
        files = [options["save_dir"] / f"{_TOPICS}.txt"]
        write_topics(files[0])
    settings = TextSettings(
        corpus=look_through(files),
        vocab_size=arguments.vocab_size,
        window=arguments.window,
        width=arguments.width,
        num_layers=arguments.layers,
        learning_rate=arguments.learning_rate,
        prompt=arguments.prompt,
        **options,
    )
    print(
        f"{', '.join(map(str, files))}: {settings.corpus.num_bytes:,} bytes, in windows of {settings.window} tokens, "
        f"{settings.batch_size} a batch; {settings.num_layers} layers of width {settings.width}, {settings.loop} loop "
        f"on {settings.backend}",
        flush=True,
    )
    return run_job(module.TextJob(settings), arguments, _tell)


def _tell(outcome: TextOutcome) -> None:
    print(
        f"bits per byte: {outcome.bits_per_byte:.3f} on {outcome.num_test_bytes:,} bytes that it has not seen "
        f"({outcome.unigram_bits_per_byte:.3f} by how often each token comes)"
    )
    print("it writes:")
    for line in outcome.sample.strip("\n").splitlines():
        print(f"  | {line}".rstrip())
