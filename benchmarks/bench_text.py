"""Lines of text cleaned, tokenized and packed, beside the tokenizer alone and other libraries, rounds interleaved.

    python benchmarks/bench_text.py                   50 MB of lines, 5 rounds
    python benchmarks/bench_text.py --megabytes 5 --rounds 3 --only tokenizers penstock

Each program runs in a process of its own: lines of a file, cleaned, tokenized by a byte-level BPE of 8,000 tokens, laid
into rows of 512 and batched by 16. The limit is the library tokenizers alone, given lists of lines that are in memory,
with its own threads. The table shows the best speed of each program, and as medians of ratios within a round its speed
and the time that it computes, both as multiples of the limit's.
The lines are those of Python's own help texts, again and again, each time with some words exchanged. Peers live in
`.venv-peers`, which `python benchmarks/run.py --only mnist_memory` makes; without it they are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import pydoc_data.topics
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import process_tree

LENGTH = 512
BATCH = 16
VOCABULARY = 8000
CHUNK = 1024
"""Lines that programs hand to the tokenizer at a time, where they say it themselves."""

PEERS = Path(__file__).resolve().parent.parent / ".venv-peers" / "bin" / "python"

Batches = Iterable[Any]


def write_files(folder: Path, megabytes: float) -> None:
    """The lines, and a tokenizer that was trained on the first of them."""
    import tokenizers

    draws = random.Random(0)
    known = [line for topic in pydoc_data.topics.topics.values() for line in topic.split("\n") if line.strip()]
    words = sorted({word for line in known for word in line.split() if word.isalpha()})
    written = 0
    with (folder / "lines.txt").open("w", encoding="utf-8") as file:
        while written < megabytes * 1e6:
            for line in known:
                parts = [draws.choice(words) if draws.random() < 0.1 else word for word in line.split(" ")]
                written += file.write(" ".join(parts) + "\n")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=VOCABULARY, show_progress=False)
    tokenizer.train_from_iterator(known, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))


def opened(folder: Path) -> tuple[str, Any]:
    """The file of lines, and the tokenizer."""
    import tokenizers

    return str(folder / "lines.txt"), tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))


def tidy(line: str) -> str:
    """What users of other libraries write to clean a line."""
    import unicodedata

    return " ".join(unicodedata.normalize("NFC", line).split())


def tokens_of(tokenizer: Any, lines: list[str]) -> np.ndarray[Any, Any]:
    """The tokens of many lines, one after another."""
    found = tokenizer.encode_batch_fast([tidy(line) for line in lines])
    return np.concatenate([np.array(one.ids, np.int32) for one in found])


def tokenizers_alone(folder: Path) -> Batches:
    path, tokenizer = opened(folder)
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    return (tokenizer.encode_batch_fast(lines[at : at + CHUNK]) for at in range(0, len(lines), CHUNK))


def penstock(folder: Path) -> Batches:
    from penstock import AUTOTUNE, Dataset, text

    path, tokenizer = opened(folder)
    return (
        Dataset.from_text(path)
        .map(text.clean, num_parallel_calls=AUTOTUNE)
        .map(text.tokenize(tokenizer), num_parallel_calls=AUTOTUNE)
        .pack(LENGTH)
        .batch(BATCH)
    )


def hugging_face(folder: Path) -> Batches:
    import datasets

    path, tokenizer = opened(folder)

    def tokenized(rows: dict[str, list[str]]) -> dict[str, list[Any]]:
        ids = tokens_of(tokenizer, rows["text"])
        whole = len(ids) // LENGTH * LENGTH
        return {"ids": list(ids[:whole].reshape(-1, LENGTH))}

    lines = datasets.load_dataset("text", data_files=path, split="train", streaming=True)
    return (
        lines.map(tokenized, batched=True, batch_size=CHUNK, remove_columns=["text"]).with_format("numpy").batch(BATCH)
    )


def tf_data(folder: Path) -> Batches:
    import tensorflow as tf

    path, tokenizer = opened(folder)

    def tokenized(lines: Any) -> Any:
        return tokens_of(tokenizer, [line.decode() for line in lines])

    lines = tf.data.TextLineDataset(path).batch(CHUNK)
    ids = lines.map(lambda rows: tf.numpy_function(tokenized, [rows], tf.int32), num_parallel_calls=tf.data.AUTOTUNE)
    return ids.unbatch().batch(LENGTH, drop_remainder=True).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def grain(folder: Path) -> Batches:
    import grain

    path, tokenizer = opened(folder)
    lines = Path(path).read_text(encoding="utf-8").split("\n")[:-1]

    def tokenized(line: str) -> dict[str, Any]:
        return {"ids": np.array(tokenizer.encode(tidy(line)).ids, np.int32)}

    ids = grain.MapDataset.source(lines).map(tokenized).to_iter_dataset()
    return grain.experimental.ConcatThenSplitIterDataset(ids, length_struct={"ids": LENGTH}).batch(BATCH)


def torch(folder: Path) -> Batches:
    from torch.utils import data

    path, tokenizer = opened(folder)

    class Rows(data.IterableDataset):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[Any]:
            worker = data.get_worker_info()
            rest = np.empty(0, np.int32)
            with open(path, encoding="utf-8") as file:
                lines: list[str] = []
                for number, line in enumerate(file):
                    if number // CHUNK % worker.num_workers == worker.id:
                        lines.append(line[:-1])
                    if len(lines) == CHUNK:
                        ids = np.concatenate([rest, tokens_of(tokenizer, lines)])
                        whole = len(ids) // LENGTH * LENGTH
                        yield from ids[:whole].reshape(-1, LENGTH)
                        rest, lines = ids[whole:], []

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return data.DataLoader(Rows(), BATCH, num_workers=os.cpu_count() or 1)


PROGRAMS: dict[str, tuple[str, Callable[[Path], Batches]]] = {
    "tokenizers": ("own", tokenizers_alone),
    "penstock": ("own", penstock),
    "datasets": ("peers", hugging_face),
    "tf.data": ("peers", tf_data),
    "grain": ("peers", grain),
    "torch": ("peers", torch),
}


def run_here(name: str, folder: Path) -> None:
    """Go through one program's batches once and print the time; what it loads beforehand does not count."""
    batches = PROGRAMS[name][1](folder)
    computed, began = process_tree.processor_seconds(), time.perf_counter()
    count = sum(1 for _ in batches)
    seconds, processor = time.perf_counter() - began, process_tree.processor_seconds() - computed
    print(json.dumps({"seconds": seconds, "processor_seconds": processor, "batches": count}))


