"""One structure of results for all processes: each proves its own first result, and only one of those is the first."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from penstock.engine.block_form import pack_structure, unpack_structure
from penstock.engine.pickles import dumps_for_parent, dumps_for_worker
from penstock.vectorize.function import ElementFunction

Structures = dict[int, bytes]
"""Packed, by the numbers of the functions in their step."""

_lock = threading.Lock()


class Learnt:
    """What a worker process has learnt about the functions of one step.

    Args:
        functions: By their numbers.
    """

    def __init__(self, functions: Mapping[int, ElementFunction]) -> None:
        self.functions = functions
        self._told: set[int] = set()

    def take_over(self, structures: Structures) -> None:
        """Hold results to these from now on, whatever came before."""
        for number, packed in structures.items():
            self.functions[number].results.structure = unpack_structure(packed)
            self._told.add(number)

    def news(self) -> Structures:
        """What was learnt since this was last asked."""
        found: Structures = {}
        for number, function in self.functions.items():
            structure = function.results.structure
            if structure is not None and number not in self._told:
                self._told.add(number)
                found[number] = pack_structure(structure, dumps_for_parent)
        return found


def known(functions: Sequence[ElementFunction]) -> Structures:
    """What this process knows about the functions of a step, for its workers."""
    structures = ((number, function.results.structure) for number, function in enumerate(functions))
    return {number: pack_structure(each, dumps_for_worker) for number, each in structures if each is not None}


def disagreements(functions: Sequence[ElementFunction], found: Structures) -> Structures:
    """Take over what a worker has learnt; what holds instead, where something else is known already."""
    wrong: Structures = {}
    for number, packed in found.items():
        theirs = unpack_structure(packed)
        with _lock:
            ours = functions[number].results.structure
            if ours is None:
                functions[number].results.structure = theirs
            elif ours != theirs:
                wrong[number] = pack_structure(ours, dumps_for_worker)
    return wrong
