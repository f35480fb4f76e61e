"""Sequences one after another, cut wherever a row is full."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.block import Block
from penstock.node import Context, Indices
from penstock.packing.asked import Asked
from penstock.packing.rows import block_of, label, number_within
from penstock.packing.sequences import SequenceReader, Sequences


class Splitter:
    """Counts tokens; those after the last full row wait.

    Attributes:
        count: How many came.
    """

    def __init__(self, asked: Asked, reader: SequenceReader, context: Context) -> None:
        self._asked = asked
        self._reader = reader
        self._context = context
        self.count = 0
        self._parts: list[Sequences] = []
        self._tokens = 0

    @property
    def wanted_tokens(self) -> int:
        return self._asked.length - self._tokens

    @property
    def oldest(self) -> int:
        return self.count - self._tokens

    def add(self, sequences: Sequences) -> None:
        tokens = int(sequences.offsets[-1])
        self.count += tokens
        self._tokens += tokens
        self._parts.append(sequences)

    def complete(self) -> Block | None:
        length = self._asked.length
        rows = self._tokens // length
        if not rows:
            return None
        block = self._made(rows, 0)
        self._drop(rows * length)
        return block

    def rest(self) -> Block | None:
        if not self._tokens or self._asked.drop_remainder:
            return None
        block = self._made(1, self._asked.length - self._tokens)
        self._parts, self._tokens = [], 0
        return block

    def _made(self, rows: int, num_padding: int) -> Block:
        """The first rows of what waits, the last of which may have tokens of padding."""
        length = self._asked.length
        size = rows * length - num_padding
        offsets = np.concatenate([[0], *(part.offsets[1:] + at for part, at in self._placed())])
        bounds = np.unique(np.concatenate([offsets[offsets < size], np.arange(0, size, length)]))
        ids = number_within(bounds // length)
        if num_padding:
            bounds, ids = np.append(bounds, size), np.append(ids, 0)
        labels = label(np.diff(np.append(bounds, rows * length)), ids, rows, length, self._context)
        assert self._reader.treedef is not None
        tokens = [self._joined(at, rows, size) for at in range(len(self._reader.padding))]
        return block_of(self._reader.treedef, tokens, labels)

    def _placed(self) -> list[tuple[Sequences, int]]:
        """The parts, each with where its tokens begin among those that wait."""
        starts = np.cumsum([0, *(part.offsets[-1] for part in self._parts)]).tolist()
        return list(zip(self._parts, starts, strict=False))

    def _joined(self, at: int, rows: int, size: int) -> NDArray[Any]:
        """The first `size` tokens of a component, and padding behind them."""
        first = self._parts[0].values[at]
        made = self._context.allocate((rows, self._asked.length, *first.shape[1:]), first.dtype)
        flat = made.reshape(rows * self._asked.length, *first.shape[1:])
        parts = [part.values[at][: max(0, size - start)] for part, start in self._placed()]
        np.concatenate(parts, out=flat[:size])
        flat[size:] = self._reader.padding[at]
        return made

    def _drop(self, tokens: int) -> None:
        """Let go of the first tokens of what waits."""
        values: list[list[NDArray[Any]]] = []
        kept: list[Indices] = [np.zeros(1, np.int64)]
        for part, start in self._placed():
            gone = min(max(0, tokens - start), int(part.offsets[-1]))
            if gone < int(part.offsets[-1]):
                values.append([array[gone:] for array in part.values])
                kept.append(part.offsets[part.offsets > gone] - gone + kept[-1][-1])
        self._tokens -= tokens
        # Copied: what waits is less than a row, and a view would hold the whole block in memory.
        joined = [np.concatenate(parts) for parts in zip(*values, strict=True)]
        self._parts = [Sequences(joined, np.concatenate(kept))] if joined else []

    def waiting(self, start: int) -> Any:
        return self.oldest - start

    def load(self, waiting: Any) -> None:
        self._drop(int(waiting))
