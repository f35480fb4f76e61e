"""Sequences that stay whole, each in the row that a `Fitter` says."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.block import Block
from penstock.node import Context
from penstock.packing.asked import Asked
from penstock.packing.fitting import Fitter
from penstock.packing.rows import block_of, label, number_within
from penstock.packing.sequences import SequenceReader, Sequences


class Placer:
    """Counts sequences that have tokens; those that wait are kept, each as an array for each component.

    Attributes:
        count: How many came.
    """

    def __init__(self, asked: Asked, fitter: Fitter, reader: SequenceReader, context: Context) -> None:
        self._asked = asked
        self._fitter = fitter
        self._reader = reader
        self._context = context
        self.count = 0
        self._tokens: dict[int, tuple[NDArray[Any], ...]] = {}
        self._new: list[int] = []
        self._recent: deque[tuple[int, int, int]] = deque()
        self._recent_tokens = 0

    @property
    def wanted_tokens(self) -> int:
        return self._fitter.wanted_tokens

    @property
    def oldest(self) -> int:
        found = self._fitter.oldest
        return self.count if found is None else found

    def add(self, sequences: Sequences) -> None:
        bounds = sequences.offsets[np.append(True, np.diff(sequences.offsets) > 0)].tolist()
        spans = [slice(start, stop) for start, stop in zip(bounds, bounds[1:], strict=False)]
        self._new += [span.stop - span.start for span in spans]
        views = zip(*([array[span] for span in spans] for array in sequences.values), strict=True)
        self._tokens.update(zip(range(self.count, self.count + len(spans)), views, strict=True))
        self._recent.append((self.count, self.count + len(spans), bounds[-1]))
        self._recent_tokens += bounds[-1]
        self.count += len(spans)

    def complete(self) -> Block | None:
        rows = self._fitter.put(self.count - len(self._new), self._new)
        self._new = []
        block = self._made(rows) if rows else None
        self._own_old()
        return block

    def _own_old(self) -> None:
        """Copy those that wait while many came after them: a view holds in memory all that it was read with."""
        while self._recent_tokens > 2 * self._asked.open_rows * self._asked.length:
            start, stop, tokens = self._recent.popleft()
            self._recent_tokens -= tokens
            for number in range(start, stop):
                if number in self._tokens:
                    self._tokens[number] = tuple(array.copy() for array in self._tokens[number])

    def rest(self) -> Block | None:
        rows = self._fitter.rest()
        if rows and self._asked.drop_remainder and sum(len(self._tokens[n][0]) for n in rows[-1]) < self._asked.length:
            rows.pop()
        block = self._made(rows) if rows else None
        self._tokens = {}
        return block

    def _made(self, rows: list[list[int]]) -> Block:
        """Rows of sequences, which are kept no longer; each row ends with a segment of padding, which may be empty."""
        length = self._asked.length
        found = [[self._tokens.pop(number) for number in row] for row in rows]
        lengths: list[int] = []
        for row in found:
            own = [len(tokens[0]) for tokens in row]
            lengths += own
            lengths.append(length - sum(own))
        counts = np.array([len(row) + 1 for row in rows])
        ids = number_within(np.repeat(np.arange(len(rows)), counts))
        ids[np.cumsum(counts) - 1] = 0
        labels = label(np.array(lengths), ids, len(rows), length, self._context)
        free = np.array(lengths)[np.cumsum(counts) - 1].tolist()
        components = [self._joined(at, found, free) for at in range(len(self._reader.padding))]
        assert self._reader.treedef is not None
        return block_of(self._reader.treedef, components, labels)

    def _joined(self, at: int, rows: list[list[tuple[NDArray[Any], ...]]], free: list[int]) -> NDArray[Any]:
        """A component of rows, the last `free` tokens of each of which are padding."""
        length = self._asked.length
        first = rows[0][0][at]
        padding = np.full((max(free), *first.shape[1:]), self._reader.padding[at])
        parts: list[NDArray[Any]] = []
        for row, num_padding in zip(rows, free, strict=True):
            parts += [tokens[at] for tokens in row]
            if num_padding:
                parts.append(padding[:num_padding])
        made = self._context.allocate((len(rows), length, *first.shape[1:]), first.dtype)
        np.concatenate(parts, out=made.reshape(len(rows) * length, *first.shape[1:]))
        return made

    def waiting(self, start: int) -> Any:
        return [[number - start for number in group] for group in self._fitter.waiting()]

    def load(self, waiting: Any) -> None:
        groups = [[int(number) for number in group] for group in waiting]
        kept = {number for group in groups for number in group}
        self._tokens = {number: tokens for number, tokens in self._tokens.items() if number in kept}
        self._fitter.load(groups, {number: len(tokens[0]) for number, tokens in self._tokens.items()})
        self._new = []
