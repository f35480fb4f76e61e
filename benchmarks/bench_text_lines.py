"""Lines of text and of JSON beside Python's own loops over the same file, in one process, rounds interleaved.

    python benchmarks/bench_text_lines.py                   400,000 lines of 0 to 120 characters, 11 rounds
    python benchmarks/bench_text_lines.py --rounds 3

Ratios are taken within a round; the table shows their medians, and the best time of each.
"""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rounds import Entry, arguments, compared

from penstock import Dataset, TextLineDataset

LINES = 400_000
BATCH = 1024


def write_files(folder: Path, lines: int) -> None:
    """The same lines plain, in gzip, and as JSON objects with a label."""
    draws = random.Random(0)
    texts = ["".join(draws.choices("abcdefgh ", k=draws.randint(0, 120))) for _ in range(lines)]
    text = "".join(f"{line}\n" for line in texts)
    (folder / "lines.txt").write_text(text)
    (folder / "lines.txt.gz").write_bytes(gzip.compress(text.encode(), 6))
    rows = (json.dumps({"text": line, "label": at % 10}) for at, line in enumerate(texts))
    (folder / "lines.jsonl").write_text("".join(f"{row}\n" for row in rows))


def contenders(folder: Path) -> dict[str, Entry]:
    """What is compared: a name, the contender that it is divided by, and what is iterated over."""
    plain, packed, objects = (folder / name for name in ("lines.txt", "lines.txt.gz", "lines.jsonl"))

    def json_loop() -> Iterable[object]:
        with plain.with_suffix(".jsonl").open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    return {
        "open()": Entry("open()", lambda: plain.open(encoding="utf-8")),
        "TextLineDataset": Entry("open()", lambda: TextLineDataset(plain)),
        f"TextLineDataset, batch({BATCH})": Entry("open()", lambda: TextLineDataset(plain).batch(BATCH)),
        "gzip.open()": Entry("gzip.open()", lambda: gzip.open(packed, "rt", encoding="utf-8")),
        f"from_text of .gz, batch({BATCH})": Entry("gzip.open()", lambda: Dataset.from_text(packed).batch(BATCH)),
        "json.loads": Entry("json.loads", json_loop),
        "from_json_lines": Entry("json.loads", lambda: Dataset.from_json_lines(objects)),
        f"from_json_lines, batch({BATCH})": Entry("json.loads", lambda: Dataset.from_json_lines(objects).batch(BATCH)),
    }


def main() -> None:
    chosen = arguments(__doc__, "lines", LINES, rounds=11)
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), chosen.lines)
        found = compared(contenders(Path(name)), chosen.rounds)
    for name, limit, seconds, ratio in found:
        print(f"{name:38} {seconds / chosen.lines * 1e9:6.0f} ns a line   {ratio:5.2f} of {limit}")


if __name__ == "__main__":
    main()
