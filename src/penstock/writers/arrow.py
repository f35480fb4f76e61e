"""Blocks into an Arrow file."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from penstock import tree
from penstock.arrow_columns import Form, block_of, checksum, checksum_of_schema, form_of, to_arrow, wider
from penstock.block import Block, concatenate
from penstock.columns import Column
from penstock.errors import SpecError
from penstock.structures import structure_to_json

_BATCH_BYTES = 1 << 25
_MOST_BATCH_ROWS = 1 << 16
_MOST_HELD_BYTES = 1 << 26
_MOST_KINDS = 3


class ArrowWriter:
    """Writes elements into record batches of as many rows each, 32 MiB or 65,536 rows.

    The schema says how each component lies in the file (`arrow_columns.Form`), and in its metadata what `about` says.
    Each batch has a checksum. Where later elements need a wider form than those before, all are written again.

    Args:
        path: The file, which is replaced.
        about: Anything as JSON.
        method: The public function, for messages.
    """

    def __init__(self, path: Path, about: dict[str, Any], method: str) -> None:
        self.path = path
        self.rows = 0
        self._about = about
        self._method = method
        self._held: list[Block] = []
        self._held_rows = 0
        self._held_bytes = 0
        self._batch_rows = 0
        self._forms: list[Form] | None = None
        self._file = open(path, "wb")  # noqa: SIM115  open as long as the writer
        self._arrow: Any = None

    def add(self, block: Block) -> None:
        """Write the rows of a block, none of which is an error.

        Raises:
            SpecError: A component cannot be written, or the structure is another one than before.
            OSError: There is no space left, or the file cannot be written for another reason.
        """
        if not self._batch_rows:
            self._check(block)
            row_bytes = max(1, block.num_bytes // block.rows)
            most = min(_MOST_BATCH_ROWS, max(1, _BATCH_BYTES // row_bytes))
            self._batch_rows = 1 << (most.bit_length() - 1)
        self._held.append(block)
        self._held_rows += block.rows
        self._held_bytes += block.num_bytes
        while self._held_rows >= self._batch_rows or self._held_bytes > _MOST_HELD_BYTES:
            self._flush(min(self._batch_rows, self._held_rows))

    def _check(self, block: Block) -> None:
        assert block.treedef is not None
        structure_to_json(block.treedef)
        for column, name in zip(block.columns, tree.paths(block.treedef), strict=True):
            if form_of(column) is None:
                raise self._refusal(name, column, None)

    def _refusal(self, name: str, column: Column, before: Form | None) -> SpecError:
        kinds = dict.fromkeys(_kind(value) for value in column.values(writable=False))
        earlier = "" if before is None else f", and earlier {_name(before.dtype)}"
        return SpecError(
            f"{self._method}: component{name} holds {', '.join(islice(kinds, _MOST_KINDS))}{earlier}, which cannot be "
            "written to one column of a file; map() it to numbers, text or arrays of one dtype"
        )

    def _flush(self, rows: int) -> None:
        """Write the first `rows` rows that are held."""
        whole = concatenate(self._held)
        self._held = [whole.slice(rows, whole.rows)] if whole.rows > rows else []
        self._held_rows -= rows
        self._held_bytes = sum(block.num_bytes for block in self._held)
        self._write(whole.slice(0, rows))

    def _write(self, block: Block) -> None:
        assert block.treedef is not None
        forms = self._forms_with(block)
        if self._forms is None:
            self._begin(block.treedef, forms)
        elif forms != self._forms:
            self._write_again(block.treedef, forms)
        self._append(block)

    def _forms_with(self, block: Block) -> list[Form]:
        """The forms for what was written and a block."""
        forms: list[Form] = []
        assert block.treedef is not None
        for at, column in enumerate(block.columns):
            form, before = form_of(column), None if self._forms is None else self._forms[at]
            if form is not None and before is not None:
                form = wider(before, form)
            if form is None:
                raise self._refusal(tree.paths(block.treedef)[at], column, before)
            forms.append(form)
        return forms

    def _begin(self, treedef: tree.Treedef | None, forms: list[Form]) -> None:
        import pyarrow as pa

        structure = None if treedef is None else structure_to_json(treedef)
        about = json.dumps({**self._about, "structure": structure, "has_rows": treedef is not None})
        fields = [
            pa.field(f"{number}.{part}", kind, metadata={"penstock": form.to_json()})
            for number, form in enumerate(forms)
            for part, kind in enumerate(form.types())
        ]
        self._forms = forms
        self._schema = pa.schema(fields, {"penstock": about, "crc32": checksum_of_schema(about.encode(), fields)})
        self._arrow = pa.ipc.new_file(self._file, self._schema)

    def _append(self, block: Block) -> None:
        import pyarrow as pa

        assert self._forms is not None
        arrays = [a for c, form in zip(block.columns, self._forms, strict=True) for a in to_arrow(c, form)]
        batch = pa.record_batch(arrays, schema=self._schema)
        self._arrow.write_batch(batch, custom_metadata={"crc32": str(checksum(batch))})
        self.rows += block.rows

    def _write_again(self, treedef: tree.Treedef, forms: list[Form]) -> None:
        """Copy what was written into a file of wider forms."""
        import pyarrow as pa

        assert self._forms is not None
        self._arrow.close()
        self._file.close()
        old, narrow = self.path, self._forms
        self.path, self.rows = old.with_name(old.name + "+"), 0
        self._file = open(self.path, "wb")  # noqa: SIM115
        self._begin(treedef, forms)
        written = pa.ipc.open_file(pa.memory_map(str(old)))
        for number in range(written.num_record_batches):
            batch = written.get_batch(number)
            self._append(block_of(treedef, narrow, batch.columns, batch.num_rows))
        old.unlink()

    def finish(self) -> None:
        """Write what is held and the end of the file, and see to it that it is on the disk."""
        while self._held_rows:
            self._flush(min(self._batch_rows, self._held_rows))
        if self._arrow is None:
            self._begin(None, [])
        self._arrow.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Remove the file; twice is fine."""
        self._held = []
        with suppress(OSError):  # what Python still held does not fit on the disk either
            self._file.close()
        self.path.unlink(missing_ok=True)


def _kind(value: Any) -> str:
    """What a value is, for people."""
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    items = sorted({type(item).__name__ for item in value.flat}) if value.dtype.hasobject else [str(value.dtype)]
    return f"{'an empty array' if not value.size else 'an array'} of {' and '.join(items) or 'objects'}"


def _name(dtype: Any) -> str:
    return getattr(dtype, "__name__", str(dtype))
