"""The source node of all formats."""

from __future__ import annotations

import os
from dataclasses import replace

from penstock.node import UNKNOWN, Access, Context, Epochs, Indices, Node, Operator, Places
from penstock.parallel import AUTOTUNE, Parallel
from penstock.reader import Position, Reader, Used
from penstock.reading.ahead import read_ahead
from penstock.reading.by_index import FilePlaces, Fragments
from penstock.reading.operator import ReadingOperator
from penstock.reading.pieces import Pieces, in_order, pieces_of
from penstock.record import record
from penstock.spec import Spec


@record
class ReadFiles(Node):
    """The rows of all fragments of `reader`, one after another.

    Attributes:
        reader: The format and its files.
        origin: The user's line that made it.
        settings: How many fragments are read at the same time; None for one, by the thread that asks.
        used: Components that later steps look at.
    """

    reader: Reader
    origin: str
    settings: Parallel | None = None
    used: Used = None

    def known_spec(self) -> Spec | None:
        return self.reader.known_spec()

    def cardinality(self) -> int:
        total = 0
        for fragment in self.reader.fragments():
            if fragment.rows is None:
                return UNKNOWN
            total += fragment.rows
        return total

    @property
    def access(self) -> Access:
        return Access.STREAM if self.cardinality() == UNKNOWN else Access.RANDOM

    def resolve(self, epochs: Epochs, indices: Indices, context: Context) -> Places:
        budget = context.memory_budget_bytes
        fragments = context.memo(self, lambda: Fragments(self.reader, self.used, self.origin, budget))
        return FilePlaces(fragments, indices, context.keeps_provenance)

    def open(self, context: Context) -> Operator:
        fragments = self.reader.fragments()

        def pieces(number: int, position: Position | None) -> Pieces:
            return pieces_of(self.reader, fragments[number], number, self.used, position, self.origin)

        def read(number: int, position: Position | None) -> Pieces:
            if self.settings is None:
                return in_order(pieces, len(fragments), number, position)
            return read_ahead(pieces, len(fragments), number, position, self._calls(), context.start_thread)

        files = fragments if context.keeps_provenance else None
        return ReadingOperator(read, self.cardinality() != UNKNOWN, files)

    def _calls(self) -> int:
        assert self.settings is not None
        self.settings.pace.way = "thread"
        return 2 * (os.cpu_count() or 1) if self.settings.calls == AUTOTUNE else self.settings.calls

    def sequential(self) -> Node:
        return self if self.settings is None else replace(self, settings=None)

    def signature(self) -> str:
        return self.reader.signature()

    def label(self) -> str:
        spec = self.known_spec()
        told = [] if self.settings is None else [str(self.settings)]
        if self.used is not None and spec is not None:
            told.append(f"reads {len(self.used)} of {len(spec.leaves)} components")
        return "; ".join([self.signature(), *told])
