"""tf.data's datasets of files under their own names, such as `TextLineDataset`; functions here."""

from __future__ import annotations

from typing import Any

from penstock.dataset import Dataset
from penstock.readers.text_lines import text_line_dataset


def TextLineDataset(
    filenames: Any,
    compression_type: str | None = None,
    buffer_size: int | None = None,
    num_parallel_reads: int | None = None,
    *,
    encoding: str | None = "utf-8",
    errors: str = "strict",
) -> Dataset[Any]:
    """Make an element of each line of text files.

    >>> import fsspec
    >>> with fsspec.open("memory://lines.txt", "wb") as file:
    ...     _ = file.write(b"one\\r\\n\\ntwo")
    >>> list(TextLineDataset("memory://lines.txt"))
    ['one', '', 'two']

    Lines end with a newline or a carriage return and a newline, which are left out. Empty lines are elements, and so is
    a last line without newline. In tf.data elements are bytes, which `encoding=None` gives, and carriage returns are
    dropped wherever they stand.

    Args:
        filenames: A path or URL, a list of them, or a Dataset of paths, such as `Dataset.list_files` gives. No pattern:
            `Dataset.from_text` takes those.
        compression_type: None or "", "GZIP", "ZLIB" or "ZSTD", for all files.
        buffer_size: Bytes that are read at once; by default 64 KiB first and then 128 KiB.
        num_parallel_reads: How many files are read at the same time, in threads, and in turn, a line of each: the order
            differs from that of None, which reads one file after another. AUTOTUNE stands for 16.
        encoding: As Python calls it; None gives `bytes`. One byte has to stand for a newline, as in all but UTF-16 and
            UTF-32.
        errors: What becomes of a line that is not of that encoding: "strict" (an error in its place), "replace",
            "ignore" or any other handler of Python's.

    Spec: shape (), dtype `str`, or `bytes` without an encoding.
    Cardinality: unknown.
    Order: of the files, then of their lines; by turns with `num_parallel_reads`.  Random access: no.
    Memory: a chunk, or one line; with `num_parallel_reads` up to 64 MiB.
    State: the file and the byte; resuming seeks there, or uncompresses the file up to there.

    Raises:
        TypeError: `filenames` is no path; of a Dataset that holds something else, in the place of that element.
        ValueError: An argument is none of the values above.
        FileNotFoundError: A file is not there; raised in its place, and the next one follows.
        UnicodeDecodeError: A line is not of that encoding; in its place, with path and byte.
        DataLossError: A compressed file is cut off or corrupt; in its place, after all whole lines before it.

    See also: Dataset.from_text, Dataset.list_files, Dataset.interleave.
    """
    return text_line_dataset(
        Dataset,
        filenames,
        compression_type,
        buffer_size,
        num_parallel_reads,
        encoding=encoding,
        errors=errors,
    )