def measured(name: str, folder: Path) -> dict[str, float]:
    """How long one program takes and computes, in a process of its own."""
    interpreter = sys.executable if PROGRAMS[name][0] == "own" else str(PEERS)
    command = [interpreter, __file__, "--program", name, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=50.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    parser.add_argument("--program", choices=PROGRAMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    chosen.only = [key for key in chosen.only if PROGRAMS[key][0] == "own" or PEERS.exists()]
    if chosen.program:
        run_here(chosen.program, chosen.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), chosen.megabytes)
        rounds = [{key: measured(key, Path(name)) for key in chosen.only} for _ in range(chosen.rounds)]
    for key in chosen.only:
        best = chosen.megabytes / min(times[key]["seconds"] for times in rounds)
        speed, computing = 1 / multiple(rounds, key, "seconds"), multiple(rounds, key, "processor_seconds")
        print(f"{key:12} {best:6.2f} MB/s   speed {speed:5.2f}   computing {computing:5.2f}")


def multiple(rounds: list[dict[str, dict[str, float]]], key: str, kind: str) -> float:
    """What a program takes as a multiple of what the limit does: the median over rounds; 1 where that was not run."""
    return statistics.median(times[key][kind] / times.get("tokenizers", times[key])[kind] for times in rounds)


if __name__ == "__main__":
    main()
