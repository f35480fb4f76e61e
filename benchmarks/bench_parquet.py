"""Parquet rows beside pyarrow and NumPy alone, over the same file, in one process, rounds interleaved.

    python benchmarks/bench_parquet.py                   2,000,000 rows of 10 columns, 5 rounds
    python benchmarks/bench_parquet.py --rows 200000 --rounds 3

The limit of a shuffle is pyarrow's reading of the whole file and a NumPy permutation of which each batch takes its
rows; that of reading in order is pyarrow's own batches as NumPy arrays. Ratios are taken within a round; the table
shows their medians, and the best time of each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rounds import Entry, arguments, compared

from penstock import Dataset

ROWS = 2_000_000
COLUMNS = 10
ROW_GROUP = 100_000
BATCH = 1024


def write_file(path: Path, rows: int) -> None:
    """Ten columns of float64 and int64 by turns, in row groups of 100,000."""
    draws = np.random.default_rng(0)
    columns = {
        f"column{at}": draws.normal(size=rows) if at % 2 else draws.integers(0, 1 << 20, rows) for at in range(COLUMNS)
    }
    pq.write_table(pa.table(columns), path, row_group_size=ROW_GROUP)


def contenders(path: Path, rows: int) -> dict[str, Entry]:
    """What is compared: a name, the contender that it is divided by, and what is iterated over."""

    def shuffled() -> Iterable[object]:
        table = pq.read_table(path)
        columns = {name: table.column(name).to_numpy() for name in table.column_names}
        order = np.random.default_rng(0).permutation(rows)
        for start in range(0, rows, BATCH):
            chosen = order[start : start + BATCH]
            yield {name: column[chosen] for name, column in columns.items()}

    def in_order() -> Iterable[object]:
        for batch in pq.ParquetFile(path).iter_batches(BATCH):
            yield {name: batch.column(name).to_numpy().copy() for name in batch.schema.names}

    ds = Dataset.from_parquet(path)
    return {
        "pyarrow, NumPy permutation": Entry("pyarrow, NumPy permutation", shuffled),
        f"shuffle, batch({BATCH})": Entry("pyarrow, NumPy permutation", lambda: ds.shuffle(rows, seed=0).batch(BATCH)),
        "pyarrow, iter_batches": Entry("pyarrow, iter_batches", in_order),
        f"batch({BATCH})": Entry("pyarrow, iter_batches", lambda: ds.batch(BATCH)),
        f"one column of ten, batch({BATCH})": Entry(
            "pyarrow, iter_batches",
            lambda: ds.map(lambda row: row["column1"] * 2).batch(BATCH),
        ),
    }


def main() -> None:
    chosen = arguments(__doc__, "rows", ROWS, rounds=5)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "rows.parquet"
        write_file(path, chosen.rows)
        found = compared(contenders(path, chosen.rows), chosen.rounds)
    for name, limit, seconds, ratio in found:
        print(f"{name:34} {chosen.rows / seconds / 1e6:6.2f} M rows/s   {ratio:5.2f} of {limit}")


if __name__ == "__main__":
    main()
